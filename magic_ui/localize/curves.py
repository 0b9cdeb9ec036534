"""Curved and branching lines, drawn on a local canvas: scratches, cracks, fibres."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]

_SHIFT = 4


@dataclass(frozen=True)
class Stroke:
    """A line of varying width: ``points`` [N, 2] as (x, y) and ``widths`` [N] in pixels."""

    points: Points
    widths: Points


def scratch_stroke(
    center: tuple[float, float],
    angle: float,
    length: float,
    width: float,
    generator: np.random.Generator,
    *,
    bend: float = 0.08,
) -> Stroke:
    """A slightly curved stroke that tapers to both ends; ``bend`` is the sagitta as a share of the length."""
    t = np.linspace(-0.5, 0.5, max(12, int(length / 4)))
    sagitta = generator.normal(0.0, bend) * length
    phase = 2 * np.pi * (t * generator.uniform(1, 2) + generator.random())
    wobble = generator.normal(0.0, 0.25 * width) * np.sin(phase)
    along, across = t * length, sagitta * (1 - 4 * t * t) - 0.66 * sagitta + wobble
    peak = generator.uniform(-0.2, 0.2)
    reach = np.where(t < peak, (t + 0.5) / (peak + 0.5), (0.5 - t) / (0.5 - peak))
    widths = width * (0.45 + 0.55 * np.sqrt(np.clip(reach, 0, 1)))
    return Stroke(_turn(along, across, angle) + np.array(center), widths)


def arc_stroke(center: tuple[float, float], hub: tuple[float, float], length: float, width: float) -> Stroke:
    """A stroke through ``center`` that runs around ``hub``, as the wear of a turning part does."""
    offset = np.array(center) - np.array(hub)
    radius = max(float(np.hypot(*offset)), 1.0)
    sweep = min(length / radius, 1.8 * np.pi)
    phi = np.arctan2(offset[1], offset[0]) + np.linspace(-0.5, 0.5, 48) * sweep
    points = np.stack([np.cos(phi), np.sin(phi)], 1) * radius + np.array(hub)
    return Stroke(points, np.full(48, width))


def crack_strokes(
    center: tuple[float, float],
    angle: float,
    length: float,
    width: float,
    generator: np.random.Generator,
    *,
    branches: int = 2,
) -> list[Stroke]:
    """A jagged random walk that keeps its direction, with shorter and thinner branches."""
    main = _walk(center, angle, length, width, generator)
    main = Stroke(main.points - main.points.mean(0) + np.array(center), main.widths)
    strokes = [main]
    for _ in range(branches):
        at = int(generator.integers(len(main.points) // 5, len(main.points) * 4 // 5))
        turn = generator.uniform(0.4, 1.1) * generator.choice([-1.0, 1.0])
        share = generator.uniform(0.2, 0.45)
        strokes.append(_walk(tuple(main.points[at]), angle + turn, share * length, 0.75 * width, generator))
    return strokes


def paint_strokes(canvas: NDArray[np.uint8], strokes: list[Stroke]) -> None:
    """Draw the strokes into a uint8 canvas [h, w] with value 1, in place."""
    for stroke in strokes:
        points = np.round(stroke.points * 2**_SHIFT).astype(np.int64)
        limit = 2**15 * 2**_SHIFT
        points = np.clip(points, -limit, limit)
        for a, b, width in zip(points[:-1], points[1:], stroke.widths[:-1], strict=True):
            start, end = (int(a[0]), int(a[1])), (int(b[0]), int(b[1]))
            cv2.line(canvas, start, end, 1, max(1, round(float(width))), cv2.LINE_8, _SHIFT)


def _walk(
    start: tuple[float, float], angle: float, length: float, width: float, generator: np.random.Generator
) -> Stroke:
    steps = int(np.clip(length / max(width * 1.2, 3.0), 6, 80))
    drift = np.cumsum(generator.normal(0.0, 0.18, steps))
    drift -= 0.5 * np.linspace(0, drift[-1], steps)
    heading = angle + drift + generator.normal(0.0, 0.35, steps)
    stride = length / steps * generator.uniform(0.6, 1.4, steps)
    moves = np.stack([np.cos(heading), np.sin(heading)], 1) * stride[:, None]
    points = np.array(start) + np.concatenate([np.zeros((1, 2)), np.cumsum(moves, 0)])
    widths = width * np.linspace(1.0, 0.5, steps + 1) * generator.uniform(0.8, 1.2, steps + 1)
    return Stroke(points, widths)


def _turn(along: Points, across: Points, angle: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([along * cos - across * sin, along * sin + across * cos], 1)
