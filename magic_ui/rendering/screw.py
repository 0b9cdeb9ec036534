"""A countersunk wood screw: head with recess, smooth neck, helical thread, tapered tip."""

from __future__ import annotations

import numpy as np

from magic_ui.rendering.meshes import (
    Part,
    Pieces,
    arc_length,
    grid_faces,
    join,
    resample,
    round_corners,
    smooth_normals,
    weld_seam_normals,
)
from magic_ui.rendering.noise import smoothstep

LABELS = ["head", "neck", "thread", "tip"]
FACE_OFFSET = -100.0


def build_screw(generator: np.random.Generator, *, detail: float = 1.0) -> Part:
    """Random screw lying along +x (head at 0), 25–60 mm long."""
    length = generator.uniform(28, 55)
    shank = length * generator.uniform(0.045, 0.06)
    head_radius = shank * generator.uniform(2.0, 2.5)
    head_length = (head_radius - shank) * generator.uniform(0.8, 1.1)
    neck_end = head_length + length * generator.uniform(0.12, 0.32)
    tip_start = length * generator.uniform(0.84, 0.88)
    rim = head_radius * 0.09

    step = 0.16 / detail
    core = shank * generator.uniform(0.74, 0.84)
    cone = round_corners(
        np.array(
            [
                [head_radius * 0.97, 0.0],
                [head_radius, rim * 0.3],
                [head_radius, rim],
                [shank, head_length],
                [shank, neck_end],
            ]
        ),
        shank * 0.9,
        steps=9,
    )
    cone[0] = [head_radius * 0.965, 0.0]
    shaft = np.array([[shank, neck_end], [core, neck_end + 0.5 * shank], [core, tip_start], [core * 0.12, length]])
    profile = np.concatenate([cone[:-1], resample(shaft, step)])
    keep = np.concatenate([[True], np.linalg.norm(np.diff(profile, axis=0), axis=1) > 1e-4])
    profile = profile[keep]

    vertices, normals, faces, uv = _shaft(generator, profile, neck_end, tip_start, length, shank, detail)
    face = _head_face(generator, head_radius * 0.965, int(160 * detail))
    along = arc_length(profile)
    marks = np.interp([head_length + 0.3 * shank, neck_end, length * 0.9], profile[:, 1], along)

    def label_of(points: np.ndarray) -> np.ndarray:
        index = np.searchsorted(marks, points[..., 1], side="right")
        return np.where(points[..., 1] < FACE_OFFSET / 2, 0, index).astype(np.uint8)

    vertices, normals, faces, uv = join([(vertices, normals, faces, uv), face])
    # Lie on the ground: rim and thread touch it, so the axis sinks a little towards the tip.
    slope = np.arctan2(head_radius - shank * 1.35, 0.75 * length)
    part = Part("screw", vertices, normals, faces, uv, LABELS, label_of, length, defect_range=(0.9, 5.0), lay="u")
    _rotate_y(part, slope)
    part.vertices[:, 2] -= part.vertices[:, 2].min()
    part.vertices[:, 0] -= 0.5 * length
    return part


def _shaft(
    generator: np.random.Generator,
    profile: np.ndarray,
    neck_end: float,
    tip_start: float,
    length: float,
    shank: float,
    detail: float,
) -> Pieces:
    """Revolved profile about x with the thread raised on it."""
    turns = int(128 * detail)
    angles = np.linspace(-np.pi, np.pi, turns + 1)
    position, radius = profile[:, 1][:, None], profile[:, 0][:, None]
    pitch = shank * generator.uniform(1.15, 1.6)
    height = shank * generator.uniform(0.4, 0.55)
    crest, flank = generator.uniform(0.05, 0.09), generator.uniform(0.06, 0.12)
    phase = ((position - neck_end) / pitch - angles[None, :] / (2 * np.pi) + generator.random()) % 1.0 - 0.5
    ridge = smoothstep(crest + flank, crest, phase) * smoothstep(-crest - 1.6 * flank, -crest, phase)
    fade = smoothstep(neck_end, neck_end + 0.8 * pitch, position)
    taper = 1.0 - smoothstep(tip_start - 0.1 * length, length, position)
    jitter = 1.0 + 0.03 * np.sin(3 * angles[None, :] + position) + 0.02 * np.sin(11 * angles[None, :] - 2 * position)
    raised = radius + height * ridge * fade * np.maximum(taper, 0.0) ** 0.8 * jitter
    vertices = np.stack(
        [np.broadcast_to(position, raised.shape), raised * np.sin(angles), raised * np.cos(angles)], -1
    ).reshape(-1, 3)
    faces = grid_faces(len(profile), turns + 1, flip=False)
    u, v = np.meshgrid(angles * shank, arc_length(profile))
    normals = weld_seam_normals(smooth_normals(vertices, faces), len(profile), turns + 1)
    if (normals[:, 1:] * vertices[:, 1:]).sum(1).mean() < 0:
        faces, normals = faces[:, ::-1], -normals
    return vertices, normals, faces, np.stack([u, v], -1).reshape(-1, 2)


def _head_face(generator: np.random.Generator, radius: float, turns: int) -> Pieces:
    """Flat end of the head in the plane x = 0 with a cross or six-lobe recess; uv = (y, z) + offset."""
    angles = np.linspace(-np.pi, np.pi, turns + 1)
    rings = radius * np.linspace(1e-4, 1.0, 44) ** 0.8
    r, a = np.meshgrid(rings, angles, indexing="ij")
    y, z = r * np.cos(a), r * np.sin(a)
    turn = generator.uniform(0, np.pi)
    reach = radius * generator.uniform(0.48, 0.58)
    if generator.random() < 0.5:
        arm = radius * 0.13
        p, q = np.abs(r * np.cos(a + turn)), np.abs(r * np.sin(a + turn))
        inside = smoothstep(0.06 * radius, 0.0, np.maximum(np.minimum(p, q) - arm, np.maximum(p, q) - reach))
    else:
        lobes = reach * (0.82 + 0.16 * np.cos(6 * (a + turn)))
        inside = smoothstep(0.06 * radius, 0.0, r - lobes)
    depth = inside * radius * 0.7 * (1 - 0.5 * (r / radius))
    vertices = np.stack([depth, y, z], -1).reshape(-1, 3)
    faces = grid_faces(len(rings), turns + 1)
    normals = smooth_normals(vertices, faces)
    if normals[:, 0].mean() > 0:
        faces, normals = faces[:, ::-1], -normals
    uv = np.stack([y, z + FACE_OFFSET * 2], -1).reshape(-1, 2)
    return vertices, normals, faces, uv


def _rotate_y(part: Part, angle: float) -> None:
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    part.vertices, part.normals = part.vertices @ turn.T, part.normals @ turn.T
