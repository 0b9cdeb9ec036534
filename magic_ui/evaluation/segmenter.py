"""The detector that synthetic pictures are judged by: a small U-Net that marks defects, and one that needs none."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..devices import mixed_precision
from .features import VGGFeatures, to_images
from .synthetic import Picture

SIDE = 512
"""Longer side at which pictures are looked at."""
CROP, BATCH, STEPS, PEAK_RATE = 96, 16, 500, 3e-3
"""Fixed before any real test picture was looked at."""


class UNet(nn.Module):
    """Pictures [N, 3, h, w] in −1…1 → logits [N, 1, h, w]; h and w multiples of 8. Ronneberger et al. 2015."""

    def __init__(self, channels: Sequence[int] = (16, 32, 64, 96)) -> None:
        super().__init__()
        self.down = nn.ModuleList(_block(a, b) for a, b in zip((3, *channels[:-1]), channels, strict=True))
        pairs = list(zip(channels[::-1][:-1], channels[::-1][1:], strict=True))
        self.up = nn.ModuleList(_block(deep + flat, flat) for deep, flat in pairs)
        self.head = nn.Conv2d(channels[0], 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """See the class."""
        kept: list[torch.Tensor] = []
        x = images
        for index, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if index else x)
            kept.append(x)
        for block, side in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0), side], dim=1))
        return self.head(x)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.GroupNorm(8, outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def shrink(image: np.ndarray) -> np.ndarray:
    """A picture or mask at the detector's size: its longer side ``SIDE``, both sides multiples of 8; dtype kept."""
    scale = SIDE / max(image.shape[:2])
    height, width = (max(8, round(n * scale / 8) * 8) for n in image.shape[:2])
    if image.dtype == bool:
        return cv2.resize(image.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) >= 0.5
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def train_segmenter(
    pictures: Sequence[Picture], normals: Sequence[np.ndarray], seed: int, *, steps: int = STEPS
) -> UNet:
    """Train on defective pictures and normal ones, each as :func:`shrink` leaves it; the last step's weights count.

    Every batch is half crops around defects, a quarter elsewhere on the same pictures, a quarter of normal ones.
    """
    generator = np.random.default_rng([seed, 81])
    torch.manual_seed(seed)
    model = UNet().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps + 1, pct_start=0.05)
    for _ in range(steps):
        images, masks = _batch(pictures, normals, generator)
        with mixed_precision(images.device):
            logits = model(images).float()
        loss = F.binary_cross_entropy_with_logits(logits, masks) + _dice_loss(logits, masks)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def _dice_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """1 − Dice over the whole batch, so that crops without a defect count too. Milletari et al. 2016."""
    probability = logits.sigmoid()
    return 1 - (2 * (probability * masks).sum() + 1) / (probability.sum() + masks.sum() + 1)


def _batch(
    pictures: Sequence[Picture], normals: Sequence[np.ndarray], generator: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    images, masks = [], []
    for index in range(BATCH):
        if index % 4 == 3 and normals:
            image = normals[int(generator.integers(len(normals)))]
            mask = np.zeros(image.shape[:2], bool)
        else:
            picture = pictures[int(generator.integers(len(pictures)))]
            image, mask = picture.image, picture.mask
        centre = None
        if index % 4 < 2 and mask.any():
            rows, cols = np.nonzero(mask)
            pick = generator.integers(len(rows))
            centre = (int(rows[pick]), int(cols[pick]))
        window = tuple(
            _span(size, None if centre is None else centre[axis], generator) for axis, size in enumerate(mask.shape)
        )
        crop, marks = _padded(image[window]), _padded(mask[window])
        turns, flip = int(generator.integers(4)), generator.random() < 0.5
        crop, marks = np.rot90(crop, turns), np.rot90(marks, turns)
        if flip:
            crop, marks = crop[:, ::-1], marks[:, ::-1]
        tone = generator.uniform(0.85, 1.15) * crop.astype(np.float32) + generator.uniform(-15, 15)
        images.append(np.clip(tone, 0, 255) / 127.5 - 1)
        masks.append(marks.astype(np.float32))
    return (
        torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().contiguous(),
        torch.from_numpy(np.stack(masks))[:, None],
    )


def _span(size: int, centre: int | None, generator: np.random.Generator) -> slice:
    room = max(size - CROP, 0)
    start = int(generator.integers(room + 1))
    if centre is not None:
        start = int(np.clip(centre - generator.integers(CROP // 4, 3 * CROP // 4), 0, room))
    return slice(start, start + CROP)


def _padded(crop: np.ndarray) -> np.ndarray:
    pads = [(0, CROP - n) for n in crop.shape[:2]] + [(0, 0)] * (crop.ndim - 2)
    return np.pad(crop, pads, mode="edge") if any(high for _, high in pads) else crop


@torch.no_grad()
def defect_map(model: UNet, image: np.ndarray) -> np.ndarray:
    """Probability of a defect at every pixel of a shrunk picture, float32 [h, w]."""
    images = to_images([image])
    with mixed_precision(images.device):
        return model(images)[0, 0].float().sigmoid().numpy()


class NormalMemory:
    """A scorer that saw no defect at all: distance of deep features to the nearest of the normal pictures'.

    Source: Roth et al. 2022, "PatchCore", with a random subset of the memory and the VGG features of this package.
    """

    def __init__(self, vgg: VGGFeatures, normals: Sequence[np.ndarray], *, size: int = 8000, seed: int = 0) -> None:
        self._vgg = vgg
        generator = np.random.default_rng([seed, 82])
        each = max(1, size // len(normals))
        rows = []
        for image in normals:
            features = self._features(image)[0].reshape(-1, self._channels)
            rows.append(features[torch.from_numpy(generator.permutation(len(features))[:each])])
        self._memory = torch.cat(rows)

    @torch.no_grad()
    def _features(self, image: np.ndarray) -> tuple[torch.Tensor, tuple[int, int]]:
        stages = self._vgg(to_images([image]))[2:4]
        size = (int(stages[0].shape[2]), int(stages[0].shape[3]))
        near = [F.avg_pool2d(F.normalize(stage, dim=1), 3, 1, 1) for stage in stages]
        joint = torch.cat([near[0], F.interpolate(near[1], size=size, mode="bilinear")], dim=1)
        self._channels = joint.shape[1]
        return joint[0].permute(1, 2, 0), size

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Distances at every pixel of a shrunk picture, float32 [h, w]."""
        features, size = self._features(image)
        flat = features.reshape(-1, self._channels)
        nearest = torch.cat([torch.cdist(part, self._memory).amin(dim=1) for part in flat.split(2048)])
        coarse = nearest.reshape(size).numpy()
        wide = cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return cv2.GaussianBlur(wide, (0, 0), 4)
