"""Do painted defects look like rendered ones, and as varied? KID and IC-LPIPS of crops around the mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .baselines import BASELINES
from .features import NAME, load_vgg, perceptual_vectors, pooled_features
from .findings import Findings, Sheet
from .kid import distance_within_groups, kernel_distance
from .lpips import intra_cluster_lpips, mean_over_groups
from .painting import Painted
from .recognition import TILE
from .scenes import DefectSample, crop_around
from .table import Row

CONTEXT = 1.5
KID_SIZE, LPIPS_SIZE = 96, 64
REFERENCES = 3
"""Renders of each type that IC-LPIPS clusters pictures around."""


def measure(
    painted: Sequence[Painted], seeds: Sequence[Painted], others: Sequence[DefectSample], seed: int
) -> Findings:
    """KID to the held-out renders and diversity.

    Painted pictures and baselines share normal pictures and masks with the renders they are compared to, so that the
    defect alone makes the difference; pictures of one scene are never compared with one another (see
    :func:`~magic_ui.evaluation.kid.squared_mmd`).

    Args:
        painted: one picture a sample.
        seeds: some samples with several seeds each.
        others: renders of other samples: the centres of IC-LPIPS, and the measure of chance for KID.
    """
    vgg = load_vgg()
    samples = [p.sample for p in painted]
    scenes = np.array([s.scene for s in samples])
    generator = np.random.default_rng([seed, 51])
    pictures = {"painted": [p.images[0] for p in painted]}
    for name, baseline in BASELINES.items():
        pictures[name] = [baseline(s.normal, s.mask, generator) for s in samples]
    pictures["untouched"] = [s.normal for s in samples]

    def features(images: Sequence[np.ndarray], masks: Sequence[DefectSample]) -> np.ndarray:
        crops = [crop_around(i, s.mask, KID_SIZE, context=CONTEXT) for i, s in zip(images, masks, strict=True)]
        return pooled_features(vgg, crops)

    truth = features([s.defective for s in samples], samples)
    vectors = {name: features(images, samples) for name, images in pictures.items()}
    kinds, together = np.array([s.defect for s in samples]), np.zeros(len(samples))
    distances = {name: distance_within_groups(v, truth, together, scenes, seed=seed) for name, v in vectors.items()}
    within = {name: distance_within_groups(v, truth, kinds, scenes, seed=seed) for name, v in vectors.items()}
    if len(others) >= 2:
        chance = list(others[: len(samples)])
        labels = np.array([s.scene for s in chance])
        distances["other renders"] = kernel_distance(
            features([s.defective for s in chance], chance), truth, labels, scenes, seed=seed
        )
    found = Findings(
        rows=[
            _share_of_copied("KID to held-out renders, share of CutPaste's", distances, len(samples)),
            _share_of_copied("… KID within every type, averaged", within, len(samples)),
        ]
    )
    found.details["features"] = NAME
    for name, table in (("kid", distances), ("kid_within_types", within)):
        found.details[name] = {k: {"mean": m, "std": s} for k, (m, s) in table.items()}
    _diversity(found, vgg, painted, seeds, others)
    rows = [
        (
            f"{s.category}: {s.defect}",
            [crop_around(images[i], s.mask, TILE, context=1.8) for images in pictures.values()],
        )
        for i, s in list(enumerate(samples))[:8]
    ]
    found.sheets.append(Sheet("Beside the baselines", list(pictures), rows))
    found.sheets.append(
        Sheet(
            "Seeds",
            ["normal", *(f"seed {i}" for i in range(len(seeds[0].images)))] if seeds else [],
            [
                (f"{p.sample.category}: {p.sample.defect}",
                 [crop_around(i, p.sample.mask, TILE, context=1.8) for i in (p.sample.normal, *p.images)])
                for p in seeds[:8]
            ],
        )
    )  # fmt: skip
    return found


def _share_of_copied(name: str, distances: dict[str, tuple[float, float]], count: int) -> Row:
    ours, copied = distances["painted"], distances["CutPaste"]
    note = "KID × 1000: " + ", ".join(f"{k} {1000 * m:.2f} ± {1000 * s:.2f}" for k, (m, s) in distances.items())
    if copied[0] > 2 * copied[1]:
        ratio = ours[0] / copied[0]
    else:  # a share of nothing: too few samples, or CutPaste cannot be told from renders by these features
        ratio, note = float("nan"), f"CutPaste is within its spread of 0; {note}"
    return Row(name, ratio, 0.25, False, count=count, note=note)


def _diversity(
    found: Findings,
    vgg: torch.nn.Module,
    painted: Sequence[Painted],
    seeds: Sequence[Painted],
    others: Sequence[DefectSample],
) -> None:
    """IC-LPIPS of painted pictures, each of another seed, beside that of the renders of the same samples."""

    def vectors(images: Sequence[np.ndarray], masks: Sequence[DefectSample]) -> torch.Tensor:
        crops = [crop_around(i, s.mask, LPIPS_SIZE, context=CONTEXT) for i, s in zip(images, masks, strict=True)]
        return perceptual_vectors(vgg, crops)  # type: ignore[arg-type]

    def changes(images: Sequence[np.ndarray], masks: Sequence[DefectSample]) -> list[np.ndarray]:
        """The change alone, on grey, so that no background adds to the diversity."""
        return [
            np.clip(127.5 + i.astype(np.float32) - s.normal, 0, 255).astype(np.uint8)
            for i, s in zip(images, masks, strict=True)
        ]

    values: dict[str, list[tuple[float, float]]] = {"pictures": [], "changes": []}
    for defect in sorted({p.sample.defect for p in painted}):
        mine = [p for p in painted if p.sample.defect == defect]
        centres = [s for s in others if s.defect == defect][:REFERENCES]
        if len(mine) < 2 or not centres:
            continue
        samples = [p.sample for p in mine]
        for kind, view in (("pictures", lambda images, masks: images), ("changes", changes)):
            reference = vectors(view([s.defective for s in centres], centres), centres)
            ours = vectors(view([p.images[0] for p in mine], samples), samples)
            renders = vectors(view([s.defective for s in samples], samples), samples)
            values[kind].append(tuple(intra_cluster_lpips(v, reference)[0] for v in (ours, renders)))  # type: ignore[arg-type]
    ratios = {}
    for kind, pairs in values.items():
        means = np.nanmean(np.array(pairs), axis=0) if pairs else np.array([np.nan, np.nan])
        ratios[kind] = float(means[0] / means[1])
        found.details[f"ic_lpips_{kind}"] = {"painted": float(means[0]), "renders": float(means[1])}
    both = found.details["ic_lpips_pictures"]
    note = f"{both['painted']:.3f} against {both['renders']:.3f}, up to {REFERENCES} centres a type"
    found.rows.append(
        Row("IC-LPIPS, share of the renders' own", ratios["pictures"], 0.8, count=len(painted), note=note)
    )
    found.rows.append(Row("… of the change alone", ratios["changes"], count=len(painted), note="no background in it"))
    if seeds and len(seeds[0].images) > 1:
        images = [i for p in seeds for i in p.images]
        groups = [k for k, p in enumerate(seeds) for _ in p.images]
        apart = mean_over_groups(vectors(images, [seeds[k].sample for k in groups]), groups)
        found.rows.append(
            Row(
                "LPIPS over seeds, same picture, mask and words", apart, count=len(images), note=f"{len(seeds)} samples"
            )
        )
