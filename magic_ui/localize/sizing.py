"""How large a defect is drawn: from the words, the object's size and, where given, the scale."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from magic_ui.instruction.spec import DefectSpec

REPAINT_MARGIN = 1.4
"""A stroke's mask is this many times as wide as the line to be seen: the painter needs room at both sides."""

_WIDTH = {"thin": 0.013, "medium": 0.020, "thick": 0.034}
_SLENDER = {"thin": 0.08, "medium": 0.11, "thick": 0.16}
_LENGTH = {"slight": 0.28, "moderate": 0.45, "severe": 0.75}
_AREA = {"slight": 0.012, "moderate": 0.030, "severe": 0.070}
_AREA_OF = {
    "hole": 0.5,
    "chip": 0.7,
    "contamination": 0.5,
    "discoloration": 2.5,
    "stain": 1.5,
    "corrosion": 1.3,
    "break": 1.3,
    "bent": 1.5,
    "burr": 0.4,
}
_ASPECT = {"dent": 0.72, "wear": 0.5, "corrosion": 0.75, "stain": 0.8, "chip": 0.7, "discoloration": 0.8}
_AREA_WORDS = {"large": 1.8, "small": 0.5, "wide": 1.3, "fine": 0.7, "deep": 1.1}
_WIDTH_WORDS = {"wide": 1.6, "fine": 0.7, "deep": 1.15, "shallow": 0.9, "rough": 1.1}
_LENGTH_WORDS = {"long": 1.5, "short": 0.55, "large": 1.3, "small": 0.6}


@dataclass(frozen=True)
class Size:
    """In canvas pixels: ``width`` and ``length`` of strokes, ``area`` and ``aspect`` of patches.

    ``exact``: the width was given in millimetres and stays what it is.
    """

    width: float
    length: float
    area: float
    aspect: float
    exact: bool = False

    def stroke(self, length: float, thickness: str | None) -> Size:
        """This size for a stroke that found room for ``length`` only: it gets thinner with it, never below 3 px."""
        if self.exact:
            return self
        widest = _SLENDER.get(thickness or "medium", 0.11) * length
        return replace(self, width=min(self.width, max(3.0, widest)))

    @property
    def radii(self) -> tuple[float, float]:
        """Half axes of an ellipse of this area and aspect, at least 2 px."""
        large = np.sqrt(self.area / (np.pi * self.aspect))
        return max(2.0, float(large)), max(2.0, float(large * self.aspect))


def measure(
    spec: DefectSpec,
    object_area: float,
    generator: np.random.Generator,
    *,
    scale: float = 1.0,
    pixels_per_mm: float | None = None,
) -> Size:
    """Size of one component of ``spec`` on an object of ``object_area`` (pixels of the full picture).

    Relative to the object: strokes to the root of its area, patches to its area (2–5% when moderate).
    ``pixels_per_mm`` with ``thickness_mm`` fixes a stroke's width or a hole's diameter instead. ``scale`` is
    canvas pixels per picture pixel. Several components of one spec share the area.
    """
    unit = float(np.sqrt(max(object_area, 1.0)))
    severity = spec.severity or "moderate"
    width = unit * _WIDTH[spec.thickness or "medium"] * _words(_WIDTH_WORDS, spec)
    length = unit * _LENGTH[severity] * _words(_LENGTH_WORDS, spec) * float(generator.uniform(0.85, 1.2))
    share = _AREA[severity] * _AREA_OF.get(spec.defect, 1.0) * _words(_AREA_WORDS, spec)
    area = object_area * share * float(generator.uniform(0.8, 1.25)) / max(1, spec.count) ** 0.5
    aspect = _aspect(spec)
    exact = bool(spec.thickness_mm and pixels_per_mm)
    if spec.thickness_mm and pixels_per_mm:
        width = spec.thickness_mm * pixels_per_mm
        if spec.defect == "hole":
            area = np.pi * (width / 2) ** 2 * REPAINT_MARGIN
    width = min(max(3.0, width * REPAINT_MARGIN), 0.5 * unit)
    return Size(width * scale, max(length, 2.5 * width) * scale, min(area, 0.6 * object_area) * scale**2, aspect, exact)


def _words(table: dict[str, float], spec: DefectSpec) -> float:
    return float(np.prod([table.get(word, 1.0) for word in spec.morphology]))


def _aspect(spec: DefectSpec) -> float:
    words = set(spec.morphology)
    if words & {"line-like", "long"}:
        return 0.2
    if "circular" in words or spec.defect == "hole":
        return 1.0
    if "oval" in words:
        return 0.65
    return _ASPECT.get(spec.defect, 0.8)
