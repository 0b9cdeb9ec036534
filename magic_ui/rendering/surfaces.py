"""Finishes that are not metal or stone: wood, leather, woven carpet, coated tablets, gelatine, glass and plastic."""

from __future__ import annotations

import cv2
import numpy as np

from magic_ui.rendering.materials import TEXELS, Finish
from magic_ui.rendering.noise import band_noise, smoothstep, spectral_noise

WOODS = ((0.52, 0.33, 0.17), (0.36, 0.20, 0.10), (0.62, 0.46, 0.28), (0.22, 0.12, 0.07), (0.55, 0.42, 0.31))
LEATHERS = ((0.22, 0.10, 0.05), (0.05, 0.045, 0.045), (0.40, 0.24, 0.12), (0.30, 0.05, 0.04), (0.45, 0.40, 0.33))
YARNS = ((0.20, 0.20, 0.21), (0.33, 0.29, 0.24), (0.10, 0.13, 0.20), (0.28, 0.12, 0.10), (0.45, 0.43, 0.40))
TABLETS = ((0.86, 0.85, 0.82), (0.82, 0.80, 0.74), (0.80, 0.55, 0.50), (0.45, 0.62, 0.75), (0.85, 0.72, 0.35))
GELATINES = ((0.55, 0.07, 0.05), (0.75, 0.45, 0.06), (0.06, 0.20, 0.45), (0.05, 0.32, 0.16), (0.80, 0.79, 0.76))
GLASSES = ((0.05, 0.09, 0.045), (0.09, 0.045, 0.02), (0.60, 0.62, 0.61), (0.78, 0.78, 0.76), (0.03, 0.03, 0.035))


def _pick(generator: np.random.Generator, colors: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    base = np.array(colors[int(generator.integers(len(colors)))])
    return np.clip(base * generator.uniform(0.8, 1.2) * generator.uniform(0.94, 1.06, 3), 0.01, 0.92)


def _cells(generator: np.random.Generator, count: int) -> np.ndarray:
    """Distance in texels to the nearest border of random cells that tile, [T, T]."""
    points = generator.integers(0, TEXELS, (count, 2))
    seeds = np.full((2 * TEXELS, 2 * TEXELS), 255, np.uint8)
    for dx in (0, TEXELS):
        for dy in (0, TEXELS):
            seeds[points[:, 0] + dx, points[:, 1] + dy] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5)
    border = (labels != np.roll(labels, 1, 0)) | (labels != np.roll(labels, 1, 1))
    distance = cv2.distanceTransform((~border).astype(np.uint8), cv2.DIST_L2, 5)
    half = TEXELS // 2
    return np.roll(distance[half : half + TEXELS, half : half + TEXELS], (half, half), (0, 1))


def _finish(
    name: str,
    base: np.ndarray,
    roughness: float,
    factor: np.ndarray,
    relief: np.ndarray,
    period: float,
    angle: float = 0.0,
) -> Finish:
    """Finish of one colour: `factor` [T, T] or [T, T, 3] scales it, `relief` [T, T] is in texels."""
    color = base * (factor if factor.ndim == 3 else factor[..., None])
    rough = np.full((TEXELS, TEXELS), roughness, np.float32)
    height = (relief * period / TEXELS).astype(np.float32)
    return Finish(name, False, base, roughness, np.clip(color, 0.005, 0.95), rough, height, period, angle)


def wood(generator: np.random.Generator, period: float) -> Finish:
    """Planed board: growth rings drawn out along the grain, with pores."""
    base = _pick(generator, WOODS)
    warp = spectral_noise(generator, TEXELS, beta=1.7, stretch=generator.uniform(5, 12))
    rings = np.sin(2 * np.pi * (np.arange(TEXELS)[:, None] / TEXELS * int(generator.integers(5, 16))) + 2.2 * warp)
    fibre = spectral_noise(generator, TEXELS, beta=0.5, stretch=30, low=8)
    pores = smoothstep(1.7, 2.4, spectral_noise(generator, TEXELS, beta=0.25, stretch=14, low=25))
    contrast = generator.uniform(0.08, 0.28)
    late = smoothstep(0.1, 1.0, rings) * contrast + 0.05 * warp
    factor = 1 - late + generator.uniform(0.03, 0.08) * fibre - generator.uniform(0.1, 0.45) * pores
    relief = 0.12 * fibre - 0.8 * pores - 0.4 * late
    angle = float(generator.choice([0.0, 90.0]) + generator.normal(0, 4))
    return _finish("wood", base, generator.uniform(0.35, 0.75), factor, relief, period, angle)


def leather(generator: np.random.Generator, period: float) -> Finish:
    """Grained hide: rounded cells between creases."""
    base = _pick(generator, LEATHERS)
    distance = _cells(generator, int(generator.integers(700, 2600)))
    span = float(np.quantile(distance, 0.95))
    dome = np.sqrt(np.clip(distance / span, 0, 1))
    fine = spectral_noise(generator, TEXELS, beta=0.7, low=10)
    factor = 1 + 0.35 * (dome - 0.75) + 0.03 * fine + 0.05 * spectral_noise(generator, TEXELS, beta=1.6)
    relief = generator.uniform(0.6, 1.6) * dome * span * 0.25 + 0.15 * fine
    return _finish("leather", base, generator.uniform(0.35, 0.65), factor, relief, period)


def carpet(generator: np.random.Generator, period: float) -> Finish:
    """Woven yarn: over and under in rows, with hairs."""
    base, second = _pick(generator, YARNS), _pick(generator, YARNS)
    threads = int(generator.integers(14, 34))
    y, x = np.mgrid[:TEXELS, :TEXELS] / TEXELS * threads
    x = x + 0.05 * band_noise(generator, TEXELS, 9)
    y = y + 0.05 * band_noise(generator, TEXELS, 9)
    over = (np.floor(x) + np.floor(y)) % 2 == 0
    across = np.where(over, x % 1, y % 1) - 0.5
    along = np.where(over, y % 1, x % 1) - 0.5
    bump = np.cos(np.pi * across) * (0.45 + 0.55 * np.cos(np.pi * along))
    twist = np.sin(2 * np.pi * (3 * along + 2 * across))
    hair = spectral_noise(generator, TEXELS, beta=0.25, low=20)
    factor = (0.35 + 0.75 * bump + 0.10 * twist * bump + 0.12 * hair)[..., None]
    if generator.random() < 0.4:
        share = np.where(over, 0.0, generator.uniform(0.3, 0.9))[..., None]
        factor = factor * (1 - share + share * second / base)
    return _finish("carpet", base, 0.9, np.clip(factor, 0.05, 2.5), 2.2 * bump + 0.4 * hair, period)


def coated(generator: np.random.Generator, period: float) -> Finish:
    """Pressed tablet: matt, faintly granular, at times freckled."""
    base = _pick(generator, TABLETS)
    fine = spectral_noise(generator, TEXELS, beta=0.5, low=10)
    factor = 1 + generator.uniform(0.01, 0.035) * fine
    if generator.random() < 0.35:
        freckles = smoothstep(1.4, 1.9, band_noise(generator, TEXELS, generator.uniform(40, 110)))
        factor = factor - generator.uniform(0.1, 0.5) * freckles
    return _finish("coated", base, generator.uniform(0.4, 0.8), factor, generator.uniform(0.05, 0.25) * fine, period)


def gelatine(generator: np.random.Generator, length: float) -> Finish:
    """Glossy shell in two colours that meet at half of `length` mm."""
    base, cap = _pick(generator, GELATINES), _pick(generator, GELATINES)
    row = (np.arange(TEXELS) + 0.5) / TEXELS * 2
    seam = 0.5 + generator.uniform(-0.06, 0.06)
    share = (row < seam)[:, None, None] * np.ones((TEXELS, TEXELS, 1))
    factor = (1 - share) + share * cap / base
    step = np.where(row < seam, 0.6, 0.0)[:, None] * np.ones((TEXELS, TEXELS))
    cloud = 1 + 0.02 * spectral_noise(generator, TEXELS, beta=1.2)
    return _finish("gelatine", base, generator.uniform(0.12, 0.3), factor * cloud[..., None], step, 2 * length)


def glass(generator: np.random.Generator, period: float) -> Finish:
    """Glossy glass or plastic of one colour."""
    base = _pick(generator, GLASSES)
    cloud = spectral_noise(generator, TEXELS, beta=1.5)
    factor = 1 + 0.05 * cloud
    return _finish("glass", base, generator.uniform(0.1, 0.35), factor, 0.1 * cloud, period)
