"""The embedded segmenter: a small network that tells the object from its ground."""

from __future__ import annotations

import json
import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import CheckpointError
from magic_ui.registry import check_weights, resolve, verify_folder

DEFAULT = "outline-tiny"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def letterbox(image: NDArray[np.uint8], size: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The picture [H, W, 3] with its longer side at ``size``, its last row and column repeated to a square; and the
    (width, height) that it takes of it."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    box = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, box, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return cv2.copyMakeBorder(small, 0, size - box[1], 0, size - box[0], cv2.BORDER_REPLICATE), box


class ObjectSegmenter:
    """Says of every pixel how likely it is the object; the weights load at the first use, threads may share one."""

    def __init__(self, name_or_folder: str | os.PathLike[str] = DEFAULT) -> None:
        self.name = os.fspath(name_or_folder)
        self._lock = threading.Lock()
        self._loaded: tuple[Any, int] | None = None

    def probability(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Picture uint8 [H, W, 3] RGB → float32 [h, w] in 0..1, the whole picture at the model's own resolution.

        Raises:
            CheckpointError: the checkpoint cannot be loaded.
        """
        import torch

        model, size = self._model()
        small, box = letterbox(image, size)
        values = (small.astype(np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
        with torch.inference_mode():
            logits = model(torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))).logits
            return torch.sigmoid(logits[0, 0]).numpy()[: box[1], : box[0]]

    def _model(self) -> tuple[Any, int]:
        with self._lock:
            if self._loaded is None:
                name, folder, expected, _ = resolve(self.name)
                verify_folder(folder, expected)
                check_weights(name, folder)
                try:
                    self._loaded = _load(folder)
                except Exception as error:
                    reason = str(error).strip().splitlines() or [type(error).__name__]
                    hidden = reason[0].replace(str(folder), name)[:300]
                    raise CheckpointError(f"{name} cannot be loaded: {hidden}") from error
            return self._loaded


@lru_cache(maxsize=2)
def segmenter(name_or_folder: str = DEFAULT) -> ObjectSegmenter:
    """The process's one segmenter of that name."""
    return ObjectSegmenter(name_or_folder)


def _load(folder: Path) -> tuple[Any, int]:
    from transformers import UperNetForSemanticSegmentation

    loaded: Any = UperNetForSemanticSegmentation.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    model, report = loaded
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"it lacks the weight {missing[0]}")
    size = int(json.loads((folder / "magic_ui.json").read_text(encoding="utf-8"))["resolution"])
    return model.float().eval().requires_grad_(False), size
