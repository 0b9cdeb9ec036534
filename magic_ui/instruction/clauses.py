"""Tokens → clauses of chunks: what is negated leaves, what describes stays with its noun."""

from __future__ import annotations

from dataclasses import dataclass, field

from magic_ui.instruction.lexicon import Lexicon
from magic_ui.instruction.tokens import Token

_SENTENCE_ENDS = frozenset(".!?。！？｡")
_CLAUSE_ENDS = frozenset(";")
_COMMAS = frozenset(',、:|/()[]{}"&+*•·<>')
_CORNERS = {("top", "left"): "top_left", ("top", "right"): "top_right"}
_CORNERS |= {("bottom", "left"): "bottom_left", ("bottom", "right"): "bottom_right"}
_OPPOSITE = ({"top_left", "bottom_right"}, {"top_right", "bottom_left"})


@dataclass
class Chunk:
    """Tokens between two separators; ``joined`` tells the separator before it: "", ",", "、" or "and"."""

    tokens: list[Token] = field(default_factory=list)
    joined: str = ""

    @property
    def places(self) -> list[Token]:
        """The words that name a part or a region."""
        return [token for token in self.tokens if token.is_place]

    @property
    def defects(self) -> list[Token]:
        """The words that name a defect, or may."""
        return [token for token in self.tokens if token.is_defect]


def split_sentences(tokens: list[Token]) -> list[list[list[Token]]]:
    """Sentences of clauses of tokens. "but" and ";" end a clause, "." and line breaks a sentence."""
    sentences: list[list[list[Token]]] = [[[]]]
    for token in tokens:
        if token.kind == "punctuation" and token.text in _SENTENCE_ENDS:
            sentences.append([[]])
        elif token.has("contrast") or (token.kind == "punctuation" and token.text in _CLAUSE_ENDS):
            sentences[-1].append([])
        else:
            sentences[-1][-1].append(token)
    kept = [[clause for clause in sentence if clause] for sentence in sentences]
    return [sentence for sentence in kept if sentence]


def split_chunks(clause: list[Token]) -> list[Chunk]:
    """Cut a clause at conjunctions and commas; the strongest separator between two chunks is remembered."""
    chunks = [Chunk()]
    for token in clause:
        joined = _separator(token)
        if not joined:
            chunks[-1].tokens.append(token)
        elif chunks[-1].tokens:
            chunks.append(Chunk(joined=joined))
        elif joined == "and":
            chunks[-1].joined = joined
    return [chunk for chunk in chunks if chunk.tokens]


def _separator(token: Token) -> str:
    if token.has("conjunction"):
        return "and"
    if token.kind == "punctuation" and token.text in _COMMAS:
        return "、" if token.text in "、/&+" else ","
    return ""


def settle_meanings(tokens: list[Token], text: str, lexicon: Lexicon) -> list[Token]:
    """Decide the words that need their neighbours: 上面, left + upper, the colour of the object, "hole"."""
    on_top = lexicon.words("on_top")
    tokens = _read_stretches(tokens, lexicon)
    settled: list[Token] = []
    for index, token in enumerate(tokens):
        previous = settled[-1] if settled else None
        if _is_list_number(tokens, index):
            continue
        if (
            token.text in on_top
            and previous
            and previous.kind == "slots"
            and {"part", "category"} & set(previous.slots)
        ):
            token.kind, token.slots, token.roles = "grammar", {}, frozenset({"stop"})
        if previous and _joined_regions(previous, token, text):
            previous.slots["region"] = _combine(previous.slots["region"], token.slots["region"])
            previous.end = token.end
            continue
        if token.kind == "punctuation" and token.text == "-" and token.tight and index + 1 < len(tokens):
            continue  # a hyphen inside a word group
        settled.append(token)
    return _drop_object_looks(settled)


def _read_stretches(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """ "from the upper left to the lower right" tells a direction; neither end is the place."""
    start, goal = lexicon.words("start"), lexicon.words("goal")
    kept: list[Token] = []
    opened = reached = False
    first: Token | None = None
    for token in tokens:
        if token.text in start:
            opened, reached, first = True, False, None
        elif token.kind == "punctuation" or token.is_defect:
            opened = False
        elif opened and token.text in goal:
            reached = True
        elif opened and not reached and "region" in token.slots:
            first = token
        elif opened and reached and "region" in token.slots:
            opened = False
            if first is not None and {first.slots["region"], token.slots["region"]} in _OPPOSITE:
                first.slots = {"orientation": "diagonal"}
                continue
        kept.append(token)
    return kept


def _is_list_number(tokens: list[Token], index: int) -> bool:
    """The "2." or "2)" that opens a line of a list."""
    if tokens[index].kind != "number" or index + 1 >= len(tokens) or tokens[index + 1].text not in (".", ")", "、"):
        return False
    return not any(token.has("quantity") for token in tokens[max(0, index - 2) : index])


def _joined_regions(first: Token, second: Token, text: str) -> bool:
    if set(first.slots) != {"region"} or set(second.slots) != {"region"}:
        return False
    return len(text[first.end : second.start].strip(" -_")) == 0 and second.start - first.end < 4


def _combine(first: str, second: str) -> str:
    """The region that two words name together: upper + left, middle + left."""
    words = {first, second}
    for (vertical, horizontal), corner in _CORNERS.items():
        if words == {vertical, horizontal}:
            return corner
    words.discard("center")
    return max(words, key=len) if words else "center"


def _drop_object_looks(tokens: list[Token]) -> list[Token]:
    """A look right before the object's name describes the object: "the red capsule", "black thread"."""
    kept: list[Token] = []
    of_object = False  # whether a look here would belong to the noun that follows
    for index in range(len(tokens) - 1, -1, -1):
        token = tokens[index]
        if token.kind == "slots" and token.is_look and not token.is_place:
            if of_object and "orientation" not in token.slots:
                continue
        elif not (token.is_look or _is_link(token)):
            behind = tokens[index + 1] if index + 1 < len(tokens) else None
            compound = token.is_place and "category" not in token.slots and behind is not None and behind.is_defect
            names_object = token.kind == "slots" and not token.is_defect and "region" not in token.slots
            of_object = names_object and not compound
        kept.append(token)
    return kept[::-1]


def _is_link(token: Token) -> bool:
    return token.has("stop") and token.text in ("的", "colored", "coloured", "色")


def remove_negated(clauses: list[list[Token]], lexicon: Lexicon) -> tuple[list[list[Token]], bool]:
    """Take out what a sentence does not want; also tells whether any defect was taken out."""
    found = False
    remaining: list[list[Token]] = []
    for clause in clauses:
        clause, negated = _remove_from_clause(clause)
        found |= negated
        if clause:
            remaining.append(clause)
    return remaining, found


def _remove_from_clause(clause: list[Token]) -> tuple[list[Token], bool]:
    dropped = [False] * len(clause)
    found = False
    for index, token in enumerate(clause):
        if dropped[index]:
            continue
        if token.has("negated_suffix") and index and clause[index - 1].is_defect and token.text == "free":
            dropped[index - 1] = dropped[index] = found = True
        elif token.has("narrow_negation") and _next_content(clause, index) is not None:
            target = _next_content(clause, index)
            if target is not None and clause[target].is_look:
                dropped[target] = True
            else:
                found |= _drop_scope(clause, index, dropped)
        elif token.has("negation") or _counts_to_zero(clause, index):
            found |= _drop_scope(clause, index, dropped)
    return [token for token, gone in zip(clause, dropped, strict=True) if not gone], found


def _counts_to_zero(clause: list[Token], index: int) -> bool:
    """Whether "0" or "zero" stands before a defect, and not, say, for a printed digit."""
    if clause[index].kind not in ("number", "count") or clause[index].value != 0:
        return False
    after = next((token for token in clause[index + 1 :] if not (token.is_look or token.has("stop"))), None)
    return after is not None and after.is_defect


def _next_content(clause: list[Token], index: int) -> int | None:
    for after in range(index + 1, len(clause)):
        if not clause[after].has("stop", "determiner"):
            return after
    return None


def _drop_scope(clause: list[Token], start: int, dropped: list[bool]) -> bool:
    """Drop the defects and looks that a negation at ``start`` reaches."""
    end, seen = start + 1, False
    while end < len(clause):
        token = clause[end]
        if token.is_defect:
            seen = True
        elif _ends_negation(clause, end, seen):
            break
        end += 1
    if not seen and start and clause[start - 1].is_defect and clause[start].chinese:
        dropped[start - 1] = True
        return True
    for index in range(start, end):
        dropped[index] = "category" not in clause[index].slots
    if seen:
        _loosen_places(clause, start, dropped)
    return seen


def _ends_negation(clause: list[Token], position: int, seen: bool) -> bool:
    token = clause[position]
    if seen and (token.has("verb", "with", "negation") or token.text == "的"):
        return True
    return bool(_separator(token)) and not _list_goes_on(clause, position, seen)


def _loosen_places(clause: list[Token], start: int, dropped: list[bool]) -> None:
    for index in range(start - 1, -1, -1):
        if _separator(clause[index]) or (clause[index].is_defect and not dropped[index]):
            break
        if clause[index].is_place:
            clause[index].shared = True


def _list_goes_on(clause: list[Token], position: int, seen: bool) -> bool:
    """Whether a negated list runs past a separator, as in "no scratches, dents or cracks"."""
    if not seen:
        return True
    separator = clause[position]
    alternatives = separator.has("disjunction") or separator.text in "、/"
    chunk: list[Token] = []
    for token in clause[position + 1 :]:
        if _separator(token):
            if not chunk:
                separator = token
                alternatives |= token.has("disjunction")
                continue
            break
        chunk.append(token)
    bare = any(token.is_defect for token in chunk) and not any(
        token.has("determiner", "verb", "with", "negation") or token.kind in ("count", "number") for token in chunk
    )
    placed_first = bool(chunk) and chunk[0].is_place
    if not bare or placed_first:
        return False
    if separator.has("conjunction") or alternatives:
        return True
    return any(token.has("disjunction") for token in clause[position + 1 :])
