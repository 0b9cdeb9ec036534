"""Text → tokens: whole English words with the longest phrase first, the longest Chinese match, numbers."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from magic_ui.instruction.lexicon import Lexicon, Sense

_JOINERS = frozenset(" \t-_'\u2010\u2011\u2012\u2013")
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2032": "'", "\u2044": "/"})
_NUMBER = re.compile(r"(?:[0-9]+(?:[.,][0-9]+)*|\.[0-9]+)(?:e[+-]?[0-9]+)?(?![0-9])")
_WORD = re.compile(r"(?!x[0-9])[^\W\d_\u3400-\u9fff\uf900-\ufaff]+[0-9]*|x")
_STOP = Sense("grammar", roles=frozenset({"stop"}))


@dataclass
class Token:
    """A stretch of the text and what it means.

    ``kind``: "slots" (fills ``slots``), "count" and "number" (``value``), "measure" (``value`` in mm),
    "grammar" (``roles``), "punctuation" or "unknown". ``tight``: it touches the token before it.
    """

    kind: str
    start: int
    end: int
    text: str
    slots: dict[str, str] = field(default_factory=dict)
    value: float = 0.0
    roles: frozenset[str] = frozenset()
    adjective: bool = False
    generic: bool = False
    weak: bool = False
    chinese: bool = False
    tight: bool = False
    shared: bool = False  # a place left over from a negated clause: it holds for what follows, if that names none

    def has(self, *roles: str) -> bool:
        """Whether the word plays one of these grammatical roles."""
        return not self.roles.isdisjoint(roles)

    @property
    def is_place(self) -> bool:
        """Whether it names a part or a region."""
        return self.kind == "slots" and ("part" in self.slots or "region" in self.slots)

    @property
    def is_defect(self) -> bool:
        """Whether it names a defect."""
        return self.kind == "slots" and "defect" in self.slots

    @property
    def is_look(self) -> bool:
        """Whether it describes a defect: severity, width, form, color, orientation."""
        if self.kind == "measure":
            return True
        looks = ("severity", "thickness", "morphology", "color", "orientation")
        return self.kind == "slots" and not self.is_defect and any(slot in self.slots for slot in looks)


def normalize(text: str) -> str:
    """NFKC (full-width forms become plain ones), without stacked accents and invisible characters."""
    plain = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    return "".join(
        character for character in plain if unicodedata.category(character) not in ("Mn", "Me", "Cf", "Co", "Cn")
    )


def tokenize(text: str, lexicon: Lexicon) -> list[Token]:
    """Tokens of a normalised text, in order, in time linear in its length."""
    folded = "".join(low if len(low := character.lower()) == 1 else character for character in text)
    folded = folded.translate(lexicon.simplified)
    tokens: list[Token] = []
    position = 0
    while position < len(folded):
        character = folded[position]
        if character.isspace():
            position += 1
            continue
        if is_chinese(character):
            found = _chinese_token(folded, position, lexicon, tokens[-1] if tokens else None)
        elif match := _NUMBER.match(folded, position):
            found = Token("number", position, match.end(), match.group(), value=_number(match.group()))
        elif match := _WORD.match(folded, position):
            found = _english_token(folded, match, lexicon)
        else:
            found = Token("punctuation", position, position + 1, character)
        found.tight = bool(tokens) and tokens[-1].end == found.start
        found.text = text[found.start : found.end] if found.kind == "unknown" else found.text
        _append(tokens, found)
        position = found.end
    return tokens


def is_chinese(character: str) -> bool:
    """Whether a character is a CJK ideograph (or the numeral 〇)."""
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character == "〇"


def _append(tokens: list[Token], found: Token) -> None:
    """Add a token; Chinese characters that no entry covers are gathered into one unknown word."""
    previous = tokens[-1] if tokens else None
    if previous and found.tight and found.chinese and previous.chinese and found.kind == previous.kind == "unknown":
        previous.end, previous.text = found.end, previous.text + found.text
    else:
        tokens.append(found)


def _number(digits: str) -> float:
    """The value of "0.1", "0,1", "1,000" or "1e-3"; not a number for "1.2.3"."""
    mantissa, e, exponent = digits.partition("e")
    groups = re.split(r"[.,]", mantissa)
    if len(groups) > 2:
        return float("nan") if "." in mantissa else float("".join(groups))
    thousands = len(groups) == 2 and "," in mantissa and len(groups[1]) == 3 and groups[0] not in ("", "0")
    plain = "".join(groups) if thousands else mantissa.replace(",", ".")
    return float(plain + e + exponent)


def _from_sense(sense: Sense, start: int, end: int, text: str, chinese: bool) -> Token:
    return Token(
        sense.kind, start, end, text, dict(sense.slots), sense.value, sense.roles,
        sense.adjective, sense.generic, sense.weak, chinese,
    )  # fmt: skip


def _english_token(folded: str, first: re.Match[str], lexicon: Lexicon) -> Token:
    """The longest phrase from a word on; spaces, hyphens, underscores and apostrophes join words."""
    words, ends = [first.group()], [first.end()]
    while len(words) < lexicon.longest_english:
        position = ends[-1]
        while position < len(folded) and position - ends[-1] < 3 and folded[position] in _JOINERS:
            position += 1
        following = _WORD.match(folded, position) if position > ends[-1] else None
        if not following:
            break
        words.append(following.group())
        ends.append(following.end())
    for length in range(len(words), 0, -1):
        phrase = tuple(words[:length])
        if sense := lexicon.english.get(phrase):
            return _from_sense(sense, first.start(), ends[length - 1], " ".join(phrase), False)
    return Token("unknown", first.start(), ends[0], words[0])


def _chinese_token(folded: str, start: int, lexicon: Lexicon, previous: Token | None) -> Token:
    longest = _longest_chinese(folded, start, lexicon)
    numeral_end, value = _chinese_numeral(folded, start, lexicon)
    after_number = previous is not None and previous.kind in ("number", "count") and previous.end == start
    if after_number and previous is not None and not _unit_at(folded, start, lexicon):
        measure = _measure_word(folded, start, lexicon)
        names_defect = longest > start + 1 and "defect" in lexicon.chinese[folded[start:longest]].slots
        if measure > start and not (measure == start + 1 and names_defect):
            word = folded[start:measure]
            sense = lexicon.chinese.get(word, _STOP) if measure - start > 1 else _STOP
            return _from_sense(sense, start, measure, word, True)
    if numeral_end > start and numeral_end >= longest - 1:
        counts = _measure_word(folded, numeral_end, lexicon) > numeral_end
        if _unit_at(folded, numeral_end, lexicon) or (counts and longest <= numeral_end):
            return Token("number", start, numeral_end, folded[start:numeral_end], value=value, chinese=True)
    if longest > start:
        word = folded[start:longest]
        sense = lexicon.chinese[word]
        if (
            sense.kind == "count"
            and len(word) == 1
            and word in "几数多双"
            and not _measure_word(folded, longest, lexicon) > longest
        ):
            sense = _STOP
        return _from_sense(sense, start, longest, word, True)
    if numeral_end > start:
        return Token("number", start, numeral_end, folded[start:numeral_end], value=value, chinese=True)
    if unit := _unit_at(folded, start, lexicon):
        return Token("unknown", start, start + len(unit), unit, chinese=True)
    return Token("unknown", start, start + 1, folded[start], chinese=True)


def _longest_chinese(folded: str, start: int, lexicon: Lexicon) -> int:
    for length in range(min(lexicon.longest_chinese, len(folded) - start), 0, -1):
        if folded[start : start + length] in lexicon.chinese:
            return start + length
    return start


def _unit_at(folded: str, start: int, lexicon: Lexicon) -> str:
    for length in (2, 1):
        if (word := folded[start : start + length]) in lexicon.units and is_chinese(word[0]) and word != "丝":
            return word
    return ""


def _measure_word(folded: str, start: int, lexicon: Lexicon) -> int:
    for length in (2, 1):
        if folded[start : start + length] in lexicon.measure_words:
            return start + length
    return start


def _chinese_numeral(folded: str, start: int, lexicon: Lexicon) -> tuple[int, float]:
    """Read 三, 十二, 二十, 零点一, 半 at ``start``: (end, value), or (start, 0) where there is none."""
    table = lexicon.data["numerals"]
    values = lexicon.digits
    if folded[start] == table["half"]:
        return start + 1, 0.5
    position, tens, ones, seen_ten = start, 0, 0, False
    while position < len(folded) and position - start < 4:
        character = folded[position]
        if character in values:
            ones = ones * 10 + values[character]
        elif character == table["ten"] and not seen_ten:
            tens, ones, seen_ten = (ones if position > start else 1), 0, True
        else:
            break
        position += 1
    if position == start:
        return start, 0.0
    value = float(tens * 10 + ones)
    if folded[position : position + 1] == table["decimal_point"]:
        end = position + 1
        while end < len(folded) and end - position < 6 and folded[end] in values:
            end += 1
        if end > position + 1:
            decimals = "".join(str(values[character]) for character in folded[position + 1 : end])
            return end, float(f"{int(value)}.{decimals}")
    return position, value
