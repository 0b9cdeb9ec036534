"""Defects that are lines: scratches, cracks, fibres and particles."""

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
    polyline_distance,
    scattered_centers,
)
from magic_ui.rendering.noise import band_noise, smoothstep, specks, spectral_noise


def _curve(
    generator: np.random.Generator,
    length: float,
    angle: float,
    center: tuple[float, float],
    *,
    bend: float,
    wobble: float,
) -> np.ndarray:
    t = np.linspace(-0.5, 0.5, 64)
    across = bend * length * (t**2 - 0.08) + wobble * length * np.cumsum(generator.standard_normal(64)) / 64
    along = t * length
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * along - s * across + center[0], s * along + c * across + center[1]], 1)


def scratch(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Tapering groove with raised lips that lays bare brighter metal (or, in ceramics, a pale or dark
    line).
    """
    layer = blank_layer(request.chart_size)
    width, strength = request.thickness_mm, request.strength
    paths, widths = [], []
    strands = 1 if width < 0.06 * request.extent else int(generator.integers(1, 4))
    for center in scattered_centers(generator, request):
        length = request.extent * (0.97 if request.count == 1 else generator.uniform(0.6, 0.85))
        angle = request.angle + generator.normal(0, 0.08)
        bend, wobble = generator.normal(0, 0.11), generator.uniform(0.004, 0.025)
        taper = np.clip(np.sin(np.pi * np.linspace(0.02, 0.98, 64)), 0, 1) ** generator.uniform(0.25, 0.7)
        for strand in range(strands):
            shift = (strand - (strands - 1) / 2) * width / strands * 1.05
            offset = (center[0] - shift * np.sin(angle), center[1] + shift * np.cos(angle))
            reach = length * (1.0 if strand == 0 else generator.uniform(0.5, 0.95))
            paths.append(_curve(generator, reach, angle, offset, bend=bend, wobble=wobble))
            texel = request.chart_size / CHART
            widths.append(np.maximum(width / strands * taper * generator.uniform(0.75, 1.1), 0.6 * texel))
    distance = polyline_distance(paths, widths, request.chart_size)
    half = 0.5 * width / strands
    inside = smoothstep(0.25 * half, -0.5 * half, distance)
    skips = smoothstep(0.4, 1.4, band_noise(generator, CHART, 12)) * generator.uniform(0, 0.8)
    inside = inside * (1 - skips)  # the tool leaves the surface now and then
    lip = np.exp(-(((distance - 0.45 * half) / (0.4 * half)) ** 2))
    grain = spectral_noise(generator, CHART, beta=0.6, low=20)
    layer.height = half * ((0.25 + 0.75 * strength) * (-0.9 * inside + 0.35 * lip) + 0.05 * grain * inside)
    luminance = float(surface.color.mean())
    bright = generator.random() < (0.7 if surface.metallic else 0.55) or luminance < 0.12
    if surface.metallic:
        tone = np.clip(surface.color.mean() + np.array([0.42, 0.42, 0.41]), 0, 0.97) if bright else surface.color * 0.1
        rough = generator.uniform(0.3, 0.6) if bright else 0.6
    else:
        tone = np.clip(surface.color * 0.3 + 0.62, 0, 0.95) if bright else surface.color * 0.15
        rough = 0.8
    patchy = np.clip(0.9 + 0.12 * band_noise(generator, CHART, 9), 0.6, 1.0)
    # One wall lies in the groove's own shadow, the other catches the light.
    gy, gx = np.gradient(distance)
    side = generator.choice([-1, 1]) * (np.cos(request.angle) * gy - np.sin(request.angle) * gx)
    wall = lip * smoothstep(-0.1, 0.5, side / max(float(np.abs(side).max()), 1e-9)) * (1 - skips)
    shadow = surface.color * 0.08 if bright else np.clip(surface.color * 0.5 + 0.45, 0, 0.95)
    mix(layer, wall * (0.25 + 0.55 * strength), shadow, 0.8, 0.0 if bright else 0.5)
    cover = inside * (0.4 + 0.6 * strength) * patchy + 0.2 * lip * strength * (distance < half)
    # Torn metal scatters: most of it is shaded as diffuse, so that the scratch is bright in any light.
    mix(layer, cover, tone, rough, generator.uniform(0.0, 0.5) if surface.metallic and bright else 0.0)
    layer.mask = distance < 0.7 * half
    fine = "fine" if request.thickness == "thin" else "wide" if request.thickness == "thick" else None
    layer.record = {
        "morphology": [w for w in ("line-like", fine) if w],
        "color": "silver" if bright else "black",
    }
    return layer


def crack(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Dark branching gap that runs in jerks and ends in hairlines."""
    layer = blank_layer(request.chart_size)
    width, strength = request.thickness_mm, request.strength
    paths, widths = [], []

    def grow(start: np.ndarray, angle: float, length: float, thickness: float, depth: int) -> None:
        steps = max(6, int(length / request.extent * 26))
        points, heading, step = [start], angle, length / steps
        for k in range(steps):
            kink = generator.normal(0, 0.75) if generator.random() < 0.4 else generator.normal(0, 0.2)
            heading = angle + 0.5 * (heading - angle) + kink
            points.append(
                points[-1] + step * generator.uniform(0.5, 1.5) * np.array([np.cos(heading), np.sin(heading)])
            )
            if depth < 2 and steps * 0.1 < k < steps * 0.85 and generator.random() < (0.06 + 0.1 * strength):
                side = generator.choice([-1, 1]) * generator.uniform(0.5, 1.1)
                grow(
                    points[-1],
                    angle + side,
                    length * generator.uniform(0.2, 0.45),
                    thickness * 0.6,
                    depth + 1,
                )
        t = np.linspace(0, 1, len(points))
        shape = (1 - t) ** 0.6 if depth else np.clip(np.sin(np.pi * (0.06 + 0.92 * t)), 0, 1) ** 0.6
        paths.append(np.array(points))
        widths.append(
            np.maximum(thickness * shape * generator.uniform(0.6, 1.3, len(points)), request.chart_size / CHART * 0.7)
        )

    for center in scattered_centers(generator, request):
        reach = request.extent * (0.95 if request.count == 1 else 0.6)
        start = np.array(center) - 0.5 * reach * np.array([np.cos(request.angle), np.sin(request.angle)])
        grow(start, request.angle, reach, width, 0)
    distance = polyline_distance(paths, widths, request.chart_size)
    half = 0.5 * width
    distance = distance + 0.25 * half * band_noise(generator, CHART, 70)
    gap = smoothstep(0.35 * half, -0.35 * half, distance)
    lip = np.exp(-(((distance - 0.5 * half) / (0.5 * half)) ** 2))
    layer.height = half * (-1.2 * gap + 0.25 * lip) * (0.4 + 0.6 * strength)
    rust = surface.metallic and generator.random() < 0.2
    halo = smoothstep(2.2 * half, 0.2 * half, distance) * 0.3 * strength
    mix(layer, halo, (0.2, 0.12, 0.07) if rust else surface.color * 0.35, 0.8, 0.0)
    mix(layer, gap * (0.6 + 0.4 * strength), (0.012, 0.011, 0.010), 0.9, 0.0)
    layer.mask = (distance < 0.5 * half) | (halo > 0.12)
    layer.record = {
        "morphology": ["line-like", "irregular"] + (["radial"] if len(paths) > 3 else []),
        "color": "black",
    }
    return layer


def contamination(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Foreign matter lying on the surface: a curled fibre or a scatter of particles."""
    layer = blank_layer(request.chart_size)
    dark = surface.color.mean() > 0.2 and generator.random() < 0.7
    tone = np.array([0.03, 0.028, 0.025]) if dark else np.array([0.85, 0.83, 0.78])
    if generator.random() < 0.5:
        width = request.extent * generator.uniform(0.026, 0.06)
        heading = request.angle + np.cumsum(np.cumsum(generator.normal(0, 0.018, 90)) + generator.normal(0, 0.025))
        path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0)
        path = (
            (path - 0.5 * (path.max(0) + path.min(0))) / max(np.ptp(path, axis=0).max(), 1e-6) * request.extent * 0.95
        )
        distance = polyline_distance([path], [np.full(90, width)], request.chart_size)
        cover = smoothstep(0.15 * width, -0.15 * width, distance)
        layer.height = width * 0.5 * cover
        words = ["line-like", "curved"]
    else:
        field = np.maximum(specks(generator, CHART, int(20 + 70 * request.strength), (2.5, 11.0)), 0)
        x, y = chart(request.chart_size)
        cover = smoothstep(0.3, 0.5, field * smoothstep(0.55 * request.extent, 0.3 * request.extent, np.hypot(x, y)))
        layer.height = cover * request.chart_size / CHART * 2.0
        words = ["granular"]
    mix(layer, cover * (0.6 + 0.4 * request.strength), tone, 0.9, 0.0)
    layer.mask = cover > 0.3
    layer.record = {"morphology": words, "color": "black" if dark else "white"}
    return layer
