"""Precomputed matches (``matching_result.json``): where each piece of a defect's mask belongs on a normal picture.

The format is the published one: category → defect → objects with ``normal_img``, ``defect_img``, ``region_idx``,
``best_x`` and ``best_y``: pixels on a grid of 480; ``region_idx`` counts the mask's pieces on that grid from 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import InputError
from magic_ui.localize.alignment import keep_on_object
from magic_ui.localize.matching import GRID, pieces_on_grid

Mask = NDArray[np.bool_]
Matches = dict[str, dict[str, list["Match"]]]


@dataclass(frozen=True)
class Match:
    """The piece ``region_idx`` of ``defect_img``'s mask belongs at (``best_x``, ``best_y``) of ``normal_img``."""

    normal_img: str
    defect_img: str
    region_idx: int
    best_x: int
    best_y: int


def read_matches(path: Path) -> Matches:
    """Read a ``matching_result.json``; category → defect → matches.

    Raises:
        InputError: not JSON, or an entry without its fields or off the grid, named by its place in the file.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("match_json", f"{path.name} cannot be read as JSON.") from error
    if not isinstance(table, dict) or not all(isinstance(defects, dict) for defects in table.values()):
        raise InputError("match_json", f"{path.name} must hold an object of categories, each an object of defects.")
    matches: Matches = {}
    for category, defects in table.items():
        matches[category] = {}
        for defect, entries in defects.items():
            if not isinstance(entries, list):
                raise InputError("match_json", f"{path.name}: {category}/{defect} must hold a list of matches.")
            matches[category][defect] = [
                _read_match(entry, f"{category}/{defect}[{index}]") for index, entry in enumerate(entries)
            ]
    return matches


def write_matches(path: Path, matches: Mapping[str, Mapping[str, Iterable[Match]]]) -> None:
    """Write matches in the published format."""
    table = {
        c: {d: [asdict(match) for match in found] for d, found in defects.items()} for c, defects in matches.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def place_by_matches(mask: Mask, matches: Iterable[Match], foreground: Mask, *, may_leave: bool = False) -> Mask:
    """A defect's mask (bool [h, w]) on a normal picture, every piece with a match moved to its place: bool [H, W].

    A piece that covers its place already stays. Pieces without a match are left out, unless none has one: then the mask
    stays where it is. The result is cut by the ``foreground`` (bool [H, W]) unless the defect ``may_leave`` the object.
    """
    shape = foreground.shape
    whole = cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
    whole = whole >= min(0.5, float(whole.max()))
    scale = np.array(shape[::-1]) / GRID
    pieces, placed = pieces_on_grid(mask), np.zeros(shape, bool)
    for match in matches:
        piece = pieces.get(match.region_idx)
        if piece is None:
            continue
        near = cv2.dilate(piece.astype(np.uint8), np.ones((3, 3), np.uint8))
        own = whole & (cv2.resize(near, shape[::-1], interpolation=cv2.INTER_NEAREST) > 0)
        dx = dy = 0.0
        if not piece[match.best_y, match.best_x]:
            rows, cols = np.nonzero(piece)
            dx, dy = (np.array([match.best_x, match.best_y]) - (cols.mean(), rows.mean())) * scale
        shift = np.array([[1, 0, round(dx)], [0, 1, round(dy)]], np.float32)
        placed |= cv2.warpAffine(own.astype(np.uint8), shift, shape[::-1], flags=cv2.INTER_NEAREST) > 0
    placed = placed if placed.any() else whole
    return placed if may_leave else keep_on_object(placed, foreground, foreground)[0]


def _read_match(entry: Any, place: str) -> Match:
    if not isinstance(entry, dict):
        raise InputError("match_json", f"{place} must be an object with normal_img, defect_img and best_x, best_y.")
    numbers: list[Any] = [entry.get(key) for key in ("region_idx", "best_x", "best_y")]
    names: list[Any] = [entry.get(key) for key in ("normal_img", "defect_img")]
    if not all(isinstance(name, str) and name for name in names):
        raise InputError("match_json", f"{place} must name its normal_img and its defect_img.")
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers):
        raise InputError("match_json", f"{place}: region_idx, best_x and best_y must be whole numbers from 0 on.")
    region, x, y = numbers
    if max(x, y) >= GRID:
        raise InputError("match_json", f"{place}: ({x}, {y}) lies off the grid of {GRID}; match at that size.")
    return Match(names[0], names[1], region, x, y)
