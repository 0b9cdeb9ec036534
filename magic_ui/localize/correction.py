"""The user corrects the outline: strokes on the object and on the ground, settled by GrabCut (Rother et al., 2004)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import InputError

Mask = NDArray[np.bool_]

SIDE = 384
ROUNDS = 4
FAR = 0.06
"""Beyond this distance from the former outline and from every stroke, as a share of the picture, nothing changes."""


def correct_foreground(image: NDArray[np.uint8], foreground: Mask, keep: Mask, drop: Mask) -> Mask:
    """The object's outline after strokes that say "this is the part" (``keep``) and "this is ground" (``drop``).

    The strokes hold; colours like theirs nearby follow; far from all strokes and from the former outline nothing
    changes.

    Args:
        image: uint8 [H, W, 3] RGB.
        foreground: the former outline, bool [H, W]; all True where none was found.
        keep, drop: bool [H, W]; where they overlap the part wins.

    Raises:
        InputError: sizes differ, or nothing would be left of the object.
    """
    shape = image.shape[:2]
    if not foreground.shape == keep.shape == drop.shape == shape:
        raise InputError("foreground", f"outline and strokes must have the picture's size {shape[1]}×{shape[0]}.")
    drop = drop & ~keep
    if not keep.any() and not drop.any():
        return foreground
    scale = min(1.0, SIDE / max(shape))
    size = (max(8, round(shape[1] * scale)), max(8, round(shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    before, kept, dropped = (
        _shrink(mask, size, share) for mask, share in ((foreground, 0.5), (keep, 0.1), (drop, 0.1))
    )
    labels = np.where(before, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if before.all():  # nothing was known: the strokes alone tell the two apart
        labels[:] = cv2.GC_PR_BGD if kept.any() else cv2.GC_PR_FGD
    labels[dropped] = cv2.GC_BGD
    labels[kept] = cv2.GC_FGD
    if (labels % 2).any() and not (labels % 2).all():  # odd labels are the object's: GrabCut needs both
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(small, labels, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    after = labels % 2 == 1
    if not before.all():
        after = np.where(_near(before, kept | dropped), after, before)
    after = _joined_to(after, kept if kept.any() else before) & ~dropped | kept
    full = cv2.resize(after.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    full = (full | keep) & ~drop
    if not full.any():
        raise InputError("foreground", "nothing is left of the part; mark some of it as part.")
    return full


def _shrink(mask: Mask, size: tuple[int, int], share: float) -> Mask:
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > share


def _near(before: Mask, strokes: Mask) -> Mask:
    """Where the outline may change: near the strokes or near the former outline."""
    reach = FAR * max(before.shape)
    edge = cv2.morphologyEx(before.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    to_edge = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, 5)
    to_stroke = cv2.distanceTransform((~strokes).astype(np.uint8), cv2.DIST_L2, 5)
    return (to_edge <= reach) | (to_stroke <= 4 * reach)


def _joined_to(mask: Mask, anchor: Mask) -> Mask:
    """The pieces of a mask that touch the anchor; all of it where none does."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    touched = np.zeros(count, bool)
    touched[np.unique(labels[anchor & mask])] = True
    touched[0] = False
    return touched[labels] if touched.any() else mask
