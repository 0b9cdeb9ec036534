"""What V2 is asked for: a spec's place in words, several ways."""

from __future__ import annotations

from collections.abc import Sequence

from magic_ui.instruction.lexicon import load_lexicon
from magic_ui.instruction.spec import DefectSpec

OBJECT = "object"
"""The whole part, where a sentence names no place."""

_EN = ("the {part}", "{part} of the {thing}", "{thing} {part}")
_ZH = ("{part}", "{thing}的{part}", "{thing}{part}")
_OBJECT_WORDS = {"en": ("the object", "the {thing}", "the whole part"), "zh": ("物体", "{thing}", "整个零件")}
_GENERIC = {"en": "part", "zh": "零件"}


def place_phrases(part: str | None, category: str | None, languages: Sequence[str] = ("en",)) -> list[str]:
    """Phrases for a part of a thing, or for the whole thing (``part`` None), in English and, where wanted, Chinese.

    ``part`` and ``category`` are the canonical tokens of a :class:`DefectSpec`.
    """
    lexicon = load_lexicon()
    phrases = []
    for language in languages:
        thing = lexicon.label("category", category, language) if category else _GENERIC[language]
        if part is None:
            templates, word = _OBJECT_WORDS[language], ""
        else:
            templates, word = (_EN if language == "en" else _ZH), lexicon.label("part", part, language)
        phrases += [template.format(part=word, thing=thing) for template in templates]
    return list(dict.fromkeys(phrases))


def phrases_for(spec: DefectSpec, languages: Sequence[str] = ("en",)) -> list[str]:
    """What to look for on the picture: the spec's part, else its unknown words, else the whole object.

    Words that no lexicon holds ("the handle") go to the model as they stand: it may know them.
    """
    if spec.part is None and spec.unrecognized and "zh" not in languages:
        words = " ".join(spec.unrecognized)
        return [words, f"the {words}"]
    return place_phrases(spec.part, spec.category, languages)
