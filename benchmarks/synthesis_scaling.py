"""One worker against two: python benchmarks/synthesis_scaling.py [--pictures 24] [--engines local,ray].

Makes the same pictures of an example part with one thread for each worker and prints seconds a picture and the ratio.
Only the time between a worker's first picture and the last ones counts, so that neither loading and starting nor a
worker that has run out of work is in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from magic_ui.synthesis.jobs import read_tasks
from magic_ui.synthesis.run import synthesize

PART = Path(__file__).parents[1] / "examples" / "screw.png"


def run(folder: Path, pictures: int, engine: str, workers: int) -> tuple[float, float]:
    """Seconds a picture while all workers are busy, and of the whole run."""
    table = folder / "jobs.csv"
    table.write_text(f"image,instruction,count\n{PART},corrosion on the thread,{pictures}\n", encoding="utf-8")
    started, finished = time.perf_counter(), []
    synthesize(
        read_tasks(table),
        folder / "out",
        engine=engine,
        workers=workers,
        threads=1,
        retries=0,
        least_agreement=-1e6,
        report=lambda done, asked: finished.append(time.perf_counter()),
    )
    busy = finished[1:][workers - 1 : pictures - workers + 1]  # the first report is of what was there before
    return (busy[-1] - busy[0]) / (len(busy) - 1), time.perf_counter() - started


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--engines", default="local,ray")
    options = parser.parse_args()
    if options.pictures < 8:
        parser.error("--pictures: 8 or more, or two workers are hardly ever busy at once")
    for engine in options.engines.split(","):
        each: dict[int, float] = {}
        whole: dict[int, float] = {}
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                each[workers], whole[workers] = run(Path(folder), options.pictures, engine, workers)
        print(
            f"{engine}: {each[1]:.2f} s a picture with one worker, {each[2]:.2f} s with two: "
            f"{each[1] / each[2]:.2f} times as fast; with starting, {options.pictures} pictures {whole[1]:.0f} s and "
            f"{whole[2]:.0f} s"
        )


if __name__ == "__main__":
    main()
