"""A rendered DS-MVTec: whole parts, clean and with one defect of the same scene, with every label there is.

`python -m magic_ui render --output DIR --count N --seed S` writes `<category>/image/good/007.png` and its twin
`<category>/image/<defect>/007.png`, class-id masks in `mask`, coloured ones in `rgb_mask`, and beside the published
folders `foreground`, `part_map` (0 off the part, then 1 + index into the record's labels) and `records`;
`captions.xlsx` holds the published columns, both languages' captions and the attributes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from magic_ui.data.attributes import spec_from_attributes
from magic_ui.data.layout import CLASS_IDS, DS_MVTEC, GOOD, colored
from magic_ui.data.tables import write_captions
from magic_ui.instruction.prompt import SINGLE_LANGUAGES, build_prompt

ATTRIBUTES = (
    "caption_en",
    "caption_zh",
    "defect",
    "part",
    "severity",
    "thickness",
    "thickness_mm",
    "morphology",
    "count",
    "color",
    "orientation",
)
ATTEMPTS = 10


def render_sample(
    seed: int, index: int, *, size: int, spp: int, categories: tuple[str, ...], defects: bool = True
) -> dict[str, Any]:
    """One pair as `render_picture` returns it; its category, defect and severity follow from (seed, index).

    Without `defects` the normal picture alone.

    Raises:
        RuntimeError: no visible defect in `ATTEMPTS` scenes.
    """
    from magic_ui.rendering import compose
    from magic_ui.rendering.pictures import render_picture

    category = categories[index % len(categories)]
    if not defects:
        scene = int(np.random.default_rng([seed, index]).integers(2**31))
        return render_picture(category, scene, size, spp=spp)
    for attempt in range(ATTEMPTS):
        generator = np.random.default_rng([seed, index, attempt])
        kind = compose.choose_defect(generator, category)
        severity = str(generator.choice(list(compose.VISIBLE)))
        scene = int(generator.integers(2**31))
        sample = render_picture(category, scene, size, kind, severity=severity, spp=spp)
        if "defective" in sample:
            return sample
    raise RuntimeError(f"picture {index} of seed {seed}: no visible defect in {ATTEMPTS} scenes")


def write_sample(output: Path, index: int, sample: dict[str, Any]) -> None:
    """Write a pair's files, or a normal part's; the record comes last and says that the rest is whole."""
    meta = sample["meta"]
    category, stem = meta["category"], f"{index:03d}"
    _write_png(output / DS_MVTEC.normal.format(category=category, stem=stem), sample["normal"])
    _write_png(output / category / "foreground" / GOOD / f"{stem}.png", sample["foreground"].astype(np.uint8) * 255)
    part_map = np.where(sample["part_map"] == 255, 0, sample["part_map"] + 1).astype(np.uint8)
    _write_png(output / category / "part_map" / GOOD / f"{stem}.png", part_map)
    if "defective" not in sample:
        _write(output / category / "records" / GOOD / f"{stem}.json", json.dumps(meta, indent=1).encode())
        return
    defect = meta["defect"]["defect"]
    paths = DS_MVTEC.paths(category, defect, index)
    ids = np.where(sample["mask"], CLASS_IDS[defect], 0).astype(np.uint8)
    _write_png(output / paths["image"], sample["defective"])
    _write_png(output / paths["mask"], ids)
    _write_png(output / paths["rgb_mask"], colored(ids))
    spec = spec_from_attributes(category, meta["defect"])
    captions = {f"caption_{language}": build_prompt(spec, language=language) for language in SINGLE_LANGUAGES}
    _write(output / paths["record"], json.dumps(meta | captions, indent=1, ensure_ascii=False).encode())


def caption_rows(output: Path) -> list[tuple[str, ...]]:
    """The rows of `captions.xlsx` for every record under `output`, in the order of their paths."""
    rows = []
    for path in sorted(output.glob("*/records/*/*.json")):
        if path.parent.name == GOOD:
            continue
        record = json.loads(path.read_text(encoding="utf-8"))
        defect = record["defect"]
        name = f"{record['category']}/{defect['defect']}/{path.stem}.png"
        finish, category = record["finish"].replace("_", " "), record["category"].replace("_", " ")
        object_description = f"a {category} of {finish}, {'in grey' if record['grey'] else 'in colour'}"
        values = defect | {key: record[key] for key in ("caption_en", "caption_zh")}
        cells = [" ".join(v) if isinstance(v := values.get(key), list) else str(v or "") for key in ATTRIBUTES]
        rows.append((name, object_description, record["caption_en"], *cells))
    return rows


def render_dataset(
    output: Path,
    count: int,
    seed: int,
    *,
    size: int = 512,
    spp: int = 24,
    workers: int = 2,
    categories: tuple[str, ...] | None = None,
    defects: bool = True,
) -> None:
    """Render `count` pairs of `size` × `size` pixels with `workers` processes; what is already there is left alone.

    Args:
        spp: samples a pixel.
        categories: taken in turn; all that there are by default.
        defects: without them, normal parts alone.
    """
    from magic_ui.rendering.pairs import start_worker
    from magic_ui.rendering.parts import CATEGORIES

    categories = categories or tuple(CATEGORIES)
    done = {int(path.stem) for path in output.glob("*/records/*/*.json")}
    jobs = [(output, index, seed, size, spp, categories, defects) for index in range(count) if index not in done]
    with multiprocessing.get_context("spawn").Pool(workers, start_worker) as pool:
        progress = tqdm(pool.imap_unordered(_render_and_write, jobs), total=len(jobs), unit="pair")
        for failure in progress:
            if failure:
                progress.write(failure)
    _write(output / "captions.xlsx", write_captions(caption_rows(output), ATTRIBUTES))


def _render_and_write(job: tuple[Path, int, int, int, int, tuple[str, ...], bool]) -> str | None:
    output, index, seed, size, spp, categories, defects = job
    try:
        sample = render_sample(seed, index, size=size, spp=spp, categories=categories, defects=defects)
        write_sample(output, index, sample)
    except RuntimeError as error:
        return str(error)
    return None


def _write_png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    Image.fromarray(pixels).save(partial, "PNG", optimize=True)
    partial.replace(path)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(data)
    partial.replace(path)
