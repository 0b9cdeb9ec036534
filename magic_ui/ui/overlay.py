"""Pictures that explain: the mask over the part, close-ups, the mask as an image. For looking at, never for export."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, the end not included."""

MASK_COLOR = (255, 112, 26)
REGION_COLOR = (38, 120, 235)
BRUSHES = {"mask": MASK_COLOR, "keep": (34, 160, 84), "drop": (126, 70, 200)}
"""The editor's fixed brushes: what is repainted, what is part, what is ground."""

OUTLINE_LIGHT = (255, 255, 255)
OUTLINE_DARK = (16, 20, 19)
VIEW_SIDE = 1024
"""Longest side, in pixels, of a picture sent to the page for looking at."""


def proxy_scale(shape: tuple[int, ...], limit: int = VIEW_SIDE) -> float:
    """The factor that brings the longest side of [H, W, ...] to at most ``limit``; never above 1."""
    return min(1.0, limit / max(shape[0], shape[1]))


def shrink(image: Pixels, limit: int = VIEW_SIDE) -> Pixels:
    """``image`` [H, W, 3] with its longest side at most ``limit``, averaged over areas."""
    scale = proxy_scale(image.shape, limit)
    if scale == 1.0:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def shrink_mask(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """``mask`` [H, W] at [h, w] of ``shape``; a pixel stays set when any part of it was, so thin lines survive."""
    if mask.shape == tuple(shape[:2]):
        return mask
    small = cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return small > 1e-3


def mask_box(mask: Mask) -> Box | None:
    """The tight box around ``mask`` [H, W], None when it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def close_up_box(mask: Mask, *, margin: float = 0.6, least: int = 96) -> Box:
    """A square window around ``mask`` [H, W] that shows it with surroundings, inside the picture.

    The side is the mask's longest side plus ``margin`` of it on both sides, at least ``least`` pixels and at most
    the picture's shorter side. An empty mask gives the whole picture.
    """
    height, width = mask.shape
    box = mask_box(mask)
    if box is None:
        return 0, 0, width, height
    x0, y0, x1, y1 = box
    side = min(max(round(max(x1 - x0, y1 - y0) * (1 + 2 * margin)), least), height, width)
    left = min(max((x0 + x1 - side) // 2, 0), width - side)
    top = min(max((y0 + y1 - side) // 2, 0), height - side)
    return left, top, left + side, top + side


def crop(array: NDArray, box: Box) -> NDArray:
    """The part of ``array`` [H, W, ...] inside ``box``."""
    x0, y0, x1, y1 = box
    return array[y0:y1, x0:x1]


def enlarge(image: Pixels, side: int = 640) -> Pixels:
    """A small close-up [h, w, 3] magnified until its longest side is ``side``, smoothly."""
    scale = side / max(image.shape[:2])
    if scale <= 1:
        return shrink(image, side)
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)


def plan_overlay(
    image: Pixels,
    *,
    foreground: Mask,
    region: Mask,
    mask: Mask,
    before: Mask | None = None,
    close_up: bool = False,
) -> Pixels:
    """The plan drawn over the part, for the eye.

    The allowed place is tinted blue, what is repainted is orange, the part has a light outline, and corner marks
    point at a mask that is small. Where alignment moved the mask, dashes show where it lay ``before``. All masks are
    bool [H, W] like ``image`` uint8 [H, W, 3].

    Returns:
        uint8 [h, w, 3], longest side at most ``VIEW_SIDE``.
    """
    if close_up:
        box = close_up_box(mask)
        image, foreground, region, mask = (crop(array, box) for array in (image, foreground, region, mask))
        before = None if before is None else crop(before, box)
        view = enlarge(image)
    else:
        view = shrink(image)
    foreground, region, mask = (_fit(layer, view.shape) for layer in (foreground, region, mask))
    drawing = view.astype(np.float32)
    _tint(drawing, region & ~mask, REGION_COLOR, 0.22)
    _tint(drawing, mask, MASK_COLOR, 0.55)
    canvas = np.ascontiguousarray(np.clip(drawing + 0.5, 0, 255).astype(np.uint8))
    _outline(canvas, region, REGION_COLOR, 1)
    _outline(canvas, foreground, OUTLINE_DARK, 3)
    _outline(canvas, foreground, OUTLINE_LIGHT, 1)
    if before is not None:
        _dashes(canvas, _fit(before, view.shape))
    if close_up:
        _outline(canvas, mask, MASK_COLOR, 2)
    else:
        _outline(canvas, mask, MASK_COLOR, 1)
        _corner_marks(canvas, mask)
    return canvas


def mask_picture(mask: Mask, limit: int = 512) -> Pixels:
    """``mask`` [H, W] as a black and white picture [h, w, 3] for looking at."""
    small = shrink_mask(mask, shrink(np.zeros((*mask.shape, 1), np.uint8), limit).shape)
    return np.repeat((small.astype(np.uint8) * 255)[..., None], 3, axis=2)


@dataclass(frozen=True)
class Strokes:
    """What the brush said, each bool [H, W]: repaint here, this is the part, this is ground."""

    mask: Mask
    keep: Mask
    drop: Mask


def read_strokes(layers: list[NDArray], size: tuple[int, int]) -> Strokes:
    """The user's brush strokes by colour, as masks of the original picture.

    Args:
        layers: RGBA uint8 [h, w, 4] layers of the drawing, at the proxy's size.
        size: (H, W) of the original; the strokes are resized to it by nearest neighbour.
    """
    colors = np.array(list(BRUSHES.values()), np.float32)
    found = {name: np.zeros(size, bool) for name in BRUSHES}
    for layer in layers:
        if layer is None or np.ndim(layer) != 3:
            continue
        pixels = cv2.resize(np.asarray(layer), (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
        painted = pixels[..., 3] > 0
        nearest = ((pixels[painted][:, None, :3].astype(np.float32) - colors) ** 2).sum(-1).argmin(-1)
        for index, name in enumerate(BRUSHES):
            found[name][painted] |= nearest == index
    return Strokes(**found)


def _fit(mask: Mask, shape: tuple[int, ...]) -> Mask:
    if mask.shape[0] < shape[0] or mask.shape[1] < shape[1]:
        return cv2.resize(mask.astype(np.uint8), (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST) > 0
    return shrink_mask(mask, shape)


def _tint(drawing: NDArray[np.float32], mask: Mask, color: tuple[int, int, int], strength: float) -> None:
    drawing[mask] += (np.array(color, np.float32) - drawing[mask]) * strength


def _outline(canvas: Pixels, mask: Mask, color: tuple[int, int, int], width: int) -> None:
    if mask.all():
        return
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, color, width, cv2.LINE_AA)


def _dashes(canvas: Pixels, mask: Mask, dash: int = 7) -> None:
    """A mask's contour in dashes, light on dark."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for color, width in ((OUTLINE_DARK, 3), (MASK_COLOR, 1)):
        for contour in contours:
            for start in range(0, len(contour), 2 * dash):
                cv2.polylines(canvas, [contour[start : start + dash]], False, color, width, cv2.LINE_AA)


def _corner_marks(canvas: Pixels, mask: Mask) -> None:
    box = mask_box(mask)
    longest = max(canvas.shape[:2])
    if box is None or max(box[2] - box[0], box[3] - box[1]) > 0.4 * longest:
        return
    gap, arm = round(longest * 0.014), max(6, round(longest * 0.022))
    x0, y0 = box[0] - gap, box[1] - gap
    x1, y1 = box[2] + gap, box[3] + gap
    for x, y, dx, dy in ((x0, y0, 1, 1), (x1, y0, -1, 1), (x0, y1, 1, -1), (x1, y1, -1, -1)):
        for color, width in ((OUTLINE_DARK, 4), (OUTLINE_LIGHT, 2)):
            cv2.line(canvas, (x, y), (x + dx * arm, y), color, width, cv2.LINE_AA)
            cv2.line(canvas, (x, y), (x, y + dy * arm), color, width, cv2.LINE_AA)
