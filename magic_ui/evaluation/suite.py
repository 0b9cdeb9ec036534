"""The whole measurement: every figure of one checkpoint, with the pictures behind them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..instruction.prompt import SINGLE_LANGUAGES
from ..paint.checkpoint import Checkpoint
from ..studio import DefectStudio
from . import recognition, resemblance
from .classifier import DefectClassifier
from .findings import Findings, Sheet
from .ordering import is_ordered, share_ordered, stroke_width
from .painting import Painted, paint_asked, paint_degrees, paint_sample, paint_thickness, request_of
from .real import measure_real
from .reconstruction import mask_psnr
from .scenes import DefectSample, crop_around, pick_balanced
from .seam import border_gradient, pixels_changed_outside, seam_ratio
from .speed import embedded_sizes, seconds_per_picture
from .table import Row, share_row

SEVERITIES = ("slight", "moderate", "severe")
THICKNESSES = ("thin", "thick")
LINES = ("scratch", "crack")
TRUTHS = 300
"""Held-out renders on which the classifier itself is checked, at most."""

CLOSELY = 81
"""Samples, at most, that are also painted with prompts in one language alone, in several degrees and from several
seeds. Recognition and KID take all: over 81 the KID's spread is a third of what it is held against."""


@dataclass(frozen=True)
class Settings:
    """``samples``: held-out defects to paint, the first ``CLOSELY`` in several ways; ``seeds``: pictures of each for
    diversity over seeds; ``strength``: ``anomaly_strength``; ``repeats``: pictures to time."""

    samples: int = 240
    seeds: int = 3
    strength: float = 1.0
    seed: int = 0
    repeats: int = 5


def evaluate(
    checkpoint: Checkpoint,
    classifier: DefectClassifier,
    held_out: Sequence[DefectSample],
    unseen: Sequence[DefectSample] = (),
    real: Path | None = None,
    settings: Settings | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Findings:
    """Measure a checkpoint.

    Args:
        checkpoint: the one to measure.
        classifier: trained on other scenes of the same renderer.
        held_out: renders of other seeds; :func:`~magic_ui.evaluation.scenes.load_samples`.
        unseen: renders of categories that the checkpoint never saw.
        real: a DS-MVTec folder.
        report: called with a line on every stage that begins.
    """
    settings, studio = settings or Settings(), DefectStudio(checkpoint)
    known = [s for s in held_out if s.defect in classifier.classes]
    generator = np.random.default_rng([settings.seed, 31])
    picked = pick_balanced(known, settings.samples, generator, per_scene=False)
    close = picked[:CLOSELY]
    chosen = {id(s) for s in picked}
    rest = [s for s in known if id(s) not in chosen]
    found, started = Findings(), time.perf_counter()

    def stage(name: str) -> None:
        report(f"{time.perf_counter() - started:6.0f} s  {name}")

    stage("classifier on held-out renders")
    truths = pick_balanced(known, TRUTHS, generator, per_scene=False)
    found.add(recognition.check_classifier(classifier, truths))
    stage(f"{len(picked)} samples asked in Chinese and in English")
    asked = _ask_all(studio, picked, settings, stage)
    stage(f"{len(close)} of them prompted in Chinese alone and in English alone")
    worded = {language: _paint_all(studio, close, settings, stage, language, language) for language in SINGLE_LANGUAGES}
    painted = [asked[SINGLE_LANGUAGES[i % 2]][i] for i in range(len(picked))]
    found.add(recognition.check_painted(classifier, painted, asked, worded, settings.seed))
    stage("degrees: severity, thickness")
    _severity(found, studio, close, settings)
    _thickness(found, studio, close, settings)
    stage("resemblance: KID, IC-LPIPS")
    again = close[: max(1, len(close) // 4)]
    seeds = [_paint(studio, s, i, settings, "en", num_images=settings.seeds) for i, s in enumerate(again)]
    found.add(resemblance.measure(painted, seeds, rest, settings.seed))
    stage("autoencoder, seams")
    pooled, mean, count = mask_psnr(checkpoint, [(s.defective, s.truth) for s in picked])
    found.rows.append(
        Row(
            "Autoencoder inside masks, renders", pooled, 32, unit="dB", count=count, note=f"mean of crops {mean:.1f} dB"
        )
    )
    _seams(found, painted, [p for each in worded.values() for p in each])
    if unseen:
        picked_unseen = pick_balanced(
            [s for s in unseen if s.defect in classifier.classes], max(2, len(close) // 2), generator, per_scene=False
        )
        stage(f"categories never trained on: {len(picked_unseen)} samples")
        found.add(recognition.check_unseen(classifier, _paint_all(studio, picked_unseen, settings, stage, "en")))
    normals = [s.normal for s in picked[:3]]
    if real is not None:
        stage("real pictures")
        normals = measure_real(
            found,
            checkpoint,
            classifier,
            real,
            samples=len(close),
            strength=settings.strength,
            seed=settings.seed,
        )
    stage("seconds and sizes")
    _speed(found, studio, normals, settings)
    stage("done")
    return found


def _paint(
    studio: DefectStudio,
    sample: DefectSample,
    index: int,
    settings: Settings,
    language: str,
    wording: str | None = None,
    num_images: int = 1,
) -> Painted:
    return paint_sample(
        studio,
        sample,
        request_of(sample.spec),
        language=language,
        wording=wording,
        num_images=num_images,
        strength=settings.strength,
        seed=settings.seed + 1000 * index,
    )


def _ask_all(
    studio: DefectStudio, samples: Sequence[DefectSample], settings: Settings, stage: Callable[[str], None]
) -> dict[str, list[Painted]]:
    """Every sample as visitors get it, by the language of their sentence."""
    asked: dict[str, list[Painted]] = {language: [] for language in SINGLE_LANGUAGES}
    for index, sample in _counted(samples, stage):
        each = paint_asked(
            studio,
            sample,
            request_of(sample.spec),
            SINGLE_LANGUAGES,
            strength=settings.strength,
            seed=settings.seed + 1000 * index,
        )
        for language, painted in each.items():
            asked[language].append(painted)
    return asked


def _paint_all(
    studio: DefectStudio,
    samples: Sequence[DefectSample],
    settings: Settings,
    stage: Callable[[str], None],
    language: str,
    wording: str | None = None,
) -> list[Painted]:
    return [_paint(studio, s, i, settings, language, wording) for i, s in _counted(samples, stage)]


def _counted(samples: Sequence[DefectSample], stage: Callable[[str], None]) -> Iterator[tuple[int, DefectSample]]:
    """Every sample with its index; a line when another sixteen are done."""
    for index, sample in enumerate(samples):
        yield index, sample
        if (index + 1) % 16 == 0:
            stage(f"  {index + 1}/{len(samples)}")


def _severity(found: Findings, studio: DefectStudio, picked: Sequence[DefectSample], settings: Settings) -> None:
    """slight < moderate < severe by the mean change in the mask: same mask, seed and strength."""
    changes, rows = [], []
    for index, sample in enumerate(picked[: max(1, len(picked) // 2)]):
        degrees = paint_degrees(
            studio, sample, "severity", SEVERITIES, strength=settings.strength, seed=settings.seed + index
        )
        images = [p.images[0] for p in degrees]
        change = [float(np.abs(i.astype(float) - sample.normal)[sample.mask].mean()) for i in images]
        changes.append(change)
        if len(rows) < 12:
            tiles = [crop_around(i, sample.mask, 112, context=1.8) for i in (sample.normal, *images)]
            rows.append((f"{sample.category}: {sample.defect}, change {', '.join(f'{c:.1f}' for c in change)}", tiles))
    ordered = sum(is_ordered(values) for values in changes)
    found.rows.append(
        share_row(
            "slight < moderate < severe, by change in the mask", ordered, len(changes), 0.9,
            f"slight < severe: {share_ordered([c[::2] for c in changes]):.0%}",
        )
    )  # fmt: skip
    found.details["severity_changes"] = np.round(changes, 3).tolist()
    found.sheets.append(Sheet("Severity by words", ["normal", *SEVERITIES], rows))


def _thickness(found: Findings, studio: DefectStudio, picked: Sequence[DefectSample], settings: Settings) -> None:
    """thin < thick by the width of what was painted: where the road draws the mask, and in one and the same mask."""
    rows, road, same = [], [], []
    wide = [s for s in picked if s.foreground.mean() > 0.5] or list(picked)
    for index, sample in enumerate(wide[: max(1, len(picked) // 3)]):
        line = LINES[index % 2]
        pictures = paint_thickness(
            studio, sample, line, THICKNESSES, strength=settings.strength, seed=settings.seed + index
        )
        road.append([stroke_width(refined) for _, _, refined in pictures])
        if len(rows) < 6:
            widths = ", ".join(f"{w:.1f}" for w in road[-1])
            rows.append((f"{sample.category}: {line}, {widths} px", [sample.normal, *(p[0] for p in pictures)]))
    lines = [s for s in picked if s.defect in LINES]
    for index, sample in enumerate(lines[: max(1, len(picked) // 6)]):
        degrees = paint_degrees(
            studio, sample, "thickness", THICKNESSES, strength=settings.strength, seed=settings.seed + index
        )
        same.append([stroke_width(p.refined[0]) for p in degrees])
    found.rows.append(
        share_row("thin < thick, by measured width", sum(map(is_ordered, road)), len(road), 0.9, "the road's own masks")
    )
    found.rows.append(
        share_row("thin < thick, both in one given mask", sum(map(is_ordered, same)), len(same), note="the words alone")
    )
    found.details["stroke_widths"] = {"road": np.round(road, 2).tolist(), "same_mask": np.round(same, 2).tolist()}
    found.sheets.append(Sheet("Thickness by words", ["normal", *THICKNESSES], rows))


def _seams(found: Findings, painted: Sequence[Painted], more: Sequence[Painted]) -> None:
    everything = [(p.sample, image) for p in (*painted, *more) for image in p.images]
    ours = [border_gradient(image, s.mask) for s, image in everything]
    truth = [border_gradient(p.sample.defective, p.sample.mask) for p in painted]
    plain = [border_gradient(p.sample.normal, p.sample.mask) for p in painted]
    note = f"same borders in the renders: {seam_ratio(truth):.2f}, in the normal pictures: {seam_ratio(plain):.2f}"
    found.rows.append(
        Row(
            "Seam: gradient across the mask's border / beside it",
            seam_ratio(ours),
            1.3,
            False,
            count=len(ours),
            note=note,
        )
    )
    outside = sum(pixels_changed_outside(s.normal, image, s.mask) for s, image in everything)
    found.rows.append(Row("Pixels changed outside the mask", outside, 0, False, count=len(everything)))


def _speed(found: Findings, studio: DefectStudio, normals: Sequence[np.ndarray], settings: Settings) -> None:
    import cv2
    import torch

    pictures = [cv2.resize(n, (1024, 1024), interpolation=cv2.INTER_CUBIC) for n in normals]
    single, four = seconds_per_picture(studio, pictures, settings.repeats)
    threads = f"{torch.get_num_threads()} threads, plan included"
    found.rows.append(Row("One 1024 px picture", single, 2, False, "s", settings.repeats, note=threads))
    found.rows.append(Row("Four strengths", four, 4, False, "s", settings.repeats, note=threads))
    total, largest = embedded_sizes()
    found.rows.append(Row("All embedded checkpoints", total, 80, False, "MB"))
    found.rows.append(Row("Largest file of them", largest, 10, False, "MB"))
