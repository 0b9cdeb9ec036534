"""DINOv2's dense features (Oquab et al., TMLR 2024) behind the same interface as the UNet's: an option for CAMA."""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.devices import pick_device
from magic_ui.errors import CheckpointError
from magic_ui.registry import check_weights, resolve, verify_folder

DEFAULT = "dinov2"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class DinoFeatures:
    """Callable: picture uint8 [H, W, 3] → unit features float32 [h, w, C], one for every patch.

    ``name_or_folder`` is a registry name or a folder of a ``Dinov2Model``; the picture's longer side is seen at
    ``side`` pixels.
    """

    def __init__(self, name_or_folder: str | os.PathLike[str] = DEFAULT, *, side: int = 448) -> None:
        from transformers import Dinov2Model

        name, folder, expected, _ = resolve(name_or_folder)
        verify_folder(folder, expected)
        check_weights(name, folder)
        try:
            self.model: Any = Dinov2Model.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"{name} cannot be loaded: {reason.replace(str(folder), name)[:300]}") from error
        self.device = pick_device("auto")
        self.model.to(self.device).float().eval().requires_grad_(False)
        self.patch, self.side = int(self.model.config.patch_size), side

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of one picture."""
        import torch

        shrink = self.side / max(image.shape[:2])
        height, width = (max(self.patch, round(n * shrink / self.patch) * self.patch) for n in image.shape[:2])
        seen = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrink < 1 else cv2.INTER_CUBIC)
        values = ((seen.astype(np.float32) / 255 - MEAN) / STD).astype(np.float32)
        with torch.inference_mode():
            tokens = self.model(torch.from_numpy(values).permute(2, 0, 1)[None].to(self.device)).last_hidden_state
        features = tokens[0, 1:].reshape(height // self.patch, width // self.patch, -1).float().cpu().numpy()
        features -= features.mean(axis=(0, 1))
        return features / np.maximum(np.linalg.norm(features, axis=2, keepdims=True), 1e-6)
