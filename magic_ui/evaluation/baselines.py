"""Synthetic defects without a model, to compare with: CutPaste, NSA's Poisson blending, DRAEM's Perlin textures.

Written from the papers, for one mask that is given, so that all methods fill the same place. A defect's mask says
where; the methods say what. Every one leaves the picture outside the mask as it was, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Baseline = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def cut_paste(image: np.ndarray, mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A piece of the same picture, cut elsewhere, turned and colour-jittered, pasted into the mask.

    Args:
        image: uint8 [H, W, 3].
        mask: bool [H, W].

    Source: Li et al. 2021, "CutPaste", §3.1: brightness, contrast, saturation jittered by up to 0.1, turned by 45°.
    """
    piece = _elsewhere(image, mask, generator, turn=45)
    brightness, contrast, saturation = generator.uniform(0.9, 1.1, 3)
    piece = piece * brightness
    piece = piece.mean() + contrast * (piece - piece.mean())
    grey = piece.mean(axis=2, keepdims=True)  # a grey picture stays grey
    return _inside(image, grey + saturation * (piece - grey), mask)


def poisson_blend(image: np.ndarray, mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """As CutPaste, but the piece's gradients are pasted, so that no edge shows.

    Source: Schlüter et al. 2022, "Natural Synthetic Anomalies" (NSA), with Poisson image editing (Pérez et al. 2003).
    """
    piece = np.clip(_elsewhere(image, mask, generator, turn=180, zoom=(0.7, 1.3)), 0, 255).astype(np.uint8)
    # OpenCV wants the mask off the frame, and puts the middle of its box at a given point.
    pad = 4
    framed, patch = (cv2.copyMakeBorder(p, *[pad] * 4, borderType=cv2.BORDER_REFLECT_101) for p in (image, piece))
    grown = np.pad(mask.astype(np.uint8) * 255, pad)
    x, y, width, height = cv2.boundingRect(grown)
    mode = cv2.NORMAL_CLONE if generator.random() < 0.5 else cv2.MIXED_CLONE
    blended = cv2.seamlessClone(patch, framed, grown, (x + width // 2, y + height // 2), mode)
    return _inside(image, blended[pad:-pad, pad:-pad].astype(np.float32), mask)


def perlin_texture(image: np.ndarray, mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A foreign texture laid through thresholded Perlin noise, inside the mask, at a random opacity.

    The paper takes its textures from a photo collection; here they are coloured Perlin noise and shuffled tiles of
    the picture itself, which need no download.

    Source: Zavrtanik et al. 2021, "DRAEM", §3.3: opacity β from 0.1 to 1.
    """
    height, width = mask.shape
    shape = perlin_noise((height, width), int(2 ** generator.integers(2, 5)), generator) > 0
    if not (shape & mask).any():
        shape = mask
    if generator.random() < 0.5:
        channels = [perlin_noise((height, width), int(2 ** generator.integers(2, 6)), generator) for _ in range(3)]
        texture = 127.5 + 127.5 * np.clip(np.stack(channels, axis=2) + generator.uniform(-0.5, 0.5, 3), -1, 1)
    else:
        texture = _shuffled_tiles(image, generator) * generator.uniform(0.5, 1.5, 3)
    opacity = generator.uniform(0.1, 1.0)
    return _inside(image, (1 - opacity) * image + opacity * texture, mask & shape)


BASELINES: dict[str, Baseline] = {"CutPaste": cut_paste, "NSA style": poisson_blend, "DRAEM style": perlin_texture}


def perlin_noise(shape: tuple[int, int], cells: int, generator: np.random.Generator) -> np.ndarray:
    """Gradient noise of ``cells`` periods a side, float32 [H, W] in about −1…1. Source: Perlin 2002."""
    angles = generator.uniform(0, 2 * np.pi, (cells + 1, cells + 1))
    gradients = np.stack([np.cos(angles), np.sin(angles)], axis=2)
    y, x = (np.linspace(0, cells, n, endpoint=False) for n in shape)
    rows, columns = y.astype(int), x.astype(int)
    v, u = (y - rows)[:, None], (x - columns)[None, :]

    def corner(down: int, right: int) -> np.ndarray:
        slope = gradients[np.ix_(rows + down, columns + right)]
        return slope[..., 0] * (u - right) + slope[..., 1] * (v - down)

    fade_v, fade_u = (t**3 * (t * (t * 6 - 15) + 10) for t in (v, u))
    top = corner(0, 0) + fade_u * (corner(0, 1) - corner(0, 0))
    bottom = corner(1, 0) + fade_u * (corner(1, 1) - corner(1, 0))
    return (np.sqrt(2) * (top + fade_v * (bottom - top))).astype(np.float32)


def _elsewhere(
    image: np.ndarray,
    mask: np.ndarray,
    generator: np.random.Generator,
    *,
    turn: float,
    zoom: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """The picture moved so that another of its places lies under the mask: float32 [H, W, 3]."""
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    x, y = float(columns.mean()), float(rows.mean())
    for _ in range(20):
        source = (float(generator.uniform(0, width)), float(generator.uniform(0, height)))
        if np.hypot(source[0] - x, source[1] - y) > 0.15 * min(height, width):
            break
    matrix = cv2.getRotationMatrix2D(source, float(generator.uniform(-turn, turn)), float(generator.uniform(*zoom)))
    matrix[:, 2] += [x - source[0], y - source[1]]
    moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return moved.astype(np.float32)


def _shuffled_tiles(image: np.ndarray, generator: np.random.Generator, tiles: int = 4) -> np.ndarray:
    """The picture's tiles in random order, float32 [H, W, 3]."""
    height, width = (side - side % tiles for side in image.shape[:2])
    grid = image[:height, :width].reshape(tiles, height // tiles, tiles, width // tiles, 3).swapaxes(1, 2)
    mixed = grid.reshape(tiles * tiles, *grid.shape[2:])[generator.permutation(tiles * tiles)].reshape(grid.shape)
    shuffled = mixed.swapaxes(1, 2).reshape(height, width, 3)
    return cv2.resize(shuffled, image.shape[1::-1]).astype(np.float32)


def _inside(image: np.ndarray, painted: np.ndarray, mask: np.ndarray) -> np.ndarray:
    values = np.rint(np.clip(painted, 0, 255)).astype(np.uint8)
    return np.where(mask[..., None], values, image)
