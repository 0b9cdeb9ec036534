"""Where on the object: bands of its bounding box and stretches of its axis ("V1").

Words for the image (top, left, upper right ...) cut the *foreground's* bounding box, never the frame. Words
for the part (head, thread, rim ...) use the object's own axis and contour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.checks import require_number
from magic_ui.errors import InputError
from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize.axis import ObjectAxis, coordinate, largest_hole, principal_axis
from magic_ui.localize.geometry import (
    CENTER_SHARE,
    anchor,
    box_band,
    center_box,
    edge_strip,
    fill_hole,
    half_thickness,
    nearest_share,
    shrink,
)

Mask = NDArray[np.bool_]

BAND_LOW, BAND_HIGH = 0.1, 0.5
NARROW_SHARE = 0.25
TAIL_END = 0.86
FILLS_FRAME = 0.97
"""Share of the picture above which an object has no contour in it."""
LEAVES_OBJECT = frozenset({"bent", "break", "burr"})
"""Defects that may reach beyond the silhouette: the field's ``class_val`` 1."""

_WORDS = {
    "top_left": "upper left",
    "top_right": "upper right",
    "bottom_left": "lower left",
    "bottom_right": "lower right",
}
_PLACE_EN = r"(?:top|bottom|left|right|upper|lower|cent(?:er|re)|middle)"
_PART_EN = r"(?:head|neck|shank|thread|tip|edge|rim|hole|face|body|shaft)"
_DIRECT_EN = re.compile(
    rf"{_PLACE_EN}[\s-]*(?:left|right)?[\s-]*(?:side|part|half|edge|corner|end|portion)?\s+of\s+(?:the|its|a)\s+"
    rf"(?:\w+\s+){{0,2}}{_PART_EN}s?\b(?!\s+of)",
    re.IGNORECASE,
)
_DIRECT_ZH = re.compile(r"(?:头|頭|颈|頸|螺纹|螺紋|尖端|边缘|邊緣|孔|面)部?的?[左右上下顶頂底中]")
_TAIL = re.compile(r"\btail\b|\bthreaded end\b|尾", re.IGNORECASE)
_TIP = re.compile(r"\btips?\b|\bpoint\b|尖", re.IGNORECASE)


@dataclass(frozen=True)
class Region:
    """Where a defect may lie: ``mask`` bool [H, W], never empty on a non-empty foreground.

    ``source`` names the way it was found, ``confidence`` is 0–1, ``notes`` say what was chosen and why.
    """

    mask: Mask
    source: str = "band"
    confidence: float = 1.0
    notes: list[str] = field(default_factory=list)


def band_region(
    image: NDArray[np.uint8],
    foreground: Mask,
    spec: DefectSpec,
    *,
    band_width: float = 0.25,
    axis: ObjectAxis | None = None,
    part: tuple[Mask, float, str] | None = None,
) -> Region:
    """The region that ``spec`` names on the object, by geometry alone.

    ``image`` uint8 [H, W, 3], ``foreground`` bool [H, W]. ``band_width`` (0.1–0.5) is the share of the
    object's bounding box that top, bottom, left and right take; corners are quadrants, center the middle 30%.
    ``axis`` spares fitting it again; ``part`` (mask, confidence, note) is the named part where it was found in another
    way. A part and a region together give the part; the region word narrows it
    when it names a place *on the part* ("the top of the head") and otherwise says where the object lies ("the
    head of the screw in the upper left corner"): then, if several objects are in view, the one further there
    is taken. Defects that may leave the object (bent, break, burr) get a margin around the silhouette.

    Raises ``InputError`` for a band width out of range or an empty foreground.
    """
    band_width = require_number("band_width", band_width, BAND_LOW, BAND_HIGH)
    if foreground.shape != image.shape[:2]:
        raise InputError("foreground", f"its size {foreground.shape} is not the image's {image.shape[:2]}.")
    if not foreground.any():
        raise InputError("foreground", "it is empty; draw the object or choose another picture.")
    notes: list[str] = []
    chosen, several = _choose_object(foreground, spec.region if spec.part else None)
    if several:
        notes.append(f"Several objects are in view: the one further {_word(spec.region)} was taken.")
        axis = None
    if axis is None:
        axis = principal_axis(chosen)
    if spec.part is None and spec.region is None and part is None:
        notes.append("No place was named: the whole object may be painted.")
        at_contour = spec.defect == "chip" or spec.defect in LEAVES_OBJECT
        mask, confidence = (chosen.copy() if at_contour else shrink(chosen)), 1.0
    elif spec.part is None and part is None:
        mask, confidence = _place(chosen, spec.region, band_width, axis, notes), 0.9
    else:
        if part is not None and (part[0] & chosen).any():
            mask, confidence = part[0] & chosen, part[1]
            notes.append(part[2])
        else:
            mask, confidence = part_region(chosen, spec, axis, notes)
        if spec.region is not None:
            mask = _narrow(mask, chosen, spec, band_width, axis, notes, several)
    if spec.defect in LEAVES_OBJECT:
        mask = _beyond(mask, foreground, axis, 0.15 if spec.defect == "burr" else 0.34)
        notes.append(f"The defect ({spec.defect}) may leave the silhouette: a margin around it is included.")
    return Region(mask, "band", confidence, notes)


def part_region(foreground: Mask, spec: DefectSpec, axis: ObjectAxis, notes: list[str]) -> tuple[Mask, float]:
    """The named part as bool [H, W] and the confidence in it; what was done is appended to ``notes``."""
    part = spec.part or "body"
    if part in ("edge", "rim", "hole", "face"):
        mask, confidence = _contour_part(foreground, part, notes)
    elif not axis.is_elongated:
        mask, confidence = _round_part(foreground, part, notes)
    else:
        mask, confidence = _axis_part(foreground, spec, part, axis, notes)
    if not mask.any():
        notes.append(f"The {part} could not be found on this object: the whole object is used.")
        return foreground.copy(), 0.2
    return mask, confidence


def _axis_part(foreground: Mask, spec: DefectSpec, part: str, axis: ObjectAxis, notes: list[str]) -> tuple[Mask, float]:
    start, end, why = _stretch(spec, part, axis)
    along = coordinate(axis, foreground.shape)
    mask = foreground & (along >= start) & (along <= end)
    measured = part in axis.measured or part == "body"
    how = "found from the width along the axis" if measured else "taken at its usual place on the axis"
    notes.append(f"The {part} was {how} ({start:.0%} to {end:.0%} from the head end){why}.")
    confidence = 0.9 if measured else 0.5
    if not axis.head_decided:
        notes.append("Both ends look alike: which one is the head is a guess.")
        confidence *= 0.5
    if part == "thread" and spec.part_detail:
        mask = _thread_detail(mask, foreground, spec.part_detail, axis, notes)
    return mask, confidence


def _stretch(spec: DefectSpec, part: str, axis: ObjectAxis) -> tuple[float, float, str]:
    """(start, end, remark) of a part on the axis.

    A "tip" is the point. The "tail end" of DS-MVTec's captions means the thread towards it, never the very
    point: in the training third of its screws these defects lie at 0.45–0.85 of the axis.
    """
    head, neck = axis.stretches["head"], axis.stretches["neck"]
    thread, tip = axis.stretches["thread"], axis.stretches["tip"]
    if part == "head":
        return 0.0, head[1], ""
    if part == "neck":
        return neck[0] + 0.01, neck[1], ""
    if part == "thread":
        return max(0.0, thread[0] - 0.02), thread[1], ""
    if part == "body":
        return head[1], tip[0], ""
    if _TAIL.search(spec.text) and not _TIP.search(spec.text) and spec.defect not in LEAVES_OBJECT:
        why = ": the tail end is read as the thread towards the tip"
        if spec.region == "center":
            return thread[0] - 0.05, 0.5 * (thread[0] + TAIL_END), why + ", its half nearer to the middle"
        return thread[0] + 0.01, TAIL_END, why
    return min(tip[0] + 0.01, 0.94), 1.0, ""


def _round_part(foreground: Mask, part: str, notes: list[str]) -> tuple[Mask, float]:
    if part == "body":
        notes.append("The body: the whole object but its outermost edge.")
        return shrink(foreground), 0.8
    if part == "head":
        notes.append("The object has no long axis: seen from above, its whole face is the head.")
        return shrink(foreground), 0.5
    if part in ("thread", "tip"):
        notes.append(f"The object has no long axis: the {part} is looked for at its edge.")
        return edge_strip(foreground, 0.35), 0.3
    notes.append(f"The object has no long axis: the {part} is taken as its middle.")
    return foreground & ~edge_strip(foreground, 0.35), 0.3


def _contour_part(foreground: Mask, part: str, notes: list[str]) -> tuple[Mask, float]:
    """edge: along every contour; rim: along the outer one; hole: around the largest hole; face: the rest."""
    hole = largest_hole(foreground)
    if part == "edge":
        notes.append("The edge: a strip along the object's contour.")
        return edge_strip(foreground, 0.3), 0.9
    if part == "rim":
        notes.append("The rim: a strip along the outer contour.")
        return foreground & edge_strip(fill_hole(foreground), 0.3, reference=foreground), 0.9
    if part == "face":
        if foreground.mean() > FILLS_FRAME:
            notes.append("The surface fills the picture: its whole face may be painted.")
            return foreground.copy(), 0.9
        notes.append("The face: the object without the strip along its contour.")
        inner = foreground & ~edge_strip(foreground, 0.2)
        return (inner if inner.any() else foreground), 0.9
    if hole is None:
        notes.append("No through hole was found: the middle of the object is used.")
        return foreground & center_box(foreground, CENTER_SHARE), 0.4
    notes.append("The hole: a ring on the object around its largest hole.")
    ring = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 5)
    return foreground & (ring <= max(3.0, 0.8 * half_thickness(foreground))), 0.9


def _thread_detail(mask: Mask, foreground: Mask, detail: str, axis: ObjectAxis, notes: list[str]) -> Mask:
    """Crests: the strip along the contour of the threaded stretch; flanks: what lies between the strips."""
    strip = mask & edge_strip(foreground, 0.45)
    chosen = strip if detail == "crest" else mask & ~strip
    if chosen.sum() < 0.1 * mask.sum():
        return mask
    notes.append(f"The thread's {detail}s: {'along' if detail == 'crest' else 'between'} its outer contours.")
    return chosen


def _narrow(
    part: Mask,
    foreground: Mask,
    spec: DefectSpec,
    band_width: float,
    axis: ObjectAxis,
    notes: list[str],
    several: bool,
) -> Mask:
    """Combine a part with a region word; see :func:`band_region`."""
    region, word = spec.region or "", _word(spec.region)
    if several:
        return part
    if _DIRECT_EN.search(spec.text) or _DIRECT_ZH.search(spec.text):
        inner = part & box_band(part, region, band_width)
        if inner.sum() >= 0.05 * part.sum():
            notes.append(f"Only the {word} of the {spec.part}, as the sentence says.")
            return inner
    elif not _places_object(spec.text):
        inner = part & box_band(foreground, region, max(band_width, 0.5))
        if inner.sum() >= NARROW_SHARE * part.sum():
            notes.append(f"Of the {spec.part}, what lies {word} on the object.")
            return inner
    notes.append(f"'{word}' is read as where the object lies: the whole {spec.part} is kept.")
    return part


def _places_object(text: str) -> bool:
    """Whether the place follows the object's own name ("of the metal screw in the upper left corner")."""
    nouns = r"(?:screw|bolt|nut|washer|part|object|piece)"
    english = rf"\b{nouns}s?\b[^,;.]*\b(?:in|on|at|to)\b[^,;.]*{_PLACE_EN}"
    nouns = r"(?:螺丝|螺絲|螺钉|螺釘|螺栓|零件|工件|部件)"
    chinese = rf"[左右上下][上下]?[角方侧側边邊半部][^,，。;；]{{0,6}}的[^,，。;；]{{0,6}}{nouns}"
    return bool(re.search(english, text, re.IGNORECASE) or re.search(chinese, text))


def _place(foreground: Mask, region: str | None, band_width: float, axis: ObjectAxis, notes: list[str]) -> Mask:
    if region == "center":
        return _center(foreground, axis, notes)
    mask = foreground & box_band(foreground, region or "", band_width)
    share = "quadrant" if region in _WORDS else f"{band_width:.0%}"
    notes.append(f"The {_word(region)} {share} of the object's box.")
    if mask.sum() >= 0.02 * foreground.sum():
        return mask
    notes.append("The object hardly reaches there: its nearest part is taken.")
    return mask | nearest_share(foreground, anchor(foreground, region or ""), 0.12)


def _center(foreground: Mask, axis: ObjectAxis, notes: list[str]) -> Mask:
    if axis.is_elongated:
        along = coordinate(axis, foreground.shape)
        notes.append("The middle 30% of the object along its axis.")
        middle = foreground & (np.abs(along - 0.5) <= CENTER_SHARE / 2)
        if middle.any():
            return middle
    mask = foreground & center_box(foreground, CENTER_SHARE)
    if mask.sum() >= 0.02 * foreground.sum():
        notes.append("The middle 30% of the object's box.")
        return mask
    notes.append("The object is open in its middle: the part nearest to it is taken.")
    return nearest_share(foreground, anchor(foreground, "center"), 0.2)


def _choose_object(foreground: Mask, region: str | None) -> tuple[Mask, bool]:
    """With several objects of like size and a region word: the object that lies furthest that way."""
    if region is None:
        return foreground, False
    _, labels, stats, centers = cv2.connectedComponentsWithStats(foreground.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    rivals = 1 + np.flatnonzero(areas >= 0.3 * areas.max())
    if rivals.size < 2:
        return foreground, False
    corner = anchor(foreground, region)
    distance = np.linalg.norm(centers[rivals] - np.array(corner), axis=1)
    return labels == rivals[int(distance.argmin())], True


def _beyond(mask: Mask, foreground: Mask, axis: ObjectAxis, share: float) -> Mask:
    """Let the region reach out of the object by ``share`` of its thickness, never onto its other parts."""
    reach = max(2.0, share * (axis.thickness if axis.is_elongated else half_thickness(foreground)))
    reach = min(reach, 0.08 * max(mask.shape))
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= reach
    return mask | (outside & ~foreground)


def _word(region: str | None) -> str:
    return _WORDS.get(region or "", region or "")
