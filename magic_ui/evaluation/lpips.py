"""Perceptual distance between pictures, and diversity by it."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """LPIPS of every pair, [M, N], from :func:`~magic_ui.evaluation.features.perceptual_vectors` [M, D], [N, D]."""
    squares = a.double().square().sum(1)[:, None] + b.double().square().sum(1)[None, :]
    return (squares - 2 * (a.double() @ b.double().T)).clamp(min=0)


def mean_pairwise(vectors: torch.Tensor) -> float:
    """Mean LPIPS over all pairs of two or more pictures, vectors [N, D]."""
    apart = distances(vectors, vectors)
    count = len(vectors)
    return float(apart.triu(1).sum() / (count * (count - 1) / 2))


def intra_cluster_lpips(vectors: torch.Tensor, references: torch.Tensor) -> tuple[float, int]:
    """IC-LPIPS: pictures [N, D] join their nearest reference [K, D]; mean pairwise LPIPS in a cluster, then of those.

    Clusters of a single picture say nothing of diversity and are left out.

    Returns:
        The mean over the clusters (NaN without any of two pictures), and the number of clusters counted.

    Source: Ojha et al. 2021, "Few-shot Image Generation via Cross-domain Correspondence", §4.1.
    """
    nearest = distances(vectors, references).argmin(dim=1)
    values = [mean_pairwise(vectors[nearest == k]) for k in range(len(references)) if int((nearest == k).sum()) >= 2]
    return (sum(values) / len(values) if values else float("nan")), len(values)


def mean_over_groups(vectors: torch.Tensor, groups: Sequence[int]) -> float:
    """Mean over the groups (a label for each picture) of the mean pairwise LPIPS within them."""
    labels = torch.tensor(list(groups))
    values = [mean_pairwise(vectors[labels == g]) for g in labels.unique() if int((labels == g).sum()) >= 2]
    return sum(values) / len(values) if values else float("nan")
