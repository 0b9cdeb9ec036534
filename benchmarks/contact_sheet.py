"""Five defects on four example parts at three strengths, one picture: python benchmarks/contact_sheet.py OUTPUT.png."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from magic_ui import DefectStudio, load_image

EXAMPLES = Path(__file__).parents[1] / "examples"
DEFECTS = ("a scratch", "a crack", "severe rust", "a dark stain", "a dent")
PLACES = {"screw": "on the neck", "metal_nut": "on the left", "washer": "at the bottom", "metal_plate": "at the top"}
STRENGTHS = (0.2, 0.6, 1.0)
TILE, GAP, MARGIN = 150, 10, 96


def neighbourhood(mask: np.ndarray) -> tuple[slice, slice]:
    """The square around a mask that a person would look at: 2.2 times its longer side, at least 96 px."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    side = min(max(96, int(2.2 * max(np.ptp(rows), np.ptp(cols)))), *mask.shape)
    y = int(np.clip((rows[0] + rows[-1] - side) // 2, 0, mask.shape[0] - side))
    x = int(np.clip((cols[0] + cols[-1] - side) // 2, 0, mask.shape[1] - side))
    return slice(y, y + side), slice(x, x + side)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--checkpoint", default="magic-tiny")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    studio = DefectStudio.from_pretrained(options.checkpoint)
    block = len(STRENGTHS) * TILE + GAP
    sheet = Image.new("RGB", (MARGIN + len(PLACES) * block, 24 + len(DEFECTS) * (TILE + 2)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, (part, place) in enumerate(PLACES.items()):
        image = load_image(EXAMPLES / f"{part}.png")
        foreground = EXAMPLES / "foreground" / f"{part}.png"
        left = MARGIN + column * block
        draw.text((left, 6), f"{part.replace('_', ' ')}: strength {', '.join(map(str, STRENGTHS))}", "black")
        for row, defect in enumerate(DEFECTS):
            top = 24 + row * (TILE + 2)
            draw.text((4, top + TILE // 2 - 6), defect, "black")
            plan = studio.plan(image, f"{defect} {place}", foreground=foreground, seed=options.seed)
            window = neighbourhood(plan.mask)
            for k, result in enumerate(studio.sweep(plan, STRENGTHS, seed=options.seed)):
                tile = Image.fromarray(np.asarray(result.image)[window]).resize((TILE, TILE), Image.Resampling.LANCZOS)
                sheet.paste(tile, (left + k * TILE, top))
        print(part, flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(options.output, optimize=True)


if __name__ == "__main__":
    main()
