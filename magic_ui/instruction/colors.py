"""The colour that a sentence leaves open: a scratch may be brighter or darker than its ground, and one must be named.

A small diffusion model answers an open question with the mean of the answers, and the mean of a bright line and a dark
one is no line at all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .spec import DefectSpec

TOO_DARK, TOO_BRIGHT = 0.25, 0.68
"""Surfaces (mean grey, 0–1) on which a dark colour, or a bright one, would hardly show."""

# Defect: share of bright ones, the bright colours, the dark ones, each with its weight. What is not here has a colour
# of its own (a hole is black), or none (a dent).
_COLORS: dict[str, tuple[float, dict[str, float], dict[str, float]]] = {
    "scratch": (0.7, {"silver": 1.0}, {"black": 1.0}),
    "wear": (0.7, {"silver": 1.0}, {"gray": 1.0}),
    "contamination": (0.3, {"white": 1.0}, {"black": 1.0}),
    "stain": (0.0, {"yellow": 1.0}, {"brown": 0.5, "black": 0.5}),
    "corrosion": (0.0, {"orange": 1.0}, {"orange": 0.35, "brown": 0.42, "black": 0.23}),
    "discoloration": (0.4, {"white": 1.0}, {"gray": 1.0}),
}


def name_color(spec: DefectSpec, brightness: float, generator: np.random.Generator) -> DefectSpec:
    """The spec with a colour in which its defect shows, where its kind has several and the words named none.

    Args:
        brightness: mean grey of the surface under the mask, 0–1.
        generator: draws among the colours that show.
    """
    if spec.color is not None or spec.defect not in _COLORS:
        return spec
    share, bright, dark = _COLORS[spec.defect]
    if brightness < TOO_DARK:
        share = 1.0
    elif brightness > TOO_BRIGHT:
        share = 0.0
    colors = bright if generator.random() < share else dark
    return replace(spec, color=str(generator.choice(list(colors), p=list(colors.values()))))
