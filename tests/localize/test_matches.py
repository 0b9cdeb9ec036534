"""Precomputed matches: read, written, followed, and made by the matcher."""

from __future__ import annotations

import json

import numpy as np
import pytest

from magic_ui.errors import CheckpointError, InputError
from magic_ui.localize.align_masks import Matcher, move_mask
from magic_ui.localize.dinov2 import DinoFeatures
from magic_ui.localize.matches import Match, place_by_matches, read_matches, write_matches
from magic_ui.localize.matching import GRID
from tests.localize.conftest import draw_screw, overlap, paint
from tests.localize.test_transfer import disk, landed, on_axis

FULL = np.ones((GRID, GRID), bool)


def square(x, y, side=20):
    mask = np.zeros((GRID, GRID), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def match(x, y, region=0):
    return Match("000.png", "003.png", region, x, y)


def test_what_is_written_is_read_again_and_has_the_published_fields(tmp_path):
    table = {"screw": {"scratch_head": [match(10, 20)], "thread_top": []}}
    write_matches(tmp_path / "matching_result.json", table)
    assert read_matches(tmp_path / "matching_result.json") == table
    entry = json.loads((tmp_path / "matching_result.json").read_text())["screw"]["scratch_head"][0]
    assert entry == {"normal_img": "000.png", "defect_img": "003.png", "region_idx": 0, "best_x": 10, "best_y": 20}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"screw": []}',
        '{"screw": {"dent": {}}}',
        '{"screw": {"dent": [3]}}',
        *(
            json.dumps({"screw": {"dent": [vars(match(10, 20)) | wrong]}})
            for wrong in ({"best_x": 480}, {"best_x": 1.5}, {"best_y": -1}, {"region_idx": True}, {"normal_img": ""})
        ),
    ],
)
def test_a_broken_file_is_named(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(InputError, match="match_json"):
        read_matches(tmp_path / "m.json")


def test_a_piece_is_moved_so_that_its_middle_lies_on_the_place():
    placed = place_by_matches(square(100, 100), [match(300, 200)], FULL)
    assert np.array_equal(placed, square(290, 190)) or overlap(placed, square(290, 190)) > 0.8


def test_a_piece_that_covers_its_place_stays():
    assert np.array_equal(place_by_matches(square(100, 100), [match(117, 103)], FULL), square(100, 100))


def test_pieces_are_told_apart_and_one_without_a_match_is_left_out():
    both = square(50, 50) | square(300, 300)
    placed = place_by_matches(both, [match(400, 60, region=1)], FULL)
    rows, cols = np.nonzero(placed)
    assert placed.sum() == 400 and abs(cols.mean() - 400) < 1 and abs(rows.mean() - 60) < 1
    assert np.array_equal(place_by_matches(both, [], FULL), both)


def test_matches_are_scaled_to_the_picture_and_cut_by_the_object():
    foreground = np.zeros((960, 960), bool)
    foreground[:, 400:560] = True
    placed = place_by_matches(square(100, 100), [match(275, 240)], foreground)
    rows, cols = np.nonzero(placed)
    assert cols.max() == 559 and abs(rows.mean() - 480) < 3 and not (placed & ~foreground).any()
    free = place_by_matches(square(100, 100), [match(275, 240)], foreground, may_leave=True)
    assert free.sum() > placed.sum() and (free & ~foreground).any()


def test_our_matcher_finds_a_turned_parts_place():
    theirs, ours = draw_screw(0.6), draw_screw(2.4)
    matcher = Matcher("ours", None)
    reference = matcher.reference(paint(theirs), on_axis(theirs, 0.3, radius=12))
    (found,) = matcher.match(reference, matcher.target(paint(ours)), "000.png", "003.png")
    point = disk(ours.shape, *(np.array([found.best_x, found.best_y]) / GRID * ours.shape[0]), 4)
    assert landed(point & ours, ours) == pytest.approx(0.3, abs=0.03)


def places(image):
    """Features that tell nothing but the place: unit vectors on a sphere."""
    y, x = np.mgrid[0 : np.pi / 2 : 96j, 0 : np.pi / 2 : 96j]
    return np.stack([np.cos(x) * np.cos(y), np.sin(x) * np.cos(y), np.sin(y)], axis=2).astype(np.float32)


def test_the_published_matcher_finds_the_same_place_of_the_same_picture():
    shape = draw_screw(0.6)
    matcher = Matcher("published", places)
    mask = on_axis(shape, 0.3, radius=12)
    reference, target = matcher.reference(paint(shape), mask), matcher.target(paint(shape))
    (found,) = matcher.match(reference, target, "000.png", "003.png")
    center = np.argwhere(mask).mean(0)[::-1] / 512 * GRID
    assert np.hypot(*(center - (found.best_x, found.best_y))) < 12
    assert overlap(matcher.move(reference, target).mask, mask) > 0.6


def test_a_mask_is_moved_in_one_call():
    theirs, ours = draw_screw(0.6), draw_screw(2.4)
    moved = move_mask(paint(theirs), on_axis(theirs, 0.4), paint(ours))
    assert landed(moved.mask, ours) == pytest.approx(0.4, abs=0.03)


def test_dinov2_of_any_folder_gives_unit_features(tmp_path):
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, patch_size=14, image_size=56)
    Dinov2Model(config).save_pretrained(tmp_path / "dino")
    features = DinoFeatures(tmp_path / "dino", side=140)(
        np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8)
    )
    assert features.shape == (5, 10, 24) and features.dtype == np.float32
    assert np.allclose(np.linalg.norm(features, axis=2), 1, atol=1e-3)
    with pytest.raises(CheckpointError):
        DinoFeatures(tmp_path)
