"""The object's own frame: principal axis, which end is the head, and the stretches along it."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

BINS = 256
ELONGATED = 1.8
FALLBACK = {"head": (0.0, 0.2), "neck": (0.2, 0.45), "thread": (0.45, 0.95), "tip": (0.85, 1.0)}
"""Stretches assumed, as fractions from the head end, where the profile does not show them."""


@dataclass(frozen=True)
class ObjectAxis:
    """The principal axis of an object.

    ``origin`` is the head end (x, y) in pixels and ``direction`` the unit vector (dx, dy) from head to tip;
    ``length`` is the extent along it and ``thickness`` the median extent across it, in pixels.
    ``elongation`` is the ratio of the spreads along and across; ``head_decided`` tells whether one end is
    clearly the wide one, ``confidence`` (0–1) how clearly. ``width_profile`` holds the width in pixels in
    ``BINS`` steps from head to tip. ``stretches`` maps head, neck, thread, tip to (start, end) in 0..1 and
    ``measured`` names those that the profile itself shows; the others are ``FALLBACK`` fractions.
    """

    origin: tuple[float, float]
    direction: tuple[float, float]
    length: float
    elongation: float
    head_decided: bool
    confidence: float
    width_profile: Floats = field(repr=False)
    thickness: float = 0.0
    stretches: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(FALLBACK))
    measured: frozenset[str] = frozenset()

    @property
    def is_elongated(self) -> bool:
        """Whether the axis means something: a washer has one too, but no head."""
        return self.elongation >= ELONGATED

    @property
    def angle(self) -> float:
        """Direction in radians, image coordinates (y down)."""
        return float(np.arctan2(self.direction[1], self.direction[0]))


def principal_axis(foreground: Mask) -> ObjectAxis:
    """Fit the axis of the foreground (bool [H, W]) by PCA and orient it from head to tip.

    The head is the wide end: the widest tenth-averaged width within the first and the last 30% of the profile
    is compared. Where both ends are alike, the rougher contour counts as thread, away from the head; where
    that does not decide either, the end further up, then further left, is called the head and
    ``head_decided`` is False. An empty foreground gives a zero-length axis in the middle of the frame.
    """
    y, x = np.nonzero(foreground)
    if x.size < 2:
        center = (foreground.shape[1] / 2, foreground.shape[0] / 2)
        return ObjectAxis(center, (1.0, 0.0), 0.0, 1.0, False, 0.0, np.zeros(BINS))
    step = max(1, x.size // 400_000)
    points = np.stack([x[::step], y[::step]], 1).astype(np.float64)
    center = points.mean(0)
    spread, vectors = np.linalg.eigh(np.cov((points - center).T))
    direction = vectors[:, 1]
    if (direction[1], direction[0]) < (0, 0):
        direction = -direction
    along = (points - center) @ direction
    across = (points - center) @ np.array([-direction[1], direction[0]])
    low, high = float(along.min()) - 0.5, float(along.max()) + 0.5
    upper, lower = _edges(along, across, low, high)
    profile = upper - lower
    roughness = _roughness(upper) + _roughness(lower)
    reverse, decided, confidence = _which_end(profile, roughness)
    if reverse:
        profile, roughness, direction = profile[::-1], roughness[::-1], -direction
        low, high = -high, -low
    origin = center + low * direction
    elongation = float(np.sqrt(spread[1] / max(spread[0], 1e-6)))
    stretches, measured = dict(FALLBACK), set[str]()
    if elongation >= ELONGATED:
        stretches, measured = find_stretches(profile, roughness)
    return ObjectAxis(
        origin=(float(origin[0]), float(origin[1])),
        direction=(float(direction[0]), float(direction[1])),
        length=high - low,
        elongation=elongation,
        head_decided=decided and elongation >= ELONGATED,
        confidence=confidence,
        width_profile=profile,
        thickness=float(np.median(profile)),
        stretches=stretches,
        measured=frozenset(measured),
    )


def coordinate(axis: ObjectAxis, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Position along the axis, 0 at the head end and 1 at the tip end: float32 [H, W], linear, unclipped."""
    length = max(axis.length, 1.0)
    x = (np.arange(shape[1], dtype=np.float32) - axis.origin[0]) * (axis.direction[0] / length)
    y = (np.arange(shape[0], dtype=np.float32) - axis.origin[1]) * (axis.direction[1] / length)
    return (y[:, None] + x[None, :]).astype(np.float32)


def across_distance(axis: ObjectAxis, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Signed distance from the axis in pixels: float32 [H, W]."""
    x = (np.arange(shape[1], dtype=np.float32) - axis.origin[0]) * -axis.direction[1]
    y = (np.arange(shape[0], dtype=np.float32) - axis.origin[1]) * axis.direction[0]
    return (y[:, None] + x[None, :]).astype(np.float32)


def find_stretches(profile: Floats, roughness: Floats) -> tuple[dict[str, tuple[float, float]], set[str]]:
    """Head, neck, thread and tip as (start, end) fractions, and the names of those found in the profile.

    The head ends where the width has fallen to 1.2 times the shank's (the 35th percentile of the middle). The
    thread begins where the contour's roughness stays above half its level in the far half. The tip is the
    final taper, below 80% of the width before it. Stretches may overlap: the tip carries thread.
    """
    found = dict(FALLBACK)
    measured: set[str] = set()
    smooth = _running_mean(profile, BINS // 64)
    shank = float(np.percentile(smooth[BINS // 5 : BINS * 4 // 5], 35))
    head_end = _head_end(smooth, shank)
    if head_end is not None:
        found["head"] = (0.0, head_end)
        measured.add("head")
    head_end = found["head"][1]

    thread_start = _thread_start(roughness, shank, head_end)
    if thread_start is not None:
        measured |= {"neck", "thread"}
    else:
        thread_start = max(FALLBACK["thread"][0], head_end + 0.1)
    tip_start = _tip_start(smooth, thread_start)
    if tip_start is not None:
        measured.add("tip")
    else:
        tip_start = FALLBACK["tip"][0]
    found["neck"] = (head_end, thread_start)
    found["thread"] = (thread_start, 1.0 - 0.35 * (1.0 - tip_start))
    found["tip"] = (tip_start, 1.0)
    return found, measured


def _edges(along: Floats, across: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    """Upper and lower contour of the object in its own frame, [BINS] each; empty bins are interpolated."""
    index = np.clip(((along - low) / (high - low) * BINS).astype(int), 0, BINS - 1)
    upper, lower = np.full(BINS, -np.inf), np.full(BINS, np.inf)
    np.maximum.at(upper, index, across)
    np.minimum.at(lower, index, across)
    known = np.isfinite(upper)
    grid = np.arange(BINS)
    return np.interp(grid, grid[known], upper[known] + 0.5), np.interp(grid, grid[known], lower[known] - 0.5)


def _roughness(edge: Floats) -> Floats:
    """How much a contour departs from its own straight run, locally, in pixels: [BINS]."""
    side = BINS // 10
    slope = _running_mean(edge, side)
    slope = _running_mean(slope, side // 2)
    return np.sqrt(_running_mean((edge - slope) ** 2, side // 2))


def _running_mean(values: Floats, side: int) -> Floats:
    side = max(1, side) | 1
    padded = np.pad(values, side // 2, mode="edge")
    return np.convolve(padded, np.full(side, 1.0 / side), mode="valid")


def _which_end(profile: Floats, roughness: Floats) -> tuple[bool, bool, float]:
    """(reverse, decided, confidence): whether the wide end is the last one."""
    smooth = _running_mean(profile, BINS // 10)
    part = BINS * 3 // 10
    first, last = float(smooth[:part].max()), float(smooth[-part:].max())
    contrast = abs(first - last) / max(first, last, 1e-6)
    if contrast > 0.06:
        return last > first, True, float(np.clip(contrast / 0.3, 0.2, 1.0))
    inner = slice(BINS // 12, BINS // 2)
    rough_first, rough_last = float(np.median(roughness[inner])), float(np.median(roughness[::-1][inner]))
    contrast = abs(rough_first - rough_last) / max(rough_first, rough_last, 1e-6)
    if contrast > 0.4 and max(rough_first, rough_last) > 0.03 * float(np.median(profile)):
        return rough_first > rough_last, True, 0.3
    return False, False, 0.0


def _head_end(smooth: Floats, shank: float) -> float | None:
    widest = int(smooth[: BINS // 2].argmax())
    if smooth[widest] < 1.25 * shank:
        return None
    narrow = np.flatnonzero(smooth[widest:] <= 1.2 * shank)
    if narrow.size == 0:
        return None
    end = (widest + int(narrow[0])) / BINS
    return float(end) if 0.04 <= end <= 0.6 else None


def _thread_start(roughness: Floats, shank: float, head_end: float) -> float | None:
    start = min(BINS - 8, int((head_end + 0.04) * BINS))
    far = roughness[max(start, BINS // 2) : BINS * 9 // 10]
    if far.size < 8:
        return None
    level = float(np.median(far))
    if level < 0.04 * shank:
        return None
    rough = roughness[start : BINS * 9 // 10] > 0.5 * level
    smooth_bins = np.flatnonzero(~rough)
    if smooth_bins.size == 0:
        return float(head_end + 0.05)
    # the thread reaches from the far end back to the last smooth run of any length
    runs = np.split(smooth_bins, np.flatnonzero(np.diff(smooth_bins) > 1) + 1)
    long_runs = [run for run in runs if run.size >= BINS // 40 and run[0] < BINS * 0.6]
    if not long_runs:
        return float(head_end + 0.05)
    position = (start + int(long_runs[-1][-1]) + 1) / BINS
    return float(position) if head_end < position < 0.9 else None


def _tip_start(smooth: Floats, thread_start: float) -> float | None:
    before = smooth[int(thread_start * BINS) : BINS * 9 // 10]
    if before.size == 0:
        return None
    wide = np.flatnonzero(smooth >= 0.8 * float(np.median(before)))
    start = (int(wide[-1]) + 1) / BINS
    return float(start) if 0.6 <= start <= 0.985 else None


def largest_hole(foreground: Mask) -> Mask | None:
    """The largest enclosed part of the ground, at least 1% of the object's area: bool [H, W] or None."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~foreground).astype(np.uint8), connectivity=4)
    height, width = foreground.shape
    best, best_area = None, 0.01 * float(foreground.sum())
    for index in range(1, count):
        x, y, w, h, area = stats[index]
        inner = x > 0 and y > 0 and x + w < width and y + h < height
        if inner and area > best_area:
            best, best_area = labels == index, area
    return best
