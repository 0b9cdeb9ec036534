"""CAMA without a reference: keep a mask where it belongs on the object."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import InputError

Mask = NDArray[np.bool_]

_SEARCH_SIDE = 160


def keep_on_object(
    mask: Mask, foreground: Mask, region: Mask, *, may_leave: bool = False, min_kept: float = 0.6
) -> tuple[Mask, list[str]]:
    """Slide and trim a mask inside foreground ∧ region: CAMA without a reference.

    All are bool [H, W] of one size. A mask that lies there with at least ``min_kept`` of its pixels is only
    trimmed; otherwise it is translated as a whole to the nearest place where most of it fits. With
    ``may_leave`` (class 1: bent, break, burr) it is slid but not trimmed by the foreground; a piece that nowhere
    touches the place is left out, unless none does. Never empty as long as mask and foreground are not. Returns the
    mask and notes. Raises ``InputError`` for an empty mask.
    """
    if mask.shape != foreground.shape or region.shape != foreground.shape:
        raise InputError("mask", f"its size {mask.shape} is not the foreground's {foreground.shape}.")
    if not mask.any() or not foreground.any():
        raise InputError("mask", "mask and foreground must hold at least one pixel.")
    home = region & foreground
    notes: list[str] = []
    if not home.any():
        home = foreground
        notes.append("The region lies off the object: the whole object was used.")
    inside = home | region if may_leave else home
    if (mask & inside).sum() >= min_kept * mask.sum():
        return (_touching(mask, inside, notes) if may_leave else mask & inside), notes
    shift = _best_shift(mask, inside)
    moved = _translate(mask, shift)
    notes.append(f"The mask was moved by {shift[0]:+d}, {shift[1]:+d} pixels onto the object.")
    kept = _touching(moved, inside, notes) if may_leave else moved & inside
    if not kept.any():
        kept = _nearest_piece(inside, moved if moved.any() else mask, int(mask.sum()))
        notes.append("It did not fit there: the nearest piece of the region was taken.")
    return kept, notes


def _touching(mask: Mask, inside: Mask, notes: list[str]) -> Mask:
    """The connected pieces that reach into ``inside``; all of them where none does."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    touching = mask & np.isin(labels, np.unique(labels[mask & inside]))
    if not touching.any() or (touching == mask).all():
        return mask
    notes.append("Pieces that lay beside the place were left out.")
    return touching


def _best_shift(mask: Mask, inside: Mask) -> tuple[int, int]:
    """(dx, dy) that brings most of the mask inside; among equals the shortest. Found on a coarse grid."""
    scale = min(1.0, _SEARCH_SIDE / max(mask.shape))
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    shape = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    room = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    y, x = np.nonzero(shape > 0.02)
    top, left = int(y.min()), int(x.min())
    stamp = np.ascontiguousarray(shape[top : y.max() + 1, left : x.max() + 1])
    pad_y, pad_x = stamp.shape[0] // 2, stamp.shape[1] // 2
    padded = cv2.copyMakeBorder(room, pad_y, pad_y, pad_x, pad_x, cv2.BORDER_CONSTANT, value=0)
    overlap = cv2.matchTemplate(padded, stamp, cv2.TM_CCORR) / max(float(stamp.sum()), 1e-6)
    dy = np.arange(overlap.shape[0])[:, None] - pad_y - top
    dx = np.arange(overlap.shape[1])[None, :] - pad_x - left
    path = np.sqrt(dy**2 + dx**2) / max(size)
    score = np.minimum(overlap, 0.98) - 0.15 * path
    row, col = np.unravel_index(int(score.argmax()), score.shape)
    return round(float(dx[0, col]) / scale), round(float(dy[row, 0]) / scale)


def _translate(mask: Mask, shift: tuple[int, int]) -> Mask:
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    size = (mask.shape[1], mask.shape[0])
    return cv2.warpAffine(mask.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST) > 0


def _nearest_piece(inside: Mask, mask: Mask, area: int) -> Mask:
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    limit = np.partition(distance[inside], min(area, int(inside.sum())) - 1)[min(area, int(inside.sum())) - 1]
    return inside & (distance <= limit)
