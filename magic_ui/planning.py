"""From a picture and a sentence to a plan, without a checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .checks import require_choice, require_number, require_seed, require_text
from .errors import InputError
from .images import decode_image, load_mask
from .instruction import parse_instruction
from .localize import Plan, make_plan
from .localize.foreground import METHODS
from .localize.library import draw_from_library
from .localize.matching import Features

MASK_SOURCES = ("auto", "band", "clipseg")
MASK_SHAPES = ("defect", "region", "library")


def draw_plan(
    image: Any,
    instruction: str,
    *,
    mask_source: str | np.ndarray = "auto",
    mask_shape: str = "defect",
    align: bool = True,
    reference: Any = None,
    foreground: np.ndarray | str | None = None,
    band_width: float = 0.25,
    pixels_per_mm: float | None = None,
    seed: int = 0,
    features: Features | None = None,
) -> Plan:
    """:meth:`magic_ui.DefectStudio.plan` without a checkpoint: its targets' prompts are still empty.

    ``features`` gives dense features of a picture, uint8 [H, W, 3] → float32 [h, w, C]; a reference is aligned with
    them, or by the objects' frames alone.
    """
    decoded, seed = decode_image(image), require_seed(seed)
    height, width = decoded.pixels.shape[:2]
    drawn = None
    if not isinstance(mask_source, str):
        drawn, mask_source = load_mask(mask_source, (height, width), field="mask_source"), "auto"
    else:
        require_choice("mask_source", mask_source, MASK_SOURCES)
    require_choice("mask_shape", mask_shape, MASK_SHAPES)
    if isinstance(foreground, str):
        require_choice("foreground", foreground, METHODS)
    elif foreground is not None:
        foreground = load_mask(foreground, (height, width), field="foreground")
    if pixels_per_mm is not None:
        pixels_per_mm = float(require_number("pixels_per_mm", pixels_per_mm, 0.01, 10_000))
    specs = parse_instruction(instruction)
    plan = make_plan(
        decoded.pixels,
        specs,
        alpha=decoded.alpha,
        foreground=foreground,
        mask_source=mask_source,
        mask_shape=mask_shape,
        drawn_mask=drawn,
        align=bool(align),
        reference=_read_reference(reference, mask_shape, specs[0].defect, seed),
        features=features,
        band_width=float(require_number("band_width", band_width, 0.1, 0.5)),
        pixels_per_mm=pixels_per_mm,
        seed=seed,
    )
    plan.notes[:0] = decoded.notes
    plan.options = {**plan.options, "instruction": require_text("instruction", instruction)}
    return plan


def _read_reference(
    reference: Any, mask_shape: str, defect: str, seed: int
) -> tuple[np.ndarray | None, np.ndarray] | None:
    if reference is None:
        return None
    if isinstance(reference, (str, os.PathLike)):
        if mask_shape != "library":
            raise InputError("reference", 'a folder of masks is good only for mask_shape "library".')
        return None, draw_from_library(Path(reference), defect, seed)
    if not isinstance(reference, (tuple, list)) or len(reference) != 2:
        raise InputError(
            "reference", "give a pair: the defective picture (or None) and its mask; or a folder of masks."
        )
    picture, mask = reference
    if picture is None:
        return None, load_mask(mask, None, field="reference")
    pixels = decode_image(picture, field="reference").pixels
    return pixels, load_mask(mask, pixels.shape[:2], field="reference")
