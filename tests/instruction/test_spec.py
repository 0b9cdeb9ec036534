# ruff: noqa: E501 - tables of sentences
"""``DefectSpec`` travels as JSON and refuses what is not canonical."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest

from magic_ui.errors import InputError
from magic_ui.instruction import DefectSpec, parse_instruction
from magic_ui.instruction.spec import thickness_word


@pytest.mark.parametrize(
    "text", ["两处0.1毫米的银色细划痕，位于螺丝头部左侧，zorp", "rust on thread_top along the axis", "dent"]
)
def test_roundtrip(text: str) -> None:
    for spec in parse_instruction(text):
        assert DefectSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_defaults_and_frozen() -> None:
    spec = DefectSpec.from_dict({"defect": "dent"})
    assert (spec.count, spec.morphology, spec.part) == (1, [], None)
    with pytest.raises(FrozenInstanceError):
        spec.count = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "values",
    [
        {}, [], None, {"defect": None}, {"defect": "scratches"}, {"defect": "dent", "part": "top"}, {"defect": "dent", "count": 0},
        {"defect": "dent", "count": 11}, {"defect": "dent", "count": True}, {"defect": "dent", "count": 1.5}, {"defect": "dent", "count": None},
        {"defect": "dent", "thickness_mm": float("nan")}, {"defect": "dent", "thickness_mm": -1}, {"defect": "dent", "thickness_mm": "0.1"},
        {"defect": "dent", "morphology": "fine"}, {"defect": "dent", "unrecognized": [1]}, {"defect": "dent", "color": 3},
        {"defect": "dent", "extra": 1}, {"defect": "dent", "language": None}, {"defect": ["dent"]},
    ],
)  # fmt: skip
def test_refused(values: object) -> None:
    with pytest.raises(InputError):
        DefectSpec.from_dict(values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("millimetres", "word"), [(0.19, "thin"), (0.2, "medium"), (0.5, "medium"), (0.51, "thick")])
def test_thickness_word(millimetres: float, word: str) -> None:
    assert thickness_word(millimetres) == word
