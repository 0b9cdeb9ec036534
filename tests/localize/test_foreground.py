"""The object is found on any even ground; textures are taken whole; masks from outside are checked."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from magic_ui.errors import InputError
from magic_ui.localize.foreground import segment_foreground
from tests.localize.conftest import draw_screw, draw_washer, overlap, paint

GROUNDS = [
    ((205, 205, 205), (95, 95, 98)),
    ((18, 18, 20), (140, 140, 145)),
    ((250, 250, 250), (120, 110, 90)),
    ((40, 110, 70), (150, 150, 150)),
    ((60, 80, 160), (170, 140, 60)),
]


@pytest.mark.parametrize(("ground", "metal"), GROUNDS)
@pytest.mark.parametrize("angle", [0.3, 2.2])
def test_screw_on_any_ground(ground, metal, angle):
    shape = draw_screw(angle)
    found = segment_foreground(paint(shape, ground, metal, shadow=0.4))
    assert found.source == "embedded"
    assert overlap(found.mask, shape) > 0.9


@pytest.mark.parametrize(("ground", "metal"), GROUNDS)
def test_washer_keeps_its_hole(ground, metal):
    shape = draw_washer()
    found = segment_foreground(paint(shape, ground, metal, shadow=0.2))
    assert overlap(found.mask, shape) > 0.93
    assert not found.mask[200, 200]


def test_a_bright_defect_on_a_slender_part_is_no_hole():
    shape = draw_screw(0.4)
    y, x = np.mgrid[:512, :512]
    spot = (np.hypot(x - 214, y - 239) < 9) & shape
    picture = paint(shape)
    picture[spot] = picture[20:60, 20:60].mean((0, 1))
    assert 0.005 < spot.sum() / shape.sum() < 0.03
    found = segment_foreground(picture)
    assert found.source == "embedded" and found.mask[spot].mean() > 0.95


def test_specks_on_the_sheet_are_dropped():
    shape = draw_screw(1.0)
    picture = paint(shape)
    generator = np.random.default_rng(4)
    for x, y in generator.integers(0, 512, (40, 2)):
        cv2.circle(picture, (int(x), int(y)), 2, (80, 80, 80), -1)
    assert overlap(segment_foreground(picture).mask, shape) > 0.9


def textures() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    grain = generator.normal(0, 1, (400, 400, 1))
    x = np.linspace(0, 1, 400)[None, :, None]
    return {
        "leather": 110 + 60 * cv2.GaussianBlur(grain, (0, 0), 3)[..., None] * np.ones(3),
        "brushed": 130 + 40 * cv2.GaussianBlur(grain, (0, 0), sigmaX=15, sigmaY=0.7)[..., None] * np.ones(3),
        "carpet": 120 + 25 * grain * np.ones(3),
        "plate": 120 + 60 * x + 2 * grain * np.ones(3),
        "even": np.full((400, 400, 3), 128.0),
    }


@pytest.mark.parametrize("name", sorted(textures()))
def test_textures_fill_the_frame(name):
    found = segment_foreground(np.clip(textures()[name], 0, 255).astype(np.uint8))
    assert found.source == "full"
    assert found.mask.all()


def test_category_decides_for_textures():
    assert segment_foreground(paint(draw_washer()), category="tile").source == "full"


def test_order_of_sources():
    shape = draw_washer()
    picture = paint(shape)
    alpha = np.where(draw_screw(0.2, side=400), 255, 0).astype(np.uint8)
    assert segment_foreground(picture, alpha=alpha).source == "alpha"
    assert segment_foreground(picture, alpha=np.full_like(alpha, 255)).source == "embedded"
    assert segment_foreground(picture, alpha=alpha, mask=shape).source == "user"
    assert segment_foreground(picture, method="full").mask.all()


@pytest.mark.parametrize("mask", [np.zeros((400, 400), bool), np.ones((10, 10), bool), np.ones((400, 400, 3), bool)])
def test_bad_masks_are_refused(mask):
    with pytest.raises(InputError) as caught:
        segment_foreground(paint(draw_washer()), mask=mask)
    assert caught.value.field == "foreground"


def test_unknown_method_is_refused():
    with pytest.raises(InputError):
        segment_foreground(paint(draw_washer()), method="magic")


@pytest.mark.parametrize("shape", [(64, 64), (64, 500), (700, 90)])
def test_small_and_long_pictures(shape):
    picture = np.full((*shape, 3), 220, np.uint8)
    cv2.circle(picture, (shape[1] // 2, shape[0] // 2), 20, (60, 70, 90), -1)
    found = segment_foreground(picture)
    assert overlap(found.mask, picture[..., 0] < 150) > 0.85


def test_same_picture_same_mask_and_fast():
    picture = paint(draw_screw(0.6, side=1024), shadow=0.4)
    first = segment_foreground(picture).mask
    start = time.process_time()
    second = segment_foreground(picture).mask
    assert time.process_time() - start < 2.5
    assert np.array_equal(first, second)
