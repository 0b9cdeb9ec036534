"""One defect's form around a given center: which stroke or patch each kind of defect is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize import blobs
from magic_ui.localize.curves import Stroke, arc_stroke, crack_strokes, paint_strokes, scratch_stroke
from magic_ui.localize.sizing import Size

Mask = NDArray[np.bool_]
Center = tuple[float, float]

LINES = frozenset({"scratch", "crack"})
_GRAINS = frozenset({"granular", "dotted"})
_LINE_WORDS = frozenset({"line-like", "fine"})


def is_line(spec: DefectSpec) -> bool:
    """Whether the defect is drawn as a stroke: scratches and cracks, unless the words ask for a patch."""
    words = set(spec.morphology)
    if spec.defect == "crack":
        return True
    if spec.defect == "scratch":
        return not words & {"oval", "circular", "block-shaped", *_GRAINS}
    return spec.defect in ("contamination", "wear") and bool(words & _LINE_WORDS)


def draw_line(
    shape: tuple[int, int],
    spec: DefectSpec,
    size: Size,
    center: Center,
    angle: float,
    length: float,
    hub: Center,
    generator: np.random.Generator,
) -> Mask:
    """Strokes of a scratch, crack or fibre through ``center``, bool [h, w]; ``hub``: the object's middle."""
    words = set(spec.morphology)
    canvas = np.zeros(shape, np.uint8)
    if spec.defect == "crack":
        branches = {"slight": 1, "severe": 4}.get(spec.severity or "", 2) + 3 * ("radial" in words)
        paint_strokes(canvas, crack_strokes(center, angle, length, size.width, generator, branches=branches))
        return canvas > 0
    if "concentric" in words:
        paint_strokes(canvas, [arc_stroke(center, hub, length, size.width)])
        return canvas > 0
    straight = bool(words & {"line-like", "radial"})
    bend = 0.02 if straight else 0.25 if spec.defect == "contamination" else 0.07
    torn = "rough" in words or (spec.severity == "severe" and spec.thickness != "thick" and generator.random() < 0.5)
    strokes = [scratch_stroke(center, angle, length, (0.6 if torn else 1.0) * size.width, generator, bend=bend)]
    if torn:
        strokes += _parallel(center, angle, length, size.width, generator)
    paint_strokes(canvas, strokes)
    if len(strokes) > 1:  # one scratch stays one component
        reach = max(3, round(0.6 * size.width) | 1)
        canvas = cv2.morphologyEx(canvas, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    return canvas > 0


def draw_patch(
    shape: tuple[int, int],
    spec: DefectSpec,
    size: Size,
    center: Center,
    angle: float,
    generator: np.random.Generator,
) -> Mask:
    """The patch of every other defect around ``center``, bool [h, w]."""
    words, radii = set(spec.morphology), size.radii
    if spec.defect == "contamination" and not words & {"block-shaped", "oval", "circular", "irregular"}:
        return _grains(shape, size, center, generator)
    if words & _GRAINS:
        return _grains(shape, size, center, generator)
    if spec.defect in ("dent", "hole") and not words & {"irregular", "block-shaped"}:
        return blobs.ellipse(shape, center, angle, radii)
    smooth = bool(words & {"oval", "circular", "smooth"}) and "irregular" not in words
    if spec.defect == "wear" and not words & {"irregular", "oval", "circular"}:
        return blobs.blob(shape, center, angle, radii, generator, roughness=0.1, fineness=0.8, power=4.0)
    roughness = {"corrosion": 0.38, "chip": 0.3, "stain": 0.18, "discoloration": 0.22}.get(spec.defect, 0.16)
    roughness = 0.06 if smooth else roughness + 0.1 * bool(words & {"irregular", "rough"})
    fineness = 0.9 if spec.defect in ("stain", "discoloration") else 0.5
    power = 4.0 if "block-shaped" in words else 2.0
    patch = blobs.blob(shape, center, angle, radii, generator, roughness=roughness, fineness=fineness, power=power)
    if spec.defect == "corrosion" and spec.count == 1:
        number = int(generator.integers(2, 6))
        patch |= blobs.specks(shape, center, 1.9 * radii[0], 0.16 * radii[1] + 1.0, number, generator)
    return patch


def reach_of(spec: DefectSpec, size: Size, length: float) -> float:
    """How far from its center the form may extend, in canvas pixels: the window to draw in."""
    if is_line(spec):
        return 0.9 * length + 2 * size.width + 4
    return 2.6 * size.radii[0] + 4


def _parallel(
    center: Center, angle: float, length: float, width: float, generator: np.random.Generator
) -> list[Stroke]:
    """Strands beside the first: together about as wide as one stroke, each with an end of its own."""
    strokes = []
    for side in (-1, 1)[: int(generator.integers(1, 3))]:
        shift = side * generator.uniform(0.45, 0.7) * width
        middle = (center[0] - shift * np.sin(angle), center[1] + shift * np.cos(angle))
        turn = angle + generator.normal(0, 0.04)
        strokes.append(
            scratch_stroke(middle, turn, length * generator.uniform(0.45, 0.85), 0.5 * width, generator, bend=0.04)
        )
    return strokes


def _grains(shape: tuple[int, int], size: Size, center: Center, generator: np.random.Generator) -> Mask:
    """Specks; one always sits in the center, so that a small region still gets one."""
    number = int(generator.integers(4, 9))
    grain = max(1.5, float(np.sqrt(size.area / (np.pi * number))) * 0.65)
    reach = 2.2 * size.radii[0]
    first = blobs.ellipse(shape, center, 0.0, (grain * 1.1, grain))
    return first | blobs.specks(shape, center, reach, grain, number - 1, generator)
