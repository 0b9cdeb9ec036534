"""The plan's English notes in the visitor's language; a note without a translation stays English."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

_SLOT = re.compile(r"\\{(\w+)\\}")


def translate_note(note: str, language: str) -> str:
    """``note`` in Chinese where ``notes.toml`` knows it, otherwise as it is."""
    if language != "zh":
        return note
    templates, words = _known()
    for pattern, chinese in templates:
        if found := pattern.fullmatch(note):
            slots = {name: words.get(value, value) for name, value in found.groupdict().items()}
            return chinese.format(**slots)
    return note


@cache
def _known() -> tuple[list[tuple[re.Pattern[str], str]], dict[str, str]]:
    tables = tomllib.loads(Path(__file__).with_name("notes.toml").read_text(encoding="utf-8"))
    return [(_pattern(english), chinese) for english, chinese in tables["notes"].items()], tables["words"]


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(_SLOT.sub(r"(?P<\1>.+?)", re.escape(template)))
