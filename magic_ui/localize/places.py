"""Which way a place is found: by geometry (V1), by the text-image model (V2), or by the better of both (auto)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize.axis import ObjectAxis
from magic_ui.localize.bands import Region, band_region
from magic_ui.localize.clipseg import TextLocator
from magic_ui.localize.text_region import find_by_text

Mask = NDArray[np.bool_]

SURE = 0.75
"""Confidence of geometry from which ``auto`` does not ask the model."""


def find_region(
    image: NDArray[np.uint8],
    foreground: Mask,
    spec: DefectSpec,
    source: str,
    locator: Callable[[], TextLocator],
    *,
    band_width: float = 0.25,
    axis: ObjectAxis | None = None,
) -> Region:
    """The region that ``spec`` names, found as ``source`` says ("band", "clipseg" or "auto").

    V2 finds parts; words of the frame (top, upper left ...) are cut from the object's box in either way. Where V2 finds
    nothing, V1's answer is given and the notes say so. ``locator`` is called only when V2 is needed.
    """
    geometry = band_region(image, foreground, spec, band_width=band_width, axis=axis)
    if source == "band" or (source == "auto" and (spec.part is None or geometry.confidence >= SURE)):
        if source == "auto":
            geometry.notes.append("The place was found by geometry (bands and the object's axis).")
        return geometry
    seen = find_by_text(image, foreground, spec, locator())
    if seen.mask is None:
        geometry.notes.extend([seen.note, "The place is taken by geometry instead (V1)."])
        return Region(geometry.mask, "band", min(geometry.confidence, 0.4), geometry.notes)
    if source == "auto" and seen.confidence <= geometry.confidence:
        geometry.notes.extend([seen.note, "Geometry is surer: its place is kept."])
        return geometry
    region = band_region(
        image, foreground, spec, band_width=band_width, axis=axis, part=(seen.mask, seen.confidence, seen.note)
    )
    return Region(region.mask, "clipseg", seen.confidence, region.notes)
