"""Environment maps: a soft gradient with one to three soft boxes, from diffuse tent to raking light."""

from __future__ import annotations

import numpy as np

from magic_ui.rendering.noise import smoothstep


def random_environment(generator: np.random.Generator, *, rows: int = 64) -> np.ndarray:
    """Linear radiance [rows, 2 rows, 3] in latitude–longitude layout; row 0 looks straight up."""
    theta = (np.arange(rows) + 0.5) / rows * np.pi
    phi = (np.arange(2 * rows) + 0.5) / (2 * rows) * 2 * np.pi
    theta, phi = np.meshgrid(theta, phi, indexing="ij")
    direction = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    ambient = float(np.exp(generator.uniform(np.log(0.06), np.log(0.8))))
    sky = ambient * (1 + generator.uniform(-0.5, 0.6) * direction[..., 2])
    lean = generator.uniform(0, 2 * np.pi)
    sky = sky * (1 + generator.uniform(0, 0.6) * (np.cos(lean) * direction[..., 0] + np.sin(lean) * direction[..., 1]))
    warmth = np.array([1.0, 1.0, 1.0]) + np.array([1, 0, -1]) * generator.normal(0, 0.03)
    radiance = sky[..., None] * warmth
    for _ in range(int(generator.choice([1, 2, 3], p=[0.3, 0.4, 0.3]))):
        elevation = np.radians(generator.uniform(22, 85))
        azimuth = generator.uniform(0, 2 * np.pi)
        radius = np.radians(float(np.exp(generator.uniform(np.log(6), np.log(38)))))
        center = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
        away = np.arccos(np.clip(direction @ center, -1, 1))
        softness = generator.uniform(1.1, 1.9)
        power = generator.uniform(0.6, 1.6) / (1 - np.cos(radius)) * 0.25
        box = smoothstep(softness * radius, radius / softness, away) * power
        radiance = radiance + box[..., None] * (1 + np.array([1, 0, -1]) * generator.normal(0, 0.04))
    below = smoothstep(0.05, -0.1, direction[..., 2])[..., None]
    return (radiance * (1 - 0.8 * below)).clip(1e-3).astype(np.float32)
