"""Masks have the defect's own form, lie where they should, and repeat for a seed."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from magic_ui.errors import InputError
from magic_ui.instruction.spec import DEFECTS, DefectSpec
from magic_ui.localize.axis import principal_axis
from magic_ui.localize.bands import LEAVES_OBJECT, band_region
from magic_ui.localize.shapes import draw_defect_mask
from tests.localize.conftest import blank, draw_screw, draw_washer


def draw(shape, seed=0, region=None, pixels_per_mm=None, **slots):
    spec = DefectSpec(**slots)
    if region is None:
        region = band_region(blank(shape), shape, spec).mask
    generator = np.random.default_rng(seed)
    return draw_defect_mask(region, shape, spec, generator=generator, pixels_per_mm=pixels_per_mm), region


def components(mask):
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] - 1


def main_angle(mask):
    y, x = np.nonzero(mask)
    _, vectors = np.linalg.eigh(np.cov(np.stack([x, y])))
    return float(np.arctan2(vectors[1, 1], vectors[0, 1]))


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("part", [None, "tip"])
def test_inside_never_empty_and_repeatable(screw, defect, part):
    for seed in range(2):
        mask, region = draw(screw, seed, defect=defect, part=part)
        again, _ = draw(screw, seed, defect=defect, part=part)
        assert mask.sum() >= 20 and np.array_equal(mask, again)
        assert not (mask & ~region).any()
        if defect not in LEAVES_OBJECT:
            assert not (mask & ~screw).any()


def test_seeds_differ(screw):
    assert not np.array_equal(draw(screw, 0, defect="scratch")[0], draw(screw, 1, defect="scratch")[0])


@pytest.mark.parametrize("defect", ["scratch", "dent", "hole", "crack", "corrosion", "stain"])
@pytest.mark.parametrize("count", [2, 5])
def test_count_components(screw, defect, count):
    for seed in range(2):
        assert components(draw(screw, seed, defect=defect, count=count)[0]) == count


@pytest.mark.parametrize(("orientation", "due"), [("along", 0.0), ("across", np.pi / 2), ("diagonal", np.pi / 4)])
def test_orientation(orientation, due):
    shape = draw_screw(0.6, side=1024)
    axis = principal_axis(shape)
    for seed in range(3):
        slots = {"defect": "scratch", "thickness": "thin", "severity": "slight", "part": "neck"}
        mask, _ = draw(shape, seed, orientation=orientation, **slots)
        error = (main_angle(mask) - axis.angle - due + np.pi / 2) % np.pi - np.pi / 2
        assert abs(error) < np.radians(20)


def width_of(mask):
    return 2 * float(cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5).max())


def test_thickness_and_severity_order():
    shape = draw_washer(300, 0.4, 0.1)
    widths = [np.mean([width_of(draw(shape, s, defect="scratch", thickness=t)[0]) for s in range(3)])
              for t in ("thin", "medium", "thick")]  # fmt: skip
    assert widths[0] < widths[1] < widths[2]
    areas = [np.mean([draw(shape, s, defect="corrosion", severity=v)[0].mean() for s in range(3)])
             for v in ("slight", "moderate", "severe")]  # fmt: skip
    assert areas[0] < areas[1] < areas[2]
    assert 0.015 < areas[1] / shape.mean() < 0.07


def test_millimetres_with_scale():
    shape = np.ones((500, 500), bool)
    narrow = width_of(draw(shape, 2, defect="scratch", thickness_mm=0.1, thickness="thin", pixels_per_mm=50)[0])
    broad = width_of(draw(shape, 2, defect="scratch", thickness_mm=0.4, thickness="medium", pixels_per_mm=50)[0])
    assert 6 <= narrow <= 14 and 28 <= broad <= 46


def elongation_of(mask):
    y, x = np.nonzero(mask)
    values = np.linalg.eigvalsh(np.cov(np.stack([x, y])))
    return float(np.sqrt(values[1] / values[0]))


def test_forms():
    shape = np.ones((400, 400), bool)
    assert elongation_of(draw(shape, defect="scratch", thickness="thin")[0]) > 6
    assert elongation_of(draw(shape, defect="hole")[0]) < 1.1
    assert 1.1 < elongation_of(draw(shape, defect="dent")[0]) < 2
    assert elongation_of(draw(shape, defect="wear", morphology=["line-like"])[0]) > 3
    assert max(components(draw(shape, seed, defect="contamination")[0]) for seed in range(3)) >= 3


def test_chip_sits_at_the_contour(washer):
    near = cv2.distanceTransform(np.pad(washer.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    for seed in range(3):
        assert near[draw(washer, seed, defect="chip")[0]].min() <= 1.5


@pytest.mark.parametrize("side", [64, 1600])
@pytest.mark.parametrize("defect", ["scratch", "corrosion", "break"])
def test_any_picture_size(side, defect):
    shape = draw_screw(0.9, side=side)
    mask, _ = draw(shape, defect=defect)
    assert mask.sum() >= 20 and mask.sum() < 0.35 * shape.sum()


@pytest.mark.parametrize("pixels", [1, 20])
def test_tiny_regions(screw, pixels):
    rows, cols = np.nonzero(screw)
    region = np.zeros_like(screw)
    region[rows[:pixels], cols[:pixels]] = True
    for defect in DEFECTS:
        mask, _ = draw(screw, region=region, defect=defect, count=3)
        assert mask.any() and not (mask & ~region).any()


def test_bad_input(screw):
    with pytest.raises(InputError):
        draw(np.zeros_like(screw), region=screw, defect="dent")
    with pytest.raises(InputError):
        draw(screw, region=np.ones((9, 9), bool), defect="dent")


def test_fast_at_1024():
    shape = draw_screw(0.6, side=1024)
    region = band_region(blank(shape), shape, DefectSpec("scratch")).mask
    axis = principal_axis(shape)
    start = time.process_time()
    for defect in DEFECTS:
        spec = DefectSpec(defect)
        draw_defect_mask(region, shape, spec, generator=np.random.default_rng(0), axis=axis)
    assert (time.process_time() - start) / len(DEFECTS) < 0.4


@pytest.mark.parametrize("severity", ["slight", "moderate", "severe"])
def test_a_stroke_with_little_room_gets_thinner_with_it(severity):
    shape = np.zeros((480, 480), bool)
    shape[40:440, 40:440] = True
    region = np.zeros_like(shape)
    region[60:130, 60:130] = True
    for seed in range(4):
        mask = draw(shape, seed, region, defect="scratch", severity=severity)[0]
        assert elongation_of(mask) > 4
        assert width_of(mask) < 21
