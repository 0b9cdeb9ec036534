"""Rendered scenes as labelled samples: a normal window, the same window with a defect, its mask and its words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..data.attributes import spec_from_attributes
from ..errors import InputError
from ..instruction.spec import DefectSpec
from ..paint.crop import crop_box, extract, resize_image

JUDGED = ("scratch", "crack", "corrosion", "stain", "dent", "wear", "hole", "chip", "contamination")
"""Kinds that a picture can be asked about. Discoloration is not among them: to a grey sensor a heat tint is a stain."""

MASK_MARGIN = 3
"""Pixels by which a render's exact mask is grown before it is painted: the middle of what models are trained on."""


@dataclass(frozen=True)
class DefectSample:
    """One defect of one scene.

    ``normal`` and ``defective``: uint8 [H, W, 3]; ``truth``: where the defect is, ``mask``: the looser mask handed to
    a painter, ``foreground``: the part, all bool [H, W]; ``spec``: all that is known of the defect; ``scene``: equal
    for samples that share a normal picture.
    """

    normal: np.ndarray
    defective: np.ndarray
    truth: np.ndarray
    mask: np.ndarray
    foreground: np.ndarray
    spec: DefectSpec
    category: str
    scene: str

    @property
    def defect(self) -> str:
        """The defect's canonical name."""
        return self.spec.defect


def load_samples(folder: Path, *, limit: int | None = None) -> list[DefectSample]:
    """Every defect of the ``scene_*.npz`` files of a folder, in the order of their names; ``limit`` counts scenes.

    Raises:
        InputError: no scenes there.
    """
    files = sorted(folder.glob("scene_*.npz"))[:limit]
    if not files:
        raise InputError("scenes", "the folder holds no scene_*.npz files; render some with magic_ui.rendering.pairs.")
    samples = []
    for path in files:
        with np.load(path) as scene:
            meta = json.loads(str(scene["meta"]))
            normal, foreground = scene["normal"], scene["foreground"]
            pairs = zip(scene["defective"], scene["mask"], meta["variants"], strict=True)
            samples += [
                DefectSample(
                    normal,
                    defective,
                    truth,
                    grow_mask(truth, MASK_MARGIN),
                    foreground,
                    spec_from_attributes(meta["category"], variant),
                    meta["category"],
                    path.stem,
                )
                for defective, truth, variant in pairs
            ]
    return samples


def pick_balanced(
    samples: Sequence[DefectSample], count: int, generator: np.random.Generator, *, per_scene: bool = True
) -> list[DefectSample]:
    """At most ``count`` samples, as even over the defects as can be; with ``per_scene`` no two of one scene."""
    order = [samples[i] for i in generator.permutation(len(samples))]
    taken, scenes = Counter(), set()
    picked: list[DefectSample] = []
    while len(picked) < count:
        open_samples = [s for s in order if not (per_scene and s.scene in scenes)]
        if not open_samples:
            break
        fewest = min(open_samples, key=lambda s: taken[s.defect])
        picked.append(fewest)
        taken[fewest.defect] += 1
        scenes.add(fewest.scene)
        order = [s for s in order if s is not fewest]
    return picked


def grow_mask(mask: np.ndarray, margin: int) -> np.ndarray:
    """A bool mask [H, W] grown by ``margin`` pixels in every direction."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)


def crop_around(image: np.ndarray, mask: np.ndarray, size: int, *, context: float) -> np.ndarray:
    """The square around ``mask``, ``context`` times its longer side and 32 px or more, resized: [size, size, C]."""
    return resize_image(extract(image, crop_box(mask, 64, context=context)), size)
