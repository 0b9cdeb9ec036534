"""Bands, strips and boxes of masks: the plain geometry behind the places."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.localize.axis import largest_hole

Mask = NDArray[np.bool_]

CENTER_SHARE = 0.30
CORNERS = frozenset({"top_left", "top_right", "bottom_left", "bottom_right"})


def bounding_box(mask: Mask) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of a non-empty mask, right and bottom exclusive."""
    y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1


def box_band(mask: Mask, region: str, band_width: float) -> Mask:
    """The band, quadrant or middle of a mask's bounding box: bool [H, W], not cut by the mask."""
    left, top, right, bottom = bounding_box(mask)
    if region == "center":
        return center_box(mask, CENTER_SHARE)
    share = 0.5 if region in CORNERS else band_width
    width, height = max(1, round(share * (right - left))), max(1, round(share * (bottom - top)))
    if "left" in region:
        right = left + width
    if "right" in region:
        left = right - width
    if "top" in region:
        bottom = top + height
    if "bottom" in region:
        top = bottom - height
    band = np.zeros_like(mask)
    band[top:bottom, left:right] = True
    return band


def center_box(mask: Mask, share: float) -> Mask:
    """The middle ``share`` of a mask's bounding box in both directions: bool [H, W]."""
    left, top, right, bottom = bounding_box(mask)
    dx, dy = (right - left) * (1 - share) / 2, (bottom - top) * (1 - share) / 2
    band = np.zeros_like(mask)
    band[
        round(top + dy) : max(round(bottom - dy), round(top + dy) + 1),
        round(left + dx) : max(round(right - dx), round(left + dx) + 1),
    ] = True
    return band


def anchor(mask: Mask, region: str) -> tuple[float, float]:
    """The point (x, y) of a mask's bounding box that a region word names."""
    left, top, right, bottom = bounding_box(mask)
    x = left if "left" in region else right if "right" in region else (left + right) / 2
    y = top if "top" in region else bottom if "bottom" in region else (top + bottom) / 2
    return x, y


def nearest_share(mask: Mask, point: tuple[float, float], share: float) -> Mask:
    """The ``share`` of the mask's pixels that lie nearest to ``point`` (x, y)."""
    x = np.arange(mask.shape[1], dtype=np.float32) - point[0]
    y = np.arange(mask.shape[0], dtype=np.float32) - point[1]
    distance = y[:, None] ** 2 + x[None, :] ** 2
    return mask & (distance <= np.quantile(distance[mask], share))


def distance_inside(mask: Mask) -> NDArray[np.float32]:
    """Distance of each pixel to the mask's end; the frame's border ends it too: float32 [H, W]."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]


def half_thickness(mask: Mask) -> float:
    """Radius of the largest disc that fits in, in pixels."""
    return float(distance_inside(mask).max())


def edge_strip(mask: Mask, share: float, reference: Mask | None = None) -> Mask:
    """The strip of ``mask`` within ``share`` of the half thickness from its contour, at least 3 px."""
    depth = max(3.0, share * half_thickness(mask if reference is None else reference))
    return mask & (distance_inside(mask) <= depth)


def shrink(mask: Mask) -> Mask:
    """The mask without its outermost strip, unless that would take half of it."""
    inner = mask & ~edge_strip(mask, 0.06)
    return inner if inner.sum() >= 0.5 * mask.sum() else mask.copy()


def fill_hole(mask: Mask) -> Mask:
    """The mask with its largest hole closed."""
    hole = largest_hole(mask)
    return mask | hole if hole is not None else mask


def fill_small_holes(solid: Mask, share: float) -> Mask:
    """Fill the gaps below ``share`` of the object's area."""
    holes, labels, stats, _ = cv2.connectedComponentsWithStats((~solid).astype(np.uint8), connectivity=4)
    small = [i for i in range(1, holes) if stats[i, cv2.CC_STAT_AREA] < share * solid.sum()]
    return solid | np.isin(labels, small) if small else solid


def slenderness(mask: Mask) -> float:
    """Length to width of the smallest box, at any angle, around the object."""
    points = cv2.findNonZero(mask.astype(np.uint8))
    sides = cv2.minAreaRect(points)[1]
    return max(sides) / max(min(sides), 1.0)
