"""One worker against two: python benchmarks/synthesis_scaling.py [--pictures 24] [--engines local,ray].

Makes the same pictures of an example part with one thread for each worker and prints seconds a picture and the ratio.
Only the time between a worker's first picture and the last ones counts, so that neither loading and starting nor a
worker that has run out of work is in it. Beside it: how many cores the workers had in that time, and the rest, which
hands out the work, collects it and, with Ray, keeps a cluster alive.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from magic_ui.synthesis.jobs import read_tasks
from magic_ui.synthesis.run import synthesize

PART = Path(__file__).parents[1] / "examples" / "screw.png"


@dataclass(frozen=True)
class Timing:
    """Seconds a picture while all workers are busy, and of the whole run; cores that the workers had, and all else."""

    each: float
    whole: float
    workers: float
    rest: float


def cpu_seconds(alone: bool) -> dict[int, tuple[bool, float]]:
    """CPU time of this process, which paints if it is ``alone``, and of all that it started, by process: whether it
    paints, seconds."""
    own = psutil.Process()
    spent = {}
    for process in (own, *own.children(recursive=True)):
        try:
            times, command = process.cpu_times(), " ".join(process.cmdline())
        except psutil.Error:
            continue  # it has ended
        paints = alone if process.pid == own.pid else "spawn_main" in command or "RayWorker" in command
        spent[process.pid] = (paints, times.user + times.system)
    return spent


def run(folder: Path, pictures: int, engine: str, workers: int) -> Timing:
    """Make the pictures and time them."""
    table = folder / "jobs.csv"
    table.write_text(f"image,instruction,count\n{PART},corrosion on the thread,{pictures}\n", encoding="utf-8")
    started, finished, alone = time.perf_counter(), [], engine == "local" and workers == 1
    synthesize(
        read_tasks(table),
        folder / "out",
        engine=engine,
        workers=workers,
        threads=1,
        retries=0,
        least_agreement=-1e6,
        report=lambda done, asked: finished.append((time.perf_counter(), cpu_seconds(alone))),
    )
    busy = finished[1:][workers - 1 : pictures - workers + 1]  # the first report is of what was there before
    (first, before), (last, after) = busy[0], busy[-1]
    cores = {True: 0.0, False: 0.0}
    for process, (paints, seconds) in after.items():
        cores[paints] += (seconds - before.get(process, (paints, 0.0))[1]) / (last - first)
    return Timing((last - first) / (len(busy) - 1), time.perf_counter() - started, cores[True], cores[False])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--engines", default="local,ray")
    options = parser.parse_args()
    if options.pictures < 8:
        parser.error("--pictures: 8 or more, or two workers are hardly ever busy at once")
    for engine in options.engines.split(","):
        timings = {}
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                timings[workers] = run(Path(folder), options.pictures, engine, workers)
        one, two = timings[1], timings[2]
        print(
            f"{engine}: {one.each:.2f} s a picture with one worker, {two.each:.2f} s with two: "
            f"{one.each / two.each:.2f} times as fast\n"
            f"    with starting, {options.pictures} pictures {one.whole:.0f} s and {two.whole:.0f} s\n"
            f"    cores of the workers and of the rest: {one.workers:.2f} and {one.rest:.2f} with one, "
            f"{two.workers:.2f} and {two.rest:.2f} with two"
        )


if __name__ == "__main__":
    main()
