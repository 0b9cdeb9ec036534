"""Does the border of the mask show? And did anything change beyond it?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

RING = 4
"""Pixels to either side of the border that count as just inside and just outside."""


@dataclass(frozen=True)
class BorderGradient:
    """Mean absolute differences of neighbouring pixels, in grey levels: ``across`` the border, ``beside`` it (the mean
    of just inside and just outside)."""

    across: float
    beside: float

    @property
    def ratio(self) -> float:
        """``across / beside``; 1 where the border leaves no trace."""
        return self.across / max(self.beside, 1e-6)


def border_gradient(image: np.ndarray, mask: np.ndarray, *, ring: int = RING) -> BorderGradient:
    """Differences of 4-neighbours of a picture uint8 [H, W, 3] across and beside the border of ``mask``, bool [H, W].

    A pair of neighbours is across the border where one of them is in the mask; it is just inside or just outside where
    both are, and both lie within ``ring`` pixels of the border.
    """
    grey = image.astype(np.float32).mean(axis=2)
    inside, outside = (
        cv2.distanceTransform(np.pad(m.astype(np.uint8), 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
        for m in (mask, ~mask)
    )
    near_inside, near_outside = mask & (inside <= ring), ~mask & (outside <= ring)
    across: list[np.ndarray] = []
    within: list[np.ndarray] = []
    without: list[np.ndarray] = []
    for axis in (0, 1):
        difference = np.abs(np.diff(grey, axis=axis))

        def pairs(a: np.ndarray, axis: int = axis) -> tuple[np.ndarray, np.ndarray]:
            return np.delete(a, -1, axis=axis), np.delete(a, 0, axis=axis)

        first, second = pairs(mask)
        across.append(difference[first != second])
        for near, collected in ((near_inside, within), (near_outside, without)):
            first, second = pairs(near)
            collected.append(difference[first & second])
    sides = [np.concatenate(side) for side in (within, without)]
    means = [float(side.mean()) for side in sides if side.size]
    crossing = np.concatenate(across)
    return BorderGradient(
        float(crossing.mean()) if crossing.size else float("nan"), float(np.mean(means)) if means else float("nan")
    )


def seam_ratio(gradients: list[BorderGradient]) -> float:
    """Ratio of the means over many pictures: one flat picture does not decide it."""
    return float(np.nanmean([g.across for g in gradients]) / max(np.nanmean([g.beside for g in gradients]), 1e-6))


def pixels_changed_outside(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> int:
    """Pixels outside ``mask`` (bool [H, W]) in which two pictures uint8 [H, W, 3] differ at all."""
    return int((before != after).any(axis=2)[~mask].sum())
