"""Packaged goods and sheets: pill, capsule, bottle seen from above, and surfaces that fill the frame."""

from __future__ import annotations

import numpy as np

from magic_ui.rendering.meshes import (
    Part,
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


def build_pill(generator: np.random.Generator) -> Part:
    """Round or oblong tablet with a domed face and, often, a score line, 7–16 mm."""
    radius, stretch = generator.uniform(3.5, 6.0), float(generator.choice([1.0, generator.uniform(1.3, 1.9)]))
    wall, dome = radius * generator.uniform(0.25, 0.45), radius * generator.uniform(0.05, 0.3)
    angles = np.linspace(-np.pi, np.pi, 181)
    share = np.concatenate([np.linspace(0.004, 0.93, 60), np.linspace(0.94, 1.0, 10)])[:, None]
    x, y = share * radius * np.cos(angles) * stretch, share * radius * np.sin(angles)
    z = wall + dome * (1 - share**2) - 0.10 * radius * np.clip((share - 0.93) / 0.07, 0, 1) ** 2 + 0 * x
    if generator.random() < 0.6:
        z = z - 0.10 * radius * np.exp(-((x / (0.06 * radius)) ** 2)) * (share < 0.985)
    top = _grid(x, y, z, up=True)
    top = (*top[:3], top[0][:, :2].copy())
    depth = np.linspace(float(z[-1].mean()), 0, 8)[:, None]
    side = _grid(x[-1:] + 0 * depth, y[-1:] + 0 * depth, depth + 0 * x[-1:], up=False)
    around = arc_length(np.stack([x[-1], y[-1]], 1))
    uv = np.stack(np.broadcast_arrays(around[None], depth + 500.0), -1).reshape(-1, 2)
    side = (*side[:3], uv)

    def label_of(points: np.ndarray) -> np.ndarray:
        out = np.hypot(points[..., 0] / stretch, points[..., 1]) > 0.88 * radius
        return np.where(points[..., 1] > 250, 2, np.where(out, 1, 0)).astype(np.uint8)

    mesh = join([top, side])
    return Part("pill", *mesh, ["face", "edge", "rim"], label_of, 2 * radius * stretch, defect_range=(0.7, 3.5))


def build_capsule(generator: np.random.Generator) -> Part:
    """Two-piece capsule lying along y, 14–23 mm."""
    length = generator.uniform(14, 23)
    radius = length * generator.uniform(0.15, 0.19)
    t = np.linspace(0.05, np.pi / 2, 24)
    cap = np.stack([radius * np.sin(t), radius * (1 - np.cos(t))], 1)
    seam = length * generator.uniform(0.46, 0.54)
    wide = radius * 1.03
    middle = np.array([[wide, radius + 0.3], [wide, seam], [radius, seam + 0.15]])
    profile = np.concatenate([cap * [1.03, 1.0], middle, np.stack([cap[::-1, 0], length - cap[::-1, 1]], 1)])
    profile = resample(profile, 0.25)
    vertices, normals, faces, uv = revolve(profile, turns=140, reference_radius=radius)
    if (normals[:, :2] * vertices[:, :2]).sum(1).mean() < 0:
        normals, faces = -normals, faces[:, ::-1]
    turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float).T  # z along y
    vertices, normals = vertices @ turn.T, normals @ turn.T
    vertices[:, 2] -= vertices[:, 2].min()
    vertices[:, 1] -= 0.5 * (vertices[:, 1].min() + vertices[:, 1].max())
    return Part(
        "capsule",
        vertices,
        normals,
        faces,
        uv,
        ["body"],
        lambda points: np.zeros(points.shape[:-1], np.uint8),
        length,
        defect_range=(0.9, 4.5),
        lay="v",
        notes={"length": float(arc_length(profile)[-1])},
    )


def build_bottle(generator: np.random.Generator) -> Part:
    """Open neck seen from above: shoulder, lip, inner wall and the bottom far below, 26–60 mm."""
    outer = generator.uniform(13, 30)
    lip = outer * generator.uniform(0.45, 0.75)
    wall = lip * generator.uniform(0.12, 0.22)
    height = outer * generator.uniform(0.8, 1.6)
    neck = height - outer * generator.uniform(0.15, 0.3)
    profile = np.array(
        [
            [0.02 * lip, 0.02 * height],
            [lip - wall, 0.03 * height],
            [lip - wall, height],
            [lip, height],
            [lip, neck],
            [outer, neck - outer * generator.uniform(0.15, 0.4)],
            [outer, 0.0],
        ]
    )
    corners = arc_length(profile)
    profile = round_corners(profile, 0.3 * wall, steps=6)
    mesh = order_upwards(revolve(resample(profile, 0.5), turns=220, reference_radius=lip))
    limits = np.array([corners[1], corners[2] - wall, corners[3] + wall])
    table = np.array([1, 2, 0, 2], np.uint8)
    return Part(
        "bottle",
        *mesh,
        ["rim", "face", "body"],
        lambda points: table[np.searchsorted(limits, points[..., 1], side="right")],
        2 * outer,
        defect_range=(1.2, 6.0),
    )


def build_sheet(category: str, defect_range: tuple[float, float]) -> Part:
    """Flat surface of 120 mm that fills the frame."""
    half = 60.0
    x, y = np.meshgrid(np.linspace(-half, half, 9), np.linspace(-half, half, 9))
    vertices = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3)
    normals = np.tile([[0.0, 0.0, 1.0]], (len(vertices), 1))
    return Part(
        category,
        vertices,
        normals,
        grid_faces(9, 9),
        vertices[:, :2].copy(),
        ["face"],
        lambda points: np.zeros(points.shape[:-1], np.uint8),
        half,
        fills_frame=True,
        defect_range=defect_range,
    )


def _grid(x: np.ndarray, y: np.ndarray, z: np.ndarray, *, up: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(vertices, normals, faces) of rings [R, A] that close on themselves, facing up or outwards."""
    vertices = np.stack([x, y, z], -1).reshape(-1, 3)
    faces = grid_faces(*x.shape)
    normals = weld_seam_normals(smooth_normals(vertices, faces), *x.shape)
    side = normals[:, 2].mean() if up else (normals[:, :2] * vertices[:, :2]).sum(1).mean()
    return (vertices, normals, faces) if side > 0 else (vertices, -normals, faces[:, ::-1])
