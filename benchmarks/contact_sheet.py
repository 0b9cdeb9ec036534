"""Pictures of what the model paints, one sheet: python benchmarks/contact_sheet.py OUTPUT.png [--by severity].

By strength: five defects on four example parts at three strengths. By severity: ten defects in the words slight,
moderate and severe. ``--images`` takes pictures of one's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from magic_ui import DefectStudio, load_image

EXAMPLES = Path(__file__).parents[1] / "examples"
DEFECTS = ("a scratch", "a crack", "severe rust", "a dark stain", "a dent")
TYPES = (
    "scratch", "crack", "corrosion", "stain", "dent", "wear", "hole", "chip", "contamination", "discoloration",
)  # fmt: skip
PLACES = {"screw": "on the neck", "metal_nut": "on the left", "washer": "at the bottom", "metal_plate": "at the top"}
STRENGTHS, SEVERITIES = (0.2, 0.6, 1.0), ("slight", "moderate", "severe")
TILE, GAP, MARGIN = 150, 10, 96


def neighbourhood(mask: np.ndarray) -> tuple[slice, slice]:
    """The square around a mask that a person would look at: 2.2 times its longer side, at least 96 px."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    side = min(max(96, int(2.2 * max(np.ptp(rows), np.ptp(cols)))), *mask.shape)
    y = int(np.clip((rows[0] + rows[-1] - side) // 2, 0, mask.shape[0] - side))
    x = int(np.clip((cols[0] + cols[-1] - side) // 2, 0, mask.shape[1] - side))
    return slice(y, y + side), slice(x, x + side)


def by_strength(studio: DefectStudio, image: np.ndarray, words: str, foreground: Path | None, seed: int) -> list:
    """One defect at every strength, cropped alike."""
    plan = studio.plan(image, words, foreground=foreground, seed=seed)
    window = neighbourhood(plan.mask)
    return [np.asarray(result.image)[window] for result in studio.sweep(plan, STRENGTHS, seed=seed)]


def by_severity(studio: DefectStudio, image: np.ndarray, words: str, foreground: Path | None, seed: int) -> list:
    """One defect in every word for its severity, at one strength, cropped as the widest wants."""
    plans = [studio.plan(image, f"{word} {words}", foreground=foreground, seed=seed) for word in SEVERITIES]
    window = neighbourhood(np.logical_or.reduce([plan.mask for plan in plans]))
    return [np.asarray(studio.generate(plan, anomaly_strength=0.8, seed=seed)[0].image)[window] for plan in plans]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--checkpoint", default="magic-tiny")
    parser.add_argument("--by", choices=("strength", "severity"), default="strength")
    parser.add_argument("--images", type=Path, nargs="*", default=[], help="pictures instead of the example parts")
    parser.add_argument("--place", default="on the neck", help="where on those pictures")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    studio = DefectStudio.from_pretrained(options.checkpoint)
    paint, steps = (by_strength, STRENGTHS) if options.by == "strength" else (by_severity, SEVERITIES)
    defects = DEFECTS if options.by == "strength" else TYPES
    parts: list[tuple[Path, Path | None, str]] = [(path, None, options.place) for path in options.images] or [
        (EXAMPLES / f"{part}.png", EXAMPLES / "foreground" / f"{part}.png", place) for part, place in PLACES.items()
    ]
    block = len(steps) * TILE + GAP
    sheet = Image.new("RGB", (MARGIN + len(parts) * block, 24 + len(defects) * (TILE + 2)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, (path, foreground, place) in enumerate(parts):
        image, left = load_image(path), MARGIN + column * block
        draw.text((left, 6), f"{path.stem.replace('_', ' ')}: {options.by} {', '.join(map(str, steps))}", "black")
        for row, defect in enumerate(defects):
            top = 24 + row * (TILE + 2)
            draw.text((4, top + TILE // 2 - 6), defect, "black")
            for k, tile in enumerate(paint(studio, image, f"{defect} {place}", foreground, options.seed)):
                shown = Image.fromarray(tile).resize((TILE, TILE), Image.Resampling.LANCZOS)
                sheet.paste(shown, (left + k * TILE, top))
        print(path.stem, flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(options.output, optimize=True)


if __name__ == "__main__":
    main()
