"""Periodic random fields, the raw material of finishes, backgrounds and defect outlines."""

from __future__ import annotations

import numpy as np


def spectral_noise(
    generator: np.random.Generator, size: int, *, beta: float = 1.0, stretch: float = 1.0, low: float = 0.0
) -> np.ndarray:
    """Tileable Gaussian field, zero mean and unit variance, float32 [size, size].

    `beta` is the slope of the amplitude spectrum (0 white, 1 pink, 2 cloudy). `stretch` > 1 draws it out
    along x, like brushing. Frequencies below `low` cycles per tile are removed.
    """
    fy = np.fft.fftfreq(size)[:, None] * size
    fx = np.fft.rfftfreq(size)[None, :] * size * stretch
    radius = np.sqrt(fx**2 + fy**2)
    amplitude = np.maximum(radius, 1.0) ** -beta
    amplitude[radius < max(low, 0.5)] = 0.0
    white = generator.standard_normal((size, size), dtype=np.float32)
    field = np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=(size, size))
    return (field / max(float(field.std()), 1e-9)).astype(np.float32)


def band_noise(generator: np.random.Generator, size: int, cycles: float) -> np.ndarray:
    """Tileable field of blobs about `size / cycles` pixels across, zero mean, unit variance, [size, size]."""
    f = np.hypot(np.fft.fftfreq(size)[:, None] * size, np.fft.rfftfreq(size)[None, :] * size)
    amplitude = np.exp(-((f / max(cycles, 0.5)) ** 2))
    amplitude[0, 0] = 0.0
    white = generator.standard_normal((size, size), dtype=np.float32)
    field = np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=(size, size))
    return (field / max(float(field.std()), 1e-9)).astype(np.float32)


def specks(generator: np.random.Generator, size: int, count: int, radius: tuple[float, float]) -> np.ndarray:
    """Soft dots scattered over a tile, 0..1, float32 [size, size]; `radius` in pixels (smallest, largest)."""
    field = np.zeros((size, size), np.float32)
    for _ in range(count):
        r = float(np.exp(generator.uniform(np.log(radius[0]), np.log(radius[1]))))
        squash, angle = generator.uniform(0.4, 1.0), generator.uniform(0, np.pi)
        cx, cy = generator.uniform(0, size, 2)
        reach = int(np.ceil(3 * r)) + 1
        xs, ys = (
            np.arange(int(cx) - reach, int(cx) + reach + 1),
            np.arange(int(cy) - reach, int(cy) + reach + 1),
        )
        dx, dy = (xs - cx)[None, :], (ys - cy)[:, None]
        along = np.cos(angle) * dx + np.sin(angle) * dy
        across = (-np.sin(angle) * dx + np.cos(angle) * dy) / squash
        dot = np.exp(-(((along**2 + across**2) / r**2) ** 1.5)) * generator.uniform(0.3, 1.0)
        index = np.ix_(ys % size, xs % size)
        field[index] = np.maximum(field[index], dot)
    return field


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between (also with low > high, falling)."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
