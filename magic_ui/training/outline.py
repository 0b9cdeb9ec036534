"""The embedded segmenter: UperNet on a small ResNet, trained from scratch on rendered parts laid on any ground."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..devices import mixed_precision, pick_device
from ..localize.outline import MEAN, STD, letterbox
from ..registry import write_checksums
from .clipseg import SHARD_SIZE, segmentation_loss
from .progress import ExponentialMovingAverage, learning_rate, load_state, save_state
from .recipe import OutlineRecipe
from .wholes import Whole, change_light, load_wholes, on_other_ground

OTHER_GROUND = 0.5
SHADOW = 0.6


def train_outline(
    recipe: OutlineRecipe, data: Path, output: Path, *, device: str = "auto", limit: int | None = None
) -> Path:
    """Train the segmenter; an interrupted run is resumed and ends with the same weights.

    Args:
        data: a rendered data set; every twentieth part is held out for the card's figures.
        output: gets ``state/`` (to resume from) and ``checkpoint/`` (transformers' layout).

    Returns:
        The checkpoint's folder.
    """
    chosen, started, options = pick_device(device), time.monotonic(), recipe.training
    wholes = load_wholes(data, limit=limit)
    held_out = wholes[19::20] or wholes[-1:]
    training = [w for i, w in enumerate(wholes) if i % 20 != 19] or wholes
    model = build_model(recipe).to(chosen, memory_format=torch.channels_last)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=options["learning_rate"], weight_decay=options["weight_decay"])
    average = ExponentialMovingAverage(parameters, options["ema_decay"])
    path, first, running = output / "state" / "outline.pt", 0, None
    if (state := load_state(path)) is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.restore(state["average"])
        first = state["step"]
    model.train()
    for step in range(first, options["steps"]):
        generator = np.random.default_rng([recipe.seed, step])
        images, targets = make_batch(training, recipe.resolution, options["batch_size"], generator)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options["steps"], options["learning_rate"], options["warmup"])
        with mixed_precision(chosen):
            logits = model(images.to(chosen, memory_format=torch.channels_last)).logits[:, 0]
        loss = segmentation_loss(logits.float(), targets.to(chosen), options["dice_weight"])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % options.get("save_every", 200) == 0 or step + 1 == options["steps"]:
            weights = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "average": average.state()}
            save_state(path, {"step": step + 1, **weights})
        if (step + 1) % 100 == 0:
            seconds = time.monotonic() - started
            print(f"outline {step + 1}/{options['steps']} loss {running:.4f} {seconds:.0f} s", flush=True)
    average.copy_to_parameters()
    _settle_statistics(model, training, recipe, chosen)
    model.eval().requires_grad_(False)
    minutes = round((time.monotonic() - started) / 60, 1)
    figures = {"parts": len(training), "held_out_parts": len(held_out), "iou": measure(model, held_out, recipe)}
    print(figures, flush=True)
    return export(recipe, output / "checkpoint", model, {**figures, "minutes": minutes})


def build_model(recipe: OutlineRecipe) -> Any:
    """An ``UperNetForSemanticSegmentation`` of the recipe's size with random weights and one class."""
    from transformers import ResNetConfig, UperNetConfig, UperNetForSemanticSegmentation

    torch.manual_seed(recipe.seed)
    config: Any = UperNetConfig(backbone_config=ResNetConfig(**recipe.backbone), **recipe.head)
    config.num_labels = 1
    return UperNetForSemanticSegmentation(config)


def make_batch(
    wholes: list[Whole], size: int, count: int, generator: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised pictures float32 [B, 3, S, S] and where the object is, float32 [B, S, S]."""
    drawn = [draw_scene(wholes[int(generator.integers(len(wholes)))], size, generator) for _ in range(count)]
    pictures = np.stack([picture for picture, _ in drawn]).astype(np.float32) / 255
    normal = (pictures - np.array(MEAN)) / np.array(STD)
    targets = np.stack([mask for _, mask in drawn]).astype(np.float32)
    return torch.from_numpy(normal.transpose(0, 3, 1, 2).astype(np.float32)), torch.from_numpy(targets)


def draw_scene(whole: Whole, size: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A part as someone may photograph it: any angle, size and place, at times cut by the frame, on its own or another
    ground, with and without a shadow, under other light. Picture uint8 [S, S, 3] and object bool [S, S]."""
    picture = whole.pictures[int(generator.integers(len(whole.pictures)))]
    turn = int(generator.integers(4))
    picture, foreground = np.rot90(picture, turn), np.rot90(whole.foreground, turn)
    if generator.random() < 0.5:
        picture, foreground = picture[:, ::-1], foreground[:, ::-1]
    picture, foreground = np.ascontiguousarray(picture), np.ascontiguousarray(foreground)
    if whole.fills_frame:
        side = int(foreground.shape[0] * generator.uniform(0.5, 1.0))
        x, y = generator.integers(0, foreground.shape[0] - side + 1, 2)
        picture = cv2.resize(picture[y : y + side, x : x + side], (size, size), interpolation=cv2.INTER_LINEAR)
        return _light(picture, generator), np.ones((size, size), bool)
    matrix = _pose(foreground, size, generator)
    picture = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)
    share = cv2.warpAffine(foreground.astype(np.float32), matrix, (size, size), flags=cv2.INTER_LINEAR)
    mask = share > 0.5
    if generator.random() < OTHER_GROUND and mask.any():
        picture = on_other_ground(picture, mask, generator)
        if generator.random() < SHADOW:
            picture = _cast_shadow(picture, mask, generator)
    else:  # what the mirrored border repeats of the object is object as well
        reflected = cv2.warpAffine(
            foreground.astype(np.float32), matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101
        )
        mask = reflected > 0.5
    return _light(picture, generator), mask


def _pose(foreground: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """A similarity [2, 3] that brings the object, 0.3–1.1 of the frame long, somewhere into the frame."""
    rows, cols = np.flatnonzero(foreground.any(1)), np.flatnonzero(foreground.any(0))
    length = max(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
    scale = size * generator.uniform(0.3, 1.1) / length
    angle = generator.uniform(-45, 45) if generator.random() < 0.7 else 0.0
    center = ((cols[0] + cols[-1]) / 2, (rows[0] + rows[-1]) / 2)
    matrix = cv2.getRotationMatrix2D(center, angle, scale)
    room = max(0.08, 0.5 - 0.5 * scale * length / size)
    target = size * (0.5 + generator.uniform(-room, room, 2))
    matrix[:, 2] += target - np.array(center)
    return matrix


def _cast_shadow(picture: np.ndarray, mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A soft or hard shadow of the object beside it, on the ground alone."""
    size = mask.shape[0]
    shift = generator.uniform(-0.08, 0.08, 2) * size
    moved = cv2.warpAffine(mask.astype(np.float32), np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), (size, size))
    soft = cv2.GaussianBlur(moved, (0, 0), generator.uniform(0.8, 0.05 * size))
    dark = 1 - generator.uniform(0.15, 0.75) * soft[..., None]
    edge = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]
    return np.clip(picture * (edge + (1 - edge) * dark), 0, 255).astype(np.uint8)


def _light(picture: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Another light, at times stronger on one side."""
    if generator.random() < 0.4:
        size, angle = picture.shape[0], generator.uniform(0, 2 * np.pi)
        ramp = np.linspace(-1, 1, size)
        slope = np.cos(angle) * ramp[None, :] + np.sin(angle) * ramp[:, None]
        picture = np.clip(picture * (1 + generator.uniform(0, 0.35) * slope)[..., None], 0, 255).astype(np.uint8)
    return change_light(picture, generator)


@torch.no_grad()
def _settle_statistics(model: Any, wholes: list[Whole], recipe: OutlineRecipe, device: torch.device) -> None:
    """The averaged weights' own batch statistics, in place of those of the last weights."""
    layers = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over the batches below
    model.train()
    for index in range(recipe.training.get("settle_batches", 40)):
        generator = np.random.default_rng([recipe.seed, 1, index])
        images, _ = make_batch(wholes, recipe.resolution, recipe.training["batch_size"], generator)
        model(images.to(device, memory_format=torch.channels_last))
    for layer in layers:
        layer.momentum = 0.1


@torch.no_grad()
def measure(model: Any, wholes: list[Whole], recipe: OutlineRecipe) -> float:
    """Mean IoU on held-out parts as they were rendered, at the model's own resolution."""
    overlaps = []
    device = next(model.parameters()).device
    for whole in wholes:
        small, box = letterbox(whole.pictures[0], recipe.resolution)
        values = (small.astype(np.float32) / 255 - np.array(MEAN)) / np.array(STD)
        batch = torch.from_numpy(values.transpose(2, 0, 1)[None].astype(np.float32)).to(device)
        found = model(batch).logits[0, 0].cpu().numpy()[: box[1], : box[0]] > 0
        truth = cv2.resize(whole.foreground.astype(np.uint8), box, interpolation=cv2.INTER_AREA) > 0
        overlaps.append(float((found & truth).sum() / max((found | truth).sum(), 1)))
    return round(float(np.mean(overlaps)), 4)


def export(recipe: OutlineRecipe, folder: Path, model: Any, figures: dict[str, Any]) -> Path:
    """Write the model as transformers loads it, float16 safetensors, with checksums."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    model.to("cpu", torch.float16).save_pretrained(folder, max_shard_size=SHARD_SIZE)
    card = {"resolution": recipe.resolution, "training": figures}
    (folder / "magic_ui.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"checkpoint written, SHA-256 {write_checksums(folder)}", flush=True)
    return folder
