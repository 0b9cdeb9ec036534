"""What the commands write and read: pictures with their records inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from ..errors import InputError


def write_results(folder: Path, image: Path, results: list[Any]) -> None:
    """``<stem>_000.png`` (record inside), ``_mask.png``, ``_refined_mask.png`` and ``.json`` of every result."""
    import numpy as np

    from ..records import KEYWORD

    for i, result in enumerate(results):
        stem = f"{image.stem}_{i:03d}"
        text = json.dumps(result.record, ensure_ascii=False)
        write_png(folder / f"{stem}.png", np.asarray(result.image), {KEYWORD: text})
        write_png(folder / f"{stem}_mask.png", result.mask)
        write_png(folder / f"{stem}_refined_mask.png", result.refined_mask)
        (folder / f"{stem}.json").write_text(text + "\n", encoding="utf-8")
        weak = "  (weak: hardly anything was drawn; try more strength or another seed)" if result.weak else ""
        typer.echo(
            f"{folder / stem}.png  strength {result.record['anomaly_strength']:.2f}  seed {result.record['seed']}{weak}"
        )


def write_png(path: Path, pixels: Any, text: dict[str, str] | None = None) -> None:
    """Write a picture or mask as PNG, ``text`` in its text chunks; makes the folder."""
    from ..images import encode_png

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(pixels, text))
    except OSError as error:
        raise InputError("output", f"the results cannot be written: {error.strerror}.") from error


def read_record(path: Path) -> Any:
    """A record's JSON; raises ``InputError`` when it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("record", "the record file cannot be read as JSON.") from error
