"""make_plan: one road from specs to masks, with the user's own mask respected."""

from __future__ import annotations

import json

import numpy as np
import pytest

from magic_ui.errors import InputError
from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize import make_plan
from magic_ui.localize.alignment import keep_on_object
from tests.localize.conftest import draw_screw, overlap, paint

SPECS = [DefectSpec("scratch", part="head", thickness="thin"), DefectSpec("corrosion", part="thread")]


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return paint(draw_screw(0.6, side=512), shadow=0.3)


def test_plan_is_whole_and_repeatable(picture):
    plan, again = make_plan(picture, SPECS, seed=7), make_plan(picture, SPECS, seed=7)
    assert len(plan.targets) == 2 and plan.specs == SPECS and plan.notes
    assert np.array_equal(plan.mask, plan.targets[0].mask | plan.targets[1].mask)
    assert np.array_equal(plan.region, plan.targets[0].region | plan.targets[1].region)
    assert np.array_equal(plan.mask, again.mask) and plan.notes == again.notes
    assert not (plan.mask & ~plan.foreground).any()
    assert not np.array_equal(plan.mask, make_plan(picture, SPECS, seed=8).mask)
    assert json.loads(json.dumps(plan.options))["seed"] == 7


def test_region_shape_repaints_the_region(picture):
    plan = make_plan(picture, SPECS[:1], mask_shape="region")
    assert np.array_equal(plan.mask, plan.region)


def masks(shape):
    one = np.zeros(shape, bool)
    one[0, 0] = True
    return {
        "one pixel off the object": one,
        "full": np.ones(shape, bool),
        "partly off": np.eye(*shape, dtype=bool),
    }


@pytest.mark.parametrize("name", ["one pixel off the object", "full", "partly off"])
def test_drawn_mask_is_used_as_it_is(picture, name):
    drawn = masks(picture.shape[:2])[name]
    plan = make_plan(picture, SPECS, drawn_mask=drawn)
    assert np.array_equal(plan.mask, drawn) and plan.options["mask_shape"] == "drawn"
    assert any("Your own mask" in note for note in plan.notes) and len(plan.notes) >= 3


@pytest.mark.parametrize("drawn", [np.zeros((512, 512), bool), np.ones((511, 512), bool), np.ones(5, bool)])
def test_empty_or_wrong_drawn_mask_is_refused(picture, drawn):
    with pytest.raises(InputError) as caught:
        make_plan(picture, SPECS, drawn_mask=drawn)
    assert caught.value.field == "mask_source"


def test_given_foreground_is_used(picture):
    given = np.zeros(picture.shape[:2], bool)
    given[100:300, 100:200] = True
    plan = make_plan(picture, [DefectSpec("dent")], foreground=given)
    assert np.array_equal(plan.foreground, given) and not (plan.mask & ~given).any()


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("mask_source", {"mask_source": "other"}),
        ("mask_source", {"mask_shape": "drawn"}),
        ("mask_shape", {"mask_shape": "circle"}),
        ("reference", {"mask_shape": "library"}),
        ("reference", {"reference": (None, np.ones((9, 9), bool))}),
        ("band_width", {"band_width": float("inf")}),
        ("pixels_per_mm", {"pixels_per_mm": 0}),
        ("seed", {"seed": 1.5}),
        ("seed", {"seed": -1}),
        ("foreground", {"foreground": np.zeros((512, 512), bool)}),
    ],
)
def test_what_cannot_be_used_is_named(picture, field, options):
    with pytest.raises(InputError) as caught:
        make_plan(picture, SPECS, **options)
    assert caught.value.field == field


def test_no_spec_is_refused(picture):
    with pytest.raises(InputError):
        make_plan(picture, [])


def square(x, y, side=30):
    mask = np.zeros((300, 300), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_keep_on_object_slides_and_trims():
    foreground, region = square(100, 100, 150), square(100, 100, 80)
    moved, notes = keep_on_object(square(5, 5), foreground, region)
    assert moved.sum() > 0.85 * 900 and not (moved & ~region).any() and notes
    trimmed, notes = keep_on_object(square(90, 120), foreground, region)
    assert np.array_equal(trimmed, square(90, 120) & region) and not notes
    large, _ = keep_on_object(square(0, 0, 300), foreground, region)
    assert large.any() and not (large & ~foreground).any()
    off, _ = keep_on_object(square(5, 5), foreground, square(0, 0, 20))
    assert off.any() and not (off & ~foreground).any()
    left, _ = keep_on_object(square(165, 120), foreground, region, may_leave=True)
    assert left.sum() == 900


def test_a_mask_that_may_leave_the_object_loses_pieces_that_touch_nothing():
    foreground = square(60, 60, 120)
    bent, stray = square(160, 120), square(5, 5, 4)
    kept, notes = keep_on_object(bent | stray, foreground, foreground, may_leave=True)
    assert (kept == bent).all() and notes == ["Pieces that lay beside the place were left out."]
    whole, notes = keep_on_object(bent, foreground, foreground, may_leave=True)
    assert (whole == bent).all() and not notes


def test_a_plan_remembers_where_an_aligned_mask_lay_and_how_sure_the_place_is(picture):
    plan = make_plan(picture, SPECS)
    assert plan.mask_before is None and 0.5 < plan.confidence <= 1
    lent = np.zeros(picture.shape[:2], bool)
    lent[5:25, 5:25] = True
    moved = make_plan(picture, SPECS, mask_shape="library", reference=(None, lent))
    assert np.array_equal(moved.mask_before, lent) and not (moved.mask & lent).any()


def test_embedded_foreground_reaches_the_plan(picture):
    assert overlap(make_plan(picture, SPECS).foreground, draw_screw(0.6)) > 0.9
