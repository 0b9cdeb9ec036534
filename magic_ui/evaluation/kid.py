"""Kernel inception distance: how far apart two sets of pictures are, without bias for small sets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """k(x, y) = (x·y / d + 1)³ of feature vectors [M, d] and [N, d] → [M, N]. Source: Bińkowski et al. 2018, §4."""
    return (x.astype(np.float64) @ y.astype(np.float64).T / x.shape[1] + 1) ** 3


def squared_mmd(
    x: np.ndarray, y: np.ndarray, scenes_x: np.ndarray | None = None, scenes_y: np.ndarray | None = None
) -> float:
    """Unbiased squared maximum mean discrepancy of two sets of feature vectors [M, d] and [N, d].

    Args:
        scenes_x, scenes_y: a label for every vector, [M] and [N]. Vectors of equal label are not compared with one
            another, within a set or across: two pictures of one scene are not independent. Without labels only a
            vector's comparison with itself is left out.

    Source: Gretton et al. 2012, formula (3); with every label once in either set, formula (4), which stays unbiased
    where x_i and y_i depend on each other.
    """
    labels_x = np.arange(len(x)) if scenes_x is None else np.asarray(scenes_x)
    labels_y = len(x) + np.arange(len(y)) if scenes_y is None else np.asarray(scenes_y)
    means = []
    for a, b, labels_a, labels_b in (
        (x, x, labels_x, labels_x),
        (y, y, labels_y, labels_y),
        (x, y, labels_x, labels_y),
    ):
        independent = labels_a[:, None] != labels_b[None, :]
        means.append(float(polynomial_kernel(a, b)[independent].mean()))
    return means[0] + means[1] - 2 * means[2]


def distance_within_groups(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, scenes: np.ndarray, *, parts: int = 12, seed: int = 0
) -> tuple[float, float]:
    """:func:`squared_mmd` of every group's own members, averaged over the groups, and its standard error.

    With kinds of defects for groups it asks whether the scratches look like scratches and the dents like dents; over
    whole sets, pictures of the wrong kind in the right proportions would pass.

    Args:
        x, y: feature vectors [N, d] of two pictures of the same sample in every row.
        groups, scenes: labels [N]; members of one scene are not compared, groups of fewer than two scenes left out.
        parts: scenes are left out in so many turns for the error; see :func:`_error_without`.
    """

    def mean(kept: np.ndarray) -> float:
        members = [np.flatnonzero(kept & (groups == name)) for name in np.unique(groups)]
        own = [squared_mmd(x[i], y[i], scenes[i], scenes[i]) for i in members if len(np.unique(scenes[i])) > 1]
        return float(np.mean(own)) if own else float("nan")

    return mean(np.ones(len(x), bool)), _error_without(scenes, mean, parts, seed)


def distance_between(
    x: np.ndarray,
    rival: np.ndarray,
    y: np.ndarray,
    scenes_x: np.ndarray,
    scenes_y: np.ndarray,
    *,
    parts: int = 12,
    seed: int = 0,
) -> tuple[float, float]:
    """How much nearer to ``y`` the vectors ``x`` are than ``rival``, by :func:`squared_mmd`, and its standard error.

    Two distances to the same few pictures rise and fall together with the choice of these; their difference does less.

    Args:
        x, rival: feature vectors [M, d] of two pictures of the same sample in every row.
        y: feature vectors [N, d] of what both are compared to.
        scenes_x, scenes_y: labels [M] and [N], none in both.
        parts: see :func:`distance_within_groups`; the errors by choice of ``x`` and of ``y`` are added in squares.
    """

    def nearer(kept_x: np.ndarray, kept_y: np.ndarray) -> float:
        labels = scenes_x[kept_x], scenes_y[kept_y]
        return squared_mmd(rival[kept_x], y[kept_y], *labels) - squared_mmd(x[kept_x], y[kept_y], *labels)

    all_x, all_y = np.ones(len(x), bool), np.ones(len(y), bool)
    errors = (
        _error_without(scenes_x, lambda kept: nearer(kept, all_y), parts, seed),
        _error_without(scenes_y, lambda kept: nearer(all_x, kept), parts, seed),
    )
    return nearer(all_x, all_y), float(np.hypot(*errors))


def _error_without(scenes: np.ndarray, measure: Callable[[np.ndarray], float], parts: int, seed: int) -> float:
    """Standard error of ``measure`` of a bool selection [N], from leaving out the scenes in ``parts`` turns.

    Source: the jackknife (Efron and Tibshirani 1993, §11.5).
    """
    names = np.random.default_rng([seed, 22]).permutation(np.unique(scenes))
    turns = [part for part in np.array_split(names, min(parts, len(names))) if part.size]
    values = np.array([measure(~np.isin(scenes, part)) for part in turns])
    return float(np.sqrt((len(values) - 1) * np.mean((values - values.mean()) ** 2)))


def kernel_distance(
    x: np.ndarray,
    y: np.ndarray,
    scenes_x: np.ndarray | None = None,
    scenes_y: np.ndarray | None = None,
    *,
    subsets: int = 50,
    subset_size: int = 48,
    seed: int = 0,
) -> tuple[float, float]:
    """KID: mean and standard deviation of :func:`squared_mmd` over random subsets of both sets.

    For two pictures of each sample see :func:`distance_within_groups`, which keeps them together.
    """
    generator = np.random.default_rng([seed, 21])
    values = []
    # Subsets of nearly the whole set would all be alike, and their spread no measure of chance.
    subset_size = min(subset_size, max(2, 3 * min(len(x), len(y)) // 4))
    for _ in range(subsets):
        i, j = (generator.choice(len(v), subset_size, replace=False) for v in (x, y))
        labels = [None if labels is None else np.asarray(labels)[k] for labels, k in ((scenes_x, i), (scenes_y, j))]
        values.append(squared_mmd(x[i], y[j], *labels))
    return float(np.mean(values)), float(np.std(values))
