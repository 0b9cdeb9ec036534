"""A sentence in Chinese, English or both → the defects it asks for.

Rules where a sentence leaves room:

- One ``DefectSpec`` per defect and place. "several" and 几处 are 3, "many" and 许多 5;
  more than 10 is refused.
- A place named before a list holds for the whole list until another place comes; one named after it
  ("scratches and dents on the neck") holds for the defects joined before it.
- "damage", "defect", 缺陷 and their like count only where no particular defect is named, and are
  painted as wear.
- A width in mm decides the thickness word, whatever word stands beside it. A length ("5 mm long")
  has no slot.
- A defect that is negated ("without rust", 不要裂纹) is not asked for.
- A translation in brackets, as in the prompts of bilingual checkpoints, says the same thing again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from magic_ui.checks import TEXT_LIMIT, require_text
from magic_ui.errors import InputError
from magic_ui.instruction.clauses import remove_negated, settle_meanings, split_chunks, split_sentences
from magic_ui.instruction.lexicon import Lexicon, load_lexicon
from magic_ui.instruction.measures import checked_count, read_numbers
from magic_ui.instruction.mentions import Mention, find_mentions
from magic_ui.instruction.places import Place, group_places, share_places
from magic_ui.instruction.spec import MAX_UNRECOGNIZED, UNCOUNTABLE, DefectSpec, thickness_word
from magic_ui.instruction.tokens import Token, normalize, tokenize
from magic_ui.instruction.translated import merge_translation, split_translation

MAX_SPECS = 20
MAX_DEFECT_WORDS = 100
EITHER_MEDIUM = ("medium", "中等")
"""Words for a line's middle thickness and for an area's middle severity."""
LINES = ("scratch", "crack", "burr", "contamination")
_LINE_BREAKS = str.maketrans({"\n": ";", "\r": " ", "\u2028": ";", "\u2029": ";"})
_LATIN_WORD = re.compile(r"[a-z]{2,}", re.IGNORECASE)


@dataclass
class Draft:
    """A spec in the making: slots as read, widths and counts apart."""

    mention: Mention
    place: Place
    slots: dict[str, str] = field(default_factory=dict)
    morphology: list[str] = field(default_factory=list)
    millimetres: float | None = None
    count: int = 1
    unrecognized: list[str] = field(default_factory=list)
    start: int = 0
    end: int = 0


def parse_instruction(text: str) -> list[DefectSpec]:
    """The defects that an instruction asks for, in the order of the text.

    Args:
        text: up to 1,000 characters in Chinese (simplified or traditional), English or both.

    Raises:
        InputError: field "instruction"; no defect that is understood (the message lists those that are), only
            negated ones, a count above 10, a width that no part has, or text that `require_text` refuses.
    """
    if isinstance(text, str) and len(text) <= TEXT_LIMIT:
        text = text.translate(_LINE_BREAKS)
    clean = normalize(require_text("instruction", text))
    if len(clean) > 2 * TEXT_LIMIT:  # compatibility forms may stand for many characters
        raise InputError("instruction", f"more than {TEXT_LIMIT} characters once written out; shorten it.")
    sides = split_translation(clean)
    return (sides and _read_translation(*sides)) or _read(clean)


def _read_translation(outside: str, inside: str) -> list[DefectSpec] | None:
    try:
        return merge_translation(_read(outside), _read(inside))
    except InputError:  # the brackets hold something else
        return None


def _read(clean: str) -> list[DefectSpec]:
    lexicon = load_lexicon()
    tokens = tokenize(clean, lexicon)
    if sum(token.is_defect for token in tokens) > MAX_DEFECT_WORDS:
        raise _too_many("")
    tokens = read_numbers(tokens, lexicon)
    tokens = settle_meanings(tokens, clean, lexicon)
    drafts, negated = _read_sentences(tokens, lexicon)
    if not drafts:
        raise _nothing_asked(negated, lexicon)
    if len(drafts) > MAX_SPECS:
        raise _too_many(f"{len(drafts)} ")
    _fill_categories(drafts, tokens)
    language = _language(tokens)
    return [_finish(draft, clean, language, lexicon) for draft in drafts]


def _read_sentences(tokens: list[Token], lexicon: Lexicon) -> tuple[list[Draft], bool]:
    drafts: list[Draft] = []
    negated = False
    pending = Place()
    stray: list[Token] = []
    for sentence in split_sentences(tokens):
        clauses, gone = remove_negated(sentence, lexicon)
        negated |= gone
        read: list[Draft] = []
        current, pending = pending, Place()
        for clause in clauses:
            chunks = split_chunks(clause)
            mentions = find_mentions(chunks, lexicon)
            if not mentions:
                if drafts or read:
                    _describe_further((read or drafts)[-1], clause, lexicon)
                else:
                    stray += clause
                current = _place_of(clause) or current
                continue
            same_place = any(token.has("anaphor") for token in clause)
            if same_place and not current and (read or drafts):
                current = (read or drafts)[-1].place
            groups = [group_places(mention, chunks) for mention in mentions]
            current = share_places(mentions, groups, chunks, current)
            read += [
                _draft(mention, place, len(places), lexicon)
                for mention, places in zip(mentions, groups, strict=True)
                for place in places
            ]
        drafts += read
        if not read:
            pending = current
    if drafts:
        drafts[0].unrecognized[:0] = _unknown(stray)
        _apply_looks(drafts[0], [token for token in stray if token.is_look], lexicon)
    return drafts, negated


def _place_of(clause: list[Token]) -> Place:
    return Place.of([token for token in clause if token.is_place])


def _describe_further(draft: Draft, clause: list[Token], lexicon: Lexicon) -> None:
    """ "Add a scratch. Make it thin." fills what the scratch does not say yet."""
    _apply_looks(draft, clause, lexicon)
    if not draft.place:
        draft.place = _place_of(clause)
    draft.unrecognized += _unknown(clause)


def _draft(mention: Mention, place: Place, places: int, lexicon: Lexicon) -> Draft:
    draft = Draft(mention, place)
    draft.count = _count(mention)
    if places > 1 and draft.count == places:
        draft.count = 1  # "two scratches on the head and the thread": one on each
    _apply_looks(draft, [*_own_slots(mention), *mention.tokens], lexicon)
    draft.morphology += [look for look in mention.extra_looks if look not in draft.morphology]
    draft.unrecognized = _unknown(mention.tokens)
    ends = [(token.start, token.end) for token in (mention.token, *mention.tokens)]
    draft.start, draft.end = min(start for start, _ in ends), max(end for _, end in ends)
    return draft


def _own_slots(mention: Mention) -> list[Token]:
    """What the defect's own word tells besides: "hairline fracture" is fine, 黑斑 black."""
    slots = {slot: token for slot, token in mention.token.slots.items() if slot != "defect"}
    return [Token("slots", mention.token.start, mention.token.end, mention.token.text, slots)] if slots else []


def _apply_looks(draft: Draft, tokens: list[Token], lexicon: Lexicon) -> None:
    for token in tokens:
        if token.kind == "measure" and draft.millimetres is None:
            draft.millimetres = token.value
        if token.kind != "slots":
            continue
        for slot, value in token.slots.items():
            if slot == "morphology":
                if value not in draft.morphology:
                    draft.morphology.append(value)
            elif (
                slot == "thickness" and token.text in EITHER_MEDIUM and draft.mention.token.slots["defect"] not in LINES
            ):
                draft.slots.setdefault("severity", "moderate")
            elif slot in ("severity", "thickness", "color", "orientation"):
                draft.slots.setdefault(slot, value)


def _count(mention: Mention) -> int:
    """The count before the defect ("two scratches"), or announced after it ("with a quantity of 2")."""
    value: float | None = None
    bound = mention.bound
    countable = mention.token.slots["defect"] not in UNCOUNTABLE
    partitive = load_lexicon().words("partitive")
    for order, (chunk, index, token) in enumerate(bound):
        if token.kind not in ("count", "number") or (token.text in partitive and not countable):
            continue
        neighbours = [other for _, _, other in bound[max(0, order - 2) : order + 2]]
        announced = any(other.has("quantity") for other in neighbours)
        before = (chunk, index) < mention.position and not _preposition_follows(bound[order + 1 :], mention)
        if token.value and (before or announced):
            value = token.value  # the nearest one, where there are several
            token.roles = frozenset({"counted"})
    return 1 if value is None else checked_count(value)


def _preposition_follows(following: list[tuple[int, int, Token]], mention: Mention) -> bool:
    return any(
        token.has("preposition") and token.text != "of" and (chunk, index) < mention.position
        for chunk, index, token in following
    )


def _unknown(tokens: list[Token]) -> list[str]:
    words: list[str] = []
    for token in tokens:
        lone_number = token.kind == "number" and not token.has("counted") and not (token.chinese and token.value == 1)
        if (token.kind == "unknown" or lone_number) and token.text not in words:
            words.append(token.text)
    return words


def _fill_categories(drafts: list[Draft], tokens: list[Token]) -> None:
    """The object of a defect: named with it, else the last one before it, else the first of the text."""
    named = [token for token in tokens if "category" in token.slots]
    for draft in drafts:
        own = [token for token in draft.mention.tokens if "category" in token.slots]
        before = [token for token in named if token.start <= draft.start]
        chosen = (own[:1] or before[-1:] or named[:1] or [None])[0]
        if chosen is not None:
            draft.slots["category"] = chosen.slots["category"]


def _language(tokens: list[Token]) -> str:
    chinese = any(token.chinese for token in tokens)
    english = any(token.kind != "measure" and _LATIN_WORD.match(token.text) for token in tokens)
    if chinese and english:
        return "mixed"
    return "zh" if chinese else "en"


def _finish(draft: Draft, text: str, language: str, lexicon: Lexicon) -> DefectSpec:
    slots = dict(draft.slots)
    if draft.millimetres is not None:
        slots["thickness"] = thickness_word(draft.millimetres)
    for look in draft.morphology:
        for slot, value in lexicon.implied(look).items():
            slots.setdefault(slot, value)
    return DefectSpec(
        defect=draft.mention.token.slots["defect"],
        part=draft.place.part,
        region=draft.place.region,
        severity=slots.get("severity"),
        thickness=slots.get("thickness"),
        thickness_mm=draft.millimetres,
        morphology=draft.morphology,
        count=draft.count,
        color=slots.get("color"),
        category=slots.get("category"),
        language=language,
        unrecognized=list(dict.fromkeys(draft.unrecognized))[:MAX_UNRECOGNIZED],
        orientation=slots.get("orientation"),
        part_detail=draft.place.part_detail,
        text=text[draft.start : draft.end],
    )


def _too_many(number: str) -> InputError:
    message = f"{number}defects in one text are too many; ask for at most {MAX_SPECS}. 缺陷太多。"
    return InputError("instruction", message if number else message.capitalize())


def _nothing_asked(negated: bool, lexicon: Lexicon) -> InputError:
    known = ", ".join(
        f"{lexicon.label('defect', defect, 'en')} {lexicon.label('defect', defect, 'zh')}"
        for defect in lexicon.data["defect"]
    )
    if negated:
        return InputError(
            "instruction",
            "the text only says what is not wanted; name a defect to paint. 只说明了不要的缺陷。 "
            f"Understood 可识别: {known}.",
        )
    return InputError(
        "instruction",
        'no defect was understood; say what and where: "a thin scratch on the head", 头部有一处细划痕. '
        f"Understood 可识别: {known}.",
    )
