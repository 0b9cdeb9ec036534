"""The embedded CLIPSeg: trained from scratch on the rendered parts' labels, with Chinese and English phrases."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..devices import mixed_precision, pick_device
from ..localize.clipseg import segment
from ..registry import write_checksums
from .matching import learn_to_match
from .parts import learn_parts
from .progress import ExponentialMovingAverage, learning_rate, load_state, save_state
from .queries import all_phrases, draw_query, phrase_meanings
from .recipe import ClipSegRecipe
from .tokenizer import train_tokenizer
from .wholes import Whole, draw_view, load_wholes
from .words import learn_words

SHARD_SIZE = "8MB"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the pictures' channels, as the published CLIPSeg normalises them."""


def train_clipseg(
    recipe: ClipSegRecipe, data: Path, output: Path, *, device: str = "auto", limit: int | None = None
) -> Path:
    """Tokenizer and model; an interrupted run is resumed and ends with the same weights.

    Args:
        data: a rendered data set; the last twentieth of each category's parts is held out for the card's figures.
        output: gets ``state/`` (to resume from) and ``checkpoint/`` (transformers' layout).

    Returns:
        The checkpoint's folder.
    """
    from transformers import CLIPTokenizer

    chosen, started, options = pick_device(device), time.monotonic(), recipe.training
    wholes = load_wholes(data, limit=limit)
    held_out = wholes[19::20] or wholes[-1:]
    training = [w for i, w in enumerate(wholes) if i % 20 != 19] or wholes
    state_folder = output / "state"
    if not (state_folder / "tokenizer").is_dir():
        length = recipe.text_encoder["max_position_embeddings"]
        train_tokenizer(all_phrases(), recipe.tokenizer["vocab_size"], length, state_folder / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(state_folder / "tokenizer")
    model = build_model(recipe, tokenizer).to(chosen)
    parameters = list(model.parameters())
    # What the first lessons taught is changed more slowly than the decoder, which starts from nothing.
    taught = {id(p) for p in [*model.clip.vision_model.parameters(), *model.clip.text_model.parameters()]}
    groups = [
        {"params": [p for p in parameters if id(p) not in taught], "share": 1.0},
        {"params": [p for p in parameters if id(p) in taught], "share": options.get("encoders_share", 1.0)},
    ]
    optimizer = torch.optim.AdamW(
        groups, lr=options["learning_rate"], weight_decay=options["weight_decay"], betas=(0.9, 0.98)
    )
    average = ExponentialMovingAverage(parameters, options["ema_decay"])
    path, first, running = state_folder / "clipseg.pt", 0, None
    if (state := load_state(path)) is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.restore(state["average"])
        first = state["step"]
    else:
        learn_parts(model, recipe, training, normalize, state_folder / "parts.pt", chosen)
        read = learn_words(model, recipe, tokenizer, phrase_meanings(), chosen)
        print(f"phrases read rightly after the text encoder's first lesson: {read:.3f}", flush=True)

        def draw(step: int, pictures: int, phrases: int) -> dict[str, torch.Tensor]:
            generator = np.random.default_rng([recipe.seed, 3, step])
            return make_batch(training, recipe.resolution, pictures, phrases, tokenizer, generator)

        matched = learn_to_match(
            model, recipe, draw, lambda a, b: segmentation_loss(a, b, options["dice_weight"]), chosen
        )
        print(f"loss of matching patches with phrases: {matched:.3f}", flush=True)
        batch = make_batch(training, recipe.resolution, 4, 4, tokenizer, np.random.default_rng(recipe.seed))
        _settle(model, {k: v.to(chosen) for k, v in batch.items()})
        average = ExponentialMovingAverage(parameters, options["ema_decay"])
    model.train()
    for step in range(first, options["steps"]):
        batch = make_batch(
            training,
            recipe.resolution,
            options["batch_size"],
            options["phrases"],
            tokenizer,
            np.random.default_rng([recipe.seed, step]),
        )
        for group in optimizer.param_groups:
            rate = learning_rate(step, options["steps"], options["learning_rate"], options["warmup"])
            group["lr"] = rate * group["share"]
        with mixed_precision(chosen):
            logits = _ask(model, {k: v.to(chosen) for k, v in batch.items()}, options["phrases"])
        loss = segmentation_loss(logits.float(), batch["targets"].to(chosen), options["dice_weight"])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % options.get("save_every", 200) == 0 or step + 1 == options["steps"]:
            save_state(
                path,
                {
                    "step": step + 1,
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "average": average.state(),
                },
            )
        if (step + 1) % 100 == 0:
            seconds = time.monotonic() - started
            print(f"clipseg {step + 1}/{options['steps']} loss {running:.4f} {seconds:.0f} s", flush=True)
    average.copy_to_parameters()
    model.eval().requires_grad_(False)
    figures = {
        "parts": len(training),
        "held_out_parts": len(held_out),
        **measure(model, tokenizer, held_out, recipe, chosen),
        "minutes": round((time.monotonic() - started) / 60, 1),
    }
    print(figures, flush=True)
    return export(recipe, output / "checkpoint", model, tokenizer, figures)


def build_model(recipe: ClipSegRecipe, tokenizer: Any) -> Any:
    """A ``CLIPSegForImageSegmentation`` of the recipe's size with random weights."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    torch.manual_seed(recipe.seed)
    text = {
        **recipe.text_encoder,
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {**recipe.vision_encoder, "image_size": recipe.resolution}
    return CLIPSegForImageSegmentation(CLIPSegConfig(text_config=text, vision_config=vision, **recipe.model))


def make_batch(
    wholes: list[Whole], size: int, pictures: int, phrases: int, tokenizer: Any, generator: np.random.Generator
) -> dict[str, torch.Tensor]:
    """``pixel_values`` [B, 3, S, S], tokens of B·K phrases and ``targets`` [B·K, S, S], picture by picture."""
    images, texts, targets = [], [], []
    for _ in range(pictures):
        whole = wholes[int(generator.integers(len(wholes)))]
        seen = draw_view(whole, size, generator)
        images.append(seen.picture)
        for _ in range(phrases):
            phrase, target = draw_query(whole, seen, generator)
            texts.append(phrase)
            targets.append(target)
    tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    return {
        "pixel_values": normalize(np.stack(images)),
        "input_ids": tokens.input_ids,
        "attention_mask": tokens.attention_mask,
        "targets": torch.from_numpy(np.stack(targets)).float(),
    }


def normalize(images: np.ndarray) -> torch.Tensor:
    """uint8 [B, S, S, 3] → float32 [B, 3, S, S], as the checkpoint's image processor does it."""
    values = (images.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(values.transpose(0, 3, 1, 2).astype(np.float32))


def segmentation_loss(logits: torch.Tensor, targets: torch.Tensor, dice_weight: float) -> torch.Tensor:
    """Binary cross-entropy and, where the target is not empty, the Dice loss; logits [N, s, s], targets [N, S, S]."""
    targets = F.interpolate(targets[:, None], size=logits.shape[-2:], mode="area")[:, 0]
    loss = F.binary_cross_entropy_with_logits(logits, targets)
    area = targets.sum(dim=(1, 2))
    probability = logits.sigmoid()
    dice = 1 - 2 * (probability * targets).sum(dim=(1, 2)) / (probability.sum(dim=(1, 2)) + area).clamp(min=1)
    there = (area > 0).float()
    return loss + dice_weight * (dice * there).sum() / there.sum().clamp(min=1)


@torch.no_grad()
def measure(
    model: Any, tokenizer: Any, wholes: list[Whole], recipe: ClipSegRecipe, device: torch.device, count: int = 400
) -> dict[str, float]:
    """Mean IoU of what is there and share of absent parts that stay below one half everywhere, on held-out parts."""
    overlaps, silent, generator = [], [], np.random.default_rng(recipe.seed)
    for _ in range(count // 16):
        batch = make_batch(wholes, recipe.resolution, 4, 4, tokenizer, generator)
        logits = _ask(model, {k: v.to(device) for k, v in batch.items()}, 4).cpu()
        full = F.interpolate(logits[:, None], size=batch["targets"].shape[-2:], mode="bilinear")[:, 0] > 0
        for found, target in zip(full, batch["targets"] > 0.5, strict=True):
            if target.any():
                overlaps.append(float((found & target).sum() / (found | target).sum()))
            else:
                silent.append(not bool(found.any()))
    return {"iou": round(float(np.mean(overlaps)), 3), "absent_silent": round(float(np.mean(silent or [0])), 3)}


def export(recipe: ClipSegRecipe, folder: Path, model: Any, tokenizer: Any, figures: dict[str, Any]) -> Path:
    """Write model, tokenizer and image processor as transformers loads them, float16 safetensors, with checksums."""
    from transformers import ViTImageProcessorPil

    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder)
    size = {"height": recipe.resolution, "width": recipe.resolution}
    ViTImageProcessorPil(size=size, image_mean=list(MEAN), image_std=list(STD)).save_pretrained(folder)
    model.to("cpu", torch.float16).save_pretrained(folder, max_shard_size=SHARD_SIZE)
    card = {"languages": ["en", "zh"], "resolution": recipe.resolution, "training": figures}
    (folder / "magic_ui.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"checkpoint written, SHA-256 {write_checksums(folder)}", flush=True)
    return folder


@torch.no_grad()
def _settle(model: Any, batch: dict[str, torch.Tensor]) -> None:
    """Bring random weights' logits to a deviation of 1 around -2: CLIPSeg's own start at hundreds."""
    last: Any = model.decoder.transposed_convolution
    last = last[-1] if isinstance(last, torch.nn.Sequential) else last
    logits = _ask(model, batch, 4)
    last.weight.div_(logits.std())
    last.bias.fill_(-2 - float(((logits - last.bias) / logits.std()).mean()))


def _ask(model: Any, batch: dict[str, torch.Tensor], phrases: int) -> torch.Tensor:
    """Logits [B·K, s, s]: each picture is encoded once and asked K phrases."""
    return segment(model, batch["pixel_values"], batch["input_ids"], batch["attention_mask"], phrases)
