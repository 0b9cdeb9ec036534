"""One worker against two: python benchmarks/synthesis_scaling.py [--pictures 16] [--engines local,ray].

Makes the same pictures of an example part with one thread for each worker and prints seconds a picture and the ratio.
Loading the checkpoint and starting workers is measured apart, on a run of one picture, and taken off.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from magic_ui.synthesis.jobs import read_tasks
from magic_ui.synthesis.run import synthesize

PART = Path(__file__).parents[1] / "examples" / "screw.png"


def seconds(folder: Path, pictures: int, engine: str, workers: int) -> float:
    """Wall time of a whole run."""
    table = folder / f"{engine}_{workers}_{pictures}.csv"
    table.write_text(f"image,instruction,count\n{PART},corrosion on the thread,{pictures}\n", encoding="utf-8")
    started = time.perf_counter()
    synthesize(
        read_tasks(table),
        folder / table.stem,
        engine=engine,
        workers=workers,
        threads=1,
        retries=0,
        least_agreement=-1e6,
    )
    return time.perf_counter() - started


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--engines", default="local,ray")
    options = parser.parse_args()
    for engine in options.engines.split(","):
        each: dict[int, float] = {}
        whole: dict[int, float] = {}
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                start = seconds(Path(folder), workers, engine, workers)  # one picture each: what starting costs
                whole[workers] = seconds(Path(folder), options.pictures + workers, engine, workers)
                each[workers] = (whole[workers] - start) / options.pictures
        print(
            f"{engine}: {each[1]:.2f} s a picture with one worker, {each[2]:.2f} s with two: "
            f"{each[1] / each[2]:.2f} times as fast; with starting, {options.pictures} pictures {whole[1]:.0f} s and "
            f"{whole[2]:.0f} s"
        )


if __name__ == "__main__":
    main()
