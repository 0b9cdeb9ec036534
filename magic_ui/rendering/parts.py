"""The catalogue of parts and the builders of the flat ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from magic_ui.rendering.meshes import (
    LabelOf,
    Part,
    Pieces,
    arc_length,
    grid_faces,
    join,
    order_upwards,
    resample,
    revolve,
    round_corners,
    smooth_normals,
    weld_seam_normals,
)
from magic_ui.rendering.screw import build_screw
from magic_ui.rendering.solids import build_bottle, build_capsule, build_pill, build_sheet

Builder = Callable[[np.random.Generator], Part]
WALL_OFFSET = 500.0


def build_part(category: str, generator: np.random.Generator, *, detail: float = 1.0) -> Part:
    """Random part of a category in `CATEGORIES`; `detail` scales the density of the curved meshes."""
    if category == "screw":
        return build_screw(generator, detail=detail)
    if category in SHEETS:
        return build_sheet(category, SHEETS[category])
    return BUILDERS[category](generator)


def bands(limits: np.ndarray, order: list[int]) -> LabelOf:
    """Labels by v: `order[k]` between the k-th and the next limit."""
    table = np.array(order, np.uint8)
    return lambda uv: table[np.searchsorted(limits, uv[..., 1], side="right")]


def build_washer(generator: np.random.Generator) -> Part:
    """Flat washer, 10–30 mm."""
    outer = generator.uniform(6, 14)
    inner = outer * generator.uniform(0.4, 0.58)
    height = outer * generator.uniform(0.12, 0.2)
    profile = np.array([[inner, 0.0], [inner, height], [outer, height], [outer, 0.0]])
    corners = arc_length(profile)
    bevel = height * generator.uniform(0.15, 0.4)
    profile = round_corners(profile, bevel, steps=5)
    limits = np.array([corners[1] - bevel, corners[1] + 0.1, corners[2] - bevel, corners[2] + bevel])
    mesh = revolve(resample(profile, 0.4), turns=220, reference_radius=0.5 * (outer + inner))
    return Part(
        "washer",
        *order_upwards(mesh),
        ["face", "edge", "hole", "rim"],
        bands(limits, [2, 1, 0, 1, 3]),
        2 * outer,
        defect_range=(0.9, 4.0),
    )


def build_bearing_ring(generator: np.random.Generator) -> Part:
    """Ring with a raceway groove in its upper face, 24–60 mm."""
    outer = generator.uniform(12, 26)
    inner = outer * generator.uniform(0.5, 0.62)
    height = outer * generator.uniform(0.25, 0.4)
    width, middle = outer - inner, 0.5 * (outer + inner)
    half, depth = width * generator.uniform(0.16, 0.24), width * generator.uniform(0.1, 0.2)
    arc = np.linspace(-1, 1, 13)
    groove = np.stack([middle + half * arc, height - depth * (1 - arc**2)], 1)
    profile = np.concatenate([[[inner, 0.0], [inner, height]], groove, [[outer, height], [outer, 0.0]]])
    corners = arc_length(profile)
    bevel = width * 0.06
    limits = np.array([corners[1], corners[2], corners[14], corners[15] - 1.5 * bevel, corners[15] + bevel])
    profile = round_corners(profile, bevel, steps=4)
    mesh = revolve(resample(profile, 0.5), turns=260, reference_radius=middle)
    labels = ["face", "body", "hole", "rim", "edge"]
    return Part(
        "bearing_ring",
        *order_upwards(mesh),
        labels,
        bands(limits, [2, 0, 1, 0, 4, 3]),
        2 * outer,
        defect_range=(1.2, 7.0),
    )


def build_metal_nut(generator: np.random.Generator) -> Part:
    """Hexagonal nut with a threaded bore, 8–24 mm across the flats."""
    flat = generator.uniform(5, 11)

    def outline(angle: np.ndarray) -> np.ndarray:
        folded = (angle + np.pi / 6) % (np.pi / 3) - np.pi / 6
        return np.minimum(flat / np.cos(folded), flat * 1.125)

    return _prism(
        generator,
        "metal_nut",
        outline,
        flat * generator.uniform(0.5, 0.58),
        flat * generator.uniform(0.7, 0.95),
        chamfer=flat * 0.07,
        defect_range=(0.9, 3.5),
        threaded=True,
    )


def build_gear(generator: np.random.Generator) -> Part:
    """Spur gear, 20–50 mm, 12–26 teeth."""
    radius, teeth = generator.uniform(10, 24), int(generator.integers(12, 27))
    tooth = 2.1 * radius / teeth * generator.uniform(0.8, 1.1)

    def outline(angle: np.ndarray) -> np.ndarray:
        wave = np.cos(teeth * angle)
        return radius + tooth * (1 / (1 + np.exp(-5.0 * (wave - 0.05))) - 0.5)

    return _prism(
        generator,
        "gear",
        outline,
        radius * generator.uniform(0.2, 0.36),
        radius * generator.uniform(0.2, 0.4),
        chamfer=0.035 * radius,
        defect_range=(0.9, 5.0),
        rim_at=0.5 * tooth + 0.06 * radius,
        samples=teeth * 36,
    )


def build_metal_plate(generator: np.random.Generator) -> Part:
    """Rectangular plate with rounded corners and, often, a bore, 40–90 mm."""
    half = np.array([generator.uniform(20, 45), generator.uniform(14, 30)])
    power = generator.uniform(14, 40)

    def outline(angle: np.ndarray) -> np.ndarray:
        c, s = np.abs(np.cos(angle)) / half[0], np.abs(np.sin(angle)) / half[1]
        return (c**power + s**power) ** (-1 / power)

    bore = half[1] * generator.uniform(0.12, 0.3) if generator.random() < 0.7 else 0.02
    return _prism(
        generator,
        "metal_plate",
        outline,
        bore,
        generator.uniform(1.5, 5),
        chamfer=0.4,
        defect_range=(1.5, 12.0),
        samples=560,
    )


def _prism(
    generator: np.random.Generator,
    category: str,
    outline: Callable[[np.ndarray], np.ndarray],
    bore: float,
    height: float,
    *,
    chamfer: float,
    defect_range: tuple[float, float],
    rim_at: float = 0.0,
    samples: int = 360,
    threaded: bool = False,
) -> Part:
    """Extruded outline r(angle) with a bore: top face uv = (x, y); walls follow at `WALL_OFFSET`."""
    angles = np.linspace(-np.pi, np.pi, samples + 1)
    edge = outline(angles)
    t = np.linspace(0, 1, 24)
    rings = bore * 1.06 + (edge - chamfer - bore * 1.06) * t[:, None]
    drop = np.zeros((len(t), 1))
    rings = np.concatenate([rings, (edge - 0.3 * chamfer)[None], edge[None]])
    drop = np.concatenate([drop, [[0.25 * chamfer]], [[chamfer]]])
    bore_rings = np.linspace(bore, bore * 1.06, 4)[:, None] * np.ones_like(angles)
    rings = np.concatenate([bore_rings[:-1], rings])
    drop = np.concatenate([np.linspace(chamfer, 0, 4)[:-1, None], drop])
    top = _sheet(rings, angles, height - drop)
    outer = _wall(edge, angles, np.linspace(height - chamfer, 0, 14), WALL_OFFSET, outward=True)
    depth = np.linspace(height - chamfer, 0, 60 if threaded else 10)
    ripple = 0.05 * bore * np.sin(depth * 2 * np.pi / (0.14 * bore))[:, None] if threaded else 0.0
    inner = _wall(bore - ripple * np.ones_like(angles), angles, depth, 2 * WALL_OFFSET, outward=False)

    def label_of(uv: np.ndarray) -> np.ndarray:
        radius = np.hypot(uv[..., 0], uv[..., 1])
        limit = outline(np.arctan2(uv[..., 1], uv[..., 0]))
        label = np.where(radius > limit - max(2.5 * chamfer, rim_at), 1, 0)
        label = np.where(radius < bore * 1.06, 3, label)
        label = np.where(uv[..., 1] > 0.5 * WALL_OFFSET, 2, label)
        return np.where(uv[..., 1] > 1.5 * WALL_OFFSET, 3, label).astype(np.uint8)

    mesh = join([top, outer, inner])
    size = 2 * float(edge.max())
    return Part(category, *mesh, ["face", "edge", "rim", "hole"], label_of, size, defect_range=defect_range)


def _sheet(rings: np.ndarray, angles: np.ndarray, z: np.ndarray) -> Pieces:
    x, y = rings * np.cos(angles), rings * np.sin(angles)
    vertices = np.stack([x, y, np.broadcast_to(z, x.shape)], -1).reshape(-1, 3)
    faces = grid_faces(*rings.shape)
    normals = weld_seam_normals(smooth_normals(vertices, faces), *rings.shape)
    if normals[:, 2].mean() < 0:
        faces, normals = faces[:, ::-1], -normals
    return vertices, normals, faces, vertices[:, :2].copy()


def _wall(radius: np.ndarray, angles: np.ndarray, z: np.ndarray, offset: float, *, outward: bool) -> Pieces:
    ring = np.broadcast_to(radius, (len(z), len(angles)))
    x, y = ring * np.cos(angles), ring * np.sin(angles)
    vertices = np.stack([x, y, np.broadcast_to(z[:, None], x.shape)], -1)
    u = arc_length(vertices[0])[None, :] * np.ones((len(z), 1))
    uv = np.stack([u, np.broadcast_to(z[:, None] + offset, x.shape)], -1).reshape(-1, 2)
    vertices = vertices.reshape(-1, 3)
    faces = grid_faces(*ring.shape)
    normals = weld_seam_normals(smooth_normals(vertices, faces), *ring.shape)
    side = (normals[:, :2] * vertices[:, :2]).sum(1).mean()
    if (side > 0) != outward:
        faces, normals = faces[:, ::-1], -normals
    return vertices, normals, faces, uv


BUILDERS: dict[str, Builder] = {
    "screw": build_screw,
    "washer": build_washer,
    "metal_nut": build_metal_nut,
    "gear": build_gear,
    "bearing_ring": build_bearing_ring,
    "metal_plate": build_metal_plate,
    "pill": build_pill,
    "capsule": build_capsule,
    "bottle": build_bottle,
}
SHEETS = {"tile": (1.5, 14.0), "wood": (1.5, 14.0), "leather": (1.2, 9.0), "carpet": (2.0, 14.0)}
"""Surfaces that fill the frame, with their shortest and longest defect in mm."""
CATEGORIES = [*BUILDERS, *SHEETS]
