"""CAMA with a reference: a defect's mask follows the part, however it lies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from magic_ui.errors import InputError
from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize import make_plan
from magic_ui.localize.axis import coordinate, principal_axis
from magic_ui.localize.matching import GRID, components, match_as_published, on_grid, sample_features
from magic_ui.localize.transfer import Reference, transfer_mask
from tests.localize.conftest import blank, draw_screw, draw_washer, overlap, paint


def disk(shape, x, y, radius):
    mask = np.zeros(shape, np.uint8)
    cv2.circle(mask, (round(x), round(y)), radius, 1, -1)
    return mask > 0


def on_axis(foreground, share, radius=7):
    """A disk on the object's axis at a share of its length."""
    axis = principal_axis(foreground)
    x, y = np.array(axis.origin) + share * axis.length * np.array(axis.direction)
    return disk(foreground.shape, x, y, radius)


def landed(mask, foreground):
    return float(coordinate(principal_axis(foreground), mask.shape)[mask].mean())


@pytest.mark.parametrize("angle", [0.2, 1.9, 3.6, 5.1])
@pytest.mark.parametrize("share", [0.08, 0.35, 0.7])
def test_the_mask_lands_at_the_same_place_of_a_turned_and_smaller_part(angle, share):
    theirs, ours = draw_screw(0.6), draw_screw(angle, side=400, length=0.6)
    reference = Reference(blank(theirs), on_axis(theirs, share), theirs)
    moved = transfer_mask(reference, blank(ours), ours)
    assert landed(moved.mask, ours) == pytest.approx(share, abs=0.02)
    assert not (moved.mask & ~ours).any() and moved.confidence > 0.6
    scale = 400 * 0.6 / (512 * 0.75)
    assert moved.mask.sum() == pytest.approx(reference.mask.sum() * scale**2, rel=0.25)


def coordinates_as_features(image):
    """Every place of the picture has its own feature: its colour, blurred."""
    return unit(cv2.resize(image.astype(np.float32) - 127.0, (96, 96), interpolation=cv2.INTER_AREA))


def unit(values):
    return (values / np.maximum(np.linalg.norm(values, axis=2, keepdims=True), 1e-6)).astype(np.float32)


def colourful(foreground, seed=0):
    """A part with a smooth random pattern that is its own."""
    noise = np.random.default_rng(seed).normal(0, 1, (*foreground.shape, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 9)
    return np.clip(127 + 90 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def test_features_correct_what_the_frame_gets_wrong():
    plate = np.zeros((300, 300), bool)
    plate[60:240, 40:260] = True
    pattern = colourful(plate)
    shifted = np.roll(pattern, (8, -6), (0, 1))
    mask = disk(plate.shape, 150, 150, 12)
    moved = transfer_mask(Reference(pattern, mask, plate), shifted, plate, features=coordinates_as_features)
    center = np.argwhere(moved.mask).mean(0)
    assert np.abs(center - [158, 144]).max() < 4
    still = transfer_mask(Reference(pattern, mask, plate), pattern, plate, features=coordinates_as_features)
    assert np.abs(np.argwhere(still.mask).mean(0) - 150).max() < 2 and still.confidence > 0.9


def test_features_that_do_not_lead_back_are_not_followed():
    plate = np.zeros((300, 300), bool)
    plate[60:240, 40:260] = True
    mask = disk(plate.shape, 150, 150, 12)
    moved = transfer_mask(
        Reference(colourful(plate, 1), mask, plate), colourful(plate, 2), plate, features=coordinates_as_features
    )
    assert moved.confidence < 0.8
    axis_only = transfer_mask(Reference(blank(plate), mask, plate), blank(plate), plate)
    assert np.linalg.norm(np.argwhere(moved.mask).mean(0) - np.argwhere(axis_only.mask).mean(0)) < 16


def test_a_texture_has_no_frame_but_the_picture():
    whole, small = np.ones((200, 300), bool), np.ones((100, 150), bool)
    moved = transfer_mask(Reference(blank(whole), disk(whole.shape, 60, 50, 10), whole), blank(small), small)
    assert np.abs(np.argwhere(moved.mask).mean(0) - [25, 30]).max() < 1.5


def test_a_defect_that_may_leave_the_part_is_not_cut():
    washer = draw_washer()
    mask = disk(washer.shape, 200 + 0.36 * 400, 200, 12)
    kept, cut = (
        transfer_mask(Reference(blank(washer), mask, washer), blank(washer), washer, may_leave=leave)
        for leave in (True, False)
    )
    assert (kept.mask & ~washer).any() and not (cut.mask & ~washer).any() and cut.mask.any()


def test_an_empty_mask_is_refused():
    washer = draw_washer()
    with pytest.raises(InputError, match="reference"):
        transfer_mask(Reference(blank(washer), washer & ~washer, washer), blank(washer), washer)


def test_the_published_matching_moves_pieces_to_their_features():
    plate = np.zeros((GRID, GRID), bool)
    plate[60:420, 60:420] = True
    noise = np.random.default_rng(0).normal(0, 1, (96, 96, 8)).astype(np.float32)
    theirs = unit(cv2.GaussianBlur(noise, (0, 0), 2))
    ours = np.roll(theirs, (6, 9), (0, 1))  # cells of 5 pixels
    moved = match_as_published(theirs, disk(plate.shape, 200, 180, 14), ours, plate)
    assert np.abs(np.argwhere(moved).mean(0) - [210, 245]).max() < 8
    inner = match_as_published(theirs, disk(plate.shape, 200, 180, 2), ours, plate)
    assert inner.any() and not (inner & ~plate).any()


def test_features_are_read_between_cells():
    ramp = np.zeros((4, 4, 2), np.float32)
    ramp[..., 0], ramp[..., 1] = np.linspace(1, 0, 4), np.linspace(0, 1, 4)
    middle = sample_features(ramp, np.array([[0.5, 0.5]]))[0]
    assert middle == pytest.approx([np.sqrt(0.5), np.sqrt(0.5)], abs=1e-5)
    assert sample_features(ramp, np.array([[0.0, 0.0]]))[0] == pytest.approx([1, 0], abs=1e-5)


def test_small_masks_survive_the_grid():
    dot = np.zeros((1000, 1000), bool)
    dot[500, 500] = True
    assert on_grid(dot).any() and not on_grid(dot & ~dot).any()
    assert [c.sum() for c in components(disk((50, 50), 10, 10, 3) | disk((50, 50), 35, 35, 6))] == sorted(
        [c.sum() for c in components(disk((50, 50), 10, 10, 3) | disk((50, 50), 35, 35, 6))], reverse=True
    )


@pytest.mark.parametrize("shape", ["library", "defect", "region"])
def test_a_plan_takes_the_references_place(shape):
    theirs, ours = draw_screw(0.6, side=512), draw_screw(2.5, side=512)
    reference = (paint(theirs), on_axis(theirs, 0.7))
    plan = make_plan(paint(ours), [DefectSpec("corrosion", part="head")], mask_shape=shape, reference=reference)
    assert landed(plan.mask, ours) == pytest.approx(0.7, abs=0.06)
    assert (plan.mask & ours).sum() >= 0.98 * plan.mask.sum()
    assert any("reference" in note for note in plan.notes)
    if shape == "library":
        assert plan.mask.sum() == pytest.approx(reference[1].sum(), rel=0.3)


def test_without_align_the_mask_stays_at_its_coordinates():
    theirs = draw_screw(0.6)
    reference = (paint(theirs), on_axis(theirs, 0.7))
    plan = make_plan(
        paint(draw_screw(2.5)), [DefectSpec("corrosion")], mask_shape="library", reference=reference, align=False
    )
    assert overlap(plan.mask, reference[1]) == 1


def test_a_librarys_mask_without_its_picture_is_slid_into_the_texts_place():
    ours = draw_screw(2.5)
    plan = make_plan(
        paint(ours),
        [DefectSpec("corrosion", part="head")],
        mask_shape="library",
        reference=(None, disk(ours.shape, 30, 30, 9)),
    )
    assert landed(plan.mask, ours) < 0.25 and not (plan.mask & ~plan.region).any()


def test_a_library_needs_its_mask_and_a_place_needs_its_picture():
    ours = draw_screw(2.5)
    with pytest.raises(InputError, match="reference"):
        make_plan(paint(ours), [DefectSpec("dent")], mask_shape="library")
    with pytest.raises(InputError, match="reference"):
        make_plan(paint(ours), [DefectSpec("dent")], reference=(None, ours))
