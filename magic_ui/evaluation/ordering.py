"""Do words of degree order the pictures? Severity by the change in the mask, thickness by the measured width."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

_ENLARGED = 4
"""Masks are enlarged before they are measured: on the pixel grid a line of 2 px would read as 1."""


def stroke_width(mask: np.ndarray) -> float:
    """Median width in px of the strokes of a bool mask [H, W]: twice the distance to the border along their middle.

    The middle is where the distance is largest among its neighbours; 0 for an empty mask.
    """
    if not mask.any():
        return 0.0
    large = np.repeat(np.repeat(np.pad(mask.astype(np.uint8), 2), _ENLARGED, axis=0), _ENLARGED, axis=1)
    distance = cv2.distanceTransform(large, cv2.DIST_L2, 5)
    middle = (distance > 0) & (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8)) - 1e-4)
    # Distances are to the centre of the nearest pixel outside: half a pixel beyond the border.
    return float(2 * (np.median(distance[middle]) - 0.5) / _ENLARGED)


def is_ordered(values: Sequence[float]) -> bool:
    """Whether each value is larger than the one before it."""
    return all(a < b for a, b in pairwise(values))


def share_ordered(series: Sequence[Sequence[float]]) -> float:
    """Share of the series (triples of severity, pairs of thickness) that rise throughout; NaN without any."""
    return float(np.mean([is_ordered(values) for values in series])) if len(series) else float("nan")
