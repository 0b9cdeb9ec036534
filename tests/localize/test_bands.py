"""Places on the object: bands of its own box, parts on its own axis."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from magic_ui.errors import InputError
from magic_ui.instruction.spec import PARTS, REGIONS, DefectSpec
from magic_ui.localize.axis import coordinate, principal_axis
from magic_ui.localize.bands import band_region
from tests.localize.conftest import blank, draw_screw


def region(shape, **slots):
    spec = DefectSpec(**{"defect": "scratch", **slots})
    return band_region(blank(shape), shape, spec)


@pytest.mark.parametrize(("part", "place"), list(itertools.product((None, *PARTS), (None, *REGIONS))))
def test_never_empty_and_on_the_object(screw, washer, part, place):
    for shape in (screw[::2, ::2], washer[::2, ::2]):
        found = region(shape, part=part, region=place)
        assert found.mask.any() and found.notes and found.source == "band"
        assert not (found.mask & ~shape).any()
        assert 0 <= found.confidence <= 1


@pytest.mark.parametrize("angle", [0.0, 1.0, 2.5, 4.0, 5.5])
@pytest.mark.parametrize(
    ("part", "low", "high"), [("head", 0, 0.2), ("neck", 0.1, 0.5), ("thread", 0.4, 1), ("tip", 0.8, 1)]
)
def test_parts_follow_the_object(angle, part, low, high):
    shape = draw_screw(angle)
    along = coordinate(principal_axis(shape), shape.shape)[region(shape, part=part).mask]
    assert along.min() >= low - 0.02 and along.max() <= high + 0.02
    assert abs(np.median(along) - (low + high) / 2) < 0.12


def test_bands_cut_the_object_not_the_frame():
    shape = np.zeros((400, 400), bool)
    shape[250:350, 200:380] = True
    top = region(shape, region="top").mask
    assert top.sum() == pytest.approx(0.25 * shape.sum(), rel=0.05) and top[250:276].any() and not top[280:].any()
    corner = region(shape, region="bottom_left").mask
    assert corner.sum() == pytest.approx(0.25 * shape.sum(), rel=0.05) and corner[349, 200]
    wide = band_region(blank(shape), shape, DefectSpec("stain", region="left"), band_width=0.5).mask
    assert wide.sum() == pytest.approx(0.5 * shape.sum(), rel=0.05)


def test_place_of_the_object_keeps_the_part(screw):
    whole = region(screw, part="head").mask
    text = "The head of the metal screw in the lower right corner has a scratch."
    placed = region(screw, part="head", region="bottom_right", text=text)
    assert np.array_equal(placed.mask, whole)
    assert any("kept" in note for note in placed.notes)


def test_place_on_the_part_narrows_it(screw):
    whole = region(screw, part="head").mask
    part = region(screw, part="head", region="top", text="a scratch at the top of the head").mask
    assert part.sum() < 0.6 * whole.sum() and not (part & ~whole).any()
    assert np.nonzero(part)[0].mean() < np.nonzero(whole)[0].mean()


def test_of_several_objects_the_one_named():
    shape = np.zeros((600, 600), bool)
    shape[40:296, 40:296] = draw_screw(0.6, side=256)
    shape[330:586, 330:586] = draw_screw(2.0, side=256)
    found = region(shape, part="head", region="bottom_right", text="the head of the screw in the lower right corner")
    rows, cols = np.nonzero(found.mask)
    assert rows.min() > 300 and cols.min() > 300


def test_washer_parts(washer):
    y, x = np.mgrid[:400, :400]
    radius = np.hypot(x - 200, y - 200) / 400
    assert radius[region(washer, part="rim").mask].min() > 0.25
    assert radius[region(washer, part="hole").mask].max() < 0.3
    edge = radius[region(washer, part="edge").mask]
    assert edge.min() < 0.18 and edge.max() > 0.34


def test_crest_and_flank_split_the_thread(screw):
    thread = region(screw, part="thread").mask
    crest = region(screw, part="thread", part_detail="crest").mask
    flank = region(screw, part="thread", part_detail="flank").mask
    assert not (crest & flank).any() and np.array_equal(crest | flank, thread)


def test_defects_that_may_leave_get_a_margin(screw):
    found = region(screw, defect="break", part="tip").mask
    assert (found & ~screw).any() and (found & screw).any()


@pytest.mark.parametrize("band_width", [0.09, 0.51, float("nan"), "0.3", None, True])
def test_bad_band_width(screw, band_width):
    with pytest.raises(InputError):
        band_region(blank(screw), screw, DefectSpec("dent"), band_width=band_width)


def test_empty_foreground_is_refused(screw):
    with pytest.raises(InputError):
        band_region(blank(screw), np.zeros_like(screw), DefectSpec("dent"))
