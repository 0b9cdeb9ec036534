import numpy as np
import pytest

from magic_ui.paint.composite import blend, feather_weight, is_weak, mean_change, refine_mask


@pytest.fixture
def scene(generator):
    image = generator.integers(0, 256, (80, 90, 3), dtype=np.uint8)
    mask = np.zeros((80, 90), bool)
    mask[20:50, 30:70] = True
    return image, mask


def test_blend_leaves_every_other_pixel_alone(scene):
    image, mask = scene
    painted = np.full(image.shape, 300.0)
    result = blend(image, painted, mask, feather=4)
    assert (result[~mask] == image[~mask]).all()
    assert (result[30:40, 45:55] == 255).all() and result.dtype == np.uint8


def test_feather_rises_inside_the_mask_only(scene):
    _, mask = scene
    weight = feather_weight(mask, 5)
    assert not weight[~mask].any() and weight[35, 50] == 1
    row = weight[35, 30:40]
    assert (np.diff(row) >= 0).all() and 0 < row[0] < 0.4


def test_feather_keeps_a_thin_line_full():
    mask = np.zeros((20, 20), bool)
    mask[10, 3:17] = True
    assert feather_weight(mask, 8)[10, 10] == 1
    assert feather_weight(mask, 0)[10, 10] == 1


def test_mask_on_the_border_is_faded_there_too():
    mask = np.ones((40, 40), bool)
    assert feather_weight(mask, 6)[0, 20] < 0.5


def test_refined_mask_is_where_it_changed(scene):
    image, mask = scene
    image = np.full_like(image, 120)
    changed = image.copy()
    changed[30:36, 40:60] = 40
    refined = refine_mask(image, changed, mask)
    assert refined[31:35, 41:59].all() and refined.sum() < 1.6 * 6 * 20 and not (refined & ~mask).any()
    assert not is_weak(image, changed, mask, refined)


def test_nothing_drawn_is_weak(scene):
    image, mask = scene
    refined = refine_mask(image, image, mask)
    assert not refined.any() and is_weak(image, image, mask, refined) and mean_change(image, image, mask) == 0


def test_two_specks_of_noise_are_not_a_label(scene):
    image, mask = np.full_like(scene[0], 100), scene[1]
    noisy = image.copy()
    noisy[25, 35] = noisy[40, 60] = 120
    assert is_weak(image, noisy, mask, refine_mask(image, noisy, mask))
