"""Where each defect of a clause goes: its own place, several places, or one that it shares."""

from __future__ import annotations

from dataclasses import dataclass, replace

from magic_ui.instruction.clauses import Chunk
from magic_ui.instruction.mentions import Mention
from magic_ui.instruction.tokens import Token


@dataclass(frozen=True)
class Place:
    """A part of the object, a region of the image, or both; false when empty."""

    part: str | None = None
    region: str | None = None
    part_detail: str | None = None

    def __bool__(self) -> bool:
        return self.part is not None or self.region is not None

    @classmethod
    def of(cls, tokens: list[Token], landmarks: frozenset[int] = frozenset()) -> Place:
        """The place that words name together. A landmark ("near the head") counts if nothing else does."""
        parts = [token for token in tokens if "part" in token.slots]
        direct = [token for token in parts if id(token) not in landmarks] or parts
        part = _choose_part(direct)
        regions = [token.slots["region"] for token in tokens if "region" in token.slots]
        detail = next((token.slots["part_detail"] for token in direct if "part_detail" in token.slots), None)
        return cls(part, _choose_region(regions), detail if part == "thread" else None)

    def filled_from(self, other: Place) -> Place:
        """This place, with the slots it lacks taken from another."""
        place = self
        if place.part is None:
            place = replace(place, part=other.part, part_detail=other.part_detail)
        return replace(place, region=other.region) if place.region is None else place


def group_places(mention: Mention, chunks: list[Chunk]) -> list[Place]:
    """The places of one defect, mostly one, perhaps empty; "the head and thread are worn" has two."""
    entries = mention.places
    landmarks = _landmarks(entries, chunks)
    if any(token.has("between") for token in mention.tokens):
        return [Place.of([token for _, _, token in entries], landmarks)]
    grouped: list[Place] = []
    for number in sorted({chunk for chunk, _, _ in entries}):
        place = Place.of([token for chunk, _, token in entries if chunk == number], landmarks)
        last = grouped[-1] if grouped else Place()
        if grouped and not _compete(last, place):
            grouped[-1] = last.filled_from(place)
        elif place not in grouped:
            grouped.append(place)
    parts = {place.part for place in grouped if place.part}
    regions = {place.region for place in grouped if place.region}
    common = Place(next(iter(parts)) if len(parts) == 1 else None, next(iter(regions)) if len(regions) == 1 else None)
    return [place.filled_from(common) for place in grouped] or [Place()]


def share_places(mentions: list[Mention], groups: list[list[Place]], chunks: list[Chunk], current: Place) -> Place:
    """Give defects without a place the one that holds for them; returns the one for what follows."""
    for order, mention in enumerate(mentions):
        loose = [token for token in mention.tokens if token.is_place and token.shared]
        if loose:
            current = Place.of(loose)
        own = groups[order]
        before = [token for chunk, index, token in mention.places if (chunk, index) < mention.position]
        if not own[0]:
            if current:
                groups[order] = [current]
        elif before:
            current = own[-1] if len(own) == 1 else current
            if len(own) > 1:
                current = Place()
        else:
            groups[order] = [place.filled_from(current) for place in own]
            current = current if current else Place()
    for order in range(len(mentions) - 2, -1, -1):
        following = mentions[order + 1]
        if not groups[order + 1][0] or not _joined_directly(mentions[order], following, chunks):
            continue
        if not groups[order][0]:
            groups[order] = groups[order + 1]
        elif _describe_one_noun(mentions[order], following) and len(groups[order + 1]) == 1:
            groups[order] = [place.filled_from(groups[order + 1][0]) for place in groups[order]]
    return current


def _joined_directly(first: Mention, second: Mention, chunks: list[Chunk]) -> bool:
    """Whether two defects stand in one list whose place comes after it: "scratches and dents on the neck"."""
    if second.places and min(entry[:2] for entry in second.places) < second.position:
        return False
    between = chunks[first.chunk].tokens[first.index + 1 :] if first.chunk != second.chunk else []
    between = [*between, *chunks[second.chunk].tokens[: second.index]]
    return first.chunk != second.chunk and not any(token.has("verb") for token in between)


def _describe_one_noun(first: Mention, second: Mention) -> bool:
    """ "The screw in the upper left has a broken and deformed tip": both happened to the tip."""
    return first.token.adjective and second.token.adjective and first.chunk + 1 == second.chunk


def _compete(first: Place, second: Place) -> bool:
    return bool(first.part and second.part) or bool(first.region and second.region)


def _landmarks(entries: list[tuple[int, int, Token]], chunks: list[Chunk]) -> frozenset[int]:
    found = set()
    for chunk, index, token in entries:
        before = chunks[chunk].tokens[max(0, index - 3) : index]
        after = chunks[chunk].tokens[index + 1 : index + 2]
        named = [position for position, other in enumerate(before) if other.has("landmark")]
        if named and not any(other.is_place for other in before[named[-1] :]):
            found.add(id(token))
        if any(other.has("landmark") and other.chinese for other in after):
            found.add(id(token))
    return frozenset(found)


_VAGUE_PARTS = ("edge", "rim", "face", "body")


def _choose_part(tokens: list[Token]) -> str | None:
    """The part that several words mean: the tip of the thread is the tip, the edge of the head the head."""
    parts = [token.slots["part"] for token in tokens]
    exact = [part for part in parts if part not in _VAGUE_PARTS] or parts
    if "tip" in exact and set(exact) == {"thread", "tip"}:
        return "tip"
    return exact[0] if exact else None


def _choose_region(regions: list[str]) -> str | None:
    """The most exact of several regions: a corner before a side, a side before the center."""
    exactness = [(-region.count("_"), region == "center", order) for order, region in enumerate(regions)]
    return regions[min(exactness)[2]] if regions else None
