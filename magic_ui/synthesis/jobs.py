"""The table of jobs: one row for each part and sentence, every cell checked before anything is painted."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..checks import require_choice, require_number, require_seed, require_text
from ..data.layout import defect_folder, require_folder_name
from ..errors import InputError
from ..images import load_image, load_mask
from ..instruction import DefectSpec, parse_instruction
from ..localize.library import list_masks
from ..paint.options import check_options

MOST_ROWS, MOST_BYTES, MOST_PICTURES = 100_000, 64 * 1024 * 1024, 10_000
ENCODINGS = ("utf-8-sig", "gb18030")
"""What spreadsheets write: UTF-8 with or without its mark, and the Chinese code page."""

MASK_SOURCES, MASK_SHAPES = ("auto", "band", "clipseg"), ("defect", "region", "library")
_FILES = ("image", "mask", "foreground", "mask_library", "reference_image", "reference_mask")
_SETTINGS = {
    "text_noise_scale": float, "anomaly_noise": float, "anomaly_stop_step": int, "guidance_scale": float,
    "guidance_rescale": float, "num_inference_steps": int, "candidates": int, "feather": float, "negative_prompt": str,
}  # fmt: skip
COLUMNS = (
    "image", "instruction", "category", "count", "anomaly_strength_min", "anomaly_strength_max", "seed", "mask_source",
    "mask_shape", "mask", "mask_library", "reference_image", "reference_mask", "foreground", "band_width", "align",
    *_SETTINGS,
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """One picture to paint; plain values, so that it travels to another process or machine.

    ``key`` is equal for equal work wherever it stands in the table; ``folder`` names the defect's folder.
    """

    key: str
    row: int
    image: str
    instruction: str
    category: str
    folder: str
    strength: tuple[float, float]
    seed: int
    place: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def attempt_seed(self, attempt: int) -> int:
        """The seed of the first, second ... try of this picture, whatever else is painted before it."""
        digest = hashlib.sha256(f"{self.seed}/{self.key}/{attempt}".encode()).digest()
        return int.from_bytes(digest[:4], "big")


def read_tasks(
    path: Path, *, seed: int = 0, strengths: tuple[float, float] = (0.3, 1.0), defaults: Mapping[str, Any] | None = None
) -> list[Task]:
    """Read ``jobs.csv`` (or JSON lines) and check all of it; one task for each picture to make.

    Columns: ``image`` (relative to the table's folder) and ``instruction``; the others of :data:`COLUMNS` may be
    missing or empty. ``count`` pictures are made of a row. ``mask`` is the user's own mask, ``mask_library`` a folder
    of masks to lend, ``foreground`` a mask of the object. Paths must hold on every machine that works on the table.

    Args:
        path: the table.
        seed: of rows that give none.
        strengths: range of ``anomaly_strength`` of rows that give none.
        defaults: cells of rows that leave them empty.

    Raises:
        InputError: naming row and column, and the fix.
    """
    require_seed(seed)
    checked_files: dict[tuple[str, Path], tuple[int, int]] = {}
    tasks: list[Task] = []
    seen: Counter[str] = Counter()
    for number, cells in _rows(path):
        cells = {**(defaults or {}), **cells}
        try:
            tasks += _tasks_of(number, cells, path.parent, seed, strengths, checked_files, seen)
        except InputError as error:
            raise InputError("jobs", f"row {number}, {error.field}: {error.message}") from error
    if not tasks:
        raise InputError("jobs", f"{path.name} holds no jobs; give it a row for each picture and sentence.")
    return tasks


def _tasks_of(
    number: int,
    cells: Mapping[str, str],
    folder: Path,
    seed: int,
    strengths: tuple[float, float],
    checked_files: dict[tuple[str, Path], tuple[int, int]],
    seen: Counter[str],
) -> list[Task]:
    for column in ("image", "instruction"):
        if not cells.get(column):
            raise InputError(column, "the cell is empty.")
    instruction = require_text("instruction", cells["instruction"])
    specs = parse_instruction(instruction)
    files = {name: folder / cells[name] for name in _FILES if cells.get(name)}
    size = _check_picture("image", files["image"], checked_files)
    for name in ("mask", "foreground"):
        if name in files:
            _check_mask(name, files[name], size)
    place = _place(cells, files)
    settings = {name: _number(name, cells[name], kind) for name, kind in _SETTINGS.items() if cells.get(name)}
    _check_settings(settings)
    low = float(_number("anomaly_strength_min", cells.get("anomaly_strength_min") or strengths[0], float))
    high = float(_number("anomaly_strength_max", cells.get("anomaly_strength_max") or max(strengths[1], low), float))
    require_number("anomaly_strength_min", low, 0, 1)
    require_number("anomaly_strength_max", high, low, 1)
    count = int(require_number("count", _number("count", cells.get("count") or 1, int), 1, MOST_PICTURES, integer=True))
    own_seed = require_seed(_number("seed", cells["seed"], int)) if cells.get("seed") else seed
    category = require_folder_name("category", cells.get("category") or _category(specs))
    content = json.dumps(
        [cells["image"], instruction, category, low, high, own_seed, cells.get("align"), place, settings],
        sort_keys=True,
        ensure_ascii=False,
    )
    tasks = []
    for _ in range(count):
        repeat = seen[content]  # equal rows are further pictures of the same work
        seen[content] += 1
        key = hashlib.sha256(f"{content}/{repeat}".encode()).hexdigest()[:20]
        tasks.append(
            Task(
                key,
                number,
                str(files["image"].resolve()),
                instruction,
                category,
                defect_folder([spec.to_dict() for spec in specs]),
                (low, high),
                own_seed,
                {k: str((folder / v).resolve()) if k in _FILES else v for k, v in place.items()},
                settings,
            )
        )
    return tasks


def _place(cells: Mapping[str, str], files: Mapping[str, Path]) -> dict[str, Any]:
    """Checked arguments of where to paint; files as the table spells them."""
    place: dict[str, Any] = {}
    if source := cells.get("mask_source"):
        place["mask_source"] = require_choice("mask_source", source, MASK_SOURCES)
    if shape := cells.get("mask_shape"):
        place["mask_shape"] = require_choice("mask_shape", shape, MASK_SHAPES)
    if width := cells.get("band_width"):
        place["band_width"] = float(require_number("band_width", _number("band_width", width, float), 0.1, 0.5))
    if align := cells.get("align"):
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        place["align"] = words[require_choice("align", align.lower(), words)]
    if "mask_library" in files:
        list_masks(files["mask_library"])
        place["mask_shape"] = "library"
    if ("reference_image" in files) != ("reference_mask" in files):
        raise InputError("reference_mask", "a reference is a picture and its mask; give both or neither.")
    if "reference_image" in files:
        size = load_image(files["reference_image"], field="reference_image").shape[:2]
        _check_mask("reference_mask", files["reference_mask"], (size[0], size[1]))
    if place.get("mask_shape") == "library" and not {"mask_library", "reference_mask"} & set(files):
        raise InputError("mask_shape", "library needs a mask_library, or a reference_image and reference_mask.")
    return place | {name: cells[name] for name in _FILES if name in files and name != "image"}


def _check_picture(name: str, path: Path, known: dict[tuple[str, Path], tuple[int, int]]) -> tuple[int, int]:
    if (name, path) not in known:
        if not path.is_file():
            raise InputError(name, f"there is no file {path.name!r}; paths are relative to the table.")
        height, width = load_image(path, field=name).shape[:2]
        known[name, path] = (height, width)
    return known[name, path]


def _check_mask(name: str, path: Path, size: tuple[int, int]) -> None:
    if not path.is_file():
        raise InputError(name, f"there is no file {path.name!r}; paths are relative to the table.")
    load_mask(path, size, field=name)


def _check_settings(settings: Mapping[str, Any]) -> None:
    given = dict(settings)
    require_number("candidates", given.pop("candidates", 1), 1, 8, integer=True)
    require_number("feather", given.pop("feather", 2.0), 0, 64)
    require_text("negative_prompt", given.pop("negative_prompt", ""), allow_empty=True)
    check_options(given, 1, 1.0)


def _number(name: str, text: Any, kind: type) -> Any:
    if kind is str:
        return text
    try:
        value = float(text)
    except ValueError:
        raise InputError(name, f"{str(text)[:40]!r} is no number.") from None
    return int(value) if kind is int and value.is_integer() else value


def _category(specs: list[DefectSpec]) -> str:
    return next((spec.category for spec in specs if spec.category), "object")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(row as a spreadsheet counts it, cells) of every row that holds something."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError("jobs", f"the table cannot be read: {error.strerror}.") from error
    if len(data) > MOST_BYTES:
        raise InputError("jobs", f"the table is larger than {MOST_BYTES // 2**20} MB; split it.")
    text = _decode(data)
    rows = _json_rows(text) if path.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows(text)
    for count, (number, cells) in enumerate(rows, start=1):
        if count > MOST_ROWS:
            raise InputError("jobs", f"the table has more than {MOST_ROWS} rows; split it.")
        if any(cells.values()):
            yield number, cells


def _decode(data: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError("jobs", "the table is no text in UTF-8; save it as CSV UTF-8.")


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    lines = text.splitlines()
    first = lines[0] if lines else ""
    separator = max(",;\t", key=first.count)  # a European spreadsheet writes semicolons
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError("jobs", f"the table is no CSV: {error}.") from error
    if not table:
        raise InputError("jobs", f"the table is empty; its first row names the columns: {', '.join(COLUMNS[:2])} ...")
    header = [name.strip().lower().replace(" ", "_") for name in table[0]]
    _check_header(header)
    for number, row in enumerate(table[1:], start=2):
        if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
            raise InputError("jobs", f"row {number} has {len(row)} cells for {len(header)} columns; quote its commas.")
        yield number, {name: cell.strip() for name, cell in zip(header, row, strict=False)}


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError:
            raise InputError("jobs", f"row {number} is no JSON.") from None
        if not isinstance(values, dict):
            raise InputError("jobs", f"row {number} is no JSON object of columns.")
        _check_header(list(values))
        yield number, {name: "" if value is None else str(value).strip() for name, value in values.items()}


def _check_header(header: list[str]) -> None:
    for column in ("image", "instruction"):
        if column not in header:
            raise InputError("jobs", f"the column {column!r} is missing; there are {', '.join(header)[:200]}.")
    unknown = [name for name in header if name and name not in COLUMNS]
    if unknown:
        raise InputError("jobs", f"the column {unknown[0][:60]!r} is not known; columns are {', '.join(COLUMNS)}.")
    double = [name for name, count in Counter(filter(None, header)).items() if count > 1]
    if double:
        raise InputError("jobs", f"the column {double[0]!r} is there twice; keep one.")
