"""One task → its files: painted, judged, painted again where it is weak or beside the words, encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..data.export import result_files
from ..data.journal import replace_file
from ..data.layout import CLASS_IDS, layout_named
from ..errors import InputError
from ..images import load_image, load_mask
from ..instruction import DefectSpec, build_prompt
from ..instruction.prompt import SINGLE_LANGUAGES
from ..localize import Plan
from ..studio import DefectStudio
from .jobs import Task

LEAST_AGREEMENT = 0.0
"""Words that explain a picture no better than no words do are not what it shows."""

ATTRIBUTES = (
    "caption_en", "caption_zh", "part", "region", "severity", "thickness", "thickness_mm", "morphology", "count",
    "color", "anomaly_strength", "text_agreement",
)  # fmt: skip
"""Columns of ``captions.xlsx`` beside the published three."""


@dataclass(frozen=True)
class WorkSettings:
    """What every worker needs to know: plain values."""

    checkpoint: str
    output: str
    layout: str = "ds-mvtec"
    retries: int = 2
    least_agreement: float = LEAST_AGREEMENT
    device: str = "auto"
    threads: int | None = None

    @property
    def rule(self) -> str:
        """What is rejected, in words."""
        return (
            "weak: hardly anything changed inside the mask; off-text: the words explain the picture hardly better than "
            f"no words do (text agreement at or below {self.least_agreement:g}); failed: no place could be found"
        )


@dataclass
class Outcome:
    """What became of a task: its rows for the tables, or why it was rejected (a reason for each attempt)."""

    key: str
    manifest: dict[str, Any] | None = None
    caption: list[str] | None = None
    rejected: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, the key aside."""
        return {"manifest": self.manifest, "caption": self.caption, "rejected": self.rejected}


class Worker:
    """Paints tasks with a checkpoint that is loaded once."""

    def __init__(self, settings: WorkSettings) -> None:
        if settings.threads is not None:
            import torch

            torch.set_num_threads(settings.threads)
        self._settings, self._layout = settings, layout_named(settings.layout)
        self._studio = DefectStudio.from_pretrained(settings.checkpoint, device=settings.device)

    def __call__(self, task: Task, number: int) -> Outcome:
        """Paint one task and write its files as number ``number`` of its folder.

        Raises:
            InputError: the results cannot be written.
        """
        outcome = Outcome(task.key)
        for attempt in range(self._settings.retries + 1):
            seed = task.attempt_seed(attempt)
            try:
                plan = self._studio.plan(task.image, task.instruction, seed=seed, **_arguments(task.place))
                strength = float(np.random.default_rng(seed).uniform(*task.strength))
                result = self._studio.generate(plan, anomaly_strength=strength, seed=seed, **task.settings)[0]
            except InputError as error:
                outcome.rejected.append(f"failed: {error}")
                continue
            agreement = self._studio.text_agreement(plan, result.image)
            if result.weak or agreement <= self._settings.least_agreement:
                outcome.rejected.append("weak" if result.weak else "off-text")
                continue
            written = result_files(
                result, number, category=task.category, layout=self._layout, class_ids=_class_ids(plan)
            )
            for name, data in written.files.items():
                replace_file(Path(self._settings.output) / name, data)
            outcome.manifest = written.manifest_row | {"attempt": attempt + 1, "text_agreement": round(agreement, 4)}
            outcome.caption = [*written.caption_row, *_attributes(plan.specs, strength, agreement)]
            return outcome
        return outcome


def _arguments(place: Mapping[str, Any]) -> dict[str, Any]:
    """A task's plain values as arguments of ``DefectStudio.plan``."""
    given = dict(place)
    if "mask" in given:
        given["mask_source"] = load_mask(given.pop("mask"), None, field="mask")
    if "foreground" in given:
        given["foreground"] = load_mask(given["foreground"], None, field="foreground")
    if "mask_library" in given:
        given["reference"] = Path(given.pop("mask_library"))
    elif "reference_image" in given:
        picture = load_image(given.pop("reference_image"), field="reference_image")
        mask = load_mask(given.pop("reference_mask"), (picture.shape[0], picture.shape[1]), field="reference_mask")
        given["reference"] = (picture, mask)
    return given


def _class_ids(plan: Plan) -> np.ndarray:
    ids = np.zeros(plan.mask.shape, np.uint8)
    for target in plan.targets:
        ids[target.mask] = CLASS_IDS[target.spec.defect]
    return ids


def _attributes(specs: list[DefectSpec], strength: float, agreement: float) -> list[str]:
    """The cells of :data:`ATTRIBUTES`; several defects are joined by semicolons."""

    def joined(values: list[Any]) -> str:
        texts = [" ".join(map(str, v)) if isinstance(v, list) else "" if v is None else str(v) for v in values]
        return "; ".join(texts) if any(texts) else ""

    words = [joined([build_prompt(spec, language=language) for spec in specs]) for language in SINGLE_LANGUAGES]
    slots = [joined([getattr(spec, name) for spec in specs]) for name in ATTRIBUTES[2:-2]]
    return [*words, *slots, f"{strength:.4f}", f"{agreement:.4f}"]
