"""Real defect pictures as training samples: balanced draws, crops as the painter cuts them, captions that fit them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..data.captioning import LookWords, caption_with_name, flip_words, measure_look, read_spec, vary_location
from ..data.readers import Sample
from ..errors import InputError
from ..instruction.spec import DefectSpec
from ..paint.checkpoint import Checkpoint
from ..paint.crop import CropBox, crop_box, extract, resize_image
from ..paint.painter import make_crops
from .captions import IDENTITY_CAPTION, sample_caption
from .latents import change_tone, turn
from .pairs import loosen_mask
from .pseudo_normal import remove_defect

CONTEXTS = (1.6, 2.8)
"""Range of a crop's side in units of its mask's longer side; the painter cuts at 2."""


@dataclass(frozen=True)
class RealDefect:
    """One piece of a defect: ``picture`` and ``normal`` uint8 [H, W, 3] (the same array where nothing stands in for
    the normal picture), ``mask`` bool [H, W], what it is, and the published words."""

    picture: np.ndarray
    normal: np.ndarray
    mask: np.ndarray
    spec: DefectSpec
    description: str
    category: str
    defect: str
    name: str


@dataclass(frozen=True)
class TrainingCrop:
    """``target`` and ``condition`` uint8 [R, R, 3], ``mask`` bool [R, R], caption, and whether the condition's mask is
    to be greyed (as Stable Diffusion 2 is conditioned)."""

    target: np.ndarray
    condition: np.ndarray
    mask: np.ndarray
    caption: str
    masked: bool


def load_defects(
    samples: Sequence[Sample],
    resolution: int,
    *,
    pseudo_normals: str | None = None,
    checkpoint: Checkpoint | None = None,
    cache: Path | None = None,
    report: Callable[[int, int], None] | None = None,
) -> list[RealDefect]:
    """Read defect samples into memory, one entry for each square the painter would cut.

    Args:
        samples: with masks; normal pictures are passed over.
        resolution: of the checkpoint to be trained.
        pseudo_normals: a method of :mod:`~magic_ui.training.pseudo_normal`, or None for masked conditioning alone.
        checkpoint: for the method ``model``.
        cache: folder that keeps the filled pictures.
        report: called with (read, all) after every picture.

    Raises:
        InputError: no defect samples, an empty mask, or a defect that nothing names.
    """
    chosen = [sample for sample in samples if sample.mask_path is not None]
    if not chosen:
        raise InputError("base_dir", "no defect pictures are left to train on; check categories and the split.")
    pictures = [sample.load_image() for sample in chosen]
    masks = [sample.load_mask(image.shape[:2]) for sample, image in zip(chosen, pictures, strict=True)]
    for sample, mask in zip(chosen, masks, strict=True):
        if not mask.any():
            raise InputError("base_dir", f"{sample.name}: its mask is empty; mark the defect or leave the picture out.")
    kinds = [f"{sample.category}/{sample.defect}" for sample in chosen]
    words = LookWords(kinds, [measure_look(i, m) for i, m in zip(pictures, masks, strict=True)])
    defects: list[RealDefect] = []
    for number, (sample, kind, image, mask) in enumerate(zip(chosen, kinds, pictures, masks, strict=True)):
        normal = image if pseudo_normals is None else _filled(pseudo_normals, sample, image, mask, checkpoint, cache)
        spec = read_spec(sample)
        description = sample.caption.defect_description if sample.caption else ""
        for crop in make_crops([(mask, "")], resolution):
            own = words.add_to(spec, kind, measure_look(image, crop.mask))
            defects.append(
                RealDefect(image, normal, crop.mask, own, description, sample.category, sample.defect, sample.name)
            )
        if report is not None:
            report(number + 1, len(chosen))
    return defects


def _filled(
    method: str,
    sample: Sample,
    image: np.ndarray,
    mask: np.ndarray,
    checkpoint: Checkpoint | None,
    cache: Path | None,
) -> np.ndarray:
    kept = None if cache is None else cache / f"{method}_{sample.name.replace('/', '_')}.npz"
    if kept is not None and kept.is_file():
        with np.load(kept) as stored:
            if stored["image"].shape == image.shape and np.array_equal(stored["mask"], mask):
                return stored["image"]
    filled = remove_defect(method, image, mask, checkpoint)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial.npz")
        np.savez_compressed(partial, image=filled, mask=mask)
        partial.replace(kept)
    return filled


class Balanced:
    """Draws every category equally often, within it every defect, within that every piece."""

    def __init__(self, defects: Sequence[RealDefect]) -> None:
        tree: dict[str, dict[str, list[RealDefect]]] = {}
        for defect in defects:
            tree.setdefault(defect.category, {}).setdefault(defect.defect, []).append(defect)
        self._leaves = [[tree[c][d] for d in sorted(tree[c])] for c in sorted(tree)]

    def draw(self, generator: np.random.Generator) -> RealDefect:
        """One piece of a defect."""
        kinds = self._leaves[generator.integers(len(self._leaves))]
        pieces = kinds[generator.integers(len(kinds))]
        return pieces[generator.integers(len(pieces))]


def draw_crop(
    defect: RealDefect,
    resolution: int,
    generator: np.random.Generator,
    *,
    prompt_language: str,
    masked: bool,
    identity: bool,
    use_descriptions: bool = True,
    attribute_words: bool = True,
    bilingual: bool = True,
    count_tokens: Callable[[str], int] | None = None,
) -> TrainingCrop:
    """A crop around a defect under a random zoom, shift, flip, exposure and wording.

    Args:
        prompt_language: ``en`` or ``bilingual``, how the checkpoint is prompted; only English ones see descriptions.
        masked: the condition is the picture itself, to be greyed under the mask; else its stand-in for the normal one.
        identity: the target is the normal picture and the caption says that there is no defect.
        attribute_words: captions may say how severe, thick, shaped and coloured the defect is, and how many.
        bilingual: captions of a bilingual checkpoint may be Chinese, or both at once.
    """
    box = _jittered(crop_box(defect.mask, resolution, context=float(generator.uniform(*CONTEXTS))), defect, generator)
    squares = [extract(p, box) for p in (defect.picture, defect.normal)]
    target, normal = (resize_image(square, resolution) for square in squares)
    mask = resize_mask(extract(defect.mask, box), resolution)
    mask = loosen_mask(mask, generator)
    view = int(generator.integers(8)) if not use_descriptions or prompt_language != "en" else 4 * generator.integers(2)
    mirrored = view == 4
    if generator.random() < 0.7:
        target, normal = change_tone(np.stack([target, normal]), generator)
    target, normal = (
        np.ascontiguousarray(turn(p.transpose(2, 0, 1), view).transpose(1, 2, 0)) for p in (target, normal)
    )
    mask = turn(mask, view)
    if identity:
        return TrainingCrop(normal, normal, mask, IDENTITY_CAPTION, masked)
    spec = replace(defect.spec, region=None)
    if not attribute_words:
        spec = DefectSpec.from_dict(
            {slot: getattr(spec, slot) for slot in ("defect", "part", "part_detail", "category")}
        )
    if prompt_language == "en" and use_descriptions and defect.description and generator.random() < 0.5:
        words = vary_location(flip_words(defect.description, sideways=mirrored), generator)
        caption = caption_with_name(spec, words, count_tokens)
    else:
        caption = sample_caption(spec, generator, "en" if prompt_language == "en" or not bilingual else None)
    return TrainingCrop(target, target if masked else normal, mask, caption, masked)


def _jittered(box: CropBox, defect: RealDefect, generator: np.random.Generator) -> CropBox:
    """The square moved by up to a sixth of its side, the mask's box kept inside it where it fits."""
    moved = []
    spans = (np.flatnonzero(defect.mask.any(0)), np.flatnonzero(defect.mask.any(1)))
    for start, span in zip((box.x, box.y), spans, strict=True):
        low, high = max(span[-1] + 1 - box.size, start - box.size // 6), min(span[0], start + box.size // 6)
        moved.append(int(generator.integers(low, high + 1)) if high >= low else start)
    return CropBox(moved[0], moved[1], box.size)


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Square bool mask → [size, size]; shrunk, a line stays where it covers a tenth of a pixel."""
    return resize_image(mask.astype(np.float32)[..., None], size).reshape(size, size) >= (
        0.1 if mask.shape[0] > size else 0.5
    )
