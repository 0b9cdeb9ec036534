"""A dataset's tables: `captions.xlsx` read and written, `manifest.csv` written; same rows, same bytes."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from magic_ui.errors import InputError

MAX_TABLE_BYTES = 64 * 1024 * 1024
"""Bytes of a captions file, packed and unpacked alike."""

CAPTION_HEADER = ("Path", "object description", "defect description")
_PATH_HEADERS = ("path", "filename", "file name", "file", "image", "image path")
_OBJECT_HEADERS = ("object description", "object")
_DEFECT_HEADERS = ("defect description", "caption", "description", "defect", "text")
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class CaptionKey(NamedTuple):
    """What a caption belongs to: file names repeat in every folder, so all three parts are needed."""

    category: str
    defect: str
    stem: str


class Caption(NamedTuple):
    """The words about one picture."""

    object_description: str
    defect_description: str


def read_captions(path: str | Path) -> dict[CaptionKey, Caption]:
    """Read a captions workbook; header names may vary in case and wording ("Path" or "filename", "caption").

    Raises:
        InputError: unreadable, a column missing, a path that is not category/defect/file, or two different
            captions for one picture.
    """
    rows = _workbook_rows(Path(path))
    header = [_normal_header(cell) for cell in next(rows, ())]
    path_column = _column(header, _PATH_HEADERS)
    defect_column = _column(header, _DEFECT_HEADERS)
    if path_column is None or defect_column is None:
        found = ", ".join(name for name in header if name) or "none"
        raise InputError("captions", f"the columns are {found[:200]}; there must be a path and a defect description.")
    object_column = _column(header, _OBJECT_HEADERS)
    captions: dict[CaptionKey, Caption] = {}
    for number, row in enumerate(rows, start=2):
        name = _cell(row, path_column)
        if not name:
            continue
        key = caption_key(name, number)
        caption = Caption(_cell(row, object_column), _cell(row, defect_column))
        if captions.setdefault(key, caption) != caption:
            raise InputError("captions", f"row {number} describes {'/'.join(key)} a second time, differently.")
    return captions


def caption_key(name: str, row: int = 0) -> CaptionKey:
    """The key of a path: "screw/scratch_head/000.png", "DS-MVTec/screw/image/scratch_head/000.png" ..."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "image", "test")]
    if len(parts) < 3 or ".." in parts:
        raise InputError("captions", f"row {row} does not name category/defect/file.")
    return CaptionKey(parts[-3], parts[-2], PurePosixPath(parts[-1]).stem)


def _workbook_rows(path: Path) -> Iterator[Sequence[Any]]:
    import openpyxl

    try:
        with zipfile.ZipFile(path) as packed:
            if max(path.stat().st_size, sum(entry.file_size for entry in packed.infolist())) > MAX_TABLE_BYTES:
                raise InputError("captions", f"the file is larger than {MAX_TABLE_BYTES // 1024**2} MB unpacked.")
        sheet = openpyxl.load_workbook(path, read_only=True, data_only=True).worksheets[0]
        rows = list(sheet.iter_rows(values_only=True))
    except InputError:
        raise
    except Exception:  # a damaged workbook raises nearly anything: BadZipFile, KeyError, XML errors
        raise InputError("captions", "the file cannot be read as an Excel workbook (.xlsx).") from None
    return iter(rows)


def _normal_header(cell: Any) -> str:
    return " ".join(str(cell or "").replace("_", " ").lower().split())


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _cell(row: Sequence[Any], column: int | None) -> str:
    value = row[column] if column is not None and column < len(row) else None
    return "" if value is None else " ".join(str(value).split())


def write_captions(rows: Iterable[Sequence[str]], attributes: Sequence[str] = ()) -> bytes:
    """A captions workbook of (path, object description, defect description, and a cell for each of ``attributes``,
    the names of further columns); no text becomes a formula."""
    import openpyxl

    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = "captions"
    for number, row in enumerate([(*CAPTION_HEADER, *attributes), *rows], start=1):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(number, column, _UNPRINTABLE.sub(" ", value))
            cell.data_type = "s"
    packed = io.BytesIO()
    workbook.save(packed)
    return _without_times(packed.getvalue())


def _without_times(workbook: bytes) -> bytes:
    """The same workbook with every time stamp fixed, so that equal captions are equal bytes."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as source, zipfile.ZipFile(fixed, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", b"1980-01-01T00:00:00", data)
            add_entry(target, entry.filename, data)
    return fixed.getvalue()


def add_entry(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file to an archive with a fixed time and mode; pictures are stored, all else is deflated."""
    entry = zipfile.ZipInfo(name, _FIXED_TIME)
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def write_manifest(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A UTF-8 CSV with one column for each key of the first row.

    Text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _inert(value) for key, value in row.items()})
    return text.getvalue().encode("utf-8")


def _inert(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = _UNPRINTABLE.sub(" ", value)
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
