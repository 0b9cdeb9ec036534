"""Finishes: tileable colour, roughness and relief of machined, plated and fired surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from magic_ui.rendering.noise import band_noise, smoothstep, specks, spectral_noise

METALS: dict[str, tuple[float, float, float]] = {
    "steel": (0.56, 0.55, 0.53),
    "zinc": (0.66, 0.67, 0.69),
    "stainless": (0.62, 0.60, 0.57),
    "aluminium": (0.80, 0.80, 0.80),
    "brass": (0.80, 0.62, 0.32),
    "yellow_zinc": (0.72, 0.62, 0.42),
    "black_oxide": (0.10, 0.10, 0.105),
    "dark_steel": (0.32, 0.31, 0.30),
}
CERAMICS: dict[str, tuple[float, float, float]] = {
    "white_ceramic": (0.78, 0.77, 0.74),
    "grey_stone": (0.42, 0.42, 0.41),
    "beige_stone": (0.60, 0.52, 0.42),
    "terracotta": (0.55, 0.28, 0.18),
    "blue_ceramic": (0.16, 0.27, 0.42),
    "black_stone": (0.07, 0.07, 0.075),
}
TEXELS = 512


@dataclass
class Finish:
    """Surface of a part. `color` [T, T, 3], `roughness` [T, T], `height` [T, T] in mm; the tile spans
    `period` mm.
    """

    name: str
    metallic: bool
    base_color: np.ndarray
    base_roughness: float
    color: np.ndarray
    roughness: np.ndarray
    height: np.ndarray
    period: float
    angle: float


def random_finish(generator: np.random.Generator, category: str, period: float, *, lay: str = "u") -> Finish:
    """Random finish for a category; `period` mm is the tile's side, `lay` the texture axis of the
    machining marks.
    """
    if category == "tile":
        return _ceramic(generator, period)
    names = list(METALS)
    weights = np.array([4, 3, 2, 1, 1, 1, 1.2, 2.5]) if category in ("screw", "metal_nut", "washer") else None
    if category == "metal_plate":
        weights = np.array([3, 1, 3, 3, 1, 0.3, 0.5, 1.0])
    if weights is None:
        weights = np.array([4, 1, 3, 1, 0.7, 0.3, 0.7, 2.0])
    name = str(generator.choice(names, p=weights / weights.sum()))
    base = np.array(METALS[name]) * generator.uniform(0.85, 1.1)
    roughness = float(np.exp(generator.uniform(np.log(0.12), np.log(0.45))))
    if name == "black_oxide":
        roughness = generator.uniform(0.25, 0.5)
    brushed = generator.random() < (0.9 if category == "metal_plate" else 0.6)
    stretch = generator.uniform(8, 30) if brushed else generator.uniform(1, 2)
    grain = spectral_noise(generator, TEXELS, beta=0.55, stretch=stretch, low=3)
    if lay == "v":
        grain = grain.T
    mottle = spectral_noise(generator, TEXELS, beta=1.3, low=2)
    dots = specks(generator, TEXELS, int(generator.integers(0, 40)), (0.8, 3.0))
    amount = generator.uniform(0.02, 0.08)
    factor = 1.0 + amount * grain + generator.uniform(0.02, 0.09) * mottle - generator.uniform(0.05, 0.45) * dots
    factor *= 1.0 - generator.uniform(0, 0.35) * smoothstep(1.2, 2.2, band_noise(generator, TEXELS, 60))
    color = np.clip(base * factor[..., None], 0.01, 0.98)
    rough = np.clip(roughness * (1 + 0.08 * grain + 0.15 * mottle) + 0.2 * dots, 0.07, 0.95)
    texel = period / TEXELS
    height = texel * generator.uniform(0.02, 0.10) * grain + texel * generator.uniform(0.0, 0.06) * mottle * 4
    height -= texel * 0.8 * dots
    angle = (
        generator.normal(0, 2) if category != "metal_plate" else generator.choice([0.0, 90.0]) + generator.normal(0, 4)
    )
    return Finish(name, True, base, roughness, color, rough, height, period, float(angle))


def _ceramic(generator: np.random.Generator, period: float) -> Finish:
    name = str(generator.choice(list(CERAMICS)))
    base = np.clip(
        np.array(CERAMICS[name]) * generator.uniform(0.8, 1.15) * generator.uniform(0.93, 1.07, 3), 0.03, 0.9
    )
    roughness = generator.uniform(0.12, 0.6)
    fine = spectral_noise(generator, TEXELS, beta=0.6, low=8)
    cloud = spectral_noise(generator, TEXELS, beta=1.6, stretch=generator.uniform(1, 3))
    factor = 1 + generator.uniform(0.01, 0.07) * fine + generator.uniform(0.02, 0.14) * cloud
    color = base * factor[..., None]
    if generator.random() < 0.6:
        for _ in range(int(generator.integers(1, 4))):
            grain = band_noise(generator, TEXELS, generator.uniform(18, 90))
            tone = np.clip(base * generator.uniform(0.35, 1.7), 0.02, 0.92)
            cover = smoothstep(1.1, 1.5, grain)[..., None] * generator.uniform(0.4, 1.0)
            color = color * (1 - cover) + tone * cover
    if generator.random() < 0.25:
        ridge = np.abs(spectral_noise(generator, TEXELS, beta=1.7))
        vein = smoothstep(0.10, 0.0, ridge)[..., None] * generator.uniform(0.2, 0.7)
        color = color * (1 - vein) + np.clip(base * generator.uniform(0.4, 1.5), 0, 0.9) * vein
    texel = period / TEXELS
    height = texel * generator.uniform(0.0, 0.12) * fine + texel * generator.uniform(0, 0.5) * cloud
    rough = np.clip(roughness * (1 + 0.1 * fine), 0.06, 0.95)
    return Finish(name, False, base, roughness, np.clip(color, 0.01, 0.95), rough, height, period, 0.0)


def random_ground(
    generator: np.random.Generator, texels: int = TEXELS, *, kind: str | None = None
) -> tuple[str, np.ndarray]:
    """Name and tileable linear reflectance [T, T, 3] of the surface under the part."""
    names, share = ["paper", "white", "dark", "colored", "concrete"], [0.5, 0.12, 0.16, 0.12, 0.1]
    kind = kind or str(generator.choice(names, p=share))
    base = {
        "paper": np.full(3, generator.uniform(0.5, 0.72)) * np.array([1, 1, generator.uniform(0.95, 1.0)]),
        "white": np.full(3, generator.uniform(0.75, 0.9)),
        "dark": np.full(3, generator.uniform(0.015, 0.09)),
        "colored": generator.uniform(0.05, 0.55, 3),
        "concrete": np.full(3, generator.uniform(0.15, 0.45)),
    }[kind]
    contrast = 0.12 if kind == "concrete" else generator.uniform(0.0, 0.025)
    field = spectral_noise(generator, texels, beta=1.0) * contrast
    field += spectral_noise(generator, texels, beta=0.4, low=20) * generator.uniform(0.0, 0.03)
    color = base * (1 + field[..., None])
    dust = specks(generator, texels, int(generator.integers(0, 60)), (0.5, 2.2)) * generator.uniform(0.1, 0.6)
    tone = 0.05 if base.mean() > 0.2 else 0.4
    color = color * (1 - dust[..., None]) + tone * dust[..., None]
    return kind, np.clip(color, 0.005, 0.95)
