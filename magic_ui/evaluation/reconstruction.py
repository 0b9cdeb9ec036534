"""What the autoencoder alone loses: PSNR inside masks, on the crops that the painter would cut."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..paint.checkpoint import Checkpoint, images_to_tensor, tensor_to_arrays
from ..paint.crop import crop_box, extract, resize_image


def mask_psnr(checkpoint: Checkpoint, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float, int]:
    """PSNR in dB of ``decode(encode(crop))`` inside the masks, at the checkpoint's resolution.

    Args:
        pairs: defect pictures uint8 [H, W, 3] with their masks bool [H, W], not empty.

    Returns:
        PSNR of the squared error pooled over all masks' pixels; mean of the crops' own PSNR; number of crops.
    """
    resolution = checkpoint.info.resolution
    errors: list[np.ndarray] = []
    for image, mask in pairs:
        box = crop_box(mask, resolution)
        crop = resize_image(extract(image, box), resolution)
        inside = resize_image(extract(mask, box).astype(np.float32), resolution) >= 0.5
        if not inside.any():  # a line thinner than half a pixel at this scale
            inside = resize_image(extract(mask, box).astype(np.float32), resolution) > 0
        output = tensor_to_arrays(checkpoint.reconstruct(images_to_tensor([crop])))[0]
        errors.append(((np.clip(output, 0, 255) - crop.astype(np.float32)) ** 2)[inside].ravel())
    if not errors:
        return float("nan"), float("nan"), 0
    return _psnr(np.concatenate(errors)), float(np.mean([_psnr(e) for e in errors])), len(errors)


def _psnr(squared_errors: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(float(squared_errors.mean()), 1e-6)))
