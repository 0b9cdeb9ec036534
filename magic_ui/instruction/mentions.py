"""Which defect words of a clause ask for a defect, and which words belong to which of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from magic_ui.instruction.clauses import Chunk
from magic_ui.instruction.lexicon import Lexicon
from magic_ui.instruction.tokens import Token


@dataclass
class Mention:
    """A defect asked for: its word, where that stands (chunk, index in it), and the words bound to it."""

    token: Token
    chunk: int
    index: int
    bound: list[tuple[int, int, Token]] = field(default_factory=list)
    extra_looks: list[str] = field(default_factory=list)

    @property
    def position(self) -> tuple[int, int]:
        """Where its word stands in the clause, for comparisons."""
        return self.chunk, self.index

    @property
    def places(self) -> list[tuple[int, int, Token]]:
        """The words that place it, as (chunk, index, token)."""
        return [entry for entry in self.bound if entry[2].is_place and not entry[2].shared]

    @property
    def tokens(self) -> list[Token]:
        """Every word bound to it."""
        return [token for _, _, token in self.bound]


def find_mentions(chunks: list[Chunk], lexicon: Lexicon) -> list[Mention]:
    """The defects a clause asks for, with everything else of the clause bound to them."""
    _settle_holes(chunks, lexicon)
    mentions = [
        Mention(token, number, index)
        for number, chunk in enumerate(chunks)
        for index, token in enumerate(chunk.tokens)
        if token.is_defect
    ]
    mentions = _absorb_adjectives(mentions, chunks)
    mentions = _drop_generic(mentions, chunks)
    mentions = _merge_repeated(mentions, chunks)
    if mentions:
        _bind(mentions, chunks)
    return mentions


def _settle_holes(chunks: list[Chunk], lexicon: Lexicon) -> None:
    """A hole is a part where another defect lies at it ("rust around the hole"), else a defect."""
    ambiguous = lexicon.words("part_or_defect")
    defects = [token for chunk in chunks for token in chunk.defects]
    others = [token for token in defects if token.text not in ambiguous]
    if not others:
        return
    for chunk in chunks:
        for index, token in enumerate(chunk.tokens):
            if token.text in ambiguous and token.is_defect and _stands_as_place(chunk.tokens, index):
                token.slots = {"part": "hole"}


def _stands_as_place(tokens: list[Token], index: int) -> bool:
    behind = tokens[index + 1] if index + 1 < len(tokens) else None
    if (
        tokens[index].chinese
        and behind is not None
        and (behind.is_defect or behind.text in ("内", "里", "上", "处", "边", "中"))
    ):
        return True
    for before in reversed(tokens[:index]):
        if before.has("preposition", "landmark"):
            return True
        if not before.has("stop", "determiner") and "category" not in before.slots:
            return False
    return False


def _is_adjective(mention: Mention, chunks: list[Chunk]) -> bool:
    tokens = chunks[mention.chunk].tokens
    followed_by_de = mention.index + 1 < len(tokens) and tokens[mention.index + 1].text == "的"
    return mention.token.adjective or (mention.token.chinese and followed_by_de)


def _absorb_adjectives(mentions: list[Mention], chunks: list[Chunk]) -> list[Mention]:
    """ "a warped foreign object" is one defect, "a dented, silver-colored damage defect" too."""
    kept: list[Mention] = []
    for current in mentions:
        previous = kept[-1] if kept else None
        if previous and _is_adjective(previous, chunks) and _only_looks_between(previous, current, chunks):
            if current.token.generic:
                continue
            if not _is_adjective(current, chunks):
                if previous.token.slots["defect"] == "bent":
                    current.extra_looks.append("curved")
                current.extra_looks += previous.extra_looks
                kept[-1] = current
                continue
        if current.token.weak and kept and not _names_part_after(current, chunks):
            kept[-1].extra_looks.append("curved")
            continue
        kept.append(current)
    return kept


def _names_part_after(mention: Mention, chunks: list[Chunk]) -> bool:
    return any(
        token.is_place or "category" in token.slots for token in chunks[mention.chunk].tokens[mention.index + 1 :]
    )


def _only_looks_between(first: Mention, second: Mention, chunks: list[Chunk]) -> bool:
    if any(chunk.joined not in ("", ",") for chunk in chunks[first.chunk + 1 : second.chunk + 1]):
        return False
    return all(
        token.is_look or token.text in ("的", "colored", "coloured", "shaped")
        for token in _between(first, second, chunks)
    )


def _between(first: Mention, second: Mention, chunks: list[Chunk]) -> list[Token]:
    between: list[Token] = []
    for number in range(first.chunk, second.chunk + 1):
        start = first.index + 1 if number == first.chunk else 0
        stop = second.index if number == second.chunk else len(chunks[number].tokens)
        between += chunks[number].tokens[start:stop]
    return between


def _drop_generic(mentions: list[Mention], chunks: list[Chunk]) -> list[Mention]:
    """ "damage" and "defect" count only where nothing better is named, or at a place of their own."""
    specific_chunks = {mention.chunk for mention in mentions if not mention.token.generic}
    kept: list[Mention] = []
    generic_at: dict[int, int] = {}  # chunk → position in kept
    for mention in mentions:
        if not mention.token.generic:
            kept.append(mention)
        elif mention.chunk in specific_chunks:
            continue
        elif mention.chunk in generic_at:
            if kept[generic_at[mention.chunk]].token.slots["defect"] == "wear":
                kept[generic_at[mention.chunk]] = mention
        elif not (kept or specific_chunks) or (chunks[mention.chunk].joined and chunks[mention.chunk].places):
            generic_at[mention.chunk] = len(kept)
            kept.append(mention)
    return kept


def _merge_repeated(mentions: list[Mention], chunks: list[Chunk]) -> list[Mention]:
    """ "deformed and bent tip" and "划痕、刮伤" name one defect twice."""
    kept: list[Mention] = []
    previous: Mention | None = None
    for mention in mentions:
        if previous is None or not _repeats(previous, mention, chunks):
            kept.append(mention)
        previous = mention
    return kept


def _repeats(first: Mention, second: Mention, chunks: list[Chunk]) -> bool:
    if first.token.slots["defect"] != second.token.slots["defect"]:
        return False
    between = _between(first, second, chunks)
    if any(token.is_place or token.kind in ("count", "number") or token.has("determiner", "with") for token in between):
        return False
    adjectives = _is_adjective(first, chunks) and _is_adjective(second, chunks)
    return adjectives or not any(token.is_look for token in between)


def _bind(mentions: list[Mention], chunks: list[Chunk]) -> None:
    for number, chunk in enumerate(chunks):
        own = [mention for mention in mentions if mention.chunk == number]
        heads = {id(mention.token) for mention in own}
        owner = None if own else _owner_of_bare(number, mentions, chunks)
        for index, token in enumerate(chunk.tokens):
            if id(token) in heads:
                continue
            target = _owner_inside(index, own, chunk) if own else owner
            if target is not None:
                target.bound.append((number, index, token))


def _owner_inside(index: int, own: list[Mention], chunk: Chunk) -> Mention:
    """The defect in its chunk that a token belongs to."""
    before = [mention for mention in own if mention.index < index]
    after = [mention for mention in own if mention.index > index]
    if not before or not after:
        return (before[-1:] or after[:1])[0]
    previous, following = before[-1], after[0]
    token = chunk.tokens[index]
    if token.is_place:
        located = index and any(
            other.has("preposition") for other in chunk.tokens[max(previous.index + 1, index - 3) : index]
        )
        held = {slot for _, _, place in previous.places for slot in place.slots}
        return previous if located and held.isdisjoint(token.slots) else following
    between = chunk.tokens[index + 1 : following.index]
    adjacent = all(other.is_look or other.is_place or other.has("stop", "determiner") for other in between)
    opens = any(other.has("preposition") for other in chunk.tokens[previous.index + 1 : index])
    return following if adjacent and not (opens and token.has("preposition")) else previous


def _owner_of_bare(number: int, mentions: list[Mention], chunks: list[Chunk]) -> Mention:
    """The defect that a chunk without one belongs to: the one before or the one after."""
    before = [mention for mention in mentions if mention.chunk < number]
    after = [mention for mention in mentions if mention.chunk > number]
    if not before or not after:
        return (before[-1:] or after[:1])[0]
    previous, following = before[-1], after[0]
    chunk = chunks[number]
    if chunk.places:
        return _owner_of_place(number, previous, following, chunks)
    first = next((token for token in chunk.tokens if not token.has("stop")), chunk.tokens[0])
    opens = first.has("determiner", "verb") or (first.kind in ("count", "number") and len(chunk.tokens) > 1)
    leads = chunk.tokens[-1].text == "的"
    between_commas = (
        chunk.joined == "and"
        and previous.chunk == number - 1
        and following.chunk == number + 1
        and chunks[number + 1].joined == ","
    )
    return following if opens or leads or between_commas else previous


def _owner_of_place(number: int, previous: Mention, following: Mention, chunks: list[Chunk]) -> Mention:
    chunk = chunks[number]
    placed_after = any(entry[:2] > previous.position for entry in previous.places)
    if chunk.joined in ("and", "、") and placed_after and previous.chunk <= number - 1:
        return previous
    starts_with_preposition = chunk.tokens[0].has("preposition") and not chunk.tokens[0].chinese
    if chunk.joined == "," and starts_with_preposition and not previous.places:
        return previous
    return following
