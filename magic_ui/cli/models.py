"""Commands that make pictures to learn from and measure models: render, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .options import Checkpoint, Output, Seed, words


def render(
    output: Output = Path("renders"),
    count: Annotated[int, typer.Option("--count", help="Pairs of a dataset, or windows with three pairs each.")] = 100,
    seed: Seed = 0,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes; default: one for each core.")] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="dataset: whole parts in DS-MVTec layout; parts: normal ones alone; windows: close views.",
        ),
    ] = "dataset",
    categories: Annotated[
        str | None, typer.Option("--categories", help="Taken in turn, with commas; default: all.")
    ] = None,
    size: Annotated[int, typer.Option("--size", help="Side of a whole picture in pixels.")] = 512,
    spp: Annotated[int, typer.Option("--spp", help="Samples a pixel of a whole picture.")] = 24,
) -> None:
    """Render normal parts and their defective twins (extra `render`); resumes where files are missing."""
    import os

    from ..checks import require_choice, require_number, require_seed

    require_choice("kind", kind, ("dataset", "parts", "windows"))
    require_number("count", count, 1, 1_000_000, integer=True)
    require_seed(seed)
    chosen = tuple(words(categories) or ()) or None
    processes = int(require_number("workers", workers or os.cpu_count() or 1, 1, 1024, integer=True))
    if chosen is not None:
        from ..rendering.parts import CATEGORIES

        for name in chosen:
            require_choice("categories", name, CATEGORIES)
    if kind == "windows":
        from ..rendering.pairs import render_pairs

        render_pairs(output, count, seed, processes, chosen)
        return
    from ..rendering.dataset import render_dataset

    require_number("size", size, 64, 4096, integer=True)
    require_number("spp", spp, 1, 4096, integer=True)
    defects = kind == "dataset"
    render_dataset(output, count, seed, size=size, spp=spp, workers=processes, categories=chosen, defects=defects)


def evaluate(
    held_out: Annotated[Path | None, typer.Option("--held-out", help="Rendered windows of other seeds.")] = None,
    checkpoint: Checkpoint = "magic-tiny",
    train: Annotated[Path | None, typer.Option("--train", help="Rendered windows to train the classifier on.")] = None,
    unseen: Annotated[Path | None, typer.Option("--unseen", help="Windows of categories never trained on.")] = None,
    real: Annotated[Path | None, typer.Option("--real", help="DS-MVTec folder of real parts.")] = None,
    output: Output = Path("evaluation"),
    classifier: Annotated[Path | None, typer.Option("--classifier", help="File of the trained classifier.")] = None,
    classifier_steps: Annotated[int, typer.Option("--classifier-steps")] = 6000,
    samples: Annotated[int, typer.Option("--samples", help="Defects to paint.")] = 240,
    seeds: Annotated[int, typer.Option("--seeds", help="Pictures of a quarter of them, for diversity.")] = 3,
    strength: Annotated[
        float, typer.Option("--strength", "--anomaly-strength", help="0–1; at 1 as strong as in the renders.")
    ] = 1.0,
    seed: Seed = 0,
    repeats: Annotated[int, typer.Option("--repeats", help="Pictures to time.")] = 5,
    downstream: Annotated[
        bool,
        typer.Option("--downstream", help="Train detectors on what is painted, test them on --real's other defects."),
    ] = False,
    per_class: Annotated[int, typer.Option("--per-class", help="Downstream: pictures of each class.")] = 40,
    train_share: Annotated[
        float, typer.Option("--train-share", help="Downstream: share of every defect, by name, that trains.")
    ] = 1 / 3,
    before: Annotated[
        str | None, typer.Option("--before", help="Downstream: the checkpoint before fine-tuning, to compare with.")
    ] = None,
    align: Annotated[bool, typer.Option("--align/--no-align", help="Downstream: place masks by CAMA.")] = True,
    rivals: Annotated[bool, typer.Option("--rivals/--no-rivals", help="Downstream: measure baselines too.")] = True,
) -> None:
    """Measure a checkpoint (extra `metrics`): one table, one HTML report, one JSON."""
    from ..evaluation.command import run_downstream, run_evaluation

    if downstream:
        if real is None:
            raise InputError("real", "the downstream comparison needs a data set of real defects.")
        run_downstream(
            real=real,
            checkpoint=checkpoint,
            output=output,
            per_class=per_class,
            seeds=seeds,
            train_share=train_share,
            seed=seed,
            align=align,
            rivals=rivals,
            before=before,
        )
        return
    if held_out is None:
        raise InputError("held_out", "name a folder of rendered windows, or give --downstream and --real.")
    run_evaluation(
        held_out=held_out,
        checkpoint=checkpoint,
        train=train,
        unseen=unseen,
        real=real,
        output=output,
        classifier=classifier,
        classifier_steps=classifier_steps,
        samples=samples,
        seeds=seeds,
        strength=strength,
        seed=seed,
        repeats=repeats,
    )
