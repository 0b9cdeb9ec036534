import numpy as np
import pytest

from magic_ui.evaluation.baselines import BASELINES, perlin_noise
from magic_ui.evaluation.seam import border_gradient


@pytest.fixture
def mask():
    rows, columns = np.mgrid[0:96, 0:128]
    return (rows - 40) ** 2 + (columns - 70) ** 2 < 20**2


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_leave_the_outside_untouched_and_change_the_inside(name, picture, mask):
    for seed in range(6):
        painted = BASELINES[name](picture, mask, np.random.default_rng(seed))
        assert painted.dtype == np.uint8 and painted.shape == picture.shape
        assert (painted == picture)[~mask].all()
        assert (painted != picture)[mask].any()


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_repeat_by_their_generator(name, picture, mask):
    first, second = (BASELINES[name](picture, mask, np.random.default_rng(5)) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("name", BASELINES)
def test_masks_may_touch_the_frame(name, picture):
    mask = np.zeros(picture.shape[:2], bool)
    mask[:30, :] = True
    painted = BASELINES[name](picture, mask, np.random.default_rng(1))
    assert (painted == picture)[~mask].all()


def test_poisson_blending_leaves_a_fainter_seam_than_pasting(picture, mask):
    def seam(name):
        pictures = [BASELINES[name](picture, mask, np.random.default_rng(seed)) for seed in range(8)]
        return np.mean([border_gradient(p, mask).across for p in pictures])

    assert seam("NSA style") < 0.5 * seam("CutPaste")


def test_perlin_noise_is_smooth_centred_and_zero_at_its_grid(generator):
    noise = perlin_noise((64, 64), 8, generator)
    assert np.abs(noise[::8, ::8]).max() < 1e-6
    assert abs(noise.mean()) < 0.2 and np.abs(noise).max() <= 1.0001
    assert np.abs(np.diff(noise, axis=0)).max() < 0.4
