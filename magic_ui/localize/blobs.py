"""Patches: irregular multi-scale blobs, soft stains, ellipses, rounded patches, specks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.floating]


def local_frame(
    shape: tuple[int, int], center: tuple[float, float], angle: float, radii: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Coordinates in a turned ellipse's own frame, 1 at its contour: two float32 [h, w]."""
    x = np.arange(shape[1], dtype=np.float32)[None, :] - np.float32(center[0])
    y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(center[1])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return (x * cos + y * sin) / np.float32(radii[0]), (y * cos - x * sin) / np.float32(radii[1])


def ellipse(shape: tuple[int, int], center: tuple[float, float], angle: float, radii: tuple[float, float]) -> Mask:
    """A filled ellipse with half axes ``radii``, turned by ``angle`` radians: bool [h, w]."""
    u, v = local_frame(shape, center, angle, radii)
    return u * u + v * v <= 1.0


def blob(
    shape: tuple[int, int],
    center: tuple[float, float],
    angle: float,
    radii: tuple[float, float],
    generator: np.random.Generator,
    *,
    roughness: float = 0.5,
    fineness: float = 0.35,
    power: float = 2.0,
) -> Mask:
    """An ellipse (or a rounded box, with a higher ``power``) whose contour is displaced by smooth noise.

    ``roughness`` is the displacement as a share of the radius, ``fineness`` the noise's scale relative to the
    smaller radius: small values fray the contour.
    """
    u, v = local_frame(shape, center, angle, radii)
    radius = (np.abs(u) ** power + np.abs(v) ** power) ** np.float32(1 / power)
    scale = max(1.5, fineness * min(radii))
    noise = smooth_noise(shape, scale * 2, generator) * 0.65 + smooth_noise(shape, scale * 0.7, generator) * 0.35
    return radius + np.float32(roughness) * noise <= 1.0


def smooth_noise(shape: tuple[int, int], scale: float, generator: np.random.Generator) -> Floats:
    """Gaussian noise of correlation length ``scale`` pixels, mean 0, spread about 1: float32 [h, w]."""
    rows, cols = (int(np.ceil(side / scale)) + 3 for side in shape)
    grid = generator.standard_normal((rows, cols)).astype(np.float32)
    large = cv2.resize(
        grid, (max(cols, round(cols * scale)), max(rows, round(rows * scale))), interpolation=cv2.INTER_CUBIC
    )
    offset_y = int(generator.integers(0, max(1, large.shape[0] - shape[0] + 1)))
    offset_x = int(generator.integers(0, max(1, large.shape[1] - shape[1] + 1)))
    window = large[offset_y : offset_y + shape[0], offset_x : offset_x + shape[1]]
    if window.shape != shape:
        window = cv2.resize(window, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return window


def specks(
    shape: tuple[int, int],
    center: tuple[float, float],
    reach: float,
    size: float,
    number: int,
    generator: np.random.Generator,
) -> Mask:
    """``number`` small irregular grains scattered around ``center`` within ``reach`` pixels."""
    canvas = np.zeros(shape, np.uint8)
    for _ in range(number):
        x, y = np.array(center) + generator.normal(0.0, 0.45 * reach, 2)
        axes = np.maximum(1, np.round(size * generator.uniform(0.5, 1.1, 2))).astype(int)
        cv2.ellipse(
            canvas,
            (round(float(x)), round(float(y))),
            (int(axes[0]), int(axes[1])),
            float(generator.uniform(0, 180)),
            0,
            360,
            1,
            -1,
        )
    return canvas > 0
