"""Measure localisation on real parts: python benchmarks/localisation.py DATA/screw [--foreground FOLDER].

Foreground: IoU of the embedded segmenter with the given masks of the normal parts. Region: on the chosen third of every
defect class (by file name), with the published caption as the instruction, how much of the true mask the region covers
and how large it is beside the object; by every mask source. Head end: the true defect lies on the side of the axis that
its class says. Milliseconds of a plan at the pictures' own size, from the bare picture and with the outline known, as
the page has it from the second keystroke on. The sheet shows 40 parts, failures first: region green, true defect red,
and with ``--library`` a mask of that folder before (yellow) and after (blue) its alignment with the words.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from magic_ui.data.readers import Sample, read_ds_mvtec
from magic_ui.errors import InputError
from magic_ui.images import load_mask
from magic_ui.instruction.parser import parse_instruction
from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize import make_plan
from magic_ui.localize.axis import coordinate, principal_axis
from magic_ui.localize.foreground import segment_foreground
from magic_ui.localize.library import draw_from_library

HEAD_SIDE = {"scratch_head": True, "scratch_neck": True, "manipulated_front": False}


def outline(picture: np.ndarray, mask: np.ndarray, color: tuple[int, int, int], width: int) -> None:
    """Draw a mask's contour on a picture in place."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, color, width)


def read_caption(sample: Sample) -> list[DefectSpec]:
    """The sample's caption, parsed; the folder's name is put first where the caption alone names no defect."""
    assert sample.caption is not None
    text = sample.caption.defect_description
    try:
        return parse_instruction(text)
    except InputError:
        return parse_instruction(f"{sample.defect.replace('_', ' ')}: {text}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="one category's folder in DS-MVTec layout")
    parser.add_argument("--foreground", type=Path, help="folder of NNN_mask.png of the normal parts")
    parser.add_argument("--third", type=int, choices=(1, 2), default=1)
    parser.add_argument("--sources", default="auto,band", help="mask sources to compare")
    parser.add_argument("--sheet", type=Path, help="write 40 pictures here, failures first")
    parser.add_argument("--library", type=Path, help="folder of masks whose alignment the sheet shows")
    options = parser.parse_args()
    samples = read_ds_mvtec(options.data)
    if options.foreground:
        overlaps, times = [], []
        for sample in (s for s in samples if s.mask_path is None):
            path = options.foreground / f"{sample.stem}_mask.png"
            if not path.is_file():
                continue
            image = sample.load_image()
            truth = load_mask(path, image.shape[:2])
            started = time.perf_counter()
            mask = segment_foreground(image).mask
            times.append(time.perf_counter() - started)
            overlaps.append(float((mask & truth).sum() / (mask | truth).sum()))
        if not overlaps:
            parser.error(f"{options.foreground} holds no NNN_mask.png of the normal parts")
        low = sum(v < 0.95 for v in overlaps)
        print(f"foreground IoU: mean {np.mean(overlaps):.4f}, least {min(overlaps):.4f}")
        print(f"foreground IoU below 0.95: {low} of {len(overlaps)}")
        print(f"foreground: {1000 * statistics.median(times):.0f} ms (median)")
    by_class: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.mask_path is not None:
            by_class[sample.defect].append(sample)
    chosen = []
    for group in by_class.values():
        half = (len(group) + 1) // 2  # the data are the first two thirds
        chosen += group[:half] if options.third == 1 else group[half:]
    rows, heads = [], []
    for source in options.sources.split(","):
        hits: dict[str, list[bool]] = defaultdict(list)
        shares, times, previews = [], [], []
        for sample in chosen:
            image = sample.load_image()
            truth = sample.load_mask()
            started = time.perf_counter()
            specs = read_caption(sample)
            plan = make_plan(image, specs, mask_source=source, mask_shape="region")
            times.append(time.perf_counter() - started)
            started = time.perf_counter()
            make_plan(image, specs, mask_source=source, foreground=plan.foreground)
            previews.append(time.perf_counter() - started)
            covered = float((plan.region & truth).sum() / truth.sum())
            share = float(plan.region.sum() / plan.foreground.sum())
            hits[sample.defect].append(covered >= 0.5)
            shares.append(share)
            if source == options.sources.split(",")[0]:
                rows.append((covered, share, sample, image, truth, plan))
                if sample.defect in HEAD_SIDE:
                    axis = principal_axis(plan.foreground)
                    place = float(coordinate(axis, truth.shape)[truth].mean())
                    heads.append((place < 0.5) == HEAD_SIDE[sample.defect])
        flat = [h for group in hits.values() for h in group]
        print(
            f"{source}: covers half of the true mask in {np.mean(flat):.3f} of {len(flat)}; "
            f"mean area / object {np.mean(shares):.3f}; plan {1000 * statistics.median(times):.0f} ms, "
            f"with the outline known {1000 * statistics.median(previews):.0f} ms (median)"
        )
        print("  " + ", ".join(f"{name} {np.mean(group):.2f}" for name, group in sorted(hits.items())))
    print(f"head end decided rightly: {np.mean(heads):.3f} of {len(heads)}")
    if options.sheet:
        write_sheet(rows, options.sheet, options.library)


def write_sheet(rows: list, path: Path, library: Path | None) -> None:
    """40 pictures, failures first: the region green, the true defect red; a lent mask yellow, aligned blue."""
    tiles = []
    for covered, share, sample, image, truth, plan in sorted(rows, key=lambda row: (row[0] >= 0.5, row[0]))[:40]:
        picture = image.copy()
        if library is not None:
            specs = read_caption(sample)
            lent = draw_from_library(library, specs[0].defect, len(tiles))
            moved = make_plan(
                image, specs, foreground=plan.foreground, mask_shape="library", reference=(None, lent), seed=len(tiles)
            )
            if moved.mask_before is not None:
                outline(picture, moved.mask_before, (240, 190, 0), 3)
            outline(picture, moved.mask, (40, 90, 240), 3)
        outline(picture, plan.region, (0, 200, 80), 4)
        outline(picture, truth, (230, 40, 40), 4)
        tile = cv2.resize(picture, (240, 240), interpolation=cv2.INTER_AREA)
        cv2.putText(tile, f"{covered:.2f} / {share:.2f}", (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (20, 20, 20), 1)
        tiles.append(tile)
    while len(tiles) % 8:
        tiles.append(np.full((240, 240, 3), 255, np.uint8))
    sheet = np.concatenate([np.concatenate(tiles[i : i + 8], axis=1) for i in range(0, len(tiles), 8)])
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
