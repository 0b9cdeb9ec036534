"""Caption preparation: what a real picture's folder, caption, mask and pixels say, in the words of a prompt.

Defect Spectrum's captions name the place and the look but hardly ever the kind of defect (no screw caption says
"scratch"), no millimetres, and almost no "thin" or "slight". The folder's name, the mask and the pixels know better.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from magic_ui.data.readers import Sample
from magic_ui.errors import InputError
from magic_ui.instruction import parse_instruction
from magic_ui.instruction.lexicon import load_lexicon
from magic_ui.instruction.spec import MAX_COUNT, SEVERITIES, THICKNESSES, DefectSpec

MAX_TOKENS = 77
"""What CLIP's text encoder reads, its two marks included."""

_CENTER = (0, 0)
_TOWARDS = {
    "top": (0, -1), "bottom": (0, 1), "left": (-1, 0), "right": (1, 0), "center": _CENTER,
    "top_left": (-1, -1), "top_right": (1, -1), "bottom_left": (-1, 1), "bottom_right": (1, 1),
}  # fmt: skip
_REGION_OF = {vector: name for name, vector in _TOWARDS.items()}

_SIDEWAYS = {"left": "right", "right": "left", "左": "右", "右": "左"}
_UPRIGHT = {"upper": "lower", "lower": "upper", "top": "bottom", "bottom": "top", "上": "下", "下": "上"}
# Not "thread top", which is a place on the object; not the 上 of "on"; 上 and 下 only where they name a side.
_SIDE_WORDS = re.compile(
    r"\b(?:left|right|upper|lower|(?<!thread )(?<!threads )top|bottom)\b"
    r"|[左右]|(?<=[左右])[上下]|[上下](?=[部方角端侧左右])",
    re.IGNORECASE,
)
_VERTICAL_SYNONYMS = {"upper": ("upper", "top"), "lower": ("lower", "bottom")}
_CORNER = re.compile(r"\b(upper|lower) (left|right) (?:corner|part|side|area)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Look:
    """What the mask and the pixels of a defect show.

    ``width``: mean stroke width as a share of the square root of the picture's area; ``contrast``: mean difference of
    the grey levels inside from the mean of those around, 0–255; ``area``: share of the picture; ``elongation``: length
    of the largest piece through its width; ``solidity``: its share of its convex hull; ``count``: pieces.
    """

    width: float
    contrast: float
    area: float
    elongation: float
    solidity: float
    count: int


def read_spec(sample: Sample) -> DefectSpec:
    """The defect of a sample: its folder's name where that says what and where, else its caption; looks from both.

    "scratch_head" is a scratch on the head whatever the caption calls it; a folder that only names a place
    ("thread_side") takes the kind from the caption, and is damage there without one.

    Raises:
        InputError: neither the folder's name nor a caption can be understood.
    """
    folder = sample.defect.replace("_", " ")
    named, place = _understood(folder), None
    if named is None:
        place = _understood(f"damage on the {folder}")
        place = place if place is not None and place.part else None
    told = _understood(sample.caption.defect_description) if sample.caption else None
    kind = named or told or place
    if kind is None:
        raise InputError(
            "captions",
            f"{sample.name}: neither the folder's name nor a caption says what the defect is; add a caption, or name "
            "the folder after the defect (scratch_head).",
        )
    where = named if named is not None and named.part else place or told or kind
    looks = [look for source in (named, told) if source is not None for look in source.morphology]
    return replace(
        kind,
        part=where.part,
        part_detail=where.part_detail,
        region=told.region if told else kind.region,
        morphology=list(dict.fromkeys(looks)),
        severity=kind.severity or (told.severity if told else None),
        thickness=kind.thickness or (told.thickness if told else None),
        thickness_mm=kind.thickness_mm or (told.thickness_mm if told else None),
        color=kind.color or (told.color if told else None),
        category=_category(sample.category),
        count=1,
        language="en",
        unrecognized=[],
        text="",
    )


def _understood(words: str) -> DefectSpec | None:
    try:
        return parse_instruction(words[:1000])[0]
    except InputError:
        return None


def _category(folder: str) -> str | None:
    found = _understood(f"scratch on the {folder.replace('_', ' ')}")
    return found.category if found else None


def measure_look(image: np.ndarray, mask: np.ndarray) -> Look:
    """Measure a defect.

    Args:
        image: uint8 [H, W, 3].
        mask: bool [H, W], not empty.
    """
    binary = mask.astype(np.uint8)
    ring = cv2.dilate(binary, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (21, 21))).astype(bool) & ~mask
    grey = image.mean(axis=2)
    around = grey[ring] if ring.any() else grey[mask]
    closed = cv2.morphologyEx(binary, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7)))
    count, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    pieces = int((areas >= max(4, 0.05 * areas.max())).sum()) if count > 1 else 1
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    area, length = max(cv2.contourArea(largest), 1.0), max(cv2.arcLength(largest, True) / 2, 1.0)
    distances = cv2.distanceTransform(np.pad(binary, 1), cv2.DIST_L2, 5)
    width = max(4 * float(distances[distances > 0].mean()) - 2, 1.0)  # a strip w wide: distances 1 … w/2 … 1
    hull = max(cv2.contourArea(cv2.convexHull(largest)), 1.0)
    return Look(
        width=width / mask.size**0.5,
        contrast=float(np.abs(grey[mask] - around.mean()).mean()),
        area=float(mask.mean()),
        elongation=float(length**2 / area),
        solidity=float(area / hull),
        count=min(pieces, MAX_COUNT),
    )


LINE_ELONGATION, BLOCK_ELONGATION, ROUGH_SOLIDITY = 8.0, 4.0, 0.75
"""Above the first a shape is called line-like, below the second a block, below the third solidity irregular. A disc's
elongation is π, a square's 4, a strip's of length l and width w about l / w."""


class LookWords:
    """Words for looks: thin or slight means "among this data set's lower third of its kind of defect".

    Captions of real pictures hold no scale, so the words are relative; a kind with fewer than six samples is compared
    with all of them.
    """

    def __init__(self, kinds: Sequence[str], looks: Sequence[Look]) -> None:
        self._widths = _thirds(kinds, [look.width for look in looks])
        self._strengths = _thirds(kinds, [_strength(look) for look in looks])

    def add_to(self, spec: DefectSpec, kind: str, look: Look) -> DefectSpec:
        """The spec with its empty slots filled: thickness, severity, count, and the shape where no look was named."""
        morphology = spec.morphology
        if not {"line-like", "block-shaped", "oval", "circular", "irregular"} & set(morphology):
            shape = (
                "line-like" if look.elongation > LINE_ELONGATION else "irregular" if look.solidity < ROUGH_SOLIDITY
                else "block-shaped" if look.elongation < BLOCK_ELONGATION else None
            )  # fmt: skip
            morphology = [*morphology, *([shape] if shape else [])]
        return replace(
            spec,
            morphology=morphology,
            thickness=spec.thickness or THICKNESSES[_third(self._widths, kind, look.width)],
            severity=spec.severity or SEVERITIES[_third(self._strengths, kind, _strength(look))],
            count=max(spec.count, look.count),
        )


def _strength(look: Look) -> float:
    return look.contrast * look.area**0.5


def _thirds(kinds: Sequence[str], values: Sequence[float]) -> dict[str, tuple[float, float]]:
    if not values:
        return {}
    overall = np.quantile(values, (1 / 3, 2 / 3))
    cuts = {"": (float(overall[0]), float(overall[1]))}
    for kind in set(kinds):
        own = [value for name, value in zip(kinds, values, strict=True) if name == kind]
        if len(own) >= 6:
            low, high = np.quantile(own, (1 / 3, 2 / 3))
            cuts[kind] = (float(low), float(high))
    return cuts


def _third(cuts: Mapping[str, tuple[float, float]], kind: str, value: float) -> int:
    low, high = cuts.get(kind) or cuts.get("") or (-np.inf, np.inf)
    return 0 if value < low else 2 if value > high else 1


def flip_region(region: str | None, *, sideways: bool = False, upright: bool = False) -> str | None:
    """An image-frame region after the picture was mirrored left to right, top to bottom, or both."""
    if region is None:
        return None
    x, y = _TOWARDS[region]
    return _REGION_OF[-x if sideways else x, -y if upright else y]


def flip_words(text: str, *, sideways: bool = False, upright: bool = False) -> str:
    """A caption, English or Chinese, after its picture was mirrored: "upper left corner" → "upper right corner"."""

    def swap(found: re.Match[str]) -> str:
        word = found[0]
        table = (_SIDEWAYS if sideways else {}) | (_UPRIGHT if upright else {})
        other = table.get(word.lower(), word)
        return other.capitalize() if word[0].isupper() else other

    return _SIDE_WORDS.sub(swap, text)


def vary_location(text: str, generator: np.random.Generator) -> str:
    """A caption with its corner named in another usual way: "upper left part" → "top left corner"."""

    def other(found: re.Match[str]) -> str:
        upright = generator.choice(_VERTICAL_SYNONYMS[found[1].lower()])
        joint = generator.choice((" ", "-"))
        return f"{upright}{joint}{found[2].lower()} {generator.choice(('corner', 'part', 'side', 'area'))}"

    return _CORNER.sub(other, text)


def caption_with_name(spec: DefectSpec, description: str, count_tokens: Callable[[str], int] | None = None) -> str:
    """A published description with the defect's name put before it, cut at a word where it is too long.

    Args:
        spec: what :func:`read_spec` made of the sample.
        description: the caption's own sentence.
        count_tokens: tokens of a text, its marks included; without it words count as 1.4 tokens.
    """
    name = load_lexicon().label("defect", spec.defect, "en")
    words = f"{name}: {description.strip()}".split()
    counted = count_tokens or (lambda text: round(1.4 * len(text.split())) + 2)
    while len(words) > 1 and counted(" ".join(words)) > MAX_TOKENS:
        words.pop()
    return " ".join(words).rstrip(",;:")
