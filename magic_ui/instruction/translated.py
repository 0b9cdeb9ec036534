"""A sentence with its translation in brackets, 划痕 (a scratch), asks for one thing, not for two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace

from magic_ui.instruction.spec import MAX_UNRECOGNIZED, DefectSpec
from magic_ui.instruction.tokens import is_chinese

_BRACKETED = re.compile(r"([^()]+)\((.+)\)[\s.。]*")
_ENGLISH = re.compile(r"[a-z]{3,}", re.IGNORECASE)
_JOINED = ("morphology", "unrecognized")


def split_translation(text: str) -> tuple[str, str] | None:
    """The two sides of "Chinese (English)" or "English (Chinese)"; None where the text has another form."""
    found = _BRACKETED.fullmatch(text)
    if found is None:
        return None
    languages = [(any(map(is_chinese, side)), bool(_ENGLISH.search(side))) for side in found.groups()]
    if sorted(languages) != [(False, True), (True, False)]:
        return None
    outside, inside = found.groups()
    return outside, inside


def merge_translation(outside: Sequence[DefectSpec], inside: Sequence[DefectSpec]) -> list[DefectSpec] | None:
    """What both sides say, each slot from the one that fills it; None where they speak of different things."""
    if len(outside) != len(inside):
        return None
    merged = []
    for pair in zip(outside, inside, strict=True):
        spec = _merge(*pair)
        if spec is None:
            return None
        merged.append(spec)
    return merged


def _merge(spec: DefectSpec, other: DefectSpec) -> DefectSpec | None:
    filled = {}
    for slot in (f.name for f in fields(spec)):
        mine, theirs = getattr(spec, slot), getattr(other, slot)
        if slot in ("language", "text"):  # the text is the stretch outside the brackets
            continue
        if slot in _JOINED:
            filled[slot] = list(dict.fromkeys([*mine, *theirs]))
        elif slot == "count":
            if mine != theirs and 1 not in (mine, theirs):
                return None
            filled[slot] = max(mine, theirs)
        elif mine is not None and theirs is not None and mine != theirs:
            return None
        else:
            filled[slot] = theirs if mine is None else mine
    filled["unrecognized"] = filled["unrecognized"][:MAX_UNRECOGNIZED]
    return replace(spec, language="mixed", **filled)
