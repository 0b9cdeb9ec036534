"""Strokes correct an outline: they hold, their surroundings follow, the rest stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from magic_ui.errors import InputError
from magic_ui.localize.correction import correct_foreground
from tests.localize.conftest import draw_screw, overlap, paint


def stroke(shape, start, end, width=5):
    canvas = np.zeros(shape, np.uint8)
    cv2.line(canvas, start, end, 1, width)
    return canvas > 0


NOTHING = np.zeros((512, 512), bool)


def test_a_lost_half_comes_back_with_one_stroke():
    shape = draw_screw(0.0)
    picture, half = paint(shape), shape.copy()
    half[:, 256:] = False
    fixed = correct_foreground(picture, half, stroke(shape.shape, (240, 256), (400, 256)), NOTHING)
    assert overlap(half, shape) < 0.75 and overlap(fixed, shape) > 0.92


def test_a_shadow_taken_for_the_part_goes_with_one_stroke():
    shape = draw_screw(0.0)
    picture, blob = paint(shape), NOTHING.copy()
    cv2.circle(shadow := np.zeros((512, 512), np.uint8), (256, 340), 50, 1, -1)
    blob = shape | (shadow > 0)
    fixed = correct_foreground(picture, blob, NOTHING, stroke(shape.shape, (225, 345), (290, 345), 9))
    assert overlap(blob, shape) < 0.8 and overlap(fixed, shape) > 0.9


def test_strokes_hold_and_far_places_stay():
    shape = draw_screw(0.0)
    keep, drop = stroke(shape.shape, (120, 250), (130, 250)), stroke(shape.shape, (120, 420), (125, 420))
    fixed = correct_foreground(paint(shape), shape, keep, drop)
    assert fixed[keep].all() and not fixed[drop].any()
    assert np.array_equal(fixed[:, 420:], shape[:, 420:]) or overlap(fixed[:, 420:], shape[:, 420:]) > 0.9


def test_strokes_alone_find_the_part_where_nothing_was_known():
    shape = draw_screw(0.7)
    inner = cv2.erode(shape.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    fixed = correct_foreground(paint(shape), np.ones_like(shape), inner, stroke(shape.shape, (20, 20), (490, 20), 15))
    assert overlap(fixed, shape) > 0.85


def test_no_stroke_changes_nothing_and_bad_sizes_are_named():
    shape = draw_screw(0.0)
    assert correct_foreground(paint(shape), shape, NOTHING, NOTHING) is shape
    with pytest.raises(InputError, match="size"):
        correct_foreground(paint(shape), shape, NOTHING[:9], NOTHING)
    with pytest.raises(InputError, match="nothing is left"):
        correct_foreground(paint(shape), shape, NOTHING, ~NOTHING)
