"""Rendered pairs as latents: encoded once, kept on disk for a resumed run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..devices import mixed_precision
from ..paint.crop import cell_coverage
from .pairs import PairSet, loosen_mask
from .progress import load_state, save_state


@dataclass
class LatentSet:
    """Latents float16 of S scenes with V defects each, in A views (flips and turns).

    ``latents`` [A, S, 1 + V, C, w, w] of every picture (the normal one first) and ``masks`` bool [A, S, V, W, W] of
    the views. ``masked`` [S, V, C, w, w] are the first view's normal pictures with grey in ``masked_cells`` bool
    [S, V, w, w], as Stable Diffusion 2 is conditioned.
    """

    latents: torch.Tensor
    masks: np.ndarray
    masked: torch.Tensor
    masked_cells: np.ndarray


def turn(array: np.ndarray, view: int) -> np.ndarray:
    """One of the eight flips and quarter turns of the last two axes."""
    turned = np.rot90(array, view % 4, axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if view >= 4 else turned)


def change_tone(pictures: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One scene's pictures (uint8 [N, W, W, 3]) under another exposure, contrast and slight tint, all of them alike."""
    gamma, gain = np.exp(generator.uniform(-0.35, 0.35)), np.exp(generator.uniform(-0.2, 0.45))
    tint = 1 + generator.uniform(-0.06, 0.06, 3)
    curve = np.arange(256)[:, None] / 255
    table = np.clip(255 * gain * tint * curve**gamma, 0, 255).round().astype(np.uint8)  # [256, 3]
    return np.stack([table[pictures[..., c], c] for c in range(3)], axis=-1)


def encode_pairs(
    vae: Any, pairs: PairSet, views: int, seed: int, device: torch.device, report: Any, cache: Path | None = None
) -> LatentSet:
    """Encode every picture once per view; scene s uses views (s, s + 3, ...) mod 8 so that all eight occur.

    Every view but the first is also seen under another exposure, contrast and tint. ``cache`` is a file that keeps
    the latents; it is read where it exists, so it belongs to one autoencoder and one set of pairs.
    """
    scenes, variants = pairs.masks.shape[:2]
    views_of = [[(s + 3 * view + seed) % 8 for s in range(scenes)] for view in range(views)]
    masks = np.stack([[turn(pairs.masks[s], which) for s, which in enumerate(row)] for row in views_of])
    cells = np.stack(
        [
            [loose_coverage(masks[0, s, v], np.random.default_rng([seed, 5, s, v]), vae) > 0 for v in range(variants)]
            for s in range(scenes)
        ]
    )
    state = load_state(cache) if cache is not None else None
    if state is None:
        latents, masked = [], []
        for view in range(views):
            for s in range(scenes):
                pictures = pairs.pictures[s]
                if view:
                    pictures = change_tone(pictures, np.random.default_rng([seed, 4, view, s]))
                images = turn(pictures.transpose(0, 3, 1, 2), views_of[view][s])
                latents.append(_encode(vae, images, device))
                if view == 0:
                    cell = images.shape[-1] // cells.shape[-1]
                    hidden = np.kron(cells[s], np.ones((cell, cell), bool))[:, None]
                    masked.append(_encode(vae, np.where(hidden, 127.5, images[:1]), device))
                if (s + 1) % 100 == 0:
                    report(view * scenes + s + 1, views * scenes, 0.0)
        stacked = torch.stack(latents)
        state = {"latents": stacked.view(views, scenes, *stacked.shape[1:]), "masked": torch.stack(masked)}
        if cache is not None:
            save_state(cache, state)
    return LatentSet(state["latents"], masks, state["masked"], cells)


def loose_coverage(mask: np.ndarray, generator: np.random.Generator, vae: Any) -> np.ndarray:
    """An exact mask bool [W, W] → float32 [w, w], how much a looser one covers of every latent cell."""
    cell = 2 ** (len(vae.config.block_out_channels) - 1)
    return cell_coverage(loosen_mask(mask, generator), mask.shape[0], cell)


@torch.no_grad()
def _encode(vae: Any, images: np.ndarray, device: torch.device) -> torch.Tensor:
    batch = torch.from_numpy(np.ascontiguousarray(images, np.float32)).to(device) / 127.5 - 1
    with mixed_precision(device):
        mean = vae.encode(batch.contiguous(memory_format=torch.channels_last)).latent_dist.mean
    return mean.half().cpu()
