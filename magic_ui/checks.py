"""Validation of numbers and text, shared by the page, the command line, the API and the library."""

from __future__ import annotations

import math
import numbers
import unicodedata
from collections.abc import Iterable
from typing import Any, TypeVar

from magic_ui.errors import InputError

MAX_SEED = 2**32 - 1
TEXT_LIMIT = 1000
"""Characters of text accepted from a person."""

_ECHO_LIMIT = 40

# Invisible characters that reorder or hide text. Joiners (U+200C, U+200D) stay: emoji and scripts need them.
_INVISIBLE = frozenset(
    chr(code) for code in (0x00AD, 0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, 0xFEFF)
) | frozenset(chr(code) for code in range(0x2066, 0x206A))

Choice = TypeVar("Choice")


def describe_value(value: Any) -> str:
    """Name a received value in a few words: short text and numbers as they are, the rest by type."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        harmless = len(value) <= _ECHO_LIMIT and value.isprintable() and not set(value) & set("/\\")
        return repr(value) if harmless else f"text of {len(value)} characters"
    if isinstance(value, int) and abs(int(value)) >= 10**_ECHO_LIMIT:
        return "a number that is too large"
    if isinstance(value, bool | numbers.Real):
        return str(value)
    return f"a value of type {type(value).__name__}"


def require_number(field: str, value: Any, low: float, high: float, *, integer: bool = False) -> Any:
    """Return `value` as a plain `float`, or `int` when `integer`, if it lies in [low, high].

    NumPy scalars count as numbers; booleans and text do not, not even "1". Where an integer is due, 7.0 is 7
    and 7.5 is refused.

    Raises:
        InputError: for None, NaN, an infinity, text, a boolean, a value out of range or with a fraction.
    """
    kind = "a whole number" if integer else "a number"
    wanted = f"give {kind} from {low:g} to {high:g}" if high < 1e6 else f"give {kind} from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InputError(field, f"{describe_value(value)} is not a number; {wanted}.")
    if isinstance(value, numbers.Integral):
        number: float | int = int(value)
    else:
        number = float(value)
        if not math.isfinite(number):
            raise InputError(field, f"{number} is not a finite number; {wanted}.")
    if not low <= number <= high:
        raise InputError(field, f"{describe_value(number)} is out of range; {wanted}.")
    if not integer:
        return float(number)
    if number != int(number):
        raise InputError(field, f"{describe_value(number)} has a fraction; {wanted}.")
    return int(number)


def require_seed(value: Any, *, field: str = "seed") -> int:
    """Return a random seed as `int`, 0 to 2**32 - 1; raises `InputError` for everything else."""
    return require_number(field, value, 0, MAX_SEED, integer=True)


def require_text(field: str, value: Any, limit: int = TEXT_LIMIT, *, allow_empty: bool = False) -> str:
    """Return text in Unicode form NFC, trimmed, without control characters or invisible formatting.

    Line breaks, tabs and other control characters become a space, so words on both sides stay apart;
    right-to-left overrides and zero-width characters are dropped.

    Raises:
        InputError: not text, longer than `limit` characters, a lone surrogate, or nothing left (unless
            `allow_empty`).
    """
    if not isinstance(value, str):
        raise InputError(field, f"{describe_value(value)} is not text; give a sentence.")
    if len(value) > limit:
        raise InputError(field, f"{len(value)} characters are too many; give at most {limit}.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise InputError(field, "the text holds half a surrogate pair, which is no character; type it again.")
    text = unicodedata.normalize("NFC", "".join(_without_control(character) for character in value)).strip()
    if len(text) > limit:
        raise InputError(field, f"{len(text)} characters are too many; give at most {limit}.")
    if not text and not allow_empty:
        raise InputError(field, "the text is empty; give a sentence.")
    return text


def _without_control(character: str) -> str:
    if character in _INVISIBLE:
        return ""
    if unicodedata.category(character) in ("Cc", "Zl", "Zp"):
        return " "
    return character


def require_choice(field: str, value: Any, choices: Iterable[Choice]) -> Choice:
    """Return the member of `choices` that equals `value`; otherwise the `InputError` lists them all."""
    offered = list(choices)
    for choice in offered:
        same_kind = isinstance(value, type(choice)) and isinstance(value, bool) == isinstance(choice, bool)
        if same_kind and value == choice:
            return choice
    listed = ", ".join(str(choice) for choice in offered)
    raise InputError(field, f"{describe_value(value)} is not a choice; choose one of: {listed}.")
