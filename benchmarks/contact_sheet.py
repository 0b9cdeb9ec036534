"""Five defects on the example parts at three strengths, one picture: python benchmarks/contact_sheet.py OUTPUT.png."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from magic_ui import DefectStudio, load_image

DEFECTS = ("划痕", "crack", "severe rust", "stain", "dent")
STRENGTHS = (0.2, 0.6, 1.0)
TILE = 200


def neighbourhood(mask: np.ndarray) -> tuple[slice, slice]:
    """The square around a mask that a person would look at: 2.2 times its longer side, at least 120 px."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    side = min(max(120, int(2.2 * max(np.ptp(rows), np.ptp(cols)))), *mask.shape)
    y = int(np.clip((rows[0] + rows[-1] - side) // 2, 0, mask.shape[0] - side))
    x = int(np.clip((cols[0] + cols[-1] - side) // 2, 0, mask.shape[1] - side))
    return slice(y, y + side), slice(x, x + side)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("parts", type=Path, nargs="*", help="pictures; default: the shipped examples")
    parser.add_argument("--checkpoint", default="magic-tiny")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    parts = options.parts or sorted((Path(__file__).parents[1] / "examples").glob("*.png"))
    studio = DefectStudio.from_pretrained(options.checkpoint)
    rows = []
    for path in parts:
        image = load_image(path)
        for defect in DEFECTS:
            plan = studio.plan(image, defect, seed=options.seed)
            window = neighbourhood(plan.mask)
            results = studio.sweep(plan, STRENGTHS, seed=options.seed)
            tiles = [image, *(np.asarray(result.image) for result in results)]
            rows.append([_tile(tile[window]) for tile in tiles])
        print(path.stem, flush=True)
    # One column of parts, one band of four tiles a defect: normal, then the three strengths.
    count = len(DEFECTS)
    bands = [
        np.concatenate([tile for row in rows[i * count : (i + 1) * count] for tile in row], axis=1)
        for i in range(len(parts))
    ]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.output), np.concatenate(bands)[:, :, ::-1])


def _tile(pixels: np.ndarray) -> np.ndarray:
    shrink = pixels.shape[0] > TILE
    return cv2.resize(pixels, (TILE, TILE), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC)


if __name__ == "__main__":
    main()
