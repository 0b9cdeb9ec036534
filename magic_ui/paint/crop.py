"""The square around a mask at which the painter works, and the way there and back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

CONTEXT = 2.0
"""Side of the square in units of the mask's longer side (spec: 2–3)."""


@dataclass(frozen=True)
class CropBox:
    """A square of ``size`` pixels whose upper left corner is (``x``, ``y``); it may reach beyond the image."""

    x: int
    y: int
    size: int


def crop_box(mask: np.ndarray, resolution: int, *, context: float = CONTEXT) -> CropBox:
    """The square around ``mask`` (bool [H, W], not empty) with its context, inside the image where it fits.

    Never smaller than half of ``resolution``: a picture enlarged more than twice has nothing left to continue.
    """
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, cols[0], cols[-1] + 1
    size = max(round(context * max(bottom - top, right - left)), resolution // 2)
    height, width = mask.shape
    if size >= min(height, width):  # too large to slide freely: keep the mask and as much image as possible
        size = min(size, max(round(1.5 * max(bottom - top, right - left)), min(height, width)))
    return CropBox(_slide(left, right, size, width), _slide(top, bottom, size, height), int(size))


def _slide(start: int, stop: int, size: int, limit: int) -> int:
    """Where a span of ``size`` begins: centred on [start, stop), moved into [0, limit) or centred on the image."""
    if size >= limit:
        return int((limit - size) // 2)
    return int(np.clip((start + stop - size) // 2, 0, limit - size))


def extract(pixels: np.ndarray, box: CropBox) -> np.ndarray:
    """The square of an image or mask at its own resolution; what lies beyond the border is mirrored (mask: False)."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = max(box.x, 0), max(box.y, 0), min(box.x + box.size, width), min(box.y + box.size, height)
    inside = pixels[y0:y1, x0:x1]
    pads = (y0 - box.y, box.y + box.size - y1, x0 - box.x, box.x + box.size - x1)
    if not any(pads):
        return inside.copy()
    if pixels.dtype == bool:
        return np.pad(inside, (pads[:2], pads[2:]))
    return cv2.copyMakeBorder(
        inside, *pads, borderType=cv2.BORDER_REFLECT_101 if min(inside.shape[:2]) > max(pads) else cv2.BORDER_REPLICATE
    )


def resize_image(pixels: np.ndarray, size: int) -> np.ndarray:
    """Square image → [size, size, C]: area average on the way down, bicubic on the way up; dtype kept."""
    shrink = pixels.shape[0] > size
    return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC)


def cell_coverage(mask: np.ndarray, size: int, cell: int) -> np.ndarray:
    """Square bool mask → float32 [size/cell, size/cell]: the share of every latent cell that the mask covers.

    A cell counts from a tenth of its area on, so a thin scratch survives the way to the latents (nearest-neighbour
    sampling would lose it) and a grazed cell does not swell the mask; 0 elsewhere, never 0 everywhere.
    """
    grid = size // cell
    cover = cv2.resize(
        mask.astype(np.float32),
        (size, size),
        interpolation=cv2.INTER_AREA if mask.shape[0] > size else cv2.INTER_LINEAR,
    )
    share = cover.reshape(grid, cell, grid, cell).mean(axis=(1, 3))
    return np.where(share >= min(0.1, share.max()), share, 0).astype(np.float32)


def whole_cells(coverage: np.ndarray, cell: int) -> np.ndarray:
    """Coverage [r, r] → bool [r·cell, r·cell]: every pixel of the cells that count."""
    return np.repeat(np.repeat(coverage > 0, cell, axis=0), cell, axis=1)


def paste_back(values: np.ndarray, box: CropBox, shape: tuple[int, int]) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Square values [S, S, C] at the crop's own size → the part inside the image and where it goes."""
    height, width = shape
    x0, y0, x1, y1 = max(box.x, 0), max(box.y, 0), min(box.x + box.size, width), min(box.y + box.size, height)
    return values[y0 - box.y : y1 - box.y, x0 - box.x : x1 - box.x], (slice(y0, y1), slice(x0, x1))
