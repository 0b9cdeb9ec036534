"""What a text-image model is asked while it learns: parts that are there, parts that are not, the object, the frame."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from ..instruction.lexicon import load_lexicon
from ..instruction.prompt import SINGLE_LANGUAGES
from ..localize.foreground import TEXTURES
from ..localize.geometry import box_band
from ..localize.phrases import OBJECT, place_phrases
from .wholes import View, Whole

REGIONS = ("top", "bottom", "left", "right", "center", "top_left", "top_right", "bottom_left", "bottom_right")
LEAST_PIXELS = 12
SLENDER = ("head", "neck", "thread", "tip")
"""Parts that only a screw has."""

STRIPS = ("edge", "rim", "hole")
"""Parts that are a line or a ring: they are shown a little wider than they are."""

_SHARES = {"part": 0.5, "absent": 0.2, "object": 0.15, "region": 0.15}
_REGION_TEMPLATES = {"en": "the {region} of the {thing}", "zh": "{thing}的{region}"}
_ANY = {"en": "object", "zh": "物体"}


def part_masks(whole: Whole, seen: View) -> dict[str, np.ndarray]:
    """The parts that show in a view, each bool [S, S]; a screw's body is its neck and thread."""
    masks = {}
    for index, label in enumerate(whole.labels):
        mask = seen.part_map == index + 1
        if mask.sum() >= LEAST_PIXELS:
            masks[label] = mask
    if "neck" in masks and "thread" in masks:
        masks["body"] = masks["neck"] | masks["thread"]
    for label in STRIPS:
        if label in masks:
            wide = cv2.dilate(masks[label].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
            masks[label] = wide & seen.foreground
    return masks


def absent_parts(whole: Whole) -> tuple[str, ...]:
    """Parts that such an object surely does not have."""
    absent = tuple(part for part in SLENDER if part not in whole.labels)
    if whole.category in TEXTURES or whole.category in ("screw", "capsule", "pill"):
        absent += tuple(part for part in ("hole",) if part not in whole.labels)
    return absent


def draw_query(whole: Whole, seen: View, generator: np.random.Generator) -> tuple[str, np.ndarray]:
    """A random phrase and what it means in this view: bool [S, S], all False for a part that is not there."""
    parts, absent = part_masks(whole, seen), absent_parts(whole)
    kinds = [k for k in _SHARES if (k != "part" or parts) and (k != "absent" or absent)]
    weights = np.array([_SHARES[k] for k in kinds])
    kind = str(generator.choice(kinds, p=weights / weights.sum()))
    language = str(generator.choice(SINGLE_LANGUAGES))
    category = whole.category if generator.random() < 0.6 else None
    if kind == "region":
        region = str(generator.choice(REGIONS))
        phrase = _region_phrase(region, category, language)
        if not seen.foreground.any():
            return phrase, seen.foreground
        return phrase, seen.foreground & box_band(seen.foreground, region, 0.25)
    if kind == "object":
        return str(generator.choice(place_phrases(None, category, [language]))), seen.foreground
    if kind == "absent":
        part = str(generator.choice(absent))
        category = "screw" if part in SLENDER and generator.random() < 0.5 else category
        return _part_phrase(part, category, language, generator), np.zeros_like(seen.foreground)
    part = str(generator.choice(list(parts)))
    return _part_phrase(part, category, language, generator), parts[part]


def all_phrases() -> list[str]:
    """Every phrase that training may use, for the tokenizer."""
    return list(phrase_meanings())


def phrase_meanings() -> dict[str, tuple[str, str]]:
    """Every phrase that training may use, with what it asks for: (place, thing).

    The place is a part, a region or :data:`OBJECT`, the thing a category or "" where none is named. A phrase that has
    two meanings is listed with its first.
    """
    categories = [None, *sorted(_categories())]
    found: dict[str, tuple[str, str]] = {}
    for part in (None, "body", "edge", "face", *SLENDER, *STRIPS):
        for category in categories:
            for phrase in place_phrases(part, category, SINGLE_LANGUAGES):
                found.setdefault(phrase, (part or OBJECT, category or ""))
        for word in (word for language in SINGLE_LANGUAGES for word in synonyms(part, language)) if part else ():
            found.setdefault(word, (part or OBJECT, ""))
    for language in SINGLE_LANGUAGES:
        for region in REGIONS:
            for category in categories:
                found.setdefault(_region_phrase(region, category, language), (region, category or ""))
    return found


def _region_phrase(region: str, category: str | None, language: str) -> str:
    lexicon = load_lexicon()
    thing = lexicon.label("category", category, language) if category else _ANY[language]
    return _REGION_TEMPLATES[language].format(region=lexicon.label("region", region, language), thing=thing)


@lru_cache(maxsize=32)
def synonyms(part: str, language: str) -> tuple[str, ...]:
    """The lexicon's words for a part and nothing else."""
    lexicon = load_lexicon()
    if language == "en":
        return tuple(" ".join(words) for words, sense in lexicon.english.items() if sense.slots == {"part": part})
    return tuple(word for word, sense in lexicon.chinese.items() if sense.slots == {"part": part})


def _part_phrase(part: str, category: str | None, language: str, generator: np.random.Generator) -> str:
    words = synonyms(part, language)
    if words and generator.random() < 0.25:
        return str(generator.choice(words))
    return str(generator.choice(place_phrases(part, category, [language])))


def _categories() -> set[str]:
    return {sense.slots["category"] for sense in load_lexicon().english.values() if set(sense.slots) == {"category"}}
