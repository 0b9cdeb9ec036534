"""The axis finds the head end and the stretches at any angle."""

from __future__ import annotations

import numpy as np
import pytest

from magic_ui.localize.axis import coordinate, largest_hole, principal_axis
from tests.localize.conftest import SCREW, draw_screw


@pytest.mark.parametrize("angle", np.linspace(0, 2 * np.pi, 13)[:-1])
def test_head_and_stretches_at_any_angle(angle):
    axis = principal_axis(draw_screw(angle))
    assert axis.head_decided and axis.is_elongated
    assert np.dot(axis.direction, (np.cos(angle), np.sin(angle))) > 0.99
    assert axis.length == pytest.approx(0.75 * 512, rel=0.05)
    assert {"head", "neck", "thread"} <= axis.measured
    assert axis.stretches["neck"][1] == pytest.approx(SCREW["thread"][0], abs=0.06)
    assert 0.06 < axis.stretches["head"][1] < 0.2
    assert 0.84 < axis.stretches["tip"][0] < 0.99


def test_coordinate_runs_from_head_to_tip(screw):
    axis = principal_axis(screw)
    along = coordinate(axis, screw.shape)
    assert along.shape == screw.shape
    assert along[screw].min() == pytest.approx(0, abs=0.01)
    assert along[screw].max() == pytest.approx(1, abs=0.01)


def test_round_objects_have_no_head(washer):
    axis = principal_axis(washer)
    assert not axis.is_elongated and not axis.head_decided
    hole = largest_hole(washer)
    assert hole is not None and hole[200, 200] and not (hole & washer).any()


def test_plain_bar_is_undecided_and_uses_fractions():
    bar = np.zeros((200, 400), bool)
    bar[80:120, 40:360] = True
    axis = principal_axis(bar)
    assert axis.is_elongated and not axis.head_decided and axis.confidence == 0
    assert "head" not in axis.measured


@pytest.mark.parametrize("pixels", [0, 1, 2])
def test_degenerate_masks(pixels):
    mask = np.zeros((64, 64), bool)
    mask[32, 32 : 32 + pixels] = True
    axis = principal_axis(mask)
    assert np.isfinite(axis.length) and np.isfinite(coordinate(axis, mask.shape)).all()
