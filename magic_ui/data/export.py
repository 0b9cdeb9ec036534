"""Results → a dataset: the zip of a page's results, and the files of one result for whoever writes many."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from PIL import Image

from magic_ui.data.layout import (
    CLASS_IDS,
    DS_MVTEC,
    Layout,
    class_id,
    colored,
    defect_folder,
    layout_named,
    require_folder_name,
)
from magic_ui.data.tables import add_entry, write_captions, write_manifest
from magic_ui.errors import InputError
from magic_ui.images import encode_png

RECORD_KEY = "magic_ui"
"""Keyword of the PNG text chunk that holds a result's record as JSON."""


class ResultLike(Protocol):
    """What is read of a result: PIL RGB image, bool masks `[H, W]`, and a record that lists its `specs`."""

    image: Image.Image
    mask: np.ndarray
    refined_mask: np.ndarray
    record: dict[str, Any]


@dataclass
class DatasetFiles:
    """The files of one result by path relative to the dataset, with its rows for the tables."""

    files: dict[str, bytes]
    manifest_row: dict[str, Any]
    caption_row: tuple[str, str, str]


@dataclass
class Numbering:
    """Counts the pictures of each folder, so that every result gets the next free number."""

    taken: Counter = field(default_factory=Counter)

    def next_in(self, folder: str) -> int:
        """The next number of a folder, from 0."""
        self.taken[folder] += 1
        return self.taken[folder] - 1


def result_files(
    result: ResultLike,
    number: int,
    *,
    category: str,
    layout: Layout = DS_MVTEC,
    class_ids: np.ndarray | None = None,
) -> DatasetFiles:
    """Encode one result.

    Args:
        result: image, mask, refined mask and record.
        number: its number within its defect's folder.
        category: the part, a folder's name such as "screw".
        layout: where the files go and what the mask holds.
        class_ids: uint8 `[H, W]`, the class of each pixel where several defects share a picture; where it is
            0, and without it, the id of the result's own folder counts.

    Raises:
        InputError: a category or defect that cannot name a folder, or a record without specs.
    """
    specs = result.record["specs"]
    defect, own_id = defect_folder(specs), class_id(specs)
    paths = layout.paths(require_folder_name("category", category), defect, number)
    record = json.dumps(result.record, ensure_ascii=False, indent=2, sort_keys=True)
    compact = json.dumps(result.record, ensure_ascii=False, sort_keys=True)
    ids = _class_ids(result.mask, own_id, class_ids)
    picture = encode_png(np.asarray(result.image.convert("RGB")), {RECORD_KEY: compact})
    files = {
        paths["image"]: picture,
        paths["mask"]: encode_png(ids if layout.mask_is_ids else result.mask),
        paths["refined_mask"]: encode_png(result.refined_mask),
        paths["record"]: record.encode("utf-8"),
    }
    if "rgb_mask" in paths:
        files[paths["rgb_mask"]] = encode_png(colored(ids))
    instruction = str(result.record.get("instruction", ""))
    row = {
        **{kind: paths[kind] for kind in ("image", "mask", "refined_mask", "record")},
        "category": category,
        "defect": defect,
        "class_id": own_id,
        "instruction": instruction,
        "prompt": _joined(result.record.get("prompt", "")),
        "seed": result.record.get("seed", ""),
        "anomaly_strength": result.record.get("anomaly_strength", ""),
        "mask_pixels": int(np.count_nonzero(result.mask)),
        "refined_mask_pixels": int(np.count_nonzero(result.refined_mask)),
        "weak": int(bool(getattr(result, "weak", False))),
        "sha256": hashlib.sha256(picture).hexdigest(),
    }
    described = _joined(result.record.get("prompt", "")) or instruction
    caption = (f"{category}/{defect}/{number:03d}.png", f"A {category.replace('_', ' ')}.", described)
    return DatasetFiles(files, row, caption)


def _class_ids(mask: np.ndarray, own_id: int, class_ids: np.ndarray | None) -> np.ndarray:
    if class_ids is None:
        return mask.astype(np.uint8) * np.uint8(own_id)
    return np.where(mask, np.where(class_ids > 0, class_ids, own_id), 0).astype(np.uint8)


def _joined(prompt: str | Sequence[str]) -> str:
    return prompt if isinstance(prompt, str) else "; ".join(map(str, prompt))


def write_dataset_zip(
    results: Iterable[ResultLike],
    file: str | os.PathLike | BinaryIO,
    *,
    category: str,
    normal: np.ndarray | None = None,
    layout: str = "ds-mvtec",
    class_ids: np.ndarray | None = None,
) -> None:
    """Write results as a dataset in a zip; equal results give equal bytes.

    Args:
        results: at least one.
        file: a path, replaced only when the archive is complete, or a binary file object.
        category: the part, a folder's name such as "screw".
        normal: uint8 `[H, W, 3]`, the picture before painting; becomes the good sample 000.
        layout: "ds-mvtec" or "mvtec-ad".
        class_ids: see `result_files`.

    Raises:
        InputError: nothing to write, a name that cannot be a folder, or a place that cannot be written to.
    """
    chosen, numbering = layout_named(layout), Numbering()
    manifest, captions = [], []
    with _replacing(file) as stream, zipfile.ZipFile(stream, "w") as archive:
        if normal is not None:
            names = {"category": require_folder_name("category", category), "stem": "000"}
            add_entry(archive, chosen.normal.format(**names), encode_png(normal))
        for result in results:
            number = numbering.next_in(defect_folder(result.record["specs"]))
            written = result_files(result, number, category=category, layout=chosen, class_ids=class_ids)
            for name, data in written.files.items():
                add_entry(archive, name, data)
            manifest.append(written.manifest_row)
            captions.append(written.caption_row)
        if not manifest:
            raise InputError("results", "there is nothing to write; generate a picture first.")
        add_entry(archive, "captions.xlsx", write_captions(captions))
        add_entry(archive, "manifest.csv", write_manifest(manifest))


def write_zip(
    results: Iterable[ResultLike],
    plan: Any,
    path_or_file: str | os.PathLike | BinaryIO,
    layout: str = "ds-mvtec",
) -> None:
    """Write a plan's results, with its normal image, as a dataset in a zip.

    The category is the one the instruction names, else "object". Where defects of several kinds share the
    picture, the class-id mask tells them apart. Arguments and errors as for `write_dataset_zip`.
    """
    category = next((spec.category for spec in plan.specs if spec.category), "object")
    class_ids = np.zeros(plan.mask.shape, dtype=np.uint8)
    for target in plan.targets:
        class_ids[target.mask] = CLASS_IDS[target.spec.defect]
    write_dataset_zip(results, path_or_file, category=category, normal=plan.image, layout=layout, class_ids=class_ids)


@contextmanager
def _replacing(file: str | os.PathLike | BinaryIO) -> Iterator[BinaryIO]:
    """A stream to write to; a path appears only when everything is written, else nothing is left of it."""
    if not isinstance(file, str | os.PathLike):
        yield file
        return
    path = Path(file)
    unfinished = path.with_name(path.name + ".part")
    try:
        with unfinished.open("wb") as stream:
            yield stream
        os.replace(unfinished, path)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError):
            reason = error.strerror or "unknown reason"
            raise InputError("output", f"the file cannot be written ({reason}); choose another place.") from None
        raise


def read_record(png: bytes) -> dict[str, Any]:
    """The record inside a result's PNG.

    Raises:
        InputError: no PNG, or none that holds a record.
    """
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            image.load()
            return json.loads(image.text[RECORD_KEY])  # type: ignore[attr-defined]
    except Exception:  # any byte may be wrong
        raise InputError("record", "the file is no PNG with a record; choose a result of this program.") from None
