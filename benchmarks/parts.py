"""Measure localisation on rendered parts, whose truth is exact: python benchmarks/parts.py RENDERS.

RENDERS is what ``python -m magic_ui render --kind parts --seed OTHER`` wrote, best of another seed than the embedded
models were trained on and of categories that they never saw (gear, leather). Printed: the foreground's IoU by category;
for every part that a picture shows, in Chinese and English, how often V2 finds it and with which IoU; for parts that
the object does not have, how often V2 says so.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path

import numpy as np

from magic_ui.instruction.spec import PARTS, DefectSpec
from magic_ui.localize.clipseg import locator
from magic_ui.localize.foreground import segment_foreground
from magic_ui.localize.text_region import find_by_text
from magic_ui.training.queries import absent_parts, part_masks
from magic_ui.training.wholes import View, load_wholes


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two masks; 1 where both are empty."""
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 1.0


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("renders", type=Path)
    parser.add_argument("--checkpoint", default="clipseg-tiny", help="CLIPSeg checkpoint of V2")
    options = parser.parse_args()
    words = locator(options.checkpoint)
    outlines: dict[str, list[float]] = defaultdict(list)
    found: dict[str, list[float]] = defaultdict(list)
    silent: dict[str, list[bool]] = defaultdict(list)
    for whole in load_wholes(options.renders):
        picture = whole.pictures[0]
        outlines[whole.category].append(iou(segment_foreground(picture).mask, whole.foreground))
        there = part_masks(whole, View(picture, whole.foreground, whole.part_map))
        for part in PARTS:
            if part not in there and part not in absent_parts(whole):
                continue  # neither shown nor surely missing
            for named in (None, whole.category):
                category = "bearing" if named == "bearing_ring" else named  # the lexicon's name
                spec = DefectSpec("scratch", part=part, category=category)
                seen = find_by_text(picture, whole.foreground, spec, words)
                if part in there:
                    found[part].append(iou(seen.mask, there[part]) if seen.mask is not None else 0.0)
                else:
                    silent[part].append(seen.mask is None)
    everything = [v for values in outlines.values() for v in values]
    print(f"foreground IoU: mean {np.mean(everything):.3f}, median {statistics.median(everything):.3f}, ", end="")
    print(f"least {min(everything):.3f} of {len(everything)}")
    print("  " + ", ".join(f"{name} {np.mean(values):.3f}" for name, values in sorted(outlines.items())))
    flat = [v for values in found.values() for v in values]
    print(f"parts that are there: mean IoU {np.mean(flat):.3f}, not found {np.mean([v == 0 for v in flat]):.3f}")
    print("  " + ", ".join(f"{name} {np.mean(values):.2f}" for name, values in sorted(found.items())))
    flat = [v for values in silent.values() for v in values]
    print(f"parts that are not there: said so in {np.mean(flat):.3f} of {len(flat)}")
    print("  " + ", ".join(f"{name} {np.mean(values):.2f}" for name, values in sorted(silent.items())))


if __name__ == "__main__":
    main()
