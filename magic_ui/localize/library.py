"""A folder of masks to lend: one is drawn by the seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import InputError
from magic_ui.images import load_mask

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
MOST_MASKS = 100_000
TRIES = 20


def list_masks(folder: Path, defect: str | None = None) -> list[Path]:
    """The masks below a folder in the order of their paths; of ``defect`` alone where folders carry its name.

    A folder such as ``scratch_head`` carries the name ``scratch``.

    Raises:
        InputError: no such folder, no pictures in it, or more than 100,000.
    """
    if not folder.is_dir():
        raise InputError("reference", f"there is no folder {folder.name!r}; give a folder of masks.")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found or len(found) > MOST_MASKS:
        raise InputError("reference", f"{folder.name!r} holds {len(found)} pictures; give a folder of 1–{MOST_MASKS}.")
    if defect is None:
        return found
    return [p for p in found if _names(p.relative_to(folder).parts[:-1], defect)] or found


def draw_from_library(folder: Path, defect: str | None, seed: int) -> NDArray[np.bool_]:
    """One mask of the folder, bool [h, w]: the same for the same seed; empty ones are passed over.

    Raises:
        InputError: as ``list_masks``; a file that is no picture; only empty masks.
    """
    paths = list_masks(folder, defect)
    generator = np.random.default_rng(seed)
    for index in generator.permutation(len(paths))[:TRIES]:
        try:
            return load_mask(paths[index], None, field="reference")
        except InputError as error:
            if "empty" not in error.message:
                raise InputError("reference", f"{paths[index].name}: {error.message}") from error
    raise InputError("reference", f"the masks of {folder.name!r} are empty; mark at least one pixel in each.")


def _names(folders: tuple[str, ...], defect: str) -> bool:
    return any(name == defect or name.startswith(f"{defect}_") or name.endswith(f"_{defect}") for name in folders)
