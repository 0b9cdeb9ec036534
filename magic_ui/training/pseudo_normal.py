"""The sound surface under a real defect, guessed: real defects have no normal twin, and a model of pairs wants one."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ..paint.checkpoint import Checkpoint
from ..paint.options import check_options
from ..paint.painter import Canvas, make_crops, paint
from .captions import IDENTITY_CAPTION

METHODS = ("patches", "model")
GROW = 3
"""Pixels by which a hand-drawn mask is grown, so that no rim of the defect is left to continue."""


def remove_defect(
    method: str, image: np.ndarray, mask: np.ndarray, checkpoint: Checkpoint | None = None, *, seed: int = 0
) -> np.ndarray:
    """The picture with its defect filled by sound surface; outside the grown mask it stays as it is.

    Args:
        method: ``patches``, :func:`fill_by_patches`; ``model``, :func:`fill_by_model`.
        image: uint8 [H, W, 3].
        mask: bool [H, W], the defect.
        checkpoint: needed by ``model``.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GROW + 1, 2 * GROW + 1))
    hole = cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
    if method == "patches":
        return fill_by_patches(image, hole)
    if checkpoint is None:
        raise ValueError("filling by the model needs a checkpoint")
    return fill_by_model(checkpoint, image, hole, seed=seed)


def fill_by_model(checkpoint: Checkpoint, image: np.ndarray, hole: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Fill by the checkpoint's own masked form: grey under the hole, as Stable Diffusion 2 is conditioned."""
    info = replace(checkpoint.info, conditioning="masked", mask_channel="binary")
    masked = Checkpoint(
        info,
        checkpoint.tokenizer,
        checkpoint.text_encoder,
        checkpoint.vae,
        checkpoint.unet,
        checkpoint.scheduler,
        checkpoint.device,
        checkpoint.dtype,
    )
    options = check_options({"text_noise_scale": 0.0, "anomaly_noise": 0.0}, info.num_inference_steps, 1.0)
    crops = make_crops([(hole, IDENTITY_CAPTION)], info.resolution)
    for step in paint(masked, image, crops, [Canvas(1.0, seed)], options, feather=2.0):
        if step.pictures is not None:
            return step.pictures[0]
    raise RuntimeError("the painter ended without a picture")


def fill_by_patches(image: np.ndarray, hole: np.ndarray, *, patch: int = 13, reach: int = 120) -> np.ndarray:
    """Fill a hole with pieces of the same picture, the best known border first.

    Source: Criminisi et al. 2004, "Region filling and object removal by exemplar-based inpainting": a border pixel's
    priority is confidence times data term, its patch is completed from the most similar whole patch.

    Args:
        image: uint8 [H, W, 3].
        hole: bool [H, W].
        patch: side of a patch in pixels, odd.
        reach: how far from the hole patches are taken.
    """
    rows, cols = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    if not rows.size:
        return image.copy()
    height, width = hole.shape
    window = (
        slice(max(rows[0] - reach, 0), min(rows[-1] + 1 + reach, height)),
        slice(max(cols[0] - reach, 0), min(cols[-1] + 1 + reach, width)),
    )
    half = patch // 2
    pixels = cv2.copyMakeBorder(image[window], half, half, half, half, cv2.BORDER_REFLECT_101).astype(np.float32)
    missing = np.pad(hole[window], half, mode="reflect")
    sources = cv2.erode((~missing).astype(np.uint8), np.ones((patch, patch), np.uint8)).astype(bool)
    sources = sources[half:-half, half:-half] if half else sources  # a template's place is its upper left corner
    confidence = (~missing).astype(np.float32)
    if not sources.any():
        return cv2.inpaint(image, hole.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    inner = np.zeros_like(missing)
    inner[half : missing.shape[0] - half, half : missing.shape[1] - half] = True
    while (missing & inner).any():
        y, x = _most_urgent(pixels, missing & inner, confidence, half)
        place = (slice(y - half, y + half + 1), slice(x - half, x + half + 1))
        known = (~missing[place]).astype(np.float32)
        target = pixels[place] * known[..., None]
        distance = cv2.matchTemplate(pixels, target, cv2.TM_SQDIFF, mask=np.repeat(known[..., None], 3, axis=2))
        distance = np.where(sources, distance, np.inf)
        sy, sx = np.unravel_index(int(distance.argmin()), distance.shape)
        lacking = missing[place]
        pixels[place][lacking] = pixels[sy : sy + patch, sx : sx + patch][lacking]
        confidence[place][lacking] = confidence[y - half : y + half + 1, x - half : x + half + 1].mean()
        missing[place] = False
    filled = image.copy()
    crop = pixels[half:-half, half:-half].round().astype(np.uint8) if half else pixels.round().astype(np.uint8)
    filled[window][hole[window]] = crop[hole[window]]
    return filled


def _most_urgent(pixels: np.ndarray, missing: np.ndarray, confidence: np.ndarray, half: int) -> tuple[int, int]:
    """The border pixel of the hole whose patch is best known and whose surroundings have the strongest edge into it."""
    border = missing & ~cv2.erode(missing.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    known = (~missing).astype(np.float32)
    size = (2 * half + 1, 2 * half + 1)
    trust = cv2.boxFilter(confidence * known, -1, size)
    grey = pixels.mean(axis=2)
    # Gradients of known pixels alone: a normalised blur carries them over the border.
    weight = cv2.GaussianBlur(known, (0, 0), 2) + 1e-6
    smooth = cv2.GaussianBlur(grey * known, (0, 0), 2) / weight
    gx, gy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    soft = cv2.GaussianBlur(known, (0, 0), 2)
    nx, ny = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    length = np.hypot(nx, ny) + 1e-6
    data = np.abs(-gy * nx + gx * ny) / length / 255  # the isophote, which runs across the gradient, along the normal
    urgency = np.where(border, trust * (data + 1e-3), -1)
    y, x = np.unravel_index(int(urgency.argmax()), urgency.shape)
    return int(y), int(x)
