"""V2: a phrase finds its place by a text-image model (CLIPSeg: Lüddecke and Ecker, CVPR 2022)."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import CheckpointError, InputError
from magic_ui.registry import check_weights, resolve, verify_folder

Mask = NDArray[np.bool_]

DEFAULT = "clipseg-tiny"
MARGIN = 0.12
"""Ground kept around the object, as a share of its longer side, on the square that the model sees."""


@dataclass(frozen=True)
class Square:
    """A square of the picture: upper left corner and side in pixels; it may reach beyond the picture."""

    x: int
    y: int
    side: int


def square_around(mask: Mask, margin: float = MARGIN) -> Square:
    """The square around a mask (bool [H, W]; the picture's own square if it is empty) with ground on all sides."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        rows, cols, margin = np.array([0, mask.shape[0] - 1]), np.array([0, mask.shape[1] - 1]), 0.0
    side = max(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
    side = max(8, round(side * (1 + 2 * margin)))
    return Square(int((cols[0] + cols[-1] + 1) / 2 - side / 2), int((rows[0] + rows[-1] + 1) / 2 - side / 2), int(side))


def view(image: NDArray[Any], square: Square, size: int) -> NDArray[Any]:
    """The square of a picture [H, W, C] at ``size`` × ``size``; beyond the picture its border is repeated."""
    scale = square.side / size
    matrix = np.array([[scale, 0, square.x + scale / 2 - 0.5], [0, scale, square.y + scale / 2 - 0.5]])
    if scale > 1:  # the mean over what becomes one pixel, so that nothing aliases
        image = cv2.blur(image, (max(1, round(scale)),) * 2)
    return cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )


class TextLocator:
    """Finds phrases on pictures with a CLIPSeg checkpoint: ``clipseg-tiny`` or ``CIDAS/clipseg-rd64-refined``.

    The weights load at the first use; several threads may share one locator.
    """

    def __init__(self, name_or_folder: str | os.PathLike[str] = DEFAULT) -> None:
        self.name = os.fspath(name_or_folder)
        self._lock = threading.Lock()
        self._model: _Model | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of the phrases that the checkpoint was trained on."""
        return self._loaded().languages

    def locate(
        self, image: NDArray[np.uint8], phrases: Sequence[str], foreground: Mask | None = None
    ) -> NDArray[np.float32]:
        """Probability that each pixel is what the phrases name, averaged over them: float32 [H, W] in 0..1.

        ``image`` is uint8 [H, W, 3] RGB. With a ``foreground`` (bool [H, W]) the model looks at the square around it,
        and the map is 0 beyond that square.

        Raises:
            InputError: no phrase.
            CheckpointError: the checkpoint cannot be loaded.
        """
        if not phrases or not all(phrase.strip() for phrase in phrases):
            raise InputError("instruction", "there is no phrase to look for.")
        model = self._loaded()
        shape = image.shape[:2]
        square = square_around(np.ones(shape, bool) if foreground is None else foreground)
        small = model.probabilities(view(image, square, model.size), list(phrases)).mean(axis=0)
        scale = small.shape[0] / square.side
        matrix = np.array([[scale, 0, (0.5 - square.x) * scale - 0.5], [0, scale, (0.5 - square.y) * scale - 0.5]])
        return np.clip(
            cv2.warpAffine(
                small,
                matrix,
                (shape[1], shape[0]),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_CONSTANT,
            ),
            0,
            1,
        )

    def _loaded(self) -> _Model:
        with self._lock:
            if self._model is None:
                self._model = _Model(self.name)
            return self._model


@lru_cache(maxsize=2)
def locator(name_or_folder: str = DEFAULT) -> TextLocator:
    """The process's one locator of that name."""
    return TextLocator(name_or_folder)


class _Model:
    """The loaded checkpoint: processor and ``CLIPSegForImageSegmentation``."""

    def __init__(self, name_or_folder: str) -> None:
        name, folder, expected, entry = resolve(name_or_folder)
        verify_folder(folder, expected)
        check_weights(name, folder)
        try:
            self.processor, self.model = _load(folder)
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise CheckpointError(f"{name} cannot be loaded: {reason[0].replace(str(folder), name)[:300]}") from error
        self.languages = entry.languages if entry else ("en",)
        self.size = int(self.processor.image_processor.size["height"])

    def probabilities(self, picture: NDArray[np.uint8], phrases: list[str]) -> NDArray[np.float32]:
        """One square picture uint8 [size, size, 3], K phrases → float32 [K, s, s]; the picture is encoded once."""
        import torch

        inputs = self.processor(text=phrases, images=[picture], padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            logits = segment(
                self.model, inputs["pixel_values"], inputs["input_ids"], inputs["attention_mask"], len(phrases)
            )
            return torch.sigmoid(logits).float().numpy()


def segment(model: Any, pixel_values: Any, input_ids: Any, attention_mask: Any, phrases: int) -> Any:
    """Logits [B·K, s, s] of B pictures [B, 3, S, S], each asked K ``phrases`` of its own and encoded once.

    What ``CLIPSegForImageSegmentation.forward`` computes, but with gradients through the encoders.
    """
    hidden = model.clip.vision_model(pixel_values, output_hidden_states=True).hidden_states
    pooled = model.clip.text_model(input_ids, attention_mask=attention_mask).pooler_output
    conditional = model.clip.text_projection(pooled)
    activations = [hidden[i + 1].repeat_interleave(phrases, dim=0) for i in model.extract_layers]
    return model.decoder(activations, conditional).logits


def _load(folder: Path) -> tuple[Any, Any]:
    from transformers import CLIPSegForImageSegmentation, CLIPSegProcessor, CLIPTokenizer, ViTImageProcessorPil

    processor = CLIPSegProcessor(
        image_processor=ViTImageProcessorPil.from_pretrained(folder, local_files_only=True),
        tokenizer=CLIPTokenizer.from_pretrained(folder, local_files_only=True),
    )
    loaded: Any = CLIPSegForImageSegmentation.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    model, report = loaded
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"it lacks the weight {missing[0]}")
    return processor, model.float().eval().requires_grad_(False)
