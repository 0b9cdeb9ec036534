"""Measure the road on pictures of normal parts: python benchmarks/real_screws.py DATA [--foreground FOLDER].

DATA holds pictures (DS-MVTec's screw/image/good, say). Three instructions on each of the first N: pixels changed
outside the mask, share of the mask on the object, strength against change, seconds a picture and a four-strength sweep.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from magic_ui import DefectStudio, load_image
from magic_ui.images import load_mask
from magic_ui.paint.composite import mean_change

INSTRUCTIONS = ("在螺丝头部生成一处细划痕", "severe rust on the thread", "a dent on the neck of the screw")
STRENGTHS = (0.1, 0.4, 0.7, 1.0)


def spearman(x: list[float], y: list[float]) -> float:
    """Rank correlation of two short lists without ties in ``x``; equal values of ``y`` share their mean rank."""
    ranks_x = np.argsort(np.argsort(x)).astype(float)
    ranks_y = np.array([sum(b < a for b in y) + (sum(b == a for b in y) - 1) / 2 for a in y])
    if ranks_y.std() == 0:
        return 0.0
    return float(np.corrcoef(ranks_x, ranks_y)[0, 1])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--foreground", type=Path, help="folder of NNN_mask.png to check the masks against")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--checkpoint", default="magic-tiny")
    parser.add_argument("--sheet", type=Path, help="write a picture of all results here")
    options = parser.parse_args()
    studio = DefectStudio.from_pretrained(options.checkpoint)
    files = sorted(options.data.glob("*.png"))[: options.count]
    outside, on_object, correlations, single, sweeps, weak, rows = 0, [], [], [], [], 0, []
    for path in files:
        image = load_image(path)
        truth = load_mask(options.foreground / f"{path.stem}_mask.png", image.shape[:2]) if options.foreground else None
        for instruction in INSTRUCTIONS:
            for seed in range(options.seeds):
                started = time.perf_counter()
                plan = studio.plan(image, instruction, seed=seed)
                result = studio.generate(plan, seed=seed)[0]
                single.append(time.perf_counter() - started)
                started = time.perf_counter()
                results = studio.sweep(plan, STRENGTHS, seed=seed)
                sweeps.append(time.perf_counter() - started)
                changes = []
                for each in [result, *results]:
                    after = np.asarray(each.image)
                    outside += int((after != image).any(axis=2)[~plan.mask].sum())
                    changes.append(mean_change(image, after, plan.mask))
                correlations.append(spearman(list(STRENGTHS), changes[1:]))
                weak += result.weak
                foreground = plan.foreground if truth is None else truth
                on_object.append(float((plan.mask & foreground).sum() / plan.mask.sum()))
                if seed == 0:
                    rows.append(_row(image, plan.mask, results))
                print(
                    f"{path.stem}  {instruction[:28]:30s} change {' '.join(f'{c:5.1f}' for c in changes[1:])}  "
                    f"on object {on_object[-1]:.3f}",
                    flush=True,
                )
    good = sum(c >= 0.9 for c in correlations)
    print(f"\npictures {len(single)}  pixels changed outside the mask {outside}")
    enough = np.mean([share >= 0.98 for share in on_object])
    print(f"mask on the object: mean {np.mean(on_object):.4f}, {enough:.1%} of plans at 98% or more")
    print(f"Spearman of strength and change >= 0.9 in {good}/{len(correlations)} = {good / len(correlations):.1%}")
    print(f"weak results at the default strength: {weak}")
    one, four = statistics.median(single), statistics.median(sweeps)
    print(f"seconds: one picture {one:.2f}, four strengths {four:.2f} (medians)")
    if options.sheet:
        cv2.imwrite(str(options.sheet), np.concatenate(rows)[:, :, ::-1])


def _row(image: np.ndarray, mask: np.ndarray, results: list) -> np.ndarray:
    """The neighbourhood of the mask: normal, then every strength, 220 px each."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    side = max(110, int(1.8 * max(np.ptp(rows), np.ptp(cols))))
    y = int(np.clip((rows[0] + rows[-1] - side) // 2, 0, max(image.shape[0] - side, 0)))
    x = int(np.clip((cols[0] + cols[-1] - side) // 2, 0, max(image.shape[1] - side, 0)))
    tiles = [image, *(np.asarray(result.image) for result in results)]
    return np.concatenate(
        [
            cv2.resize(
                t[y : y + side, x : x + side],
                (220, 220),
                interpolation=cv2.INTER_AREA if side > 220 else cv2.INTER_CUBIC,
            )
            for t in tiles
        ],
        axis=1,
    )


if __name__ == "__main__":
    main()
