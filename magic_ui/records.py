"""The record of a result: written beside the image, read back to paint the same again."""

from __future__ import annotations

import base64
import hashlib
import platform
from functools import lru_cache
from importlib import metadata
from typing import Any

import numpy as np

from .errors import InputError
from .images import encode_png, load_mask
from .instruction import DefectSpec
from .localize import Plan, Target

FORMAT = 1
KEYWORD = "magic_ui"
"""Keyword of the PNG text chunk that holds the record."""


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of what decides the bits of a result."""
    found = {"python": platform.python_version()}
    for package in ("torch", "diffusers", "transformers", "numpy", "opencv-python-headless", "pillow"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def image_sha256(pixels: np.ndarray) -> str:
    """SHA-256 of a picture's size and pixels, whatever file format it came in."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _pack(mask: np.ndarray) -> str:
    return base64.b64encode(encode_png(mask)).decode()


def write_record(
    plan: Plan,
    checkpoint: Any,
    order: dict[str, Any],
    index: int,
    *,
    anomaly_strength: float,
    seed: int,
    outcome: dict[str, Any],
) -> dict[str, Any]:
    """Everything needed to paint result ``index`` of this order again, as plain JSON values.

    The masks themselves are kept, so that a drawn mask, or a later version that would place it elsewhere, makes no
    difference.
    """
    height, width = plan.image.shape[:2]
    return {
        "format": FORMAT,
        "instruction": plan.options.get("instruction", ""),
        "specs": [spec.to_dict() for spec in plan.specs],
        "prompt": "; ".join(target.prompt for target in plan.targets),
        "anomaly_strength": anomaly_strength,
        "seed": seed,
        "request": order["request"],
        "settings": order["settings"],
        "index": index,
        "plan": {k: v for k, v in plan.options.items() if k != "instruction"},
        "targets": [{"spec": t.spec.to_dict(), "prompt": t.prompt, "mask_png": _pack(t.mask)} for t in plan.targets],
        "image": {"width": width, "height": height, "sha256": image_sha256(plan.image)},
        "checkpoint": {"name": checkpoint.name, "sha256": checkpoint.sha256},
        "outcome": outcome,
        "versions": versions(),
    }


def read_record(record: Any, pixels: np.ndarray, checkpoint: Any) -> tuple[Plan, dict[str, Any], dict[str, Any], int]:
    """``(plan, request, settings, index)`` of a record, for this picture (uint8 [H, W, 3]) and checkpoint.

    Raises:
        InputError: not a record, another picture, or another checkpoint.
    """
    try:
        if record["format"] != FORMAT:
            raise InputError("record", f"the record has format {record['format']!r}; this version reads {FORMAT}.")
        if record["image"]["sha256"] != image_sha256(pixels):
            raise InputError(
                "record", "the record belongs to another picture; give the normal picture it was made from."
            )
        if record["checkpoint"]["sha256"] != checkpoint.sha256:
            raise InputError(
                "record",
                f"the record was painted with the checkpoint {record['checkpoint']['name']!r} of another "
                "SHA-256; load that one.",
            )
        size = pixels.shape[:2]
        targets = []
        for entry in record["targets"]:
            mask = load_mask(base64.b64decode(entry["mask_png"], validate=True), size, field="record")
            targets.append(Target(DefectSpec.from_dict(entry["spec"]), mask, mask, str(entry["prompt"])))
        union = np.logical_or.reduce([t.mask for t in targets])
        specs = [DefectSpec.from_dict(spec) for spec in record["specs"]]
        options = {**record["plan"], "instruction": str(record["instruction"])}
        plan = Plan(pixels, np.ones(size, bool), union, union, specs, [], targets, options)
        return plan, dict(record["request"]), dict(record["settings"]), int(record["index"])
    except InputError:
        raise
    except Exception as error:
        raise InputError("record", "this is not a record of this product, or it is incomplete.") from error
