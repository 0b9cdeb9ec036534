"""From linear light to the bytes of an inspection camera; the same random state for every picture of a
pair.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Sensor:
    """A camera's response: exposure, blur in its own pixels, noise of full scale 1, compression."""

    grey: bool
    gain: float
    blur: float
    noise: float
    jpeg: int | None
    gamma: float
    noise_seed: int


def random_sensor(generator: np.random.Generator, linear: np.ndarray, foreground: np.ndarray) -> Sensor:
    """Random camera, exposed on the foreground [H, W] of a linear picture [H, W, 3]."""
    grey = bool(generator.random() < 0.5)
    lit = linear[foreground] if foreground.sum() > 20 else linear.reshape(-1, 3)
    middle, top = np.median(lit @ LUMINANCE), np.quantile(linear @ LUMINANCE, 0.97)
    target = generator.uniform(0.25, 0.58) ** 2.2
    gain = min(target / max(middle, 1e-4), 1.15 / max(top, 1e-4))
    jpeg = int(generator.integers(72, 96)) if generator.random() < 0.25 else None
    return Sensor(
        grey,
        float(gain),
        float(generator.choice([0.0, generator.uniform(0.3, 0.9)])),
        float(np.exp(generator.uniform(np.log(0.0015), np.log(0.009)))),
        jpeg,
        float(generator.uniform(0.9, 1.15)),
        int(generator.integers(2**32)),
    )


def expose(linear: np.ndarray, sensor: Sensor, side: int | None = None) -> np.ndarray:
    """Linear RGB [H, W, 3] to uint8 [H, W, 3], enlarged to [side, side, 3] where `side` is given."""
    value = linear.astype(np.float32) * sensor.gain
    if sensor.grey:
        value = np.repeat((value @ LUMINANCE)[..., None], 3, 2)
    value = np.where(value > 0.7, 0.7 + 0.3 * np.tanh((value - 0.7) / 0.3), value)
    if sensor.blur > 0:
        value = cv2.GaussianBlur(value, (0, 0), sensor.blur)
    value = np.where(value <= 0.0031308, 12.92 * value, 1.055 * np.maximum(value, 1e-6) ** (1 / 2.4) - 0.055)
    value = np.clip(value, 0, 1) ** sensor.gamma
    grain = np.random.default_rng(sensor.noise_seed).standard_normal((*value.shape[:2], 1 if sensor.grey else 3))
    value = value + sensor.noise * grain.astype(np.float32)
    if side is not None and side != value.shape[1]:
        value = cv2.resize(value, (side, side), interpolation=cv2.INTER_CUBIC)
    pixels = np.clip(np.round(value * 255), 0, 255).astype(np.uint8)
    if sensor.jpeg is None:
        return pixels
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=sensor.jpeg)
    decoded = np.array(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
    return np.repeat(decoded[..., 1:2], 3, 2) if sensor.grey else decoded
