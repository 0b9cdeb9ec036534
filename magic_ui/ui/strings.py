"""The page's words in English and Chinese."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any, Literal

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
DEFAULT_LANGUAGE: Language = "en"


@cache
def load_strings() -> dict[str, dict[str, str]]:
    """Key -> language -> text, as written in ``strings.toml``."""
    return tomllib.loads(Path(__file__).with_name("strings.toml").read_text(encoding="utf-8"))


def say(key: str, language: str = DEFAULT_LANGUAGE, **values: Any) -> str:
    """The text of ``key`` in ``language``, its ``{placeholders}`` filled from ``values``.

    Raises:
        KeyError: the key is not in ``strings.toml``.
    """
    return load_strings()[key][as_language(language)].format(**values)


def has(key: str) -> bool:
    """Whether ``strings.toml`` knows the key."""
    return key in load_strings()


def as_language(value: object) -> Language:
    """Give "zh" for every Chinese locale ("zh", "zh-CN", "zh_TW" ...), "en" for everything else."""
    return "zh" if str(value or "").lower().startswith("zh") else "en"
