"""Rendered pairs in memory: pictures for the autoencoder, latents and captions for the diffusion model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..data.attributes import spec_from_attributes
from ..errors import InputError
from ..instruction.spec import DefectSpec


@dataclass
class PairSet:
    """S scenes of V defects each: ``pictures`` uint8 [S, 1 + V, W, W, 3] (the normal one first), ``masks`` bool
    [S, V, W, W], ``specs`` S lists of V."""

    pictures: np.ndarray
    masks: np.ndarray
    specs: list[list[DefectSpec]]

    def __len__(self) -> int:
        return len(self.specs)


def load_pairs(folder: Path, *, limit: int | None = None) -> PairSet:
    """Read the ``scene_*.npz`` files that ``magic_ui.rendering.pairs`` wrote, in the order of their names.

    Raises:
        InputError: no scenes there.
    """
    files = sorted(folder.glob("scene_*.npz"))[:limit]
    if not files:
        raise InputError("data", "the folder holds no scene_*.npz files; render some with python -m magic_ui render")
    pictures, masks, specs = [], [], []
    for path in files:
        with np.load(path) as scene:
            meta: dict[str, Any] = json.loads(str(scene["meta"]))
            pictures.append(np.concatenate([scene["normal"][None], scene["defective"]]))
            masks.append(scene["mask"])
            specs.append([spec_from_attributes(meta["category"], variant) for variant in meta["variants"]])
    return PairSet(np.stack(pictures), np.stack(masks), specs)


def patches(pairs: PairSet, count: int, size: int, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Random square patches for the autoencoder, half of them around a defect: images [N, 3, size, size] in −1…1 and
    masks [N, 1, size, size]. Flipped, turned, and every eighth one re-coloured, so that no colour is unseen."""
    width = pairs.pictures.shape[2]
    images = np.empty((count, size, size, 3), np.float32)
    masks = np.zeros((count, size, size), np.float32)
    for n in range(count):
        scene, variant = generator.integers(len(pairs)), generator.integers(pairs.masks.shape[1])
        defective = generator.random() < 0.75
        mask = pairs.masks[scene, variant] if defective else np.zeros((width, width), bool)
        x, y = generator.integers(0, width - size + 1, 2)
        if defective and generator.random() < 0.7:
            rows, cols = np.nonzero(mask)
            pick = generator.integers(len(rows))
            y, x = (int(np.clip(v - generator.integers(size), 0, width - size)) for v in (rows[pick], cols[pick]))
        window = (slice(y, y + size), slice(x, x + size))
        patch = pairs.pictures[scene, 1 + variant if defective else 0][window].astype(np.float32) / 127.5 - 1
        if n % 8 == 0:
            patch = np.clip(patch * generator.uniform(0.6, 1.2, 3) + generator.uniform(-0.25, 0.25, 3), -1, 1)
        turns, flip = int(generator.integers(4)), generator.random() < 0.5
        for target, values in ((images, patch), (masks, mask[window])):
            turned = np.rot90(values, turns)
            target[n] = turned[:, ::-1] if flip else turned
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(masks)[:, None]


def loosen_mask(mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """An exact mask → the looser one a user or a shape generator would give: grown by 0–5 px, at times smoothed."""
    grow = int(generator.integers(0, 6))
    loose = mask.astype(np.uint8)
    if grow:
        loose = cv2.dilate(loose, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1)))
    if generator.random() < 0.25:
        loose = cv2.morphologyEx(loose, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    return loose.astype(bool)
