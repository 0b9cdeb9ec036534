"""Captions of rendered defects, worded by the same function that words a visitor's instruction."""

from __future__ import annotations

import numpy as np

from ..instruction.prompt import PROMPT_LANGUAGES, build_prompt
from ..instruction.spec import DefectSpec

IDENTITY_CAPTION = "无缺陷 (no defect)"
"""Caption of a pair whose target is the normal picture itself; useful as a negative prompt."""

# Chance that a slot known for a picture is named in its caption, so that every subset of words is learned.
_KEEP = {
    "part": 0.6,
    "thickness": 0.7,
    "thickness_mm": 0.3,
    "morphology": 0.5,
    "color": 0.4,
    "category": 0.5,
    "orientation": 0.4,
    "count": 0.8,
}

# An unqualified "a scratch" means one that is seen: slight ones are always called so.
_KEEP_SEVERITY = {"slight": 1.0, "moderate": 0.4, "severe": 0.85}


def sample_caption(spec: DefectSpec, generator: np.random.Generator, language: str | None = None) -> str:
    """A caption that names the defect and a random subset of the rest, in a random (or the given) language."""
    values = spec.to_dict()
    chances = {**_KEEP, "severity": _KEEP_SEVERITY.get(spec.severity or "", 1.0)}
    for slot, chance in chances.items():
        if generator.random() > chance:
            values[slot] = 1 if slot == "count" else [] if slot == "morphology" else None
    if values["thickness_mm"] is not None and values["thickness"] is None:
        values["thickness"] = spec.thickness
    chosen = language or str(generator.choice(PROMPT_LANGUAGES, p=(0.3, 0.3, 0.4)))
    return build_prompt(DefectSpec.from_dict(values), language=chosen)
