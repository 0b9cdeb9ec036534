"""Image and DefectSpec in, Plan out: the object, where the defect lies on it, and what is repainted."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.checks import require_choice, require_number, require_seed
from magic_ui.errors import InputError
from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize.alignment import align_to_reference, keep_on_object
from magic_ui.localize.axis import ObjectAxis, principal_axis
from magic_ui.localize.bands import BAND_HIGH, BAND_LOW, LEAVES_OBJECT, band_region
from magic_ui.localize.clipseg import TextLocator
from magic_ui.localize.foreground import check_mask, segment_foreground
from magic_ui.localize.plan import Plan, Target
from magic_ui.localize.shapes import draw_defect_mask

__all__ = ["MASK_SHAPES", "MASK_SOURCES", "Plan", "Target", "band_region", "make_plan", "segment_foreground"]

Mask = NDArray[np.bool_]

MASK_SOURCES = ("auto", "band", "clipseg")
MASK_SHAPES = ("defect", "region", "library", "drawn")


def make_plan(
    image: NDArray[np.uint8],
    specs: list[DefectSpec],
    *,
    alpha: NDArray[np.uint8] | None = None,
    foreground: Mask | None = None,
    mask_source: str = "auto",
    mask_shape: str = "defect",
    drawn_mask: Mask | None = None,
    align: bool = True,
    reference: Any = None,
    band_width: float = 0.25,
    pixels_per_mm: float | None = None,
    seed: int = 0,
) -> Plan:
    """Localise every spec on the picture.

    ``image`` is uint8 [H, W, 3] RGB, ``alpha`` its transparency uint8 [H, W]; ``foreground`` and
    ``drawn_mask`` are the user's own masks, bool [H, W]. ``band_width`` is 0.1–0.5, ``pixels_per_mm`` the
    picture's scale. The same arguments and ``seed`` give the same plan, bit for bit.

    The rule for a drawn mask: it is the user's will and is used as it is, for every spec, even where it is a
    single pixel, covers everything or leaves the object; the notes say so. Only an empty mask, or one whose
    size is not the picture's, is refused.

    Raises ``InputError`` naming the argument that cannot be used.
    """
    require_choice("mask_source", mask_source, MASK_SOURCES)
    require_choice("mask_shape", mask_shape, MASK_SHAPES)
    band_width = require_number("band_width", band_width, BAND_LOW, BAND_HIGH)
    if pixels_per_mm is not None:
        pixels_per_mm = require_number("pixels_per_mm", pixels_per_mm, 0.01, 10000)
    seed = require_seed(seed)
    if not specs:
        raise InputError("instruction", "no defect was named.")
    if drawn_mask is not None:
        drawn_mask = check_mask("mask_source", drawn_mask, image.shape[:2])
        mask_shape = "drawn"
    elif mask_shape == "drawn":
        raise InputError("mask_source", "no mask was drawn; draw one or choose another mask shape.")
    elif mask_source == "clipseg":
        TextLocator().locate(image, [spec.text for spec in specs])
    category = next((spec.category for spec in specs if spec.category), None)
    found = segment_foreground(image, alpha=alpha, mask=foreground, category=category)
    if reference is not None:
        align_to_reference(reference, image, found.mask)
    if mask_shape == "library":
        raise InputError("mask_shape", '"library" is not available yet; use "defect" or "region".')

    sure = _without_border(found.mask) if found.source in ("embedded", "rembg") else found.mask
    axis = principal_axis(found.mask)
    notes = list(found.notes)
    targets = []
    for index, spec in enumerate(specs):
        if drawn_mask is not None:
            targets.append(Target(spec, drawn_mask.copy(), drawn_mask.copy()))
            continue
        generator = np.random.default_rng([seed, index])
        target, remarks = _locate(
            image, found.mask, sure, spec, axis, mask_shape, align, band_width, pixels_per_mm, generator
        )
        targets.append(target)
        notes += [remark for remark in remarks if remark not in notes]
    if drawn_mask is not None:
        notes += _drawn_notes(drawn_mask, found.mask)
    elif mask_source == "auto":
        notes.append("The place was found by geometry (bands and the object's axis).")
    return Plan(
        image=image,
        foreground=found.mask,
        region=np.logical_or.reduce([target.region for target in targets]),
        mask=np.logical_or.reduce([target.mask for target in targets]),
        specs=list(specs),
        notes=notes,
        targets=targets,
        options={
            "mask_source": "drawn" if drawn_mask is not None else mask_source,
            "mask_shape": mask_shape,
            "foreground_source": found.source,
            "align": bool(align),
            "band_width": band_width,
            "pixels_per_mm": pixels_per_mm,
            "seed": seed,
        },
    )


def _locate(
    image: NDArray[np.uint8],
    foreground: Mask,
    sure: Mask,
    spec: DefectSpec,
    axis: ObjectAxis,
    mask_shape: str,
    align: bool,
    band_width: float,
    pixels_per_mm: float | None,
    generator: np.random.Generator,
) -> tuple[Target, list[str]]:
    """One spec's region and mask, and the remarks made on the way."""
    region = band_region(image, foreground, spec, band_width=band_width, axis=axis)
    remarks = list(region.notes)
    if region.confidence < 0.5:
        remarks.append(f"The place is uncertain (confidence {region.confidence:.1f}): check it.")
    if mask_shape == "region":
        return Target(spec, region.mask, region.mask.copy()), remarks
    mask = draw_defect_mask(region.mask, foreground, spec, generator=generator, pixels_per_mm=pixels_per_mm, axis=axis)
    if align:
        mask, moved = keep_on_object(mask, sure, region.mask, may_leave=spec.defect in LEAVES_OBJECT)
        remarks += moved
    return Target(spec, region.mask, mask), remarks


def _without_border(foreground: Mask) -> Mask:
    """An estimated foreground without the pixels at its border, which may belong to the ground."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    rounds = max(1, round(max(foreground.shape) / 512))
    ground = cv2.BORDER_REPLICATE  # an object that the frame cuts has no border there
    inner = cv2.erode(foreground.astype(np.uint8), kernel, iterations=rounds, borderType=ground) > 0
    return inner if inner.any() else foreground


def _drawn_notes(drawn: Mask, foreground: Mask) -> list[str]:
    """What is worth saying about the user's own mask."""
    notes = ["Your own mask is used as it is."]
    area, inside = int(drawn.sum()), int((drawn & foreground).sum())
    if area == drawn.size:
        notes.append("It covers the whole picture.")
    elif inside == 0:
        notes.append("It lies off the object.")
    elif inside < 0.98 * area:
        notes.append(f"It leaves the object: {1 - inside / area:.0%} of it lies beside it.")
    if area < 24:
        notes.append(f"It is very small ({area} pixels): hardly anything will be seen.")
    return notes
