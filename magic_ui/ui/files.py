"""The files a visitor takes away, written into Gradio's cache, which deletes them again."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from gradio.processing_utils import save_bytes_to_cache

from magic_ui.data.export import RECORD_KEY, write_zip
from magic_ui.images import encode_png


def result_files(result: Any, cache: str | Path) -> tuple[str, str, str]:
    """Paths of the image (its record inside), the mask and the record of one result."""
    record = json.dumps(result.record, ensure_ascii=False, indent=2)
    picture = encode_png(np.asarray(result.image), {RECORD_KEY: json.dumps(result.record)})
    return (
        keep(picture, "defect.png", cache),
        keep(encode_png(result.mask), "mask.png", cache),
        keep(record.encode("utf-8"), "record.json", cache),
    )


def zip_file(results: list[Any], plan: Any, cache: str | Path, *, category: str | None = None) -> str:
    """Path of the archive in DS-MVTec layout; ``category`` names its folder where the words do not name the part."""
    specs = [replace(spec, category=spec.category or category) for spec in plan.specs]
    archive = io.BytesIO()
    write_zip(results, replace(plan, specs=specs), archive, layout="ds-mvtec")
    return keep(archive.getvalue(), "defects.zip", cache)


def keep(data: bytes, name: str, cache: str | Path) -> str:
    """Write the bytes into the cache under a folder named by their keyed hash; returns the path."""
    return save_bytes_to_cache(data, name, str(cache))
