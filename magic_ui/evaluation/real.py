"""Real photographs in DS-MVTec's layout: the autoencoder on real defects, the whole road on real normal parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data.layout import GOOD
from ..data.readers import read_ds_mvtec
from ..paint.checkpoint import Checkpoint
from ..studio import DefectStudio
from .classifier import DefectClassifier, classify
from .findings import Findings, Sheet
from .reconstruction import mask_psnr
from .scenes import crop_around
from .seam import border_gradient, pixels_changed_outside, seam_ratio
from .table import Row, share_row

INSTRUCTIONS = {
    "scratch": ("a scratch", "一处划痕"),
    "crack": ("a crack", "一处裂纹"),
    "corrosion": ("corrosion", "一处腐蚀"),
    "stain": ("a stain", "一处污渍"),
    "dent": ("a dent", "一处凹痕"),
    "wear": ("wear", "一处磨损"),
    "hole": ("a hole", "一处孔洞"),
    "contamination": ("contamination", "一处异物"),
}


def measure_real(
    found: Findings,
    checkpoint: Checkpoint,
    classifier: DefectClassifier,
    root: Path,
    *,
    samples: int,
    strength: float,
    seed: int,
) -> list[np.ndarray]:
    """Add the figures on real pictures to ``found``; returns normal pictures to time, uint8 [H, W, 3].

    Args:
        samples: defect pictures to reconstruct; a quarter as many normal ones are painted.

    Raises:
        InputError: the folder is not in DS-MVTec's layout.
    """
    studio, pictures = DefectStudio(checkpoint), read_ds_mvtec(root)
    generator = np.random.default_rng([seed, 61])
    defects = [s for s in pictures if s.defect != GOOD and s.mask_path is not None]
    drawn = [defects[i] for i in generator.permutation(len(defects))[:samples]]
    pooled, mean, count = mask_psnr(checkpoint, _with_masks(drawn))
    found.rows.append(
        Row("Autoencoder inside masks, real", pooled, 30, unit="dB", count=count, note=f"mean of crops {mean:.1f} dB")
    )
    good = [s for s in pictures if s.defect == GOOD]
    normals = [good[i].load_image() for i in generator.permutation(len(good))[: max(3, samples // 8)]]
    asked = [name for name in INSTRUCTIONS if name in classifier.classes]
    outside, gradients, read, rows = 0, [], [], []
    for index in range(max(len(asked), samples // 4) if normals else 0):
        image, defect = normals[index % len(normals)], asked[index % len(asked)]
        plan = studio.plan(image, INSTRUCTIONS[defect][index % 2], seed=seed + index)
        result = studio.generate(plan, anomaly_strength=strength, seed=seed + index)[0]
        after = np.asarray(result.image)
        outside += pixels_changed_outside(image, after, plan.mask)
        gradients.append(border_gradient(after, plan.mask))
        probabilities = classify(classifier, [image], [after], [plan.mask])[0]
        read.append((defect, classifier.classes[int(probabilities.argmax())]))
        tiles = [crop_around(i, plan.mask, 112, context=2.2) for i in (image, after)]
        rows.append((f"{defect} → {read[-1][1]}", tiles))
    found.rows += [
        share_row(
            "Real parts, whole road: type recognised",
            sum(a == b for a, b in read),
            len(read),
            note="by a classifier of renders",
        ),
        Row(
            "Real parts, whole road: seam",
            seam_ratio(gradients) if gradients else float("nan"),
            1.3,
            False,
            count=len(gradients),
        ),
        Row("Real parts, whole road: pixels changed outside", outside, 0, False, count=len(read)),
    ]
    found.details["real_recognised"] = read
    found.sheets.append(Sheet("Real parts", ["normal", "painted"], rows[:24]))
    return normals


def _with_masks(samples: list) -> list[tuple[np.ndarray, np.ndarray]]:
    pairs = []
    for sample in samples:
        image = sample.load_image()
        mask = sample.load_mask(image.shape[:2])
        if mask.any():
            pairs.append((image, mask))
    return pairs
