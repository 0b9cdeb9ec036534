"""Image and DefectSpec in, Plan out: the object, where the defect lies on it, and what is repainted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.checks import require_choice, require_number, require_seed
from magic_ui.errors import InputError
from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize.alignment import keep_on_object
from magic_ui.localize.axis import ObjectAxis, principal_axis
from magic_ui.localize.bands import BAND_HIGH, BAND_LOW, LEAVES_OBJECT, band_region
from magic_ui.localize.clipseg import TextLocator, locator
from magic_ui.localize.foreground import check_mask, segment_foreground
from magic_ui.localize.matching import Features
from magic_ui.localize.places import find_region
from magic_ui.localize.plan import Plan, Target
from magic_ui.localize.shapes import draw_defect_mask
from magic_ui.localize.transfer import Reference, Transfer, transfer_mask

__all__ = ["MASK_SHAPES", "MASK_SOURCES", "Plan", "Target", "band_region", "make_plan", "segment_foreground"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Borrowed:
    """A reference's mask where it belongs on this picture, and (``lent``) at its own coordinates."""

    mask: Mask
    confidence: float
    lent: Mask


MASK_SOURCES = ("auto", "band", "clipseg")
MASK_SHAPES = ("defect", "region", "library", "drawn")


def make_plan(
    image: NDArray[np.uint8],
    specs: list[DefectSpec],
    *,
    alpha: NDArray[np.uint8] | None = None,
    foreground: Mask | str | None = None,
    mask_source: str = "auto",
    mask_shape: str = "defect",
    drawn_mask: Mask | None = None,
    align: bool = True,
    reference: tuple[NDArray[np.uint8] | None, Mask] | None = None,
    features: Features | None = None,
    text_locator: TextLocator | None = None,
    band_width: float = 0.25,
    pixels_per_mm: float | None = None,
    seed: int = 0,
) -> Plan:
    """Localise every spec on the picture.

    ``image`` is uint8 [H, W, 3] RGB, ``alpha`` its transparency uint8 [H, W]; ``foreground`` and
    ``drawn_mask`` are the user's own masks, bool [H, W]; ``foreground`` may name a way to find it instead ("auto",
    "embedded", "rembg", "full"). ``band_width`` is 0.1–0.5, ``pixels_per_mm`` the
    picture's scale. The same arguments and ``seed`` give the same plan, bit for bit.

    The rule for a drawn mask: it is the user's will and is used as it is, for every spec, even where it is a
    single pixel, covers everything or leaves the object; the notes say so. Only an empty mask, or one whose
    size is not the picture's, is refused.

    ``reference`` is a defective part's picture uint8 [h, w, 3] and its defect's mask bool [h, w]. With ``align`` the
    mask is moved to the matching place, found with the dense ``features`` of both pictures (without them by the
    objects' frames alone); without ``align`` it stays at its coordinates. ``mask_shape`` "library" takes the moved
    mask itself, and works without the reference's picture (None): the mask is then slid into the text's place.
    "defect" draws the text's defect at the moved mask's place, "region" takes the place.

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
    category = next((spec.category for spec in specs if spec.category), None)
    method, own = (foreground, None) if isinstance(foreground, str) else ("auto", foreground)
    found = segment_foreground(image, alpha=alpha, mask=own, method=method, category=category)
    if mask_shape == "library" and reference is None:
        raise InputError("reference", 'mask_shape "library" takes its mask from here: give a picture and a mask.')
    if reference is not None and reference[0] is None and mask_shape != "library":
        raise InputError("reference", 'a mask without its picture is good only for mask_shape "library".')

    sure = _without_border(found.mask) if found.source in ("embedded", "rembg") else found.mask
    axis = principal_axis(found.mask)
    notes = list(found.notes)
    targets = []
    transfer = borrowed = None
    if reference is not None and drawn_mask is None:
        picture, lent = reference
        if picture is None and align:
            borrowed = _resize_mask(lent, image.shape)
        else:
            leaves = any(spec.defect in LEAVES_OBJECT for spec in specs)
            found_place = _transfer(image, found.mask if leaves else sure, picture, lent, features, align, leaves)
            transfer = _Borrowed(found_place.mask, found_place.confidence, _resize_mask(lent, image.shape))
            notes += found_place.notes
    for index, spec in enumerate(specs):
        if drawn_mask is not None:
            targets.append(Target(spec, drawn_mask.copy(), drawn_mask.copy()))
            continue
        generator = np.random.default_rng([seed, index])
        target, remarks = _locate(
            image,
            found.mask,
            sure,
            spec,
            axis,
            mask_source,
            text_locator,
            mask_shape,
            align,
            band_width,
            pixels_per_mm,
            generator,
            transfer,
            borrowed,
        )
        targets.append(target)
        notes += [remark for remark in remarks if remark not in notes]
    if drawn_mask is not None:
        notes += _drawn_notes(drawn_mask, found.mask)
    elif transfer is not None:
        notes.append(f"The place was taken from the reference ({transfer.confidence:.2f}).")
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
    mask_source: str,
    text_locator: TextLocator | None,
    mask_shape: str,
    align: bool,
    band_width: float,
    pixels_per_mm: float | None,
    generator: np.random.Generator,
    transfer: _Borrowed | None,
    borrowed: Mask | None,
) -> tuple[Target, list[str]]:
    """One spec's region and mask, and the remarks made on the way."""
    if transfer is not None:
        return _locate_by_reference(foreground, sure, spec, axis, mask_shape, pixels_per_mm, generator, transfer)
    region = find_region(
        image, foreground, spec, mask_source, lambda: text_locator or locator(), band_width=band_width, axis=axis
    )
    remarks = list(region.notes)
    if region.confidence < 0.5:
        remarks.append(f"The place is uncertain (confidence {region.confidence:.1f}): check it.")
    if mask_shape == "region":
        return Target(spec, region.mask, region.mask.copy(), confidence=region.confidence), remarks
    if borrowed is not None:
        mask, moved = keep_on_object(borrowed, sure, region.mask, may_leave=spec.defect in LEAVES_OBJECT)
        return _aligned(spec, region.mask, borrowed, mask, region.confidence), remarks + moved
    drawn = draw_defect_mask(region.mask, foreground, spec, generator=generator, pixels_per_mm=pixels_per_mm, axis=axis)
    mask = drawn
    if align:
        mask, moved = keep_on_object(drawn, sure, region.mask, may_leave=spec.defect in LEAVES_OBJECT)
        remarks += moved
    return _aligned(spec, region.mask, drawn, mask, region.confidence), remarks


def _aligned(spec: DefectSpec, region: Mask, before: Mask, mask: Mask, confidence: float) -> Target:
    """A target that remembers where its mask came from, if it was really moved."""
    moved = (mask & before).sum() < 0.5 * before.sum()
    return Target(spec, region, mask, before=before if moved else None, confidence=confidence)


def _transfer(
    image: NDArray[np.uint8],
    foreground: Mask,
    picture: NDArray[np.uint8] | None,
    mask: Mask,
    features: Features | None,
    align: bool,
    may_leave: bool,
) -> Transfer:
    """The reference's mask on this picture: aligned, or at its own coordinates."""
    if align and picture is not None:
        theirs = Reference(picture, mask, segment_foreground(picture).mask)
        return transfer_mask(theirs, image, foreground, features=features, may_leave=may_leave)
    return Transfer(_resize_mask(mask, image.shape), 0.0, ["The reference's mask was not aligned."])


def _resize_mask(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """A mask at another size, never empty where it was not: bool [H, W]."""
    share = cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return share >= min(0.5, float(share.max())) if mask.any() else share > 1


def _locate_by_reference(
    foreground: Mask,
    sure: Mask,
    spec: DefectSpec,
    axis: ObjectAxis,
    mask_shape: str,
    pixels_per_mm: float | None,
    generator: np.random.Generator,
    transfer: _Borrowed,
) -> tuple[Target, list[str]]:
    """One spec's region and mask at the reference's place."""
    if mask_shape == "library":
        return _aligned(spec, transfer.mask, transfer.lent, transfer.mask.copy(), transfer.confidence), []
    radius = max(2, round(0.02 * max(foreground.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    near = cv2.dilate(transfer.mask.astype(np.uint8), kernel) > 0
    place = near & sure if (near & sure).any() else near
    if mask_shape == "region":
        return _aligned(spec, place, transfer.lent, place.copy(), transfer.confidence), []
    mask = draw_defect_mask(place, foreground, spec, generator=generator, pixels_per_mm=pixels_per_mm, axis=axis)
    mask, remarks = keep_on_object(mask, sure, place, may_leave=spec.defect in LEAVES_OBJECT)
    return _aligned(spec, place, transfer.lent, mask, transfer.confidence), remarks


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
