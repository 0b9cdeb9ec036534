"""A defect as maps over a flat chart, in millimetres, and the brushes that draw on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import ArrayLike

from magic_ui.rendering.noise import smoothstep

CHART = 320
STRENGTHS = {"slight": (0.2, 0.34), "moderate": (0.45, 0.62), "severe": (0.82, 1.0)}


@dataclass
class Surface:
    """What lies under the defect: its linear colour [3], roughness, whether it is metal, and its lay in
    radians.
    """

    color: np.ndarray
    roughness: float
    metallic: bool
    lay: float = 0.0


@dataclass
class Request:
    """What to draw. `extent` is the defect's length in mm, `chart_size` the chart's side in mm, `strength`
    0..1.
    """

    defect: str
    extent: float
    chart_size: float
    severity: str
    strength: float
    thickness_mm: float
    count: int = 1
    angle: float = 0.0

    @property
    def thickness(self) -> str:
        """Discrete word for `thickness_mm`."""
        return "thin" if self.thickness_mm < 0.2 else "medium" if self.thickness_mm <= 0.5 else "thick"


@dataclass
class Layer:
    """Defect maps on a square chart of `size` mm a side, rows along +v, columns along +u.

    `height` [S, S] mm (negative is down), `weight` [S, S] 0..1 share of the new material, its `color` [S,
    S, 3], `roughness`, `metallic` [S, S], and the exact `mask` bool [S, S].
    """

    size: float
    height: np.ndarray
    weight: np.ndarray
    color: np.ndarray
    roughness: np.ndarray
    metallic: np.ndarray
    mask: np.ndarray
    record: dict = field(default_factory=dict)


def blank_layer(size: float, texels: int = CHART) -> Layer:
    """A chart with no defect."""
    zero = np.zeros((texels, texels), np.float32)
    return Layer(
        size,
        zero,
        zero.copy(),
        np.full((texels, texels, 3), 0.5, np.float32),
        zero + 0.5,
        zero.copy(),
        zero > 1,
    )


def chart(size: float, texels: int = CHART) -> tuple[np.ndarray, np.ndarray]:
    """x, y [S, S] in mm from the chart's centre."""
    axis = ((np.arange(texels) + 0.5) / texels - 0.5) * size
    x, y = np.meshgrid(axis, axis)
    return x.astype(np.float32), y.astype(np.float32)


def rotated(size: float, angle: float, center: tuple[float, float] = (0.0, 0.0), texels: int = CHART):
    """Chart coordinates (along, across) [S, S] in mm of a frame turned by `angle` radians about `center`."""
    x, y = chart(size, texels)
    dx, dy = x - center[0], y - center[1]
    return np.cos(angle) * dx + np.sin(angle) * dy, -np.sin(angle) * dx + np.cos(angle) * dy


def mix(layer: Layer, cover: np.ndarray, color: ArrayLike, roughness: np.ndarray | float, metallic: float) -> None:
    """Lay a material over what the layer already holds, `cover` [S, S] 0..1 opaque."""
    cover = np.clip(cover, 0, 1).astype(np.float32)
    total = np.maximum(layer.weight + cover - layer.weight * cover, 1e-6)
    share = np.where(layer.weight <= 0, 1.0, cover / total)
    layer.color = layer.color * (1 - share[..., None]) + np.asarray(color, np.float32) * share[..., None]
    layer.roughness = layer.roughness * (1 - share) + roughness * share
    layer.metallic = layer.metallic * (1 - share) + metallic * share
    layer.weight = np.where(cover > 0, total, layer.weight).astype(np.float32)


def polyline_distance(
    paths: list[np.ndarray], widths: list[np.ndarray], size: float, texels: int = CHART
) -> np.ndarray:
    """Signed distance in mm (negative inside) to strokes; paths [N, 2] in mm, widths [N] in mm."""
    factor = 4 * texels / size
    canvas = np.zeros((2 * texels, 2 * texels), np.uint8)
    for path, width in zip(paths, widths, strict=True):
        points = np.round(((path / size + 0.5) * 2 * texels) * 16).astype(np.int32)
        for a, b, w in zip(points[:-1], points[1:], width[:-1], strict=True):
            pixels = w * 0.5 * factor
            if pixels > 0.3:
                cv2.line(canvas, a.tolist(), b.tolist(), 255, max(1, round(pixels)), cv2.LINE_AA, 4)
    inside = canvas > 127
    if not inside.any():
        return np.full((texels, texels), size, np.float32)
    outside = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
    within = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    distance = cv2.resize(outside - within, (texels, texels), interpolation=cv2.INTER_AREA)
    return distance * size / (2 * texels)


def chart_fade(texels: int = CHART) -> np.ndarray:
    """1 inside the chart, falling to 0 at its border, so that nothing is cut off."""
    axis = np.abs(np.linspace(-1, 1, texels))
    edge = smoothstep(0.985, 0.9, axis)
    return (edge[:, None] * edge[None, :]).astype(np.float32)


def scattered_centers(generator: np.random.Generator, request: Request) -> list[tuple[float, float]]:
    """Chart positions (x, y) in mm of the defect's `count` pieces."""
    if request.count == 1:
        return [(0.0, 0.0)]
    spread = 0.28 * request.extent
    turn = generator.uniform(0, 2 * np.pi)
    angles = turn + 2 * np.pi * (np.arange(request.count) + generator.uniform(-0.2, 0.2, request.count)) / request.count
    return [(float(spread * np.cos(a)), float(spread * np.sin(a))) for a in angles]
