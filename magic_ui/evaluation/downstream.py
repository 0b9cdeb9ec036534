"""Does it help a detector? Networks trained on normal and synthetic pictures, tested on real defects never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..data.layout import GOOD
from ..data.readers import Sample, read_ds_mvtec
from ..data.splits import TRAIN_SHARE, split_by_name
from ..errors import InputError
from ..studio import DefectStudio
from .baselines import BASELINES
from .features import NAME, load_vgg, perceptual_vectors, pooled_features
from .findings import Findings, Sheet
from .kid import distance_between, kernel_distance
from .lpips import mean_over_groups
from .precision import average_precision, box_average_precision, roc_auc
from .scenes import crop_around
from .segmenter import STEPS, NormalMemory, defect_map, shrink, train_segmenter
from .synthetic import Picture, paint_baseline, paint_ours, place_defects, read_pictures, read_samples
from .table import Row

CONTEXT, CROP = 2.0, 96
TEST_NORMALS = 1 / 4
"""Share of the normal pictures, the last by name, that no training sees."""
CLASSIFIER_STEPS = 300
CLASSIFIER_SEEDS = 20
"""Classifiers, at least: they train in seconds, and three of them differ as much as two methods do."""
OURS, REAL, BEFORE = "ours", "real training defects", "before fine-tuning"
TURNS = 4
"""Quarter turns in which every crop is looked at: parts lie at any angle."""


@dataclass(frozen=True)
class DownstreamSettings:
    """Pictures of each class, seeds and steps of a segmenter, share of the defects that trains.

    ``align``: masks are moved by CAMA, else pasted at their own coordinates. ``rivals``: the baselines, the real
    training defects and the memory of normal features are measured too.
    """

    per_class: int = 40
    seeds: int = 3
    steps: int = STEPS
    train_share: float = TRAIN_SHARE
    seed: int = 0
    align: bool = True
    rivals: bool = True


@dataclass(frozen=True)
class RealSplit:
    """Samples by their use; ``test`` and ``test_normals`` are seen by nothing that learns or chooses."""

    training: list[Sample]
    test: list[Sample]
    normals: list[Sample]
    test_normals: list[Sample]


def split_real(root: Path, train_share: float) -> RealSplit:
    """Split a DS-MVTec folder by file name.

    Raises:
        InputError: not in that layout, no defects to test on, or fewer than four normal pictures.
    """
    samples = read_ds_mvtec(root)
    training, test = split_by_name(samples, train_share)
    good = sorted((s for s in samples if s.defect == GOOD), key=lambda s: (s.category, s.stem))
    if len(good) < 4 or not test:
        raise InputError("real", "there must be at least four normal pictures and a defect that does not train.")
    cut = len(good) - max(1, round(TEST_NORMALS * len(good)))
    return RealSplit(training, test, good[:cut], good[cut:])


def measure_downstream(
    studio: DefectStudio,
    root: Path,
    folder: Path,
    settings: DownstreamSettings,
    report: Callable[[str], None] = print,
    before: DefectStudio | None = None,
) -> Findings:
    """Paint, train, test: the table of the downstream comparison, with a sheet of what was painted.

    All synthetic sets share normal pictures and masks, so the painter alone makes the difference. Every network is
    taken after its last step; nothing is chosen by test pictures.

    Args:
        studio: with the checkpoint to judge.
        root: real pictures in DS-MVTec layout.
        folder: keeps the painted pictures, so that an interrupted run goes on.
        before: with the checkpoint that the judged one was fine-tuned from, to paint the same places.

    Raises:
        InputError: see :func:`split_real`.
    """
    split = split_real(root, settings.train_share)
    report(f"{len(split.training)} training and {len(split.test)} test defects")
    placements = place_defects(
        studio,
        split.training,
        split.normals,
        settings.per_class,
        folder / "masks",
        align=settings.align,
        seed=settings.seed,
    )
    report(f"{len(placements)} places; painting")
    folders = {}
    for name, painter in ({OURS: studio} | ({} if before is None else {BEFORE: before})).items():
        folders[name] = folder / f"ours_{painter.checkpoint.sha256[:8]}"
        paint_ours(painter, placements, folders[name])
    for name in BASELINES if settings.rivals else ():
        folders[name] = folder / name.lower().replace(" ", "_")
        paint_baseline(name, placements, folders[name])
    sets = {name: list(read_pictures(placements, place)) for name, place in folders.items()}
    if settings.rivals:
        sets[REAL] = list(read_samples(split.training))
    test = list(read_samples(split.test))
    found = Findings(details={"features": NAME, "placements": len(placements)})
    report("features")
    vgg = load_vgg()
    features, truth = {name: _turned_features(vgg, p) for name, p in sets.items()}, _turned_features(vgg, test)
    _resemblance(found, features, truth, settings.seed)
    if settings.rivals:
        _diversity(found, vgg, sets)
    report("segmenters")
    _segmentation(found, vgg, sets, test, split, settings, report)
    report("classifiers")
    _classification(found, sets, features, test, truth, settings)
    rows = []
    for index, place in enumerate(placements[:10]):
        tiles = [crop_around(sets[name][index].image, place.mask, 112, context=CONTEXT) for name in folders]
        rows.append((f"{place.defect}: {place.instruction}", tiles))
    found.sheets.append(Sheet("The same places by every method", list(folders), rows))
    if settings.rivals:
        real = [(p.defect, [crop_around(p.image, p.mask, 112, context=CONTEXT)]) for p in sets[REAL][::4]]
        found.sheets.append(Sheet("Real defects of the training third", ["real"], real))
    return found


def _turned_features(vgg: torch.nn.Module, pictures: Sequence[Picture]) -> np.ndarray:
    """VGG features of every picture's crop in every quarter turn, [TURNS * N, D], turn by turn."""
    crops = [crop_around(p.image, p.mask, CROP, context=CONTEXT) for p in pictures]
    views = [np.ascontiguousarray(np.rot90(crop, turn)) for turn in range(TURNS) for crop in crops]
    return pooled_features(vgg, views)  # type: ignore[arg-type]


def _resemblance(found: Findings, features: dict[str, np.ndarray], truth: np.ndarray, seed: int) -> None:
    def owners(rows: np.ndarray, first: int) -> np.ndarray:  # views of one picture are not independent
        return first + np.tile(np.arange(len(rows) // TURNS), TURNS)

    kid = {
        name: kernel_distance(rows, truth, owners(rows, 0), owners(truth, len(rows)), seed=seed)
        for name, rows in features.items()
    }
    found.details["kid_real"] = {name: {"mean": m, "std": s} for name, (m, s) in kid.items()}
    note = ", ".join(f"{name} {1000 * m:.2f} ± {1000 * s:.2f}" for name, (m, s) in kid.items())
    best = min((mean for name, (mean, _) in kid.items() if name in BASELINES), default=0.0)
    rivals = {"the best baseline's": (best, 1.0), "that before fine-tuning": (kid.get(BEFORE, (0.0, 0.0))[0], 0.5)}
    count = len(truth) // TURNS
    found.rows.append(Row("KID × 1000 to unseen real defects", 1000 * kid[OURS][0], count=count, note=note))
    for name, (value, bar) in rivals.items():
        if value > 0:
            found.rows.append(Row(f"… share of {name}", kid[OURS][0] / value, bar, False, count=count))
    ours, nearer = features[OURS], {}
    for name, rows in features.items():
        if name in (OURS, REAL):
            continue
        mean, error = distance_between(ours, rows, truth, owners(ours, 0), owners(truth, len(ours)), seed=seed)
        nearer[name] = {"mean": mean, "error": error}
        found.rows.append(
            Row(f"… nearer than {name} by", 1000 * mean, count=count, note=f"± {1000 * error:.2f}, one standard error")
        )
    found.details["kid_nearer_than"] = nearer


def _diversity(found: Findings, vgg: Any, sets: dict[str, list[Picture]]) -> None:
    apart = {}
    for name in (OURS, *BASELINES, REAL):
        vectors = perceptual_vectors(vgg, [crop_around(p.image, p.mask, 64, context=CONTEXT) for p in sets[name]])
        apart[name] = mean_over_groups(vectors, _labels(sets[name]))
    note = ", ".join(f"{name} {value:.3f}" for name, value in apart.items())
    found.rows.append(
        Row("LPIPS within a class, share of the real defects' own", apart[OURS] / apart[REAL], 0.8, note=note)
    )


def _labels(pictures: Sequence[Picture]) -> list[int]:
    classes = sorted({p.defect for p in pictures})
    return [classes.index(p.defect) for p in pictures]


def _small(pictures: Sequence[Picture]) -> list[Picture]:
    return [replace(p, image=shrink(p.image), mask=shrink(p.mask)) for p in pictures]


def _segmentation(
    found: Findings,
    vgg: Any,
    sets: dict[str, list[Picture]],
    test: Sequence[Picture],
    split: RealSplit,
    settings: DownstreamSettings,
    report: Callable[[str], None],
) -> None:
    normals = [shrink(s.load_image()) for s in split.normals]
    unseen = [shrink(s.load_image()) for s in split.test_normals]
    shown = _small(test)
    images = [p.image for p in shown] + unseen
    truth = [p.mask for p in shown] + [np.zeros(i.shape[:2], bool) for i in unseen]
    figures: dict[str, list[dict[str, float]]] = {}
    for name, pictures in sets.items():
        small = _small(pictures)
        for seed in range(settings.seeds):
            model = train_segmenter(small, normals, seed, steps=settings.steps)
            figures.setdefault(name, []).append(_judge([defect_map(model, i) for i in images], truth))
            report(f"  {name}, seed {seed}: pixel AP {figures[name][-1]['pixel_ap']:.3f}")
    if settings.rivals:
        memory = NormalMemory(vgg, normals, seed=settings.seed)
        figures["none (nearest normal features)"] = [_judge([memory(i) for i in images], truth)]
    found.details["downstream"] = figures
    means = {name: _spread(values, "pixel_ap") for name, values in figures.items()}
    rivals = {name: mean for name, (mean, _) in means.items() if name not in (OURS, REAL, BEFORE)}
    if rivals:
        best = max(rivals, key=lambda name: rivals[name])
        ahead = means[OURS][0] - rivals[best]
        found.rows.append(
            Row("Segmentation, pixel AP ahead of the best other", ahead, 0.03, count=len(test), note=f"which is {best}")
        )
    for name, values in figures.items():
        mean, spread = means[name]
        auc, boxes = _spread(values, "image_auc"), _spread(values, "box_ap")
        note = f"± {spread:.3f} over {len(values)} seeds; pictures' AUROC {auc[0]:.3f} ± {auc[1]:.3f}"
        if not np.isnan(boxes[0]):
            note += f"; boxes' AP at IoU 0.3 {boxes[0]:.3f} ± {boxes[1]:.3f}"
        found.rows.append(Row(f"… pixel AP, {name}", mean, count=len(test), note=note))


def _judge(maps: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> dict[str, float]:
    """Figures of one network on all test pictures, defective and normal."""
    pixels = average_precision(np.concatenate([m.ravel() for m in maps]), np.concatenate([t.ravel() for t in truth]))
    strongest = [float(np.sort(m, axis=None)[-max(8, m.size // 2000) :].mean()) for m in maps]
    probabilities = all(float(m.min()) >= 0 and float(m.max()) <= 1 for m in maps)
    return {
        "pixel_ap": pixels,
        "image_auc": roc_auc(strongest, [bool(t.any()) for t in truth]),
        "box_ap": box_average_precision(maps, truth) if probabilities else float("nan"),
    }


def _spread(values: Sequence[dict[str, float]], name: str) -> tuple[float, float]:
    own = [v[name] for v in values]
    return float(np.mean(own)), float(np.std(own, ddof=1)) if len(own) > 1 else 0.0


def _classification(
    found: Findings,
    sets: dict[str, list[Picture]],
    features: dict[str, np.ndarray],
    test: Sequence[Picture],
    truth: np.ndarray,
    settings: DownstreamSettings,
) -> None:
    classes = sorted({p.defect for p in test})
    shown = torch.from_numpy(truth[: len(test)])  # the test pictures as they lie
    wanted = torch.tensor([classes.index(p.defect) for p in test])
    table: dict[str, Any] = {}
    for name, pictures in sets.items():
        labels = torch.tensor([classes.index(p.defect) for _ in range(TURNS) for p in pictures])
        shares = []
        for seed in range(max(settings.seeds, CLASSIFIER_SEEDS)):
            model = _train_classifier(torch.from_numpy(features[name]), labels, len(classes), seed)
            shares.append(float((model(shown).argmax(dim=1) == wanted).float().mean()))
        table[name] = shares
        spread = float(np.std(shares, ddof=1)) if len(shares) > 1 else 0.0
        note = f"± {spread:.3f} over {len(shares)} seeds"
        bar = 0.8 if name == OURS else None
        title = f"Defect class of {len(classes)} from {name}"
        found.rows.append(Row(title, float(np.mean(shares)), bar, count=len(test), note=note))
    found.details["classification"] = table


def _train_classifier(
    inputs: torch.Tensor, labels: torch.Tensor, classes: int, seed: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A network of one hidden layer on standardised features; the last step counts."""
    torch.manual_seed(seed)
    mean, spread = inputs.mean(dim=0), inputs.std(dim=0) + 1e-6
    model = torch.nn.Sequential(
        torch.nn.Dropout(0.3), torch.nn.Linear(inputs.shape[1], 64), torch.nn.ReLU(), torch.nn.Linear(64, classes)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(CLASSIFIER_STEPS):
        pick = torch.randint(0, len(inputs), (64,), generator=generator)
        loss = F.cross_entropy(model((inputs[pick] - mean) / spread), labels[pick])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    model.eval()
    return lambda values: model((values - mean) / spread)
