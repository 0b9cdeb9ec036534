import numpy as np
import pytest
import torch

pytest.importorskip("stlpips_pytorch")

from magic_ui.evaluation.features import load_vgg, perceptual_vectors, pooled_features, to_images
from magic_ui.evaluation.lpips import distances


@pytest.fixture(scope="module")
def vgg():
    return load_vgg()


@pytest.fixture
def crops(generator):
    return [generator.integers(0, 255, (32, 32, 3), dtype=np.uint8) for _ in range(3)]


def test_stages_have_vgg16s_widths_and_halve_the_picture(vgg, crops):
    stages = vgg(to_images(crops))
    assert [s.shape[1] for s in stages] == [64, 128, 256, 512, 512]
    assert [s.shape[2] for s in stages] == [32, 17, 9, 5, 3]
    assert all((s >= 0).all() for s in stages)


def test_lpips_equals_its_formula_written_out(vgg, crops):
    """Zhang et al. 2018, formula (1)."""
    a, b = to_images(crops[:1]), to_images(crops[1:2])
    expected = 0.0
    for x, y, weight in zip(vgg(a), vgg(b), vgg.linear, strict=True):
        x, y = (v / v.norm(dim=1, keepdim=True).clamp(min=1e-10) for v in (x, y))
        expected += float((weight[None, :, None, None] * (x - y) ** 2).sum(1).mean())
    vectors = perceptual_vectors(vgg, crops)
    assert float(distances(vectors, vectors)[0, 1]) == pytest.approx(expected, rel=1e-4)


def test_lpips_of_a_picture_with_itself_is_zero_and_grows_with_noise(vgg, picture, generator):
    crop = picture[:64, :64]
    noise = generator.normal(size=crop.shape)
    noisy = [np.clip(crop + s * noise, 0, 255).astype(np.uint8) for s in (0, 8, 24, 64)]
    apart = distances(*(perceptual_vectors(vgg, c) for c in ([crop], noisy)))[0].tolist()
    assert apart[0] == pytest.approx(0, abs=1e-6)
    assert apart == sorted(apart) and apart[3] > 0.1


def test_lpips_forgives_a_shift_of_one_pixel(vgg, generator):
    """What the weights were tuned for: a shifted texture is nearer than another one."""
    texture = np.repeat(np.repeat(generator.integers(0, 255, (14, 14, 3)), 5, 0), 5, 1).astype(np.uint8)
    other = generator.permutation(texture.reshape(-1, 3)).reshape(texture.shape)
    vectors = perceptual_vectors(vgg, [texture[:64, :64], texture[:64, 1:65], other[:64, :64]])
    apart = distances(vectors, vectors)
    assert apart[0, 1] < 0.3 * apart[0, 2]


def test_pooled_features_do_not_depend_on_the_batch(vgg, crops):
    assert pooled_features(vgg, crops).shape == (3, 1472)
    assert np.allclose(pooled_features(vgg, crops), pooled_features(vgg, crops, batch_size=1), atol=1e-5)
    assert not torch.is_grad_enabled() or all(not p.requires_grad for p in vgg.parameters())
