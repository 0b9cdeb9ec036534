import numpy as np
import pytest

from magic_ui.paint.checkpoint import load_checkpoint
from magic_ui.training.pseudo_normal import METHODS, fill_by_patches, remove_defect
from tests.tiny import save_tiny_checkpoint


def stripes(period=8, side=96):
    columns = np.arange(side) % period < period // 2
    return np.where(columns[None, :, None], 200, 80).repeat(side, axis=0).repeat(3, axis=2).astype(np.uint8)


def test_patches_continue_a_pattern_into_the_hole():
    truth = stripes()
    damaged, hole = truth.copy(), np.zeros(truth.shape[:2], bool)
    hole[38:58, 33:60] = True
    damaged[hole] = 0
    filled = fill_by_patches(damaged, hole, reach=30)
    assert (filled[~hole] == truth[~hole]).all()
    assert np.abs(filled[hole].astype(int) - truth[hole]).mean() < 3


def test_a_hole_without_any_whole_patch_is_still_filled():
    image, hole = stripes(side=64), np.ones((64, 64), bool)
    hole[:3] = False
    assert (fill_by_patches(image, hole)[hole] > 0).any()
    assert (fill_by_patches(image, np.zeros((64, 64), bool)) == image).all()


@pytest.mark.parametrize("method", METHODS)
def test_only_the_defect_and_its_rim_change(method, tmp_path):
    checkpoint = load_checkpoint(str(save_tiny_checkpoint(tmp_path, conditioning="normal")))
    image, mask = stripes(), np.zeros((96, 96), bool)
    mask[40:60, 40:60] = True
    image[mask] = 0
    sound = remove_defect(method, image, mask, checkpoint)
    changed = (sound != image).any(axis=2)
    assert changed[mask].mean() > 0.5
    assert not changed[:36].any() and not changed[:, :36].any()
    assert (remove_defect(method, image, mask, checkpoint) == sound).all()
