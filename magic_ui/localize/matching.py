"""Where does a place of one picture lie in another? Dense features, and the matching that MAGIC published."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
FeatureMap = NDArray[np.float32]
Features = Callable[[NDArray[np.uint8]], FeatureMap]
"""Picture uint8 [H, W, 3] → unit features float32 [h, w, C] that cover it."""

GRID = 480
"""Side of the square grid on which the published matching counts its pixels."""
LEAST_COMPONENT = 50


def sample_features(features: FeatureMap, points: NDArray[np.float64]) -> FeatureMap:
    """Features [N, C] at points [N, 2] = (x, y) in 0…1, bilinear, of unit length."""
    height, width = features.shape[:2]
    x = np.clip(points[:, 0] * width - 0.5, 0, width - 1)
    y = np.clip(points[:, 1] * height - 0.5, 0, height - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    top = features[y0, x0] * (1 - fx) + features[y0, x1] * fx
    bottom = features[y1, x0] * (1 - fx) + features[y1, x1] * fx
    mixed = top * (1 - fy) + bottom * fy
    return (mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-6)).astype(np.float32)


def components(mask: Mask, least: int = 1) -> list[Mask]:
    """The connected pieces of a mask bool [H, W] with at least ``least`` pixels, largest first."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    order = sorted(range(1, count), key=lambda k: -stats[k, cv2.CC_STAT_AREA])
    return [labels == k for k in order if stats[k, cv2.CC_STAT_AREA] >= least]


def on_grid(mask: Mask) -> Mask:
    """A mask bool [H, W] on the published grid, bool [480, 480]; never empty where the mask is not."""
    share = cv2.resize(mask.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
    return share >= min(0.5, float(share.max())) if mask.any() else share > 1


def pieces_on_grid(mask: Mask) -> dict[int, Mask]:
    """The mask's pieces of 50 pixels or more on the published grid, bool [480, 480], by their number on it from 0."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(on_grid(mask).astype(np.uint8), connectivity=8)
    large = [k for k in range(1, len(stats)) if stats[k, cv2.CC_STAT_AREA] >= LEAST_COMPONENT]
    return {k - 1: labels == k for k in large}


def published_target(
    reference_features: FeatureMap, piece: Mask, features: FeatureMap, ground: Mask
) -> tuple[int, int] | None:
    """Where MAGIC's matching puts a piece: (x, y) on the published grid, or None where its line misses the object.

    From the piece's centroid up and down to its edge; the best matches of these two points by cosine similarity span a
    line of thickness 3; on what of it lies on the foreground, the best match of the centroid is the target.

    Args:
        reference_features, features: unit features [h, w, C].
        piece, ground: the piece of the reference's mask and the normal picture's foreground, bool [480, 480].

    Source: MAGIC's description of context-aware mask alignment.
    """
    rows, cols = np.nonzero(piece)
    column = round(float(cols.mean()))
    up = down = round(float(rows.mean()))
    while up > 0 and piece[up - 1, column]:
        up -= 1
    while down < GRID - 1 and piece[down + 1, column]:
        down += 1
    points = np.array([[cols.mean(), rows.mean()], [column, up], [column, down]]) + 0.5
    similarity = [_similarity_map(features, f) for f in sample_features(reference_features, points / GRID)]
    ends = [np.unravel_index(int(s.argmax()), s.shape)[::-1] for s in similarity[1:]]
    line = np.zeros((GRID, GRID), np.uint8)
    cv2.line(line, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1, 3)
    allowed = (line > 0) & ground
    if not allowed.any():
        return None
    row, col = np.unravel_index(int(np.where(allowed, similarity[0], -2.0).argmax()), ground.shape)
    return int(col), int(row)


def match_as_published(
    reference_features: FeatureMap,
    reference_mask: Mask,
    features: FeatureMap,
    foreground: Mask,
    *,
    may_leave: bool = False,
) -> Mask:
    """The reference's mask at the place that MAGIC's matching gives, on the published grid: bool [480, 480].

    Every piece of 50 pixels or more is moved to its :func:`published_target` unless it covers it already, and cut by
    the foreground unless ``may_leave``. A piece without a target, or smaller, goes to a point inside the object.

    Args:
        reference_features, features: unit features [h, w, C].
        reference_mask, foreground: bool [H, W] each, of its own picture.
    """
    wanted, ground = on_grid(reference_mask), on_grid(foreground)
    result = np.zeros((GRID, GRID), bool)
    inner = cv2.distanceTransform(ground.astype(np.uint8), cv2.DIST_L2, 5)
    row, col = np.unravel_index(int(inner.argmax()), inner.shape)
    for piece in components(wanted):
        rows, cols = np.nonzero(piece)
        target = None
        if rows.size >= LEAST_COMPONENT:
            target = published_target(reference_features, piece, features, ground)
        x, y = target or (int(col), int(row))
        if not piece[y, x]:
            shift = np.array([[1, 0, x - cols.mean()], [0, 1, y - rows.mean()]], np.float32)
            piece = cv2.warpAffine(piece.astype(np.uint8), shift, (GRID, GRID), flags=cv2.INTER_NEAREST) > 0
        result |= piece if may_leave else piece & ground
    return result


def _similarity_map(features: FeatureMap, wanted: FeatureMap) -> NDArray[np.float32]:
    """Cosine similarity of every grid point with one feature [C]: float32 [480, 480]."""
    return cv2.resize(features @ wanted, (GRID, GRID), interpolation=cv2.INTER_LINEAR)
