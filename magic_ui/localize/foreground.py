"""Which pixels are the object."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.checks import require_choice
from magic_ui.errors import CheckpointError, InputError
from magic_ui.localize.outline import segmenter
from magic_ui.localize.segmentation import Segmentation, segment_object, segment_with_prior

Mask = NDArray[np.bool_]

METHODS = ("auto", "embedded", "rembg", "full")
TEXTURES = frozenset({"carpet", "fabric", "grid", "leather", "paper", "plate", "tile", "wood"})
"""Categories that fill the frame: there is no object to cut out."""

REMBG_MODEL = "u2net"
SURE = 0.95
"""Mean certainty (0 undecided, 1 certain of every pixel) from which the network's outline is taken unasked."""
DOUBTFUL = 0.85
"""Mean certainty below which its outline is to be checked."""
SURE_WHERE_THEY_DIFFER = 0.7
"""Certainty, where colours and edges say otherwise, from which the network is right all the same."""


@dataclass(frozen=True)
class Foreground:
    """``mask`` bool [H, W], never empty; ``source``: user, alpha, embedded, rembg or full; ``notes``: why."""

    mask: Mask
    source: str
    notes: list[str] = field(default_factory=list)


def segment_foreground(
    image: NDArray[np.uint8],
    *,
    alpha: NDArray[np.uint8] | None = None,
    mask: Mask | None = None,
    method: str = "auto",
    category: str | None = None,
) -> Foreground:
    """Separate the object from its ground.

    Order: the mask that the user gives; the picture's alpha, where it really cuts something out; with
    ``method`` "auto" the embedded segmenter. "rembg" runs U²-Net instead and only when asked for, since it
    downloads its weights at the first use. Textures that fill the frame, by ``category`` or because nothing
    stands out from the border, are the object as a whole ("full").

    ``image`` uint8 [H, W, 3] RGB, ``alpha`` uint8 [H, W], ``mask`` bool [H, W] (numbers count by ``> 0``).
    Raises ``InputError`` for a mask of the wrong size or empty, an unknown method, or rembg not installed.
    """
    require_choice("method", method, METHODS)
    shape = image.shape[:2]
    if mask is not None:
        return Foreground(check_mask("foreground", mask, shape), "user", ["The given foreground is used."])
    if alpha is not None and (cut := _from_alpha(alpha, shape)) is not None:
        return Foreground(cut, "alpha", ["The picture's transparency marks the object."])
    whole = np.ones(shape, bool)
    if method == "full":
        return Foreground(whole, "full", ["The whole picture is taken as the object."])
    if method == "auto" and category in TEXTURES:
        return Foreground(whole, "full", [f"A {category} fills the frame: the whole picture is the object."])
    if method == "rembg":
        return _with_rembg(image)
    found, sure, notes = _segment(image)
    if found.fills_frame:
        note = "Nothing stands out from the border: the picture is read as a surface that fills the frame."
        return Foreground(whole, "full", [note, *notes])
    share = float(found.mask.mean())
    notes.insert(0, f"The object was found by the embedded segmenter ({share:.0%} of the picture).")
    if not sure:
        notes.append("It hardly differs from its ground: check the outline, or give a foreground mask.")
    return Foreground(found.mask, "embedded", notes)


def _segment(image: NDArray[np.uint8]) -> tuple[Segmentation, bool, list[str]]:
    """The network's answer where it is sure, else what colours and edges say; whether to trust it; and remarks."""
    try:
        likely = segmenter().probability(image)
    except CheckpointError as error:
        found = segment_object(image)
        return found, found.confidence >= 0.4, [f"The network for outlines is not available ({error.message})."]
    learned = segment_with_prior(image, likely)
    if learned.confidence >= SURE:
        return learned, True, []
    found = segment_object(image)
    differ = learned.mask ^ found.mask
    certain = np.abs(2 * cv2.resize(likely, differ.shape[::-1]) - 1)
    if not differ.any() or certain[differ].mean() >= SURE_WHERE_THEY_DIFFER:
        return learned, learned.confidence >= DOUBTFUL, []
    return found, found.confidence >= 0.4, []


def check_mask(field_name: str, mask: Mask, shape: tuple[int, ...]) -> Mask:
    """A mask from outside as bool [H, W]; ``InputError`` when it is no picture, of another size, or empty."""
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype.kind not in "buif":
        raise InputError(field_name, f"got {array.ndim} dimensions; give a mask of {shape[1]}×{shape[0]} pixels.")
    if array.shape != tuple(shape[:2]):
        got, due = f"{array.shape[1]}×{array.shape[0]}", f"{shape[1]}×{shape[0]}"
        raise InputError(field_name, f"the mask is {got} pixels, the picture {due}; give one of that size.")
    chosen = array if array.dtype == bool else np.nan_to_num(array) > 0
    if not chosen.any():
        raise InputError(field_name, "the mask is empty; mark at least one pixel.")
    return chosen.copy()


def _from_alpha(alpha: NDArray[np.uint8], shape: tuple[int, ...]) -> Mask | None:
    """The opaque part, unless the alpha channel says nothing (all opaque, all transparent)."""
    if alpha.shape != tuple(shape):
        return None
    opaque = alpha > 127
    share = float(opaque.mean())
    return opaque if 0.0005 <= share <= 0.995 else None


def _with_rembg(image: NDArray[np.uint8]) -> Foreground:
    try:
        from rembg import remove
    except ImportError as error:
        raise InputError("foreground", '"rembg" is not installed; pip install "rembg[cpu]", or use "auto".') from error
    try:
        session = _rembg_session()
    except Exception as error:  # no network, a broken file: whatever it is, the person needs another way
        reason = f'U²-Net\'s weights cannot be loaded ({type(error).__name__}); use "auto" or give a mask.'
        raise InputError("foreground", reason) from error
    cut: Any = remove(image, session=session, only_mask=True)
    mask = np.asarray(cut) > 127
    if not mask.any():
        raise InputError("foreground", "U²-Net found no object in this picture; give a foreground mask.")
    return Foreground(mask, "rembg", ["The object was found by U²-Net."])


@lru_cache(maxsize=1)
def _rembg_session() -> Any:
    from rembg import new_session

    return new_session(REMBG_MODEL)
