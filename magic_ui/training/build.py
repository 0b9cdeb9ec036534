"""From a recipe and rendered pairs to a checkpoint folder: the one command that reproduces an embedded model."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checks import require_number
from ..errors import InputError
from ..instruction.prompt import PROMPT_LANGUAGES
from ..registry import write_checksums
from .autoencoder import psnr_inside, train_autoencoder
from .captions import IDENTITY_CAPTION, sample_caption
from .diffusion import train_diffusion
from .pairs import PairSet, load_pairs, patches
from .recipe import Recipe
from .tokenizer import train_tokenizer

SHARD_SIZE = "8MB"
"""Largest weight file: a folder pushes to a Space without Git LFS."""


def train_from_scratch(
    recipe: Recipe,
    data: Path,
    output: Path,
    *,
    device: str = "auto",
    limit: int | None = None,
    start_from: Path | None = None,
    from_stage: int = 0,
    compiled: bool = False,
) -> Path:
    """Tokenizer, autoencoder, then UNet and text encoder; finished stages and half-finished ones are resumed.

    Args:
        data: folder of rendered ``scene_*.npz`` pairs; the last 5% of the scenes are held out for the card's figures.
        start_from: a checkpoint folder of the same recipe, older perhaps: its tokenizer is kept and every weight of
            equal name and shape is taken over.
        from_stage: the first of the recipe's stages to train, counted from 0; after 0 the autoencoder of
            ``start_from`` is kept bit for bit, since the latents that its UNet knows are its own.
        compiled: run the UNet through ``torch.compile``: a quarter less time on a CPU, and a C++ compiler is needed.
        output: gets ``state/`` (to resume from) and ``checkpoint/`` (the result, in diffusers' layout).

    Returns:
        The checkpoint's folder.

    Raises:
        InputError: ``from_stage`` names no stage, or there is nothing to begin it from.
    """
    from transformers import CLIPTokenizer

    from ..devices import pick_device

    recipe = _later_stages(recipe, from_stage, start_from)
    chosen = pick_device(device)
    started = time.monotonic()
    pairs = load_pairs(data, limit=limit)
    training, held_out = _split(pairs)
    state, folder = output / "state", output / "checkpoint"
    if start_from is not None and not (state / "tokenizer").is_dir():
        shutil.copytree(start_from / "tokenizer", state / "tokenizer")
    if not (state / "tokenizer").is_dir():
        length = recipe.text_encoder["max_position_embeddings"]
        train_tokenizer(
            _caption_corpus(training, recipe.seed), recipe.tokenizer["vocab_size"], length, state / "tokenizer"
        )
    tokenizer = CLIPTokenizer.from_pretrained(state / "tokenizer")
    vae = train_autoencoder(
        recipe, training, state / "autoencoder.pt", chosen, _reporter("autoencoder"), start_from and start_from / "vae"
    )
    images, masks = patches(held_out, 256, recipe.resolution, np.random.default_rng(recipe.seed + 99))
    whole, inside = psnr_inside(vae, images.to(chosen), masks.to(chosen))
    print(f"autoencoder on held-out renders: {whole:.1f} dB, inside masks {inside:.1f} dB", flush=True)
    unet, text_encoder = train_diffusion(
        recipe, training, vae, tokenizer, state / "diffusion.pt", chosen, _reporter("diffusion"), start_from, compiled
    )
    figures = {
        "scenes": len(training),
        "held_out_scenes": len(held_out),
        "autoencoder_psnr": round(whole, 2),
        "autoencoder_psnr_inside": round(inside, 2),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "torch_threads": torch.get_num_threads(),
    }
    return export_checkpoint(recipe, folder, tokenizer, text_encoder, vae, unet, figures)


def _later_stages(recipe: Recipe, from_stage: int, start_from: Path | None) -> Recipe:
    """The recipe from one of its stages on."""
    stages = recipe.diffusion_training["stages"]
    require_number("from_stage", from_stage, 0, len(stages) - 1, integer=True)
    if not from_stage:
        return recipe
    if start_from is None:
        raise InputError("from_stage", "a later stage needs the weights of the ones before it; name them: start_from.")
    return replace(
        recipe,
        autoencoder_training=recipe.autoencoder_training | {"steps": 0},
        diffusion_training=recipe.diffusion_training
        | {"stages": stages[from_stage:], "first_step": sum(stage["steps"] for stage in stages[:from_stage])},
    )


def export_checkpoint(
    recipe: Recipe, folder: Path, tokenizer: Any, text_encoder: Any, vae: Any, unet: Any, figures: dict[str, Any]
) -> Path:
    """Write the parts as float16 safetensors shards in ``StableDiffusionInpaintPipeline`` layout, with checksums."""
    from diffusers import DDIMScheduler

    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder / "tokenizer")
    DDIMScheduler(**recipe.scheduler).save_pretrained(folder / "scheduler")
    for part, model in (("text_encoder", text_encoder), ("vae", vae), ("unet", unet)):
        model.to("cpu", torch.float16).save_pretrained(folder / part, max_shard_size=SHARD_SIZE)
    index = {
        "_class_name": "StableDiffusionInpaintPipeline",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    card = {**recipe.card, "resolution": recipe.resolution, "training": figures}
    (folder / "magic_ui.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    digest = write_checksums(folder)
    print(f"checkpoint written, SHA-256 {digest}", flush=True)
    return folder


def _split(pairs: PairSet) -> tuple[PairSet, PairSet]:
    cut = max(1, len(pairs) - max(1, len(pairs) // 20))
    return (
        PairSet(pairs.pictures[:cut], pairs.masks[:cut], pairs.specs[:cut]),
        PairSet(pairs.pictures[cut:], pairs.masks[cut:], pairs.specs[cut:]),
    )


def _caption_corpus(pairs: PairSet, seed: int) -> list[str]:
    generator = np.random.default_rng([seed, 0])
    captions = [IDENTITY_CAPTION]
    for specs in pairs.specs:
        for spec in specs:
            captions += [sample_caption(spec, generator, language) for language in PROMPT_LANGUAGES]
    return captions


def _reporter(stage: str) -> Any:
    started = time.monotonic()

    def report(step: int, steps: int, loss: float) -> None:
        if step % 100 == 0 or step == steps:
            print(f"{stage} {step}/{steps} loss {loss:.4f} {time.monotonic() - started:.0f} s", flush=True)

    return report
