"""V2's region: where the text-image model sees the named part, or why it does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import CheckpointError
from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize.clipseg import TextLocator
from magic_ui.localize.phrases import phrases_for

Mask = NDArray[np.bool_]

LEAST_PEAK = 0.5
"""Probability that the best percent of the object must reach; below it the part is not there."""

LEAST_SHARE, MOST_SHARE = 0.004, 0.97
"""Of the object's area: a part that is smaller or larger than that is not trusted."""


@dataclass(frozen=True)
class Sighting:
    """``mask`` bool [H, W], or None where the phrase was not found; ``confidence`` 0–1; ``note``: one sentence."""

    mask: Mask | None
    confidence: float
    note: str


def find_by_text(
    image: NDArray[np.uint8], foreground: Mask, spec: DefectSpec, locator: TextLocator, *, threshold: float = 0.5
) -> Sighting:
    """Look for the spec's part on the object with a CLIPSeg checkpoint.

    Pixels count from ``threshold`` of the peak on. A checkpoint that cannot be loaded is a part not found: the note
    says why.
    """
    try:
        phrases = phrases_for(spec, locator.languages)
        probability = locator.locate(image, phrases, foreground)
    except CheckpointError as error:
        return Sighting(None, 0.0, f"V2 is not available ({error.message}).")
    on_object = probability[foreground]
    peak = float(np.percentile(on_object, 99))
    name = f'"{phrases[0]}"'
    if peak < LEAST_PEAK:
        return Sighting(None, peak, f"V2 did not find {name} on this object ({peak:.2f}).")
    mask = foreground & (probability >= threshold * peak)
    share = float(mask.sum() / foreground.sum())
    if not LEAST_SHARE <= share <= MOST_SHARE:
        return Sighting(None, peak, f"V2 found {name} on {share:.1%} of the object, which is not trusted.")
    confidence = float(probability[mask].mean())
    return Sighting(mask, confidence, f"V2 found {name} on {share:.0%} of the object (confidence {confidence:.2f}).")
