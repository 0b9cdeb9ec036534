"""What is repainted: a mask of the defect's own form inside the region."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import InputError
from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize.axis import ObjectAxis, principal_axis
from magic_ui.localize.bands import LEAVES_OBJECT
from magic_ui.localize.forms import draw_line, draw_patch, is_line, reach_of
from magic_ui.localize.sizing import Size, measure

Mask = NDArray[np.bool_]

CANVAS_SIDE = 640
MIN_PIXELS = 24
_TURNS = {"along": 0.0, "across": np.pi / 2, "diagonal": np.pi / 4}
_CANDIDATES = 12


@dataclass(frozen=True)
class _Canvas:
    """The region's surroundings at drawing resolution.

    ``allowed`` is where paint may lie, ``body`` the object, both bool [h, w]; ``room`` the distance to the
    end of ``allowed``; ``scale`` canvas pixels per picture pixel; ``window`` its rows and columns there;
    ``hub`` the object's middle on the canvas.
    """

    allowed: Mask
    body: Mask
    room: NDArray[np.float32]
    scale: float
    window: tuple[slice, slice]
    hub: tuple[float, float]


def draw_defect_mask(
    region: Mask,
    foreground: Mask,
    spec: DefectSpec,
    *,
    generator: np.random.Generator,
    pixels_per_mm: float | None = None,
    axis: ObjectAxis | None = None,
) -> Mask:
    """Draw the defect's own form, bool [H, W], True = repaint.

    ``region`` and ``foreground`` are bool [H, W]; the mask lies in both, unless ``spec.defect`` may leave the
    object (bent, break, burr): then in the region only. ``spec.count`` components are spread apart. Sizes are
    relative to the object, or absolute with ``spec.thickness_mm`` and ``pixels_per_mm``. ``axis`` spares
    fitting it again. Never empty, and at least ``MIN_PIXELS`` where the region allows. Drawn at a bounded
    resolution whatever the picture's. Raises ``InputError`` for an empty foreground or unequal sizes.
    """
    if region.shape != foreground.shape:
        raise InputError("region", f"its size {region.shape} is not the foreground's {foreground.shape}.")
    if not foreground.any():
        raise InputError("foreground", "it is empty; draw the object or choose another picture.")
    leaves = spec.defect in LEAVES_OBJECT
    limit = _limit(region, foreground, leaves)
    axis = axis if axis is not None else principal_axis(foreground)
    canvas = _open_canvas(limit, foreground)
    size = measure(spec, float(foreground.sum()), generator, scale=canvas.scale, pixels_per_mm=pixels_per_mm)
    size = _fit(size, canvas, max(1, spec.count))
    drawn = np.zeros(canvas.allowed.shape, bool)
    centers: list[tuple[float, float]] = []
    for _ in range(max(1, spec.count)):
        component, center = _draw_component(canvas, spec, size, axis, centers, drawn, generator)
        centers.append(center)
        drawn |= component
    mask = _to_picture(drawn, canvas, foreground.shape) & limit
    return _ensure_size(mask, limit, centers[0], canvas)


def _limit(region: Mask, foreground: Mask, leaves: bool) -> Mask:
    if leaves:
        return region if region.any() else foreground
    both = region & foreground
    return both if both.any() else foreground


def _open_canvas(limit: Mask, foreground: Mask) -> _Canvas:
    rows, cols = np.flatnonzero(limit.any(1)), np.flatnonzero(limit.any(0))
    window = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1))
    height, width = window[0].stop - window[0].start, window[1].stop - window[1].start
    scale = min(1.0, CANVAS_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    allowed = cv2.resize(limit[window].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    body = cv2.resize(foreground[window].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if not allowed.any():
        allowed = np.ones_like(allowed)
    room = cv2.distanceTransform(np.pad(allowed.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    moments = cv2.moments(foreground.astype(np.uint8), binaryImage=True)
    hub_x, hub_y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    hub = ((hub_x - window[1].start) * scale, (hub_y - window[0].start) * scale)
    return _Canvas(allowed, body, room, scale, window, hub)


def _fit(size: Size, canvas: _Canvas, count: int) -> Size:
    """Shrink to the region: patches together at most 60% of it, strokes no wider than it is."""
    area = min(size.area, 0.6 * float(canvas.allowed.sum()) / count)
    width = min(size.width, max(2.0, 1.6 * float(canvas.room.max())))
    return replace(size, area=max(area, 12.0), width=width)


def _draw_component(
    canvas: _Canvas,
    spec: DefectSpec,
    size: Size,
    axis: ObjectAxis,
    centers: list[tuple[float, float]],
    taken: Mask,
    generator: np.random.Generator,
) -> tuple[Mask, tuple[float, float]]:
    """Draw one component clear of ``taken``; the placement that keeps most of the form is chosen."""
    free = canvas.allowed
    if taken.any():
        gap = 2 * max(2, round(0.4 * size.width)) + 1
        free = free & (cv2.dilate(taken.astype(np.uint8), np.ones((gap, gap), np.uint8)) == 0)
        free = free if free.any() else canvas.allowed & ~taken
        free = free if free.any() else canvas.allowed
    best, best_score, best_center = free, -1.0, (0.0, 0.0)
    for center in _centers(canvas, free, spec, size, axis, centers, generator):
        angle = _angle(spec, axis, canvas, center, generator)
        length, middle, here = size.length, center, size
        if is_line(spec) and "concentric" not in spec.morphology:
            length, middle = _chord(free, center, angle, size.length)
            here = size.stroke(length, spec.thickness)
        whole = _draw_form(canvas, spec, here, middle, angle, length, generator)
        kept = whole & free
        if spec.count > 1:
            kept = _largest(kept)
        wanted = size.length * here.width if is_line(spec) else max(1.0, float(whole.sum()))
        score = min(1.0, float(kept.sum()) / wanted) + _spread_bonus(middle, centers, canvas)
        if score > best_score and kept.any():
            best, best_score, best_center = kept, score, middle
        if not centers and best_score > 0.9:
            break
    if best is free:
        best, best_center = _spot(free)
    return best, best_center


def _draw_form(
    canvas: _Canvas,
    spec: DefectSpec,
    size: Size,
    center: tuple[float, float],
    angle: float,
    length: float,
    generator: np.random.Generator,
) -> Mask:
    """Draw in a window around the center only: large canvases cost nothing."""
    height, width = canvas.allowed.shape
    reach = reach_of(spec, size, length)
    left, top = max(0, int(center[0] - reach)), max(0, int(center[1] - reach))
    right, bottom = min(width, int(center[0] + reach) + 2), min(height, int(center[1] + reach) + 2)
    shape = (max(1, bottom - top), max(1, right - left))
    local = (center[0] - left, center[1] - top)
    if is_line(spec):
        hub = (canvas.hub[0] - left, canvas.hub[1] - top)
        form = draw_line(shape, spec, size, local, angle, length, hub, generator)
    else:
        form = draw_patch(shape, spec, size, local, angle, generator)
    whole = np.zeros((height, width), bool)
    whole[top:bottom, left:right] = form[: bottom - top, : right - left]
    return whole


def _centers(
    canvas: _Canvas,
    free: Mask,
    spec: DefectSpec,
    size: Size,
    axis: ObjectAxis,
    taken: list[tuple[float, float]],
    generator: np.random.Generator,
) -> list[tuple[float, float]]:
    """Candidate centers (x, y) on the canvas, spread apart from those taken."""
    y, x = np.nonzero(_seeds(canvas, free, spec, size, axis))
    number = _CANDIDATES if not taken else 3 * _CANDIDATES
    chosen = generator.integers(0, x.size, number)
    points = np.stack([x[chosen], y[chosen]], 1).astype(np.float64)
    if taken:
        distance = np.linalg.norm(points[:, None] - np.array(taken)[None], axis=2).min(1)
        points = points[np.argsort(-distance)[: _CANDIDATES // 2]]
    return [(float(px), float(py)) for px, py in points]


def _seeds(canvas: _Canvas, free: Mask, spec: DefectSpec, size: Size, axis: ObjectAxis) -> Mask:
    """Where a center may lie: at the silhouette for chips, burrs and breaks, else with room around it."""
    if spec.defect in LEAVES_OBJECT or spec.defect == "chip":
        core = cv2.erode(canvas.body.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
        whole_tip = spec.defect in ("bent", "break") and spec.part == "tip"
        seeds = canvas.body & free & (whole_tip | ~core)
        if spec.part == "tip" and seeds.any() and axis.is_elongated:
            seeds = _towards_end(seeds, axis)
        if seeds.any():
            return seeds
    need = 0.5 * size.width if is_line(spec) else 0.8 * size.radii[1]
    seeds = free & (canvas.room >= min(need, 0.8 * float(canvas.room[free].max())))
    return seeds if seeds.any() else free


def _towards_end(seeds: Mask, axis: ObjectAxis) -> Mask:
    y, x = np.nonzero(seeds)
    along = x * axis.direction[0] + y * axis.direction[1]
    end = np.zeros_like(seeds)
    keep = along >= np.quantile(along, 0.5)
    end[y[keep], x[keep]] = True
    return end


def _angle(
    spec: DefectSpec,
    axis: ObjectAxis,
    canvas: _Canvas,
    center: tuple[float, float],
    generator: np.random.Generator,
) -> float:
    outward = float(np.arctan2(center[1] - canvas.hub[1], center[0] - canvas.hub[0]))
    if "radial" in spec.morphology:
        return outward
    if "concentric" in spec.morphology:
        return outward + np.pi / 2
    if spec.orientation in _TURNS:
        return axis.angle + _TURNS[spec.orientation] + float(generator.normal(0.0, 0.05))
    return float(generator.uniform(0.0, np.pi))


def _chord(free: Mask, center: tuple[float, float], angle: float, length: float) -> tuple[float, tuple[float, float]]:
    """The free run through ``center`` at ``angle``, cut to ``length``: (length, its middle)."""
    direction = np.array([np.cos(angle), np.sin(angle)])
    steps = np.arange(0.0, length, 1.0)
    ends = []
    for sign in (-1.0, 1.0):
        path = np.array(center) + sign * steps[:, None] * direction
        x, y = np.round(path[:, 0]).astype(int), np.round(path[:, 1]).astype(int)
        inside = (x >= 0) & (y >= 0) & (x < free.shape[1]) & (y < free.shape[0])
        inside[inside] = free[y[inside], x[inside]]
        stop = int(np.argmin(inside)) if not inside.all() else steps.size
        ends.append(float(max(0, stop - 1)))
    back, forth = ends
    if back + forth > length:  # slide the stroke so that it uses the longer side
        back = min(back, max(length / 2, length - forth))
        forth = min(forth, length - back)
    middle = np.array(center) + direction * (forth - back) / 2
    return max(back + forth, 4.0), (float(middle[0]), float(middle[1]))


def _spread_bonus(center: tuple[float, float], taken: list[tuple[float, float]], canvas: _Canvas) -> float:
    if not taken:
        return 0.0
    nearest = min(np.hypot(center[0] - x, center[1] - y) for x, y in taken)
    return 0.5 * min(1.0, nearest / (0.5 * max(canvas.allowed.shape)))


def _largest(mask: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()) if count > 2 else mask


def _spot(free: Mask) -> tuple[Mask, tuple[float, float]]:
    room = cv2.distanceTransform(np.pad(free.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(room.argmax()), room.shape)
    spot = np.zeros(free.shape, np.uint8)
    cv2.circle(spot, (int(x), int(y)), 3, 1, -1)
    return (spot > 0) & free, (float(x), float(y))


def _to_picture(drawn: Mask, canvas: _Canvas, shape: tuple[int, ...]) -> Mask:
    rows, cols = canvas.window
    size = (cols.stop - cols.start, rows.stop - rows.start)
    mask = np.zeros(shape, bool)
    mask[rows, cols] = cv2.resize(drawn.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    return mask


def _ensure_size(mask: Mask, limit: Mask, center: tuple[float, float], canvas: _Canvas) -> Mask:
    """Grow a mask that came out too small, within the limit."""
    wanted = min(MIN_PIXELS, int(limit.sum()))
    if int(mask.sum()) >= wanted:
        return mask
    if not mask.any():
        y, x = np.nonzero(limit)
        px = center[0] / canvas.scale + canvas.window[1].start
        py = center[1] / canvas.scale + canvas.window[0].start
        nearest = int(np.argmin((x - px) ** 2 + (y - py) ** 2))
        mask = np.zeros_like(limit)
        mask[y[nearest], x[nearest]] = True
    for _ in range(12):
        if int(mask.sum()) >= wanted:
            break
        mask = (cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & limit
    return mask
