"""Which pictures train and which test: by file name, the same for everyone."""

from __future__ import annotations

from collections.abc import Sequence

from magic_ui.checks import require_number
from magic_ui.data.layout import GOOD
from magic_ui.data.readers import Sample

TRAIN_SHARE = 1 / 3
"""The first third of each defect by file name trains, the rest tests."""


def split_by_name(samples: Sequence[Sample], share: float = TRAIN_SHARE) -> tuple[list[Sample], list[Sample]]:
    """Defect samples → (training, rest), the first ``share`` of every category's every defect by file name in front.

    The share is rounded down, to one picture at least, and one at least is left over where there are two; normal
    pictures are in neither.

    Raises:
        InputError: a share that is not within 0–1.
    """
    share = float(require_number("train_share", share, 0, 1))
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        if sample.defect != GOOD:
            groups.setdefault((sample.category, sample.defect), []).append(sample)
    training, rest = [], []
    for key in sorted(groups):
        own = sorted(groups[key], key=lambda sample: sample.stem)
        cut = len(own) if share == 1 else min(max(1, int(len(own) * share + 1e-9)), max(len(own) - 1, 1))
        training += own[:cut]
        rest += own[cut:]
    return training, rest
