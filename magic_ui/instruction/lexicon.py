"""Loads ``lexicon.toml`` and finds its words in text: whole English words, longest Chinese match."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SLOTS = (
    "part",
    "part_detail",
    "region",
    "orientation",
    "severity",
    "thickness",
    "morphology",
    "color",
    "category",
)

# Words with another meaning of their own; the parser asks for these lists where the context decides.
_CONTEXTUAL = ("length", "breadth", "partitive", "start", "goal", "part_or_defect", "on_top")


@dataclass(frozen=True)
class Sense:
    """One meaning of a phrase.

    ``kind`` is "slots" for words that fill slots, "count", or "grammar" with its ``roles`` ("conjunction",
    "stop", ...). ``adjective`` marks a defect word that describes a noun ("rusty"), ``generic`` one naming
    no particular defect ("damage"), ``weak`` one that is a look where a real defect is named ("twisted").
    """

    kind: str
    slots: dict[str, str] = field(default_factory=dict)
    value: float = 0.0
    adjective: bool = False
    generic: bool = False
    weak: bool = False
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Lexicon:
    """``english`` maps word tuples, ``chinese`` strings, to their sense; ``data`` is the file as read."""

    english: dict[tuple[str, ...], Sense]
    chinese: dict[str, Sense]
    simplified: dict[int, str]
    units: dict[str, float]
    measure_words: frozenset[str]
    digits: dict[str, int]
    longest_english: int
    longest_chinese: int
    data: dict[str, Any]

    def label(self, slot: str, token: str, language: str) -> str:
        """The display word of a canonical token; a token the file does not hold is shown as it is."""
        entry = self.data.get(slot, {}).get(token, {})
        words = entry.get("zh" if language == "zh" else "en", [])
        return words[0] if words else token.replace("_", " ")

    def words(self, role: str) -> frozenset[str]:
        """The single words, of both languages, that play a grammatical role."""
        entry = self.data["grammar"][role]
        return frozenset(entry["en"] + entry["zh"])

    def plural(self, defect: str) -> str:
        """The English plural that is counted: "scratches", "corrosion spots"."""
        entry = self.data["defect"].get(defect, {})
        return pluralize(entry.get("many", defect.replace("_", " ")))

    def implied(self, morphology: str) -> dict[str, str]:
        """The slots that a look fills when nothing else does."""
        return self.data["implies"].get(morphology, {})


@lru_cache(maxsize=1)
def load_lexicon() -> Lexicon:
    """The lexicon, read once."""
    text = resources.files("magic_ui.instruction").joinpath("lexicon.toml").read_text(encoding="utf-8")
    return build_lexicon(tomllib.loads(text))


def build_lexicon(data: dict[str, Any]) -> Lexicon:
    """Index every phrase of the file. Of two meanings of a phrase the first in ``_senses`` wins."""
    english: dict[tuple[str, ...], Sense] = {}
    chinese: dict[str, Sense] = {}
    for sense, entry in _senses(data):
        for phrase in entry.get("en", []):
            for words in _with_plural(phrase):
                english.setdefault(words, sense)
        for phrase in entry.get("zh", []):
            chinese.setdefault(phrase, sense)
    pairs = [pair for line in data["traditional"]["pairs"] for pair in line.split()]
    units = {
        word: entry["millimetres"]
        for entry in data["unit"].values()
        for phrase in entry["en"] + entry["zh"]
        for word in (phrase, pluralize(phrase))
    }
    return Lexicon(
        english=english,
        chinese=chinese,
        simplified={ord(pair[0]): pair[1] for pair in pairs},
        units=units,
        measure_words=frozenset(data["numerals"]["measure_words"]),
        digits=data["numerals"]["digits"],
        longest_english=max(len(words) for words in english),
        longest_chinese=max(len(phrase) for phrase in chinese),
        data=data,
    )


def _senses(data: dict[str, Any]) -> Iterator[tuple[Sense, dict[str, list[str]]]]:
    for entry in data["compound"]:
        yield Sense("slots", entry["slots"], adjective=entry.get("adjective", False)), entry
    for number, entry in data["count"].items():
        yield Sense("count", value=float(number)), entry
    roles: dict[tuple[str, str], set[str]] = {}
    for role, entry in data["grammar"].items():
        if role in _CONTEXTUAL:
            continue
        for language in ("en", "zh"):
            for phrase in entry[language]:
                roles.setdefault((language, phrase), set()).add(role)
    for (language, phrase), held in roles.items():
        if "stop" in held and " " not in phrase and len(held) > 1:
            held.discard("stop")
        yield Sense("grammar", roles=frozenset(held)), {language: [phrase]}
    for slot in _SLOTS:
        for token, entry in data[slot].items():
            slots = {slot: token, "part": "thread"} if slot == "part_detail" else {slot: token}
            yield Sense("slots", slots), entry
    for generic, table in ((False, data["defect"]), (True, data["generic"])):
        for token, entry in table.items():
            yield from _defect_senses(token, entry, generic)


def _defect_senses(
    token: str, entry: dict[str, list[str]], generic: bool
) -> Iterator[tuple[Sense, dict[str, list[str]]]]:
    slots = {"defect": token}
    yield Sense("slots", slots, generic=generic), {"en": entry.get("en", []), "zh": entry.get("zh", [])}
    verbs = entry.get("verbs", [])
    described = [form for verb in verbs for form in (past_participle(verb), present_participle(verb))]
    yield (
        Sense("slots", slots, adjective=True, generic=generic),
        {"en": described + entry.get("adjectives", [])},
    )
    yield Sense("slots", slots, generic=generic), {"en": verbs}
    weak = {"en": entry.get("weak_adjectives", []), "zh": entry.get("weak_zh", [])}
    yield Sense("slots", slots, adjective=True, generic=generic, weak=True), weak


def _with_plural(phrase: str) -> list[tuple[str, ...]]:
    words = tuple(phrase.replace("'", " ").split())
    if len(words[-1]) < 3 and words[-1] not in ("mm", "cm", "um"):
        return [words]
    return [words, (*words[:-1], pluralize(words[-1]))]


def pluralize(noun: str) -> str:
    """The regular English plural: scratches, bodies, cracks."""
    if noun.endswith(("s", "x", "ch", "sh", "z")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def past_participle(verb: str) -> str:
    """The regular -ed form: scratched, corroded, chipped."""
    return _stem(verb) + ("d" if verb.endswith("e") else "ed")


def present_participle(verb: str) -> str:
    """The regular -ing form: scratching, corroding, chipping."""
    return (verb[:-1] if verb.endswith("e") else _stem(verb)) + "ing"


def _stem(verb: str) -> str:
    """Double the last consonant of a short verb: chip, chipp-."""
    vowels = [letter in "aeiou" for letter in verb]
    doubles = vowels[-3:] == [False, True, False] and sum(vowels) == 1 and verb[-1] not in "wxy"
    return verb + verb[-1] if doubles else verb
