"""CAMA with a reference: another part's defect mask, moved to the matching place of this one."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import InputError
from magic_ui.localize.alignment import keep_on_object
from magic_ui.localize.axis import ObjectAxis, principal_axis
from magic_ui.localize.matching import FeatureMap, Features, components, sample_features

Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]

TURNS = 24
"""Angles tried where the object has no head end that tells how it lies."""
REACH = 0.05
"""How far features may move a component from where the object's frame puts it, as a share of the object's length."""
STEPS = 6
_POINTS = 240
_GRID = 160


@dataclass(frozen=True)
class Reference:
    """A defective part: picture uint8 [h, w, 3], its defect's mask and its foreground, bool [h, w]."""

    image: NDArray[np.uint8]
    mask: Mask
    foreground: Mask


@dataclass(frozen=True)
class Transfer:
    """The moved mask bool [H, W], how sure the place is (0–1), and short sentences that say why."""

    mask: Mask
    confidence: float
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Pose:
    matrix: Matrix  # [2, 3], pixels of the reference → pixels of the picture
    overlap: float
    similarity: float | None

    @property
    def score(self) -> float:
        return self.overlap + (self.similarity or 0.0)


def transfer_mask(
    reference: Reference,
    image: NDArray[np.uint8],
    foreground: Mask,
    *,
    features: Features | None = None,
    may_leave: bool = False,
) -> Transfer:
    """Move ``reference.mask`` to the matching place of a normal picture.

    The object's frame (axis, head end, size) gives the first place, with the turn and scale of the whole object. Every
    connected piece is then shifted to where the dense features of all its pixels agree best nearby; a shift that does
    not lead back from the picture to the reference is dropped.

    Args:
        image, foreground: the normal part, uint8 [H, W, 3] and bool [H, W].
        features: dense features of a picture; without them the object's frame decides alone.
        may_leave: the defect may lie beside the object (bent, break, burr); else the mask is cut by the foreground.

    Raises:
        InputError: the reference's mask is empty.
    """
    if not reference.mask.any():
        raise InputError("reference", "its mask is empty.")
    maps = (features(reference.image), features(image)) if features is not None else None
    axes = principal_axis(reference.foreground), principal_axis(foreground)
    poses = [_score_pose(matrix, reference, foreground, maps) for matrix in _poses(*axes, reference, foreground)]
    pose = max(poses, key=lambda p: p.score)
    angle = np.degrees(np.arctan2(pose.matrix[1, 0], pose.matrix[0, 0]))
    scale = float(np.hypot(pose.matrix[0, 0], pose.matrix[1, 0]))
    notes = [f"The reference was turned by {angle:.0f}° and scaled by {scale:.2f} to lie as this part does."]
    shape = foreground.shape
    moved, weights, sure = np.zeros(shape, bool), [], []
    length = max(axes[1].length, 0.25 * max(shape))
    for piece in components(reference.mask):
        matrix, confidence = pose.matrix, min(1.0, max(pose.overlap, 0.0))
        if maps is not None:
            shift, agreement = _refine(piece, matrix, maps, reference.mask.shape, shape, REACH * length)
            matrix = matrix + np.array([[0, 0, shift[0]], [0, 0, shift[1]]])
            confidence = 0.5 * confidence + 0.5 * agreement
            if np.hypot(*shift) >= 1:
                notes.append(f"Features moved a piece by {shift[0]:+.0f}, {shift[1]:+.0f} pixels.")
        moved |= _warp(piece, matrix, shape)
        weights.append(int(piece.sum()))
        sure.append(confidence)
    if not moved.any():
        moved, sure = _inner_disk(foreground, int(reference.mask.sum() * scale**2)), [0.0] * len(sure)
        notes.append("The matching place lies outside the picture: a place inside the object was taken.")
    if not may_leave:
        moved, remarks = keep_on_object(moved, foreground, foreground)
        notes += remarks
    confidence = float(np.average(sure, weights=weights))
    if axes[1].is_elongated and not all(axis.head_decided for axis in axes):
        confidence *= 0.6
        notes.append("Which end is the head is not certain.")
    return Transfer(moved, round(confidence, 3), notes)


def _poses(ref_axis: ObjectAxis, axis: ObjectAxis, reference: Reference, foreground: Mask) -> list[Matrix]:
    """Similarity transforms [2, 3] that could bring the reference's object onto this one."""
    if min(reference.foreground.mean(), foreground.mean()) > 0.97:  # a texture has no frame but the picture's
        scale = np.array(foreground.shape[::-1]) / np.array(reference.foreground.shape[::-1])
        return [np.array([[scale[0], 0, 0], [0, scale[1], 0]], float)]
    if ref_axis.is_elongated and axis.is_elongated:
        scale = axis.length / max(ref_axis.length, 1.0)
        centers = [np.array(a.origin) + 0.5 * a.length * np.array(a.direction) for a in (ref_axis, axis)]
        turn = axis.angle - ref_axis.angle
        certain = ref_axis.head_decided and axis.head_decided
        turns = [turn] if certain else [turn, turn + np.pi]
    else:
        scale = float(np.sqrt(foreground.sum() / max(reference.foreground.sum(), 1)))
        centers = [np.argwhere(m).mean(0)[::-1] for m in (reference.foreground, foreground)]
        turns = list(2 * np.pi * np.arange(TURNS) / TURNS)
    return [_similarity(turn, scale, centers[0], centers[1]) for turn in turns]


def _similarity(turn: float, scale: float, start: NDArray, end: NDArray) -> Matrix:
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.array([[c, -s], [s, c]])
    return np.concatenate([linear, (end - linear @ start)[:, None]], axis=1)


def _score_pose(
    matrix: Matrix, reference: Reference, foreground: Mask, maps: tuple[FeatureMap, FeatureMap] | None
) -> _Pose:
    """Overlap of the two objects (IoU) and mean similarity of features under a transform."""
    height, width = foreground.shape
    shrink = _GRID / max(height, width)
    small = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    ours = cv2.resize(foreground.astype(np.uint8), small, interpolation=cv2.INTER_AREA) > 0
    theirs = cv2.warpAffine(reference.foreground.astype(np.uint8), matrix * shrink, small) > 0
    overlap = float((ours & theirs).sum() / max((ours | theirs).sum(), 1))
    if maps is None:
        return _Pose(matrix, overlap, None)
    points = _some_points(reference.foreground)
    similarity = _agreement(maps, points, _move(points, matrix), reference.foreground.shape, foreground.shape)
    return _Pose(matrix, overlap, similarity)


def _refine(
    piece: Mask,
    matrix: Matrix,
    maps: tuple[FeatureMap, FeatureMap],
    ref_shape: tuple[int, ...],
    shape: tuple[int, ...],
    reach: float,
) -> tuple[tuple[float, float], float]:
    """(dx, dy) in the picture's pixels that makes the piece's features agree best, and the agreement there (0–1).

    (0, 0) where another place is hardly better, or where the way back does not return.
    """
    cell = max(shape) / max(maps[1].shape[:2])
    context = max(1, int(1.5 * cell / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-3)))
    wide = cv2.dilate(piece.astype(np.uint8), np.ones((2 * context + 1, 2 * context + 1), np.uint8)) > 0
    points = _some_points(wide)
    there = _move(points, matrix)
    grid = np.linspace(-1, 1, 2 * STEPS + 1)
    best, best_score, home = (0.0, 0.0), -np.inf, 0.0
    for gy in grid:
        for gx in grid:
            if gx * gx + gy * gy > 1:
                continue
            similarity = _agreement(maps, points, there + reach * np.array([gx, gy]), ref_shape, shape)
            score = similarity - 0.08 * np.hypot(gx, gy)
            if gx == gy == 0:
                home = similarity
            if score > best_score:
                best, best_score = (gx, gy), score
    shift = reach * np.array(best)
    if best_score < home + 0.01 or not _comes_back(points, there + shift, matrix, maps, ref_shape, shape, reach):
        return (0.0, 0.0), float(np.clip(home, 0, 1))
    return (float(shift[0]), float(shift[1])), float(np.clip(best_score, 0, 1))


def _comes_back(
    points: NDArray,
    there: NDArray,
    matrix: Matrix,
    maps: tuple[FeatureMap, FeatureMap],
    ref_shape: tuple[int, ...],
    shape: tuple[int, ...],
    reach: float,
) -> bool:
    """Whether the place found, searched for in the reference, is found where it came from."""
    back = reach / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-3)
    grid = np.linspace(-1, 1, STEPS + 1)
    offsets = [(gx, gy) for gy in grid for gx in grid if gx * gx + gy * gy <= 1.01]
    scores = [_agreement(maps, points + back * np.array(o), there, ref_shape, shape) for o in offsets]
    return float(np.hypot(*offsets[int(np.argmax(scores))])) <= 0.5


def _agreement(
    maps: tuple[FeatureMap, FeatureMap],
    points: NDArray,
    there: NDArray,
    ref_shape: tuple[int, ...],
    shape: tuple[int, ...],
) -> float:
    """Mean cosine similarity of the reference's features at ``points`` with the picture's at ``there``."""
    ours = sample_features(maps[0], points / np.array(ref_shape[1::-1]))
    theirs = sample_features(maps[1], there / np.array(shape[1::-1]))
    return float((ours * theirs).sum(1).mean())


def _inner_disk(foreground: Mask, area: int) -> Mask:
    """A disk of about ``area`` pixels at the object's innermost point."""
    depth = cv2.distanceTransform(np.pad(foreground, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, col = np.unravel_index(int(depth.argmax()), depth.shape)
    disk = np.zeros(foreground.shape, np.uint8)
    cv2.circle(disk, (int(col), int(row)), max(1, round(np.sqrt(area / np.pi))), 1, -1)
    return disk > 0


def _some_points(mask: Mask) -> NDArray[np.floating]:
    """Up to ``_POINTS`` pixel centres (x, y) spread evenly over a mask: float64 [N, 2]."""
    rows, cols = np.nonzero(mask)
    step = np.linspace(0, rows.size - 1, min(_POINTS, rows.size)).astype(int)
    return np.stack([cols[step] + 0.5, rows[step] + 0.5], 1)


def _move(points: NDArray, matrix: Matrix) -> NDArray[np.floating]:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _warp(mask: Mask, matrix: Matrix, shape: tuple[int, ...]) -> Mask:
    """A mask under a transform, never lost to it unless it leaves the picture: bool ``shape``."""
    share = cv2.warpAffine(mask.astype(np.float32), matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR)
    return share >= min(0.5, float(share.max())) if share.max() > 0 else share > 1
