"""Putting what was painted into the picture, and reading off where it really changed."""

from __future__ import annotations

import cv2
import numpy as np

WEAK_CHANGE = 2.0
"""Mean change inside the mask, in grey levels of 255, below which a result is called weak."""


def feather_weight(mask: np.ndarray, feather: float) -> np.ndarray:
    """Blending weight, float32 [H, W]: 0 outside the mask, rising to 1 over ``feather`` pixels inside it.

    A mask thinner than that still reaches 1 along its middle line.
    """
    distance = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    ramp = min(float(feather), 0.7 * float(distance.max(initial=0.0)))
    return np.where(mask, np.clip(distance / (ramp + 1e-6), 0.0, 1.0) if ramp > 0 else 1.0, 0.0).astype(np.float32)


def blend(image: np.ndarray, painted: np.ndarray, mask: np.ndarray, feather: float) -> np.ndarray:
    """``image`` uint8 [H, W, 3] with ``painted`` float [H, W, 3] (0–255) inside ``mask``, bit-identical outside it."""
    weight = feather_weight(mask, feather)[..., None]
    mixed = np.rint(np.clip(image + weight * (painted - image), 0, 255)).astype(np.uint8)
    return np.where(mask[..., None], mixed, image)


def mean_change(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> float:
    """Mean absolute difference over the mask's pixels and the channels, in grey levels of 255."""
    return float(np.abs(after[mask].astype(np.float32) - before[mask].astype(np.float32)).mean()) if mask.any() else 0.0


def refine_mask(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Where the picture really changed inside the mask: bool [H, W], the label a detector should learn.

    The largest channel's change, lightly smoothed, above 30% of its 95th percentile (held between 5 and 24 grey
    levels); specks below 4 px are dropped and one-pixel gaps closed.
    """
    change = np.abs(after.astype(np.float32) - before.astype(np.float32)).max(axis=2)
    if not mask.any() or change[mask].max() == 0:
        return np.zeros_like(mask)
    smooth = cv2.GaussianBlur(change, (0, 0), 0.8)
    threshold = float(np.clip(0.3 * np.percentile(smooth[mask], 95), 5.0, 24.0))
    changed = ((smooth >= threshold) & mask).astype(np.uint8)
    changed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) * mask.astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(changed, connectivity=8)
    keep = np.array([False] + [stats[i, cv2.CC_STAT_AREA] >= 4 for i in range(1, count)])
    return keep[np.asarray(labels, np.intp)]


def is_weak(before: np.ndarray, after: np.ndarray, mask: np.ndarray, refined: np.ndarray) -> bool:
    """True when hardly anything was drawn: refined mask below 3% of the mask or 8 px, or change below WEAK_CHANGE."""
    return bool(refined.sum() < max(8, 0.03 * mask.sum()) or mean_change(before, after, mask) < WEAK_CHANGE)
