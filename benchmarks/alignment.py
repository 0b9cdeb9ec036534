"""Measure CAMA on real pairs: python benchmarks/alignment.py DATA/DS-MVTec/screw --foreground DATA/foreground/screw.

Every defect of the chosen third of each class (by file name) is moved to some normal parts. Counted: the moved mask
lies on the object (98% of it), and its centre lies within 0.12 of where it was along the object's axis. Beside it, with
the same features: MAGIC's published matching, and pasting at the same coordinates.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

from magic_ui import load_image
from magic_ui.images import load_mask
from magic_ui.localize.axis import ObjectAxis, coordinate, principal_axis
from magic_ui.localize.foreground import segment_foreground
from magic_ui.localize.matching import match_as_published
from magic_ui.localize.transfer import Reference, transfer_mask
from magic_ui.paint.checkpoint import load_checkpoint
from magic_ui.paint.features import UNetFeatures

TOLERANCE = 0.12


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--foreground", type=Path, required=True, help="folder of NNN_mask.png of the normal parts")
    parser.add_argument("--third", type=int, choices=(1, 2), default=1)
    parser.add_argument("--normals", type=int, default=3, help="normal parts for each defect")
    parser.add_argument("--checkpoint", default="magic-tiny")
    parser.add_argument("--geometry", action="store_true", help="the object's frame alone, no features")
    options = parser.parse_args()
    compute = UNetFeatures(load_checkpoint(options.checkpoint))
    known: dict[int, np.ndarray] = {}

    def features(image: np.ndarray) -> np.ndarray:
        return known.setdefault(id(image), compute(image)) if id(image) not in known else known[id(image)]

    normals = []
    for path in sorted((options.data / "image" / "good").glob("*.png")):
        image = load_image(path)
        truth = load_mask(options.foreground / f"{path.stem}_mask.png", image.shape[:2])
        normals.append((path.stem, image, segment_foreground(image).mask, truth, principal_axis(truth)))
    generator = np.random.default_rng(0)
    names = ("ours", "published", "pasted")
    hits: dict[str, list[bool]] = {name: [] for name in names}
    seconds, confident = [], []
    for folder in sorted(p for p in (options.data / "image").iterdir() if p.name != "good"):
        files = sorted(folder.glob("*.png"))
        half = (len(files) + 1) // 2  # the data are the first two thirds
        for path in files[:half] if options.third == 1 else files[half:]:
            image = load_image(path)
            mask = load_mask(options.data / "mask" / folder.name / f"{path.stem}_mask.png", image.shape[:2])
            reference = Reference(image, mask, segment_foreground(image).mask)
            position = _position(mask, principal_axis(reference.foreground))
            for pick in generator.choice(len(normals), options.normals, replace=False):
                stem, normal, foreground, truth, axis = normals[pick]
                compute_now = None if options.geometry else features
                started = time.perf_counter()
                moved = transfer_mask(reference, normal, foreground, features=compute_now)
                seconds.append(time.perf_counter() - started)
                grid = match_as_published(features(image), mask, features(normal), foreground)
                published = (
                    cv2.resize(grid.astype(np.uint8), foreground.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
                )
                row = []
                for name, result in zip(names, (moved.mask, published, mask), strict=True):
                    on_object = result.any() and (result & truth).sum() >= 0.98 * result.sum()
                    error = abs(_position(result, axis) - position) if result.any() else 1.0
                    hits[name].append(bool(on_object and error <= TOLERANCE))
                    row.append(f"{name} {'ok ' if hits[name][-1] else 'bad'} {error:.3f}")
                confident.append((moved.confidence, hits["ours"][-1]))
                print(
                    f"{folder.name}/{path.stem} on {stem}: {'  '.join(row)}  confidence {moved.confidence}", flush=True
                )
    print(f"\npairs {len(hits['ours'])}, on the object and within {TOLERANCE} along the axis:")
    for name in names:
        print(f"  {name:10s} {np.mean(hits[name]):.3f}")
    right = [c for c, hit in confident if hit]
    wrong = [c for c, hit in confident if not hit]
    print(f"confidence where right {np.mean(right):.2f}, where wrong {np.mean(wrong) if wrong else float('nan'):.2f}")
    print(f"seconds a pair, features included: {statistics.median(seconds):.2f} (median)")


def _position(mask: np.ndarray, axis: ObjectAxis) -> float:
    return float(coordinate(axis, mask.shape)[mask].mean())


if __name__ == "__main__":
    main()
