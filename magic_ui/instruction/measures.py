"""Numbers in an instruction: widths with a unit, and counts."""

from __future__ import annotations

import math

from magic_ui.errors import InputError
from magic_ui.instruction.lexicon import Lexicon
from magic_ui.instruction.spec import MAX_COUNT, MAX_THICKNESS_MM, MIN_THICKNESS_MM
from magic_ui.instruction.tokens import Token

_RANGE_SIGNS = ("-", "~", "\u2013", "\u2014", "\u301c", "to", "到", "至")


def read_numbers(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """Turn number + unit into one "measure" token (mm); of a range the middle; "5 mm long" is unknown.

    Raises ``InputError`` for widths that no part has: 0, negative, endless, below 0.001 mm or above 100 mm.
    """
    read: list[Token] = []
    breadth = lexicon.words("breadth")
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.kind != "number":
            read.append(token)
            index += 1
            continue
        value, index = _value_at(tokens, index)
        unit, after = _unit_at(tokens, index, lexicon)
        if not unit:
            if index < len(tokens) and tokens[index].text in ("°", "%", "度"):
                index += 1
                token = Token("unknown", token.start, tokens[index - 1].end, token.text + tokens[index - 1].text)
            token.value = value
            token.end = tokens[index - 1].end
            read.append(token)
            continue
        millimetres = value * unit
        following = tokens[after] if after < len(tokens) else None
        if _is_length(read, following, lexicon):
            text = f"{token.text} {tokens[index].text}"
            read.append(Token("unknown", token.start, tokens[after - 1].end, text, chinese=token.chinese))
        else:
            negative = bool(read) and read[-1].text == "-" and token.tight and not read[-1].tight
            if read and read[-1].chinese and read[-1].text in breadth:
                read.pop()
            read.append(_measure(-millimetres if negative else millimetres, token, tokens[after - 1]))
            if following is not None and following.text in breadth:
                after += 1
        index = after
    return read


def checked_count(value: float) -> int:
    """A whole number of defects from 1 to 10; raises ``InputError`` for more and for fractions."""
    if not math.isfinite(value) or value != int(value) or not 1 <= value <= MAX_COUNT:
        shown = f"{value:g}" if abs(value) < 1e9 else "too many"
        raise InputError(
            "instruction",
            f"{shown} defects at once cannot be painted; ask for 1 to {MAX_COUNT}. "
            f"一次可要求 1 到 {MAX_COUNT} 处缺陷。",
        )
    return int(value)


def _measure(millimetres: float, first: Token, last: Token) -> Token:
    # Written so that NaN fails too.
    if not MIN_THICKNESS_MM <= millimetres <= MAX_THICKNESS_MM:
        raise InputError(
            "instruction",
            f"a width of {millimetres:g} mm cannot be painted; "
            f"give {MIN_THICKNESS_MM:g} to {MAX_THICKNESS_MM:g} mm. "
            f"宽度请在 {MIN_THICKNESS_MM:g} 到 {MAX_THICKNESS_MM:g} 毫米之间。",
        )
    text = f"{first.text}{last.text}"
    return Token("measure", first.start, last.end, text, value=round(millimetres, 6), chinese=first.chinese)


def _value_at(tokens: list[Token], index: int) -> tuple[float, int]:
    """The value of "0.1", "1/4" or the middle of "0.1-0.2"; and the index after it."""
    value = tokens[index].value
    if index + 2 < len(tokens) and tokens[index + 2].kind == "number":
        sign, second = tokens[index + 1], tokens[index + 2].value
        if sign.text == "/" and second:
            return value / second, index + 3
        if sign.text in _RANGE_SIGNS:
            return (value + second) / 2, index + 3
    return value, index + 1


def _unit_at(tokens: list[Token], index: int, lexicon: Lexicon) -> tuple[float, int]:
    """Millimetres of the unit at ``index`` (0 where there is none) and the index after it."""
    if index >= len(tokens):
        return 0.0, index
    token = tokens[index]
    if token.text in ("-", " ") and token.tight:
        return _unit_at(tokens, index + 1, lexicon)
    if token.text == '"' and token.tight:
        return lexicon.units["inch"], index + 1
    if token.text == "'" and token.tight and index + 1 < len(tokens) and tokens[index + 1].text == "'":
        return lexicon.units["inch"], index + 2
    if token.text == "in" and not _is_inch(tokens, index):
        return 0.0, index
    if token.text == "丝" and not tokens[index - 1].chinese:
        return lexicon.units["丝"], index + 1
    if token.text == "range":
        return 0.0, index
    unit = 0.0 if token.text == "丝" else lexicon.units.get(token.text, 0.0)
    return unit, index + 1 if unit else index


def _is_inch(tokens: list[Token], index: int) -> bool:
    """Whether "in" is a unit: no article follows an inch, and no place where the number is whole."""
    if tokens[index].tight:
        return True
    if index + 1 >= len(tokens):
        return True
    following = tokens[index + 1]
    whole = tokens[index - 1].value == int(tokens[index - 1].value) if math.isfinite(tokens[index - 1].value) else True
    if following.text in ("the", "this", "that", "its", "each", "a", "an", "total", "number"):
        return False
    return not (whole and following.is_place)


def _is_length(before: list[Token], after: Token | None, lexicon: Lexicon) -> bool:
    """Whether the number tells a length or a depth, which has no slot, rather than a width."""
    known = lexicon.words("length")
    last = next((token for token in reversed(before[-3:]) if token.kind != "grammar"), None)
    return (after is not None and after.text in known) or (last is not None and last.text in known)
