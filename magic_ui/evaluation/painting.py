"""The product's own road, asked for what a render shows: same normal picture, same mask, the defect in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..instruction import build_prompt
from ..instruction.spec import DefectSpec
from ..localize import Plan
from ..studio import DefectStudio, Result
from .scenes import DefectSample


@dataclass(frozen=True)
class Painted:
    """A painted sample: ``images`` uint8 [H, W, 3], one a seed; ``refined``: where each really changed, bool [H, W];
    ``understood``: whether the parser read the instruction back as the one defect asked for."""

    sample: DefectSample
    images: list[np.ndarray]
    refined: list[np.ndarray]
    understood: bool


def request_of(spec: DefectSpec, **slots: str | None) -> DefectSpec:
    """What a visitor would say of a defect: its kind and severity, the thickness of a line; then ``slots``."""
    said = {"defect": spec.defect, "severity": spec.severity, "thickness": spec.thickness} | slots
    return DefectSpec.from_dict({"language": "en"} | {slot: word for slot, word in said.items() if word})


def plan_sample(
    studio: DefectStudio, sample: DefectSample, spec: DefectSpec, language: str, seed: int = 0
) -> tuple[Plan, bool]:
    """The studio's plan for a spec put into words (``zh`` or ``en``) with the sample's mask drawn in, and whether the
    words were understood."""
    text = build_prompt(spec, language=language)
    foreground = sample.foreground | sample.mask
    plan = studio.plan(sample.normal, text, mask_source=sample.mask, foreground=foreground, seed=seed)
    return plan, [(s.defect, s.severity) for s in plan.specs] == [(spec.defect, spec.severity)]


def paint_sample(
    studio: DefectStudio,
    sample: DefectSample,
    spec: DefectSpec,
    *,
    language: str = "en",
    wording: str | None = None,
    num_images: int = 1,
    strength: float = 1.0,
    seed: int = 0,
) -> Painted:
    """Paint ``spec`` into the sample's mask.

    Args:
        language: of the instruction, ``zh`` or ``en``.
        wording: language of the prompt that the checkpoint is fed; None: the product's own choice for it.
        num_images: seeds, from ``seed`` on.
        strength: ``anomaly_strength``.
    """
    plan, understood = plan_sample(studio, sample, spec, language, seed)
    if wording is not None:
        for target in plan.targets:
            target.prompt = target.describe(wording)
    return _paint(studio, sample, plan, understood, num_images, strength, seed)


def paint_asked(
    studio: DefectStudio,
    sample: DefectSample,
    spec: DefectSpec,
    languages: Sequence[str],
    *,
    strength: float = 1.0,
    seed: int = 0,
) -> Mapping[str, Painted]:
    """:func:`paint_sample` for the same request in every language; painted once where the painter is told the same."""
    painted: dict[str, Painted] = {}
    told: list[tuple[Plan, Painted]] = []
    for language in languages:
        plan, understood = plan_sample(studio, sample, spec, language, seed)
        same = next((done for other, done in told if _asks_the_same(plan, other)), None)
        if same is None:
            painted[language] = _paint(studio, sample, plan, understood, 1, strength, seed)
            told.append((plan, painted[language]))
        else:
            painted[language] = replace(same, understood=understood)
    return painted


def _asks_the_same(plan: Plan, other: Plan) -> bool:
    return len(plan.targets) == len(other.targets) and all(
        a.prompt == b.prompt and np.array_equal(a.mask, b.mask)
        for a, b in zip(plan.targets, other.targets, strict=True)
    )


def _paint(
    studio: DefectStudio,
    sample: DefectSample,
    plan: Plan,
    understood: bool,
    num_images: int,
    strength: float,
    seed: int,
) -> Painted:
    results: Sequence[Result] = studio.generate(plan, anomaly_strength=strength, num_images=num_images, seed=seed)
    return Painted(sample, [np.asarray(r.image) for r in results], [r.refined_mask for r in results], understood)


def paint_degrees(
    studio: DefectStudio,
    sample: DefectSample,
    slot: str,
    words: Sequence[str],
    *,
    strength: float = 1.0,
    seed: int = 0,
) -> list[Painted]:
    """The same defect, mask and seed with each of ``words`` in ``slot`` ("severity", "thickness"), all else unsaid."""
    base = request_of(sample.spec, severity=None, thickness=None)
    return [paint_sample(studio, sample, replace(base, **{slot: word}), strength=strength, seed=seed) for word in words]


def paint_thickness(
    studio: DefectStudio, sample: DefectSample, defect: str, words: Sequence[str], *, strength: float, seed: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A line of each thickness where the road itself draws its mask: (image, mask, refined mask) for every word."""
    painted = []
    for word in words:
        plan = studio.plan(sample.normal, f"a {word} {defect}", foreground=sample.foreground, seed=seed)
        result = studio.generate(plan, anomaly_strength=strength, seed=seed)[0]
        painted.append((np.asarray(result.image), result.mask, result.refined_mask))
    return painted
