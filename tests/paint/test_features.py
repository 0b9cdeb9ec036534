import numpy as np
import pytest

from magic_ui.paint.checkpoint import load_checkpoint
from magic_ui.paint.features import UNetFeatures
from tests.tiny import save_tiny_checkpoint


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    return UNetFeatures(load_checkpoint(save_tiny_checkpoint(tmp_path_factory.mktemp("tiny")), device="cpu"))


def test_features_are_unit_vectors_over_the_whole_picture_and_repeatable(features, picture):
    first = features(picture)
    assert first.dtype == np.float32 and first.shape[1] > first.shape[0] > 4  # as wide a picture
    assert np.linalg.norm(first, axis=2) == pytest.approx(np.ones(first.shape[:2]), abs=1e-4)
    assert np.array_equal(first, features(picture))


def test_a_change_is_felt_where_it_is(features, picture):
    changed = picture.copy()
    changed[60:90, 90:120] = 0
    similarity = (features(picture) * features(changed)).sum(2)
    height, width = similarity.shape
    assert similarity[int(0.72 * height), int(0.8 * width)] < similarity[: height // 3, : width // 3].mean()


def test_the_unet_is_left_as_it_was(features, picture):
    block = features.checkpoint.unet.up_blocks[1]
    features(picture)
    assert not block._forward_hooks
