"""One command: load or train the classifier, measure, print the table, write the report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from ..checks import require_number, require_seed
from ..data.splits import TRAIN_SHARE
from ..errors import InputError
from ..paint.checkpoint import load_checkpoint
from ..studio import DefectStudio
from .classifier import DefectClassifier, load_classifier, save_classifier, train_classifier
from .downstream import DownstreamSettings, measure_downstream
from .findings import Findings
from .report import write_report
from .scenes import JUDGED, load_samples
from .suite import Settings, evaluate
from .table import print_table


def run_evaluation(
    *,
    held_out: Path,
    checkpoint: str = "magic-tiny",
    train: Path | None = None,
    unseen: Path | None = None,
    real: Path | None = None,
    output: Path = Path("evaluation"),
    classifier: Path | None = None,
    classifier_steps: int = 6000,
    samples: int = 240,
    seeds: int = 3,
    strength: float = 1.0,
    seed: int = 0,
    repeats: int = 5,
) -> Findings:
    """Measure a checkpoint on held-out renders, on categories it never saw and on real pictures.

    Args:
        held_out: folder of scenes of other seeds.
        checkpoint: registry name or folder.
        train: folder of scenes to train the classifier on; not needed where ``classifier`` exists.
        unseen: folder of scenes of categories never trained on.
        real: DS-MVTec folder.
        output: folder for ``report.json`` and ``report.html``.
        classifier: file the classifier is read from, or kept in once trained; default: ``classifier.pt`` in ``output``.
        classifier_steps: optimizer steps where a classifier is trained.
        samples: held-out defects to paint, 4–1000; the first 81 in several ways.
        seeds: pictures of a quarter of those, for diversity over seeds, 2–8.
        strength: ``anomaly_strength`` of every picture, 0–1.
        repeats: pictures to time.

    Raises:
        InputError: a folder without scenes, a number out of range, no way to a classifier.
    """
    settings = Settings(
        samples=int(require_number("samples", samples, 4, 1000, integer=True)),
        seeds=int(require_number("seeds", seeds, 2, 8, integer=True)),
        strength=float(require_number("strength", strength, 0, 1)),
        seed=require_seed(seed),
        repeats=int(require_number("repeats", repeats, 1, 100, integer=True)),
    )
    loaded = load_checkpoint(checkpoint)
    held = load_samples(held_out)
    others = load_samples(unseen) if unseen else []
    kept = classifier or output / "classifier.pt"
    model = _classifier(kept, train, classifier_steps, settings.seed)
    found = evaluate(loaded, model, held, others, real, settings, report=lambda line: print(line, flush=True))
    about = {
        "checkpoint": loaded.info.name,
        "sha256": loaded.info.sha256,
        "held-out": f"{len(held)} defects in {len({s.scene for s in held})} scenes",
        "samples": settings.samples,
        "strength": settings.strength,
        "seed": settings.seed,
    }
    print("\n" + print_table(found.rows))
    for path in write_report(output, found, about):
        print(f"written: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return found


def run_downstream(
    *,
    real: Path,
    checkpoint: str = "magic-tiny",
    output: Path = Path("evaluation"),
    per_class: int = 40,
    seeds: int = 3,
    train_share: float = TRAIN_SHARE,
    seed: int = 0,
    align: bool = True,
    rivals: bool = True,
    before: str | None = None,
) -> Findings:
    """Train detectors on what a checkpoint and the baselines paint, test them on real defects that nothing saw.

    Args:
        real: DS-MVTec folder.
        output: folder for the painted pictures, ``report.json`` and ``report.html``.
        per_class: synthetic pictures of each class, 1–1000.
        seeds: segmenters of each kind, 1–10; of classifiers there are 20.
        train_share: share of every defect, by file name, that trains; the rest tests.
        align, rivals: see :class:`~magic_ui.evaluation.downstream.DownstreamSettings`.
        before: the checkpoint that ``checkpoint`` was fine-tuned from, to be compared with.

    Raises:
        InputError: not in that layout, a number out of range.
    """
    settings = DownstreamSettings(
        per_class=int(require_number("per_class", per_class, 1, 1000, integer=True)),
        seeds=int(require_number("seeds", seeds, 1, 10, integer=True)),
        train_share=float(require_number("train_share", train_share, 0, 1)),
        seed=require_seed(seed),
        align=align,
        rivals=rivals,
    )
    studio = DefectStudio.from_pretrained(checkpoint)
    found = measure_downstream(
        studio,
        real,
        output / "pictures",
        settings,
        report=lambda line: print(line, flush=True),
        before=None if before is None else DefectStudio.from_pretrained(before),
    )
    about = {"checkpoint": studio.checkpoint.name, "sha256": studio.checkpoint.sha256, **asdict(settings)}
    print("\n" + print_table(found.rows))
    for path in write_report(output, found, about):
        print(f"written: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return found


def _classifier(kept: Path, train: Path | None, steps: int, seed: int) -> DefectClassifier:
    if kept.is_file():
        return load_classifier(kept)
    if train is None:
        raise InputError("classifier", "no classifier yet; name a folder of scenes to train it on.")

    def report(step: int, total: int, loss: float) -> None:
        if step % 200 == 0 or step == total:
            print(f"classifier {step}/{total}  loss {loss:.3f}", flush=True)

    samples = [sample for sample in load_samples(train) if sample.defect in JUDGED]
    model = train_classifier(samples, steps=steps, seed=seed, report=report)
    save_classifier(model, kept)
    return model
