"""Seconds for a picture, and megabytes on disk."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..registry import checkpoints_root
from ..studio import DefectStudio

INSTRUCTIONS = ("a scratch in the center", "中心处的锈蚀", "a dent in the center")
STRENGTHS = (0.1, 0.4, 0.7, 1.0)


def seconds_per_picture(studio: DefectStudio, images: Sequence[np.ndarray], repeats: int) -> tuple[float, float]:
    """Median seconds of plan and painting: one picture, and four strengths of one; images uint8 [H, W, 3].

    The first picture is painted once more beforehand, so that loading is not timed.
    """
    studio.generate(studio.plan(images[0], INSTRUCTIONS[0]))
    single, sweeps = [], []
    for i in range(repeats):
        image, words = images[i % len(images)], INSTRUCTIONS[i % len(INSTRUCTIONS)]
        for durations, paint in ((single, studio.generate), (sweeps, None)):
            started = time.perf_counter()
            plan = studio.plan(image, words, seed=i)
            if paint:
                paint(plan, seed=i)
            else:
                studio.sweep(plan, STRENGTHS, seed=i)
            durations.append(time.perf_counter() - started)
    return statistics.median(single), statistics.median(sweeps)


def embedded_sizes(root: Path | None = None) -> tuple[float, float]:
    """Megabytes (10⁶ bytes) of all embedded checkpoints together, and of the largest file."""
    files = [p.stat().st_size for p in (root or checkpoints_root()).rglob("*") if p.is_file()]
    return sum(files) / 1e6, max(files, default=0) / 1e6
