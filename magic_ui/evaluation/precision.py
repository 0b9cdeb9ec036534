"""Detection figures: average precision of pixels and of boxes, area under the ROC curve of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

LEAST_PIXELS = 4
"""Smaller pieces of a map are no detections."""


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Mean precision over the true ones in the order of falling scores, equal scores taken together; NaN without any.

    The step-wise sum Σ (Rₙ − Rₙ₋₁) Pₙ, as scikit-learn's ``average_precision_score``.
    """
    scores, truth = np.asarray(scores, np.float64).ravel(), np.asarray(truth, bool).ravel()
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # the end of every run of equal scores
    precision, recall = hits[last] / (last + 1), hits[last] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def roc_auc(scores: Sequence[float], truth: Sequence[bool]) -> float:
    """Chance that a true one scores above a false one, ties counting half; NaN where there is only one kind."""
    values, labels = np.asarray(scores, np.float64), np.asarray(truth, bool)
    positive, negative = values[labels], values[~labels]
    if not len(positive) or not len(negative):
        return float("nan")
    above = (positive[:, None] > negative[None]).mean()
    return float(above + 0.5 * (positive[:, None] == negative[None]).mean())


Box = tuple[int, int, int, int]


def boxes_of(mask: np.ndarray) -> list[Box]:
    """The boxes (x0, y0, x1, y1) of a mask's pieces."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h, area in stats[1:count] if area >= LEAST_PIXELS]


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def box_average_precision(
    maps: Sequence[np.ndarray], masks: Sequence[np.ndarray], *, iou: float = 0.3, threshold: float = 0.3
) -> float:
    """Average precision of boxes: the pieces of every map above ``threshold``, scored by their highest value.

    A detection counts if it meets a true box that no better one met, with at least ``iou``. True boxes that are found
    by none lower the recall.

    Args:
        maps: scores 0–1 [h, w] of every picture.
        masks: truth, bool [h, w].
    """
    detections, total = [], 0
    truths = [boxes_of(mask) for mask in masks]
    for index, scores in enumerate(maps):
        total += len(truths[index])
        for box in boxes_of(scores > threshold):
            x0, y0, x1, y1 = box
            detections.append((float(scores[y0:y1, x0:x1].max()), index, box))
    if not total:
        return float("nan")
    taken: set[tuple[int, int]] = set()
    hits = []
    for _, index, box in sorted(detections, key=lambda d: -d[0]):
        best = max(range(len(truths[index])), key=lambda k: box_iou(box, truths[index][k]), default=None)
        hit = best is not None and box_iou(box, truths[index][best]) >= iou and (index, best) not in taken
        if hit:
            taken.add((index, best))  # type: ignore[arg-type]
        hits.append(hit)
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    return float(sum(p for p, hit in zip(precision, hits, strict=True) if hit) / total)
