# ruff: noqa: E501 - tables of sentences
"""Prompts: every slot shows, the order holds, and the text encoder's 77 tokens are never near."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest

from magic_ui.errors import InputError
from magic_ui.instruction import DefectSpec, build_prompt, describe, parse_instruction
from magic_ui.instruction.lexicon import load_lexicon
from magic_ui.instruction.spec import DEFECTS, ORIENTATIONS, PARTS, REGIONS, SEVERITIES, THICKNESSES

LANGUAGES = ("en", "zh", "bilingual")
PLAIN = DefectSpec("scratch", part="head", category="screw", thickness="thin")
CHANGES = {
    "part": ["neck", None],
    "region": ["top_left", "center"],
    "severity": ["slight", "severe"],
    "thickness": ["thick", None],
    "thickness_mm": [0.1, 0.15],
    "morphology": [["line-like"], ["fine", "rough"]],
    "count": [2, 10],
    "color": ["silver", "brown"],
    "category": ["metal_nut", None],
    "orientation": ["along", "across"],
    "defect": ["crack", "bent"],
}


def longest() -> DefectSpec:
    """The spec whose labels are the longest in every slot."""
    lexicon = load_lexicon()

    def long(slot: str) -> list[str]:
        return sorted(lexicon.data[slot], key=lambda token: -len(lexicon.label(slot, token, "en")))

    return DefectSpec(
        long("defect")[0], part="thread", part_detail="crest", region="bottom_right", severity="moderate", thickness="medium",
        thickness_mm=0.3333, morphology=long("morphology")[:6], count=7, color=long("color")[0], category=long("category")[0],
        orientation="across",
    )  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("slot", CHANGES)
def test_every_slot_changes_the_text(slot: str, language: str) -> None:
    specs = [PLAIN, *(replace(PLAIN, **{slot: value}) for value in CHANGES[slot])]
    texts = [build_prompt(spec, language=language) for spec in specs]
    if slot == "thickness_mm" and language == "bilingual":
        assert "(0.1mm)" in texts[1]
    assert len(set(texts)) == len(texts)
    assert texts == [build_prompt(spec, language=language) for spec in specs]


@pytest.mark.parametrize("language", LANGUAGES)
def test_part_detail_changes_the_text(language: str) -> None:
    thread = replace(PLAIN, part="thread")
    texts = {
        build_prompt(replace(thread, part_detail=detail), language=language) for detail in (None, "crest", "flank")
    }
    assert len(texts) == 3


def test_examples() -> None:
    assert build_prompt(PLAIN) == "on the screw head, a scratch, thin"
    assert build_prompt(PLAIN, language="bilingual") == "螺丝头部的细划痕 (thin scratch on the screw head)"
    measured = replace(PLAIN, thickness_mm=0.1, morphology=["line-like"], severity="slight", count=2, color="silver")
    assert build_prompt(measured) == "on the screw head, two silver scratches, line-like, slight, thin (0.1mm)"
    assert (
        build_prompt(DefectSpec("corrosion", region="top_left", count=3))
        == "in the upper left corner, three corrosion spots"
    )
    assert build_prompt(DefectSpec("wear")) == "wear"


def test_order_is_place_defect_morphology_severity_thickness() -> None:
    prompt = build_prompt(longest())
    order = ["crest", "ten"[:0] or "seven", "severe"[:0] or "moderate", "medium (0.3333mm)"]
    positions = [prompt.index(word) for word in order]
    assert positions == sorted(positions)


@pytest.mark.parametrize("language", LANGUAGES)
def test_length(language: str) -> None:
    prompt = build_prompt(longest(), language=language)
    english = re.sub(r"[\u3400-\u9fff]", "", prompt)
    assert len(english.split()) <= 60
    if language != "zh":
        # A generous estimate of CLIP's byte-pair tokens: 3 for an ideograph, 1 for each sign, digit and 4 letters.
        words = re.findall(r"[a-z]+", english)
        signs = re.findall(r"[^\sa-z]", english)
        ideographs = re.findall(r"[\u3400-\u9fff]", prompt)
        assert 3 * len(ideographs) + sum(-(-len(word) // 6) for word in words) + len(signs) + 2 <= 77


def test_every_token_has_both_names() -> None:
    lexicon = load_lexicon()
    chosen = {
        "defect": DEFECTS,
        "part": PARTS,
        "region": REGIONS,
        "severity": SEVERITIES,
        "thickness": THICKNESSES,
        "orientation": ORIENTATIONS,
    }
    for slot, tokens in chosen.items():
        assert set(tokens) == set(lexicon.data[slot])
    for slot in (*chosen, "morphology", "color", "category", "part_detail"):
        for token, language in itertools.product(lexicon.data[slot], ("en", "zh")):
            assert lexicon.label(slot, token, language) != "" and lexicon.data[slot][token][language]


@pytest.mark.parametrize("defect", DEFECTS)
def test_prompts_are_understood(defect: str) -> None:
    spec = DefectSpec(
        defect, part="head", region="top_left", severity="severe", thickness="thin", count=2, category="screw"
    )
    for language in ("en", "zh"):
        (read,) = parse_instruction(build_prompt(spec, language=language))
        assert (read.defect, read.part, read.region) == (defect, "head", "top_left")
        assert (read.severity, read.thickness, read.count, read.category) == ("severe", "thin", 2, "screw")
        assert read.unrecognized == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_prompts_are_read_back_as_what_they_say(language: str) -> None:
    for defect, severity, thickness, part in itertools.product(
        ("scratch", "crack", "dent", "stain"), (None, *SEVERITIES), (None, "thin", "thick"), (None, "head", "thread")
    ):
        spec = DefectSpec(defect, severity=severity, thickness=thickness, part=part, category="screw")
        (read,) = parse_instruction(build_prompt(spec, language=language))
        assert read.unrecognized == read.morphology == []
        assert replace(read, language="en", text="", category="screw") == spec


def test_describe() -> None:
    spec = replace(PLAIN, thickness_mm=0.1, count=2, unrecognized=["zorp"], morphology=["fine", "rough"])
    assert describe(spec, "en") == [
        ("defect", "scratch"),
        ("count", "2"),
        ("object", "screw"),
        ("part", "head"),
        ("thickness", "thin (0.1mm)"),
        ("look", "fine, rough"),
        ("not understood", "zorp"),
    ]
    assert dict(describe(spec, "zh")) == {
        "缺陷": "划痕", "数量": "2", "物体": "螺丝", "部位": "头部", "粗细": "细(0.1毫米)", "形态": "细密、粗糙", "未识别": "zorp",
    }  # fmt: skip
    assert describe(DefectSpec("dent"), "en") == [("defect", "dent"), ("count", "1")]


def test_unknown_language() -> None:
    with pytest.raises(InputError):
        build_prompt(PLAIN, language="fr")
    with pytest.raises(InputError):
        describe(PLAIN, "bilingual")
