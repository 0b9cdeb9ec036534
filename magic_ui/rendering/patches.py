"""Defects that are areas: corrosion, stains, dents, wear, holes, chips, discoloration."""

from __future__ import annotations

import numpy as np

from magic_ui.rendering.layers import (
    CHART,
    Layer,
    Request,
    Surface,
    blank_layer,
    chart,
    mix,
    rotated,
    scattered_centers,
)
from magic_ui.rendering.noise import band_noise, smoothstep, specks, spectral_noise


def _blob(
    generator: np.random.Generator,
    request: Request,
    center: tuple[float, float],
    *,
    ragged: float,
    aspect: float,
    scale: float = 1.0,
) -> np.ndarray:
    """Field that is positive inside an irregular patch, about 1 at its centre."""
    along, across = rotated(request.chart_size, request.angle, center)
    radius = 0.5 * request.extent * scale
    ellipse = 1 - np.hypot(along / radius, across / (radius * aspect))
    coarse = band_noise(generator, CHART, 3.5) * 0.55 + band_noise(generator, CHART, 8) * 0.3
    return ellipse + ragged * (coarse + 0.22 * spectral_noise(generator, CHART, beta=1.0, low=12))


def corrosion(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Pitted oxide, orange-brown to black, with a ragged border, bare islands and satellites."""
    layer = blank_layer(request.chart_size)
    strength = request.strength
    field = np.full((CHART, CHART), -9.0, np.float32)
    scale = (0.75 + 0.25 * strength) * (1.0 if request.count == 1 else 0.55)
    aspect = generator.uniform(0.55, 1.0)
    for center in scattered_centers(generator, request):
        field = np.maximum(field, _blob(generator, request, center, ragged=0.32, aspect=aspect, scale=scale))
    x, y = chart(request.chart_size)
    near = smoothstep(0.75 * request.extent, 0.35 * request.extent, np.hypot(x, y))
    # The number of specks follows the strength; their own generator keeps the rest alike at every strength.
    speck_generator = np.random.default_rng(generator.integers(2**32))
    satellites = specks(speck_generator, CHART, int(20 + 60 * strength), (1.2, 4.5)) * near
    grit = spectral_noise(generator, CHART, beta=0.7, low=6)
    coverage = smoothstep(
        -0.9 + 1.2 * (1 - strength), 0.9, grit + 1.6 * band_noise(generator, CHART, 18) * 0.5 + 3.0 * field
    )
    patch = smoothstep(0.0, 0.16, field) * (0.35 + 0.65 * np.maximum(coverage, strength * 0.8))
    patch = np.maximum(patch, smoothstep(0.35, 0.7, satellites) * 0.9)
    palette = {
        "orange": ((0.42, 0.17, 0.045), (0.20, 0.075, 0.025)),
        "brown": ((0.24, 0.10, 0.04), (0.09, 0.04, 0.022)),
        "black": ((0.075, 0.065, 0.06), (0.025, 0.022, 0.02)),
    }
    name = str(generator.choice(list(palette), p=[0.35, 0.42, 0.23]))
    light, dark = (np.array(c) for c in palette[name])
    blend = smoothstep(-1.0, 1.2, band_noise(generator, CHART, 14) + 0.7 * grit)[..., None]
    tone = light * (1 - blend) + dark * blend
    tone = tone * np.clip(1 + 0.35 * grit, 0.3, 1.9)[..., None]
    mix(layer, patch * (0.4 + 0.6 * strength), tone, 0.9, 0.0)
    texel = request.chart_size / CHART
    pits = smoothstep(0.9, 1.8, band_noise(generator, CHART, 45))
    crust = grit * 1.3 + 2.0 * band_noise(generator, CHART, 22)
    layer.height = patch * texel * (0.3 + strength) * (crust - 7.0 * pits)
    mix(layer, pits * patch * strength, dark * 0.4, 1.0, 0.0)
    layer.mask = patch > 0.2
    words = ["irregular", "rough", "granular"] + (["block-shaped"] if aspect > 0.85 else [])
    layer.record = {"morphology": words, "color": name}
    return layer


def stain(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Translucent film of oil or dried liquid; what lies below shows through, at times with a drying ring."""
    layer = blank_layer(request.chart_size)
    strength = request.strength
    field = np.full((CHART, CHART), -9.0, np.float32)
    for center in scattered_centers(generator, request):
        scale = 1.0 if request.count == 1 else 0.6
        field = np.maximum(
            field,
            _blob(
                generator,
                request,
                center,
                ragged=generator.uniform(0.06, 0.16),
                aspect=generator.uniform(0.6, 1),
                scale=scale,
            ),
        )
    softness = generator.uniform(0.05, 0.28)
    body = smoothstep(-0.02, softness, field)
    ringed = generator.random() < 0.35
    ring = np.exp(-(((field - softness) / 0.045) ** 2)) if ringed else 0.0
    cloud = np.clip(0.85 + 0.18 * band_noise(generator, CHART, 6), 0.4, 1.2)
    palette = {"brown": (0.13, 0.075, 0.03), "black": (0.025, 0.023, 0.022), "yellow": (0.30, 0.21, 0.06)}
    weights = [0.4, 0.45, 0.15] if surface.color.mean() > 0.15 else [0.3, 0.0, 0.7]
    name = str(generator.choice(list(palette), p=weights))
    opacity = (0.12 + 0.58 * strength) * cloud
    cover = body * opacity * (0.75 if ringed else 1.0) + ring * (0.15 + 0.45 * strength)
    glossy = generator.random() < 0.5
    mix(layer, np.clip(cover, 0, 0.88), palette[name], 0.25 if glossy else 0.7, 0.0)
    layer.mask = body > 0.25
    layer.record = {"morphology": ["irregular"] + (["ring"] if ringed else []), "color": name}
    return layer


def dent(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Smooth depression with a soft rim, seen by its shading alone."""
    layer = blank_layer(request.chart_size)
    mask = np.zeros((CHART, CHART), bool)
    height = np.zeros((CHART, CHART), np.float32)
    aspect = generator.uniform(0.5, 1.0)
    shade = np.zeros_like(height)
    for center in scattered_centers(generator, request):
        along, across = rotated(request.chart_size, request.angle, center)
        radius = 0.45 * request.extent * (1.0 if request.count == 1 else 0.55)
        warp = 1 + 0.07 * band_noise(generator, CHART, 3)
        lean = generator.normal(0, 0.12, 2)  # the deepest point lies off the centre
        edge = np.hypot(along / radius, across / (radius * aspect)) * warp
        off = np.hypot(along / radius - lean[0], across / (radius * aspect) - lean[1])
        r = np.where(edge < 1, edge + (off - edge) * (1 - edge), edge)
        floor = generator.uniform(-0.4, 0.12)
        bowl = smoothstep(1.0, floor, r)
        rim = np.exp(-(((r - 1.05) / 0.22) ** 2))
        depth = radius * aspect * (0.10 + 0.32 * request.strength)
        height = height + depth * (-bowl + 0.07 * rim)
        shade = np.maximum(shade, bowl)
        mask |= r < 1.05
    layer.height = height
    mix(
        layer,
        shade * 0.14 * request.strength,
        surface.color * 0.35,
        min(surface.roughness * 1.2, 0.9),
        float(surface.metallic),
    )
    layer.mask = mask
    layer.record = {"morphology": ["oval"] if aspect < 0.8 else ["round"], "color": None}
    return layer


def wear(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Area filed flat by many parallel marks, bright ones and dark ones side by side."""
    layer = blank_layer(request.chart_size)
    strength = request.strength
    field = _blob(generator, request, (0.0, 0.0), ragged=0.1, aspect=generator.uniform(0.5, 0.85))
    along, across = rotated(request.chart_size, request.angle)
    texel = request.chart_size / CHART
    # Marks run a little crooked and are laid in strips, as strokes of a file are.
    crooked = across + 0.012 * request.extent * band_noise(generator, CHART, 2)
    pitch = max(request.extent * generator.uniform(0.009, 0.02), 1.2 * texel)
    rows = np.clip((crooked / pitch + CHART).astype(int), 0, 2 * CHART - 1)
    marks = generator.standard_normal(2 * CHART)
    strokes = np.convolve(generator.standard_normal(2 * CHART), np.full(7, 7**-0.5), "same")
    marks = (0.8 * marks + 0.6 * strokes)[rows]
    ends = generator.normal(0, 0.14, 2 * CHART)[rows]  # every mark begins and stops where it likes
    reach = field + ends * np.clip(1 - np.abs(along) / request.extent, 0.3, 1)
    streak = marks + 0.35 * spectral_noise(generator, CHART, beta=0.7)
    body = smoothstep(0.0, 0.09, reach) * smoothstep(-0.12, 0.0, field)
    few = smoothstep(0.4, 1.2, np.abs(marks))  # a slight one touches only here and there
    body = body * (few + (1 - few) * float(smoothstep(0.1, 0.7, np.asarray(strength))))
    bright = generator.random() < (0.75 if surface.metallic else 0.6)
    light = np.clip(surface.color * 0.45 + 0.52, 0, 0.97)
    dark = surface.color * 0.2
    share = smoothstep(-1.6, 0.9, streak if bright else -1.2 - streak)[..., None]
    tone = light * share + dark * (1 - share)
    # Filed metal scatters along its marks: shaded mostly as diffuse, it is seen in any light.
    mix(layer, body * (0.4 + 0.6 * strength), tone, 0.5, generator.uniform(0, 0.5) if surface.metallic else 0.0)
    layer.height = body * (0.5 + 0.5 * strength) * marks * texel * 0.7
    layer.mask = field > -0.02
    layer.record = {"morphology": ["rough", "line-like"], "color": "silver" if bright else "gray"}
    return layer


def hole(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Small round or ragged pit, black inside, with a burred rim."""
    layer = blank_layer(request.chart_size)
    ragged = generator.uniform(0.03, 0.16)
    field = np.full((CHART, CHART), -9.0, np.float32)
    for center in scattered_centers(generator, request):
        scale = (0.6 + 0.4 * request.strength) * (0.8 if request.count == 1 else 0.45)
        field = np.maximum(
            field,
            _blob(generator, request, center, ragged=ragged, aspect=generator.uniform(0.65, 1.0), scale=scale),
        )
    inside = smoothstep(-0.04, 0.06, field)
    deep = smoothstep(0.0, 0.3, field)
    rim = np.exp(-(((field + 0.05) / 0.07) ** 2))
    layer.height = 0.3 * request.extent * (-0.7 * inside * (0.4 + 0.6 * request.strength)) + 0.02 * request.extent * rim
    mix(layer, inside * (0.55 + 0.45 * request.strength), surface.color * 0.12, 0.8, 0.0)
    # Metallic black: a principled dielectric would still mirror the light from the flat floor.
    mix(layer, deep * (0.75 + 0.25 * request.strength), (0.006, 0.006, 0.006), 0.9, 1.0)
    layer.mask = field > -0.06
    layer.record = {"morphology": ["round"], "color": "black"}
    return layer


def chip(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Broken-out flake: sharp polygonal border, conchoidal facets, raw material."""
    layer = blank_layer(request.chart_size)
    x, y = chart(request.chart_size)
    radius = 0.46 * request.extent * (0.75 + 0.25 * request.strength)
    sides = int(generator.integers(5, 9))
    angles = np.sort(generator.uniform(0, 2 * np.pi, sides)) + np.linspace(0, 2 * np.pi, sides, endpoint=False) * 0.5
    reach = radius * generator.uniform(0.55, 1.0, sides)
    planes = np.stack([r - (np.cos(a) * x + np.sin(a) * y) for a, r in zip(angles, reach, strict=True)])
    field = planes.min(0) / radius
    field = np.minimum(field, 1 - np.hypot(x, y) / (1.1 * radius)) + 0.05 * band_noise(generator, CHART, 14)
    inside = smoothstep(0.0, 0.035, field)
    steps = np.floor(np.clip(field, 0, 1) * 5 + 0.4 * band_noise(generator, CHART, 5))
    depth = np.clip(field, 0, 1) * 0.8 + 0.07 * steps + 0.03 * spectral_noise(generator, CHART, beta=1.1)
    layer.height = -radius * inside * depth * (0.3 + 0.7 * request.strength)
    pale = generator.random() < 0.7
    raw = np.clip(surface.color * 0.6 + 0.35, 0, 0.92) if pale else surface.color * 0.5
    tone = raw * np.clip(1 + 0.16 * spectral_noise(generator, CHART, beta=0.8), 0.5, 1.5)[..., None]
    mix(layer, inside * (0.6 + 0.4 * request.strength), tone, 0.8, 0.6 if surface.metallic else 0.0)
    layer.mask = field > 0.0
    layer.record = {"morphology": ["irregular", "block-shaped"], "color": None}
    return layer


def discoloration(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Heat tint or bleached patch with a very soft border."""
    layer = blank_layer(request.chart_size)
    field = _blob(generator, request, (0.0, 0.0), ragged=0.1, aspect=generator.uniform(0.6, 1.0))
    body = smoothstep(-0.05, 0.5, field)
    straw, violet, blue = (
        np.array([0.62, 0.42, 0.14]),
        np.array([0.30, 0.13, 0.28]),
        np.array([0.10, 0.16, 0.42]),
    )
    light = surface.color.mean() < 0.35 and generator.random() < 0.7
    if surface.metallic and generator.random() < 0.6:
        t = np.clip(field * 2.2 + 0.1 * band_noise(generator, CHART, 5), 0, 2)[..., None]
        tone = np.where(t < 1, straw * (1 - t) + violet * t, violet * (2 - t) + blue * (t - 1))
        name = "blue"
    else:
        tone = np.clip(surface.color * 0.3 + 0.5, 0, 0.85) if light else surface.color * np.array([0.35, 0.32, 0.28])
        name = "white" if light else "gray"
    mix(layer, body * (0.3 + 0.6 * request.strength), tone, surface.roughness, float(surface.metallic))
    layer.mask = body > 0.15
    layer.record = {"morphology": ["irregular"], "color": name}
    return layer
