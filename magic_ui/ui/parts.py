"""The pictures a visitor can start from: the shipped examples and his own upload."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import InputError
from magic_ui.images import decode_image, load_mask
from magic_ui.localize.foreground import Foreground, segment_foreground
from magic_ui.ui.overlay import Pixels, shrink

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

EXAMPLES_FOLDER = Path(__file__).resolve().parents[2] / "examples"
FALLBACK_INSTRUCTIONS = {
    "en": ("a scratch in the center", "a dent in the upper left corner", "severe rust at the bottom"),
    "zh": ("中间一处划痕", "左上角一处凹痕", "底部严重锈蚀"),
}


@dataclass
class Example:
    """One shipped part: its file, its kind and its name and instructions in both languages.

    ``outline`` is found once and shared by all visitors; it is read from ``foreground``, a mask's file, where there is
    one.
    """

    path: Path
    category: str
    names: dict[str, str]
    instructions: dict[str, tuple[str, ...]]
    foreground: Path | None = None
    outline: Foreground | None = None


@dataclass
class Part:
    """The picture a visitor works on.

    ``pixels`` is uint8 [H, W, 3]; ``alpha`` uint8 [H, W] or None. ``identity`` differs for every pick and upload.
    """

    pixels: Pixels
    alpha: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()
    example: Example | None = None
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)
    own_outline: Foreground | None = None

    def outline(self) -> Foreground:
        """The object, found at the first call, so that typing does not search for it again."""
        holder, name = (self.example, "outline") if self.example else (self, "own_outline")
        found = getattr(holder, name)
        if found is None:
            given = self.example.foreground if self.example else None
            mask = load_mask(given, self.pixels.shape[:2], field="foreground") if given else None
            found = segment_foreground(self.pixels, alpha=self.alpha, mask=mask)
            setattr(holder, name, found)
        return found

    def instructions(self, language: str) -> tuple[str, ...]:
        """Example sentences for this part, those of ``language`` first."""
        known = self.example.instructions if self.example else FALLBACK_INSTRUCTIONS
        other = "en" if language == "zh" else "zh"
        return tuple(known.get(language, ())[:3]) + tuple(known.get(other, ())[:2])


@lru_cache(maxsize=4)
def load_examples(folder: Path = EXAMPLES_FOLDER) -> tuple[Example, ...]:
    """The examples listed in ``folder/examples.toml`` whose picture exists; none without that file."""
    listing = folder / "examples.toml"
    if not listing.is_file():
        return ()
    tables = tomllib.loads(listing.read_text(encoding="utf-8"))
    entries = next((value for value in tables.values() if isinstance(value, list)), [])
    examples = (_example(folder, entry) for entry in entries)
    return tuple(example for example in examples if example.path.is_file())


def _example(folder: Path, entry: dict) -> Example:
    name = Path(entry["file"]).name
    foreground = folder / "foreground" / name
    return Example(
        path=folder / name,
        foreground=foreground if foreground.is_file() else None,
        category=entry.get("category", "part"),
        names={language: entry.get(f"name_{language}", Path(entry["file"]).stem) for language in ("en", "zh")},
        instructions={language: tuple(entry.get(f"instructions_{language}", ())) for language in ("en", "zh")},
    )


def open_example(example: Example) -> Part:
    """The example's picture, decoded."""
    decoded = decode_image(example.path)
    return Part(decoded.pixels, decoded.alpha, tuple(decoded.notes), example)


def open_upload(path: str | None) -> Part:
    """A visitor's file, decoded by content.

    Raises:
        InputError: no file, or one that ``decode_image`` refuses.
    """
    if not path:
        raise InputError("image", "no picture was given; upload one or pick an example.")
    decoded = decode_image(path)
    return Part(decoded.pixels, decoded.alpha, tuple(decoded.notes))


def thumbnails(examples: Sequence[Example], language: str, side: int = 240) -> list[tuple[Pixels, str]]:
    """Small pictures with their names, for the gallery."""
    return [(_thumbnail(example.path, side), example.names[language]) for example in examples]


@lru_cache(maxsize=64)
def _thumbnail(path: Path, side: int) -> Pixels:
    pixels = decode_image(path).pixels
    edge = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - edge) // 2, (pixels.shape[1] - edge) // 2
    return shrink(pixels[top : top + edge, left : left + edge], side)
