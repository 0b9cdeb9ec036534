"""Synthetic training sets of real parts: the same normal pictures, the same masks, only the painter differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..data.captioning import LookWords, measure_look, read_spec
from ..data.journal import replace_file
from ..data.readers import Sample
from ..errors import InputError
from ..images import encode_png, load_image, load_mask
from ..instruction import build_prompt
from ..studio import DefectStudio
from .baselines import BASELINES

STRENGTH = 1.0
"""``anomaly_strength`` of the painted pictures: as strong as what the checkpoint learned from."""


@dataclass(frozen=True)
class Placement:
    """Where a defect goes: file of the normal picture, class, sentence, mask bool [H, W] and seed."""

    number: int
    normal: Path
    defect: str
    instruction: str
    mask: np.ndarray
    seed: int


@dataclass(frozen=True)
class Picture:
    """A defective picture to learn from: uint8 [H, W, 3], mask bool [H, W], class."""

    image: np.ndarray
    mask: np.ndarray
    defect: str


def place_defects(
    studio: DefectStudio,
    training: Sequence[Sample],
    normals: Sequence[Sample],
    per_class: int,
    folder: Path,
    *,
    align: bool = True,
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> list[Placement]:
    """Masks of the training defects, moved by CAMA to where they belong on normal pictures.

    Every class gets as many; each is a training picture's own mask and words on a normal picture drawn by the seed.
    Masks are kept in ``folder`` and read from there when a run is resumed.

    Args:
        training: defect samples that may be learned from; no others may be given.
        normals: normal samples to paint on.
        per_class: pictures of each class.
        align: False leaves every mask at its own coordinates, to be compared with.

    Raises:
        InputError: no samples, or words that no place can be found for.
    """
    if not training or not normals:
        raise InputError("real", "there must be training defects and normal pictures.")
    pictures = [(s.load_image(), s.load_mask()) for s in training]
    words = LookWords([s.defect for s in training], [measure_look(i, m) for i, m in pictures])
    classes = sorted({s.defect for s in training})
    placements = []
    for index in range(per_class * len(classes)):
        defect, generator = classes[index % len(classes)], np.random.default_rng([seed, 71, index])
        own = [k for k, s in enumerate(training) if s.defect == defect]
        chosen = own[int(generator.integers(len(own)))]
        normal = normals[int(generator.integers(len(normals)))].image_path
        image, mask = pictures[chosen]
        spec = words.add_to(read_spec(training[chosen]), defect, measure_look(image, mask))
        instruction = build_prompt(replace(spec, region=None), language="en")
        path = folder / f"{index:04d}_mask.png"
        if not path.is_file():
            plan = studio.plan(
                normal,
                instruction,
                mask_shape="library",
                align=align,
                reference=(image, mask),
                seed=int(generator.integers(2**31)),
            )
            replace_file(path, encode_png(plan.mask))
        placements.append(Placement(index, normal, defect, instruction, load_mask(path, None, field="real"), index))
        if report is not None:
            report(index + 1, per_class * len(classes))
    return placements


def paint_ours(
    studio: DefectStudio,
    placements: Sequence[Placement],
    folder: Path,
    *,
    report: Callable[[int, int], None] | None = None,
) -> None:
    """Paint every placement with the studio's checkpoint; files that are there already are kept."""
    for done, place in enumerate(placements, start=1):
        path = folder / f"{place.number:04d}.png"
        if not path.is_file():
            plan = studio.plan(place.normal, place.instruction, mask_source=place.mask, align=False, seed=place.seed)
            result = studio.generate(plan, anomaly_strength=STRENGTH, seed=place.seed)[0]
            replace_file(path, encode_png(np.asarray(result.image)))
        if report is not None:
            report(done, len(placements))


def paint_baseline(name: str, placements: Sequence[Placement], folder: Path) -> None:
    """The same placements by a method without a model, one of ``BASELINES``."""
    for place in placements:
        path = folder / f"{place.number:04d}.png"
        if not path.is_file():
            generator = np.random.default_rng([place.seed, 73])
            replace_file(path, encode_png(BASELINES[name](load_image(place.normal), place.mask, generator)))


def read_pictures(placements: Sequence[Placement], folder: Path) -> Iterator[Picture]:
    """The painted pictures with the masks of the placements.

    Not the refined ones: every method is cropped and learned alike, and annotators outline the whole place too.
    """
    for place in placements:
        yield Picture(load_image(folder / f"{place.number:04d}.png"), place.mask, place.defect)


def read_samples(samples: Sequence[Sample]) -> Iterator[Picture]:
    """Real defect pictures in the same form."""
    for sample in samples:
        image = sample.load_image()
        yield Picture(image, sample.load_mask(image.shape[:2]), sample.defect)
