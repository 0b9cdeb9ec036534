"""The vision encoder's first lesson: which part each cell of a picture shows.

Every cell of every picture says something, whereas a phrase asks for one part at a time: a small encoder learns its
parts far sooner this way, and the decoder then starts from features that know them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from ..devices import mixed_precision
from .progress import learning_rate, load_state, save_state
from .recipe import ClipSegRecipe
from .wholes import Whole, draw_view

POSITION_SIZE = 0.4
QUERY_DEVIATION = 0.06
CELLS = 3
"""Cells of a patch along each side."""


def learn_parts(
    model: Any, recipe: ClipSegRecipe, wholes: list[Whole], normalize: Any, path: Path, device: torch.device
) -> None:
    """Train ``model``'s vision encoder in place on the parts of rendered objects.

    Args:
        model: a ``CLIPSegForImageSegmentation`` of the recipe.
        normalize: uint8 [B, S, S, 3] → float32 [B, 3, S, S].
        path: the state; an interrupted run goes on from it and ends with the same weights.
    """
    options = recipe.training
    steps = options.get("parts_steps", 0)
    if not steps:
        return
    vision = model.clip.vision_model
    labels = sorted({label for whole in wholes for label in whole.labels})
    torch.manual_seed(recipe.seed)
    start_encoder(vision)
    weights = class_weights(wholes, labels).to(device)
    head = torch.nn.Linear(recipe.vision_encoder["hidden_size"], CELLS**2 * (1 + len(labels))).to(device)
    parameters = [*vision.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=options["lessons_rate"], weight_decay=options["weight_decay"])
    first, started, running = 0, time.monotonic(), None
    if (state := load_state(path)) is not None:
        vision.load_state_dict(state["vision"])
        head.load_state_dict(state["head"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    model.train()
    for step in range(first, steps):
        generator = np.random.default_rng([recipe.seed, 1, step])
        pictures, targets = draw_cells(wholes, labels, recipe, options["parts_batch_size"], generator)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, options["lessons_rate"], options["warmup"])
        with mixed_precision(device):
            tokens = vision(normalize(pictures).to(device), output_hidden_states=True).hidden_states[-1]
            logits = by_cell(head(tokens[:, 1:]), 1 + len(labels))
        loss = F.cross_entropy(logits.float(), torch.from_numpy(targets).to(device), weight=weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % options.get("save_every", 200) == 0 or step + 1 == steps:
            models = {"vision": vision.state_dict(), "head": head.state_dict()}
            save_state(path, {"step": step + 1, **models, "optimizer": optimizer.state_dict()})
        if (step + 1) % 100 == 0:
            print(f"parts {step + 1}/{steps} loss {running:.4f} {time.monotonic() - started:.0f} s", flush=True)


@torch.no_grad()
def start_encoder(vision: Any) -> None:
    """Random weights that know where a patch lies, and attend to patches that are like it or near it.

    Positions start as two-dimensional sines and cosines as large as the patches' own vectors, and keys as copies of
    queries: a transformer finds neighbours with these in a tenth of the pictures it otherwise needs.

    Source: Trockman and Kolter 2023, "Mimetic Initialization of Self-Attention Layers", of which this is a plain form.
    """
    positions = vision.embeddings.position_embedding.weight
    count, width = positions.shape[0] - 1, positions.shape[1]
    side = round(count**0.5)
    if width % 4 or side * side != count:
        return
    y, x = np.mgrid[:side, :side].reshape(2, -1, 1)
    waves = 10_000.0 ** -(np.arange(width // 4) / (width // 4))
    angles = [np.sin(x * waves), np.cos(x * waves), np.sin(y * waves), np.cos(y * waves)]
    positions[1:] = POSITION_SIZE * torch.from_numpy(np.concatenate(angles, axis=1)).to(positions)
    for layer in vision.encoder.layers:
        attention = layer.self_attn
        attention.q_proj.weight.normal_(0, QUERY_DEVIATION)
        attention.k_proj.weight.copy_(attention.q_proj.weight)


def class_weights(wholes: list[Whole], labels: list[str]) -> torch.Tensor:
    """Weight of ground and of every label [1 + len(labels)]: one over the root of its share of all pixels, mean 1 over
    the pixels, so that a screw's tip is learned beside its thread."""
    counts = np.ones(1 + len(labels))
    for whole in wholes:
        names = np.array([0, *(1 + labels.index(label) for label in whole.labels)])
        counts += np.bincount(names[whole.part_map.ravel()], minlength=len(counts))
    shares = counts / counts.sum()
    weights = shares**-0.5
    return torch.from_numpy(weights / (weights * shares).sum()).float()


def draw_cells(
    wholes: list[Whole], labels: list[str], recipe: ClipSegRecipe, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Random views uint8 [B, S, S, 3] and their cells int64 [B, G, G]: 0 is ground, then 1 + index into ``labels``."""
    side = recipe.resolution // recipe.vision_encoder["patch_size"] * CELLS
    pictures, targets = [], []
    for _ in range(count):
        whole = wholes[int(generator.integers(len(wholes)))]
        seen = draw_view(whole, recipe.resolution, generator)
        names = np.array([0, *(1 + labels.index(label) for label in whole.labels)], np.int64)
        cells = cv2.resize(seen.part_map, (side, side), interpolation=cv2.INTER_NEAREST)
        pictures.append(seen.picture)
        targets.append(names[cells])
    return np.stack(pictures), np.stack(targets)


def by_cell(values: torch.Tensor, classes: int) -> torch.Tensor:
    """What the patches say, [B, P, CELLS²·K] row by row, as [B, K, G, G]."""
    batch, patches = values.shape[:2]
    side = round(patches**0.5)
    cells = values.view(batch, side, side, CELLS, CELLS, classes)
    return cells.permute(0, 5, 1, 3, 2, 4).reshape(batch, classes, side * CELLS, side * CELLS)
