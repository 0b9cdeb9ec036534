"""A ``DefectSpec`` in words: the prompt a checkpoint is fed and trained with, and the rows a person reads."""

from __future__ import annotations

from magic_ui.checks import require_choice
from magic_ui.instruction.lexicon import Lexicon, load_lexicon
from magic_ui.instruction.spec import UNCOUNTABLE, DefectSpec, thickness_word

SINGLE_LANGUAGES = ("en", "zh")
PROMPT_LANGUAGES = (*SINGLE_LANGUAGES, "bilingual")
MAX_LOOKS = 4
"""Morphology words in a prompt; more would push it towards the text encoder's 77 tokens."""

MAX_LOOKS_BILINGUAL = 2

_NUMBERS_EN = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS_ZH = ("零", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十")
_REGION_EN = {"top": "at the top", "bottom": "at the bottom", "left": "on the left", "right": "on the right"}
_ORIENTATION_EN = {"along": "along the axis", "across": "across the axis", "diagonal": "diagonal"}
_LABELS = {
    "defect": ("缺陷", "defect"),
    "count": ("数量", "count"),
    "category": ("物体", "object"),
    "part": ("部位", "part"),
    "part_detail": ("部位细节", "part detail"),
    "region": ("画面位置", "region"),
    "severity": ("程度", "severity"),
    "thickness": ("粗细", "thickness"),
    "morphology": ("形态", "look"),
    "color": ("颜色", "color"),
    "orientation": ("方向", "orientation"),
    "unrecognized": ("未识别", "not understood"),
}


def build_prompt(spec: DefectSpec, *, language: str = "en") -> str:
    """The prompt of one defect: place, defect, morphology, severity and thickness, in that order (spec §1).

    ``en``: "on the screw head, a scratch, line-like, thin (0.1mm)". ``zh``: "头部的线状的细(0.1毫米)划痕".
    ``bilingual``, a Chinese name, then all in English: "螺丝头部的细划痕 (thin scratch on the screw head)".
    The same spec gives the same text; every filled slot shows in it (of the morphology the first four, in the
    bilingual prompt the first two). English is at most 50 CLIP tokens, bilingual 70.
    """
    require_choice("language", language, PROMPT_LANGUAGES)
    lexicon = load_lexicon()
    if language == "en":
        return _english_list(spec, lexicon)
    if language == "zh":
        return _chinese_phrase(spec, lexicon)
    return f"{_chinese_name(spec, lexicon)} ({_english_phrase(spec, lexicon)})"


def describe(spec: DefectSpec, language: str = "zh") -> list[tuple[str, str]]:
    """The rows of the "understood as" panel: (label, value) of the filled slots, in ``zh`` or ``en``."""
    require_choice("language", language, ("zh", "en"))
    lexicon = load_lexicon()
    chinese = language == "zh"
    values: dict[str, str] = {
        "defect": lexicon.label("defect", spec.defect, language),
        "count": str(spec.count),
        "morphology": ("、" if chinese else ", ").join(
            lexicon.label("morphology", look, language) for look in spec.morphology
        ),
        "thickness": _thickness_zh(spec, lexicon) if chinese else _thickness_en(spec),
        "unrecognized": ("、" if chinese else ", ").join(spec.unrecognized),
    }
    for slot in ("category", "part", "part_detail", "region", "severity", "color", "orientation"):
        token = getattr(spec, slot)
        values[slot] = lexicon.label(slot, token, language) if token else ""
    return [(labels[0 if chinese else 1], values[slot]) for slot, labels in _LABELS.items() if values[slot]]


def _english_list(spec: DefectSpec, lexicon: Lexicon) -> str:
    noun = " ".join(word for word in (spec.color, _noun_en(spec, lexicon)) if word)
    if spec.count > 1:
        noun = f"{_NUMBERS_EN[spec.count]} {noun}"
    elif spec.defect not in UNCOUNTABLE:
        noun = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
    pieces = [
        _place_en(spec, lexicon),
        noun,
        *_looks_en(spec),
        spec.severity or "",
        _thickness_en(spec),
        _ORIENTATION_EN.get(spec.orientation or "", ""),
    ]
    return ", ".join(piece for piece in pieces if piece)


def _english_phrase(spec: DefectSpec, lexicon: Lexicon) -> str:
    pieces = [
        _NUMBERS_EN[spec.count] if spec.count > 1 else "",
        spec.severity or "",
        _thickness_en(spec),
        *_looks_en(spec)[:MAX_LOOKS_BILINGUAL],
        spec.color or "",
        _noun_en(spec, lexicon),
        _ORIENTATION_EN.get(spec.orientation or "", ""),
        _place_en(spec, lexicon),
    ]
    return " ".join(piece for piece in pieces if piece)


def _noun_en(spec: DefectSpec, lexicon: Lexicon) -> str:
    return lexicon.plural(spec.defect) if spec.count > 1 else lexicon.label("defect", spec.defect, "en")


def _looks_en(spec: DefectSpec) -> list[str]:
    return [look.replace("_", " ") for look in spec.morphology[:MAX_LOOKS]]


def _place_en(spec: DefectSpec, lexicon: Lexicon) -> str:
    thing = " ".join(word.replace("_", " ") for word in (spec.category, spec.part) if word)
    if spec.part_detail:
        thing = f"{thing or 'thread'} {spec.part_detail}"
    place = f"on the {thing}" if thing else ""
    if spec.region:
        region = _REGION_EN.get(spec.region, f"in the {lexicon.label('region', spec.region, 'en')}")
        place = f"{place} {region}".strip()
    return place


def _thickness_en(spec: DefectSpec) -> str:
    if spec.thickness_mm is None:
        return spec.thickness or ""
    return f"{spec.thickness or thickness_word(spec.thickness_mm)} ({spec.thickness_mm:.4g}mm)"


def _thickness_zh(spec: DefectSpec, lexicon: Lexicon) -> str:
    if spec.thickness_mm is None:
        return lexicon.label("thickness", spec.thickness, "zh") if spec.thickness else ""
    word = lexicon.label("thickness", spec.thickness or thickness_word(spec.thickness_mm), "zh")
    return f"{word}({spec.thickness_mm:.4g}毫米)"


def _chinese_phrase(spec: DefectSpec, lexicon: Lexicon) -> str:
    """Everything in Chinese: place, number, looks, defect."""
    looks = [lexicon.label("morphology", look, "zh") for look in spec.morphology[:MAX_LOOKS]]
    if spec.color:
        looks.append(lexicon.label("color", spec.color, "zh"))
    if spec.orientation:
        looks.append(lexicon.label("orientation", spec.orientation, "zh"))
    severity = lexicon.label("severity", spec.severity, "zh") if spec.severity else ""
    described = "、".join(looks) + ("的" if looks else "") + severity + _thickness_zh(spec, lexicon)
    number = f"{_NUMBERS_ZH[spec.count]}处" if spec.count > 1 else ""
    place = _place_zh(spec, lexicon, with_region=True)
    return f"{place}{'的' if place else ''}{number}{described}{lexicon.label('defect', spec.defect, 'zh')}"


def _chinese_name(spec: DefectSpec, lexicon: Lexicon) -> str:
    """The short name of a bilingual prompt. A character costs up to three tokens: looks stay in English."""
    place = _place_zh(spec, lexicon, with_region=not (spec.part or spec.part_detail))
    thickness = lexicon.label("thickness", spec.thickness, "zh") if spec.thickness else ""
    return f"{place}{'的' if place else ''}{thickness}{lexicon.label('defect', spec.defect, 'zh')}"


def _place_zh(spec: DefectSpec, lexicon: Lexicon, *, with_region: bool) -> str:
    pieces = [("category", spec.category), ("part", spec.part), ("part_detail", spec.part_detail)]
    if spec.part_detail:
        pieces.pop(1)
    thing = "".join(lexicon.label(slot, token, "zh") for slot, token in pieces if token)
    region = lexicon.label("region", spec.region, "zh") if spec.region and with_region else ""
    return region + thing
