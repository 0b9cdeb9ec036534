"""The command that makes thousands: synthesize."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Checkpoint, Output, Seed


def synthesize(
    jobs: Annotated[Path, typer.Argument(help="Table of jobs, CSV or JSON lines.", show_default=False)],
    output: Output = Path("out"),
    checkpoint: Checkpoint = "magic-tiny",
    layout: Annotated[str, typer.Option("--layout", help="ds-mvtec or mvtec-ad.")] = "ds-mvtec",
    anomaly_strength_min: Annotated[float, typer.Option("--anomaly_strength_min", "--strength-min")] = 0.3,
    anomaly_strength_max: Annotated[float, typer.Option("--anomaly_strength_max", "--strength-max")] = 1.0,
    retries: Annotated[int, typer.Option("--retries", help="Further seeds for a rejected picture.")] = 2,
    least_agreement: Annotated[
        float, typer.Option("--least-agreement", help="Text agreement below which a picture is rejected.")
    ] = 0.0,
    engine: Annotated[str, typer.Option("--engine", help="local or ray.")] = "local",
    workers: Annotated[int, typer.Option("--workers", help="Processes, or actors of the cluster.")] = 1,
    threads: Annotated[int | None, typer.Option("--threads", help="Of each worker.")] = None,
    ray_address: Annotated[str | None, typer.Option("--ray-address", help="Of a running cluster.")] = None,
    device: Annotated[str, typer.Option("--device")] = "auto",
    seed: Seed = 0,
) -> None:
    """Make a labelled data set from a table of pictures and sentences; resumes after an interruption."""
    from tqdm import tqdm

    from ..checks import require_number
    from ..synthesis.jobs import read_tasks
    from ..synthesis.run import synthesize as run

    low = require_number("anomaly_strength_min", anomaly_strength_min, 0, 1)
    high = require_number("anomaly_strength_max", anomaly_strength_max, low, 1)
    tasks = read_tasks(jobs, seed=seed, strengths=(float(low), float(high)))
    with tqdm(total=len(tasks), unit="picture") as bar:

        def report(done: int, _: int) -> None:
            bar.update(done - bar.n)

        try:
            summary = run(
                tasks,
                output,
                checkpoint=checkpoint,
                layout=layout,
                retries=retries,
                least_agreement=least_agreement,
                engine=engine,
                workers=workers,
                threads=threads,
                device=device,
                ray_address=ray_address,
                report=report,
            )
        except KeyboardInterrupt:
            typer.echo("interrupted; the same command goes on where this one stopped", err=True)
            raise typer.Exit(130) from None
    rejected = ", ".join(f"{count} {reason}" for reason, count in summary.rejected.items()) or "none"
    typer.echo(
        f"{output}: {summary.made} of {summary.asked} pictures, {summary.made_now} of them now; rejected: {rejected}"
    )
    if summary.no_longer_asked:
        typer.echo(f"{summary.no_longer_asked} finished pictures are no longer in the table and were kept")
