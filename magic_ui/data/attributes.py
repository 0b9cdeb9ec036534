"""What is known of a labelled defect, as the slots of an instruction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from magic_ui.instruction.spec import PARTS, DefectSpec

_CATEGORIES = {"bearing_ring": "bearing"}
"""Rendered categories whose canonical name is another."""
_SLOTS = ("defect", "part", "severity", "thickness", "thickness_mm", "morphology", "count", "color", "orientation")


def spec_from_attributes(category: str, attributes: Mapping[str, Any]) -> DefectSpec:
    """The spec of a defect with these attributes on a part of this category.

    The place in the picture is left to the mask. A place that no instruction can name ("teeth") is dropped.

    Raises:
        InputError: an attribute has no canonical value.
    """
    values = {slot: attributes[slot] for slot in _SLOTS if attributes.get(slot) is not None}
    if values.get("part") not in PARTS:
        values.pop("part", None)
    return DefectSpec.from_dict(values | {"category": _CATEGORIES.get(category, category), "language": "en"})
