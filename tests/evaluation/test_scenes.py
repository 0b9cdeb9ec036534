from collections import Counter

import numpy as np
import pytest

from magic_ui import InputError
from magic_ui.evaluation.scenes import MASK_MARGIN, crop_around, grow_mask, load_samples, pick_balanced


def test_samples_hold_the_scenes_words_and_a_looser_mask(samples):
    assert len(samples) == 18
    first = samples[0]
    assert (first.defect, first.category, first.spec.severity) == ("hole", "metal_plate", "slight")
    assert first.mask[first.truth].all() and first.mask.sum() > first.truth.sum()
    assert (first.normal == samples[1].normal).all() and first.scene == samples[1].scene != samples[3].scene


def test_a_grown_mask_reaches_its_margin_and_no_further():
    mask = np.zeros((21, 21), bool)
    mask[10, 10] = True
    rows, columns = np.nonzero(grow_mask(mask, MASK_MARGIN))
    assert (np.ptp(rows), np.ptp(columns)) == (2 * MASK_MARGIN, 2 * MASK_MARGIN)


def test_picks_are_balanced_and_of_different_scenes(samples):
    picked = pick_balanced(samples, 6, np.random.default_rng(0))
    assert Counter(s.defect for s in picked) == {"hole": 2, "scratch": 2, "stain": 2}
    assert len({s.scene for s in picked}) == 6
    assert len(pick_balanced(samples, 99, np.random.default_rng(0))) == 6
    assert len(pick_balanced(samples, 99, np.random.default_rng(0), per_scene=False)) == 18


def test_a_crop_shows_the_mask_in_its_middle(samples):
    sample = samples[0]
    crop = crop_around(sample.truth.astype(np.float32), sample.truth, 64, context=2.0)
    assert crop.shape == (64, 64) and crop[32, 32] > 0.9 and crop[0].max() == 0


def test_a_folder_without_scenes_is_named(tmp_path):
    with pytest.raises(InputError, match="scene_"):
        load_samples(tmp_path)
