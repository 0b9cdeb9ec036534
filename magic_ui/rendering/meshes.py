"""Triangle meshes with near-isometric texture coordinates in millimetres."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

LabelOf = Callable[[np.ndarray], np.ndarray]
Pieces = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""A mesh as (vertices [N, 3], normals [N, 3], faces [F, 3], uv [N, 2])."""


@dataclass
class Part:
    """One industrial part, lying on the plane z = 0.

    `vertices`, `normals` [N, 3] and `uv` [N, 2] are in mm; `faces` [F, 3]. `labels` names the places of the
    part and `label_of` maps uv [..., 2] to an index into it. `lay` is the texture axis of the
    machining marks, `size` the longest extent in mm, `defect_range` its shortest and
    longest defect in mm.
    """

    category: str
    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    labels: list[str]
    label_of: LabelOf
    size: float
    fills_frame: bool = False
    defect_range: tuple[float, float] = (1.0, 6.0)
    lay: str = "u"
    notes: dict = field(default_factory=dict)


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit vertex normals [N, 3]."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face_normals = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, k], face_normals[:, axis], minlength=len(vertices))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def grid_faces(rows: int, columns: int, *, flip: bool = False) -> np.ndarray:
    """Two triangles a cell of a rows × columns vertex grid, [2 (rows-1)(columns-1), 3]."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (
        index[:-1, :-1].ravel(),
        index[:-1, 1:].ravel(),
        index[1:, :-1].ravel(),
        index[1:, 1:].ravel(),
    )
    faces = np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)])
    return faces[:, ::-1] if flip else faces


def weld_seam_normals(normals: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Average the normals of the first and last column of a grid that closes on itself."""
    grid = normals.reshape(rows, columns, 3).copy()
    seam = grid[:, 0] + grid[:, -1]
    seam /= np.maximum(np.linalg.norm(seam, axis=1, keepdims=True), 1e-12)
    grid[:, 0], grid[:, -1] = seam, seam
    return grid.reshape(-1, 3)


def arc_length(points: np.ndarray) -> np.ndarray:
    """Length along a polyline [N, D], starting at 0."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])


def resample(points: np.ndarray, step: float) -> np.ndarray:
    """Points along a polyline at most `step` apart; its corners are kept."""
    pieces = []
    for start, end in itertools.pairwise(points):
        n = max(1, int(np.ceil(np.linalg.norm(end - start) / step)))
        pieces.append(start + (end - start) * np.linspace(0, 1, n, endpoint=False)[:, None])
    return np.concatenate([*pieces, points[-1:]])


def round_corners(points: np.ndarray, radius: float, *, steps: int = 5) -> np.ndarray:
    """Replace the inner corners of a polyline by short curves of about `radius`."""
    result = [points[0]]
    for before, corner, after in zip(points[:-2], points[1:-1], points[2:], strict=True):
        into, out = before - corner, after - corner
        reach = min(radius, 0.45 * np.linalg.norm(into), 0.45 * np.linalg.norm(out))
        p = corner + into / np.linalg.norm(into) * reach
        q = corner + out / np.linalg.norm(out) * reach
        t = np.linspace(0, 1, steps)[:, None]
        result.extend((1 - t) ** 2 * p + 2 * t * (1 - t) * corner + t**2 * q)
    return np.array([*result, points[-1]])


def join(pieces: list[Pieces]) -> Pieces:
    """Concatenate (vertices, normals, faces, uv) pieces into one."""
    offset, faces = 0, []
    for piece in pieces:
        faces.append(piece[2] + offset)
        offset += len(piece[0])
    stack = [np.concatenate([piece[k] for piece in pieces]) for k in (0, 1, 3)]
    return stack[0], stack[1], np.concatenate(faces), stack[2]


def revolve(profile: np.ndarray, *, turns: int, reference_radius: float) -> Pieces:
    """Turn a profile [N, (radius, height)] about z: (vertices, normals, faces, uv).

    u = angle × reference_radius (the seam at ±pi), v = length along the profile. The outside lies to the
    right of the profile's direction of travel seen with radius to the right and height up.
    """
    angles = np.linspace(-np.pi, np.pi, turns + 1)
    radius, height = profile[:, 0][:, None], profile[:, 1][:, None]
    vertices = np.stack(
        [
            radius * np.cos(angles),
            radius * np.sin(angles),
            np.broadcast_to(height, (len(profile), turns + 1)),
        ],
        -1,
    ).reshape(-1, 3)
    u, v = np.meshgrid(angles * reference_radius, arc_length(profile))
    faces = grid_faces(len(profile), turns + 1)
    normals = weld_seam_normals(smooth_normals(vertices, faces), len(profile), turns + 1)
    return vertices, normals, faces, np.stack([u, v], -1).reshape(-1, 2)


def order_upwards(mesh: Pieces) -> Pieces:
    """(vertices, normals, faces, uv) with the normals of the highest vertices pointing up."""
    vertices, normals, faces, uv = mesh
    top = vertices[:, 2] > vertices[:, 2].max() - 1e-3
    if normals[top, 2].mean() < 0:
        return vertices, -normals, faces[:, ::-1], uv
    return vertices, normals, faces, uv
