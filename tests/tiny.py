"""A tiny random inpainting checkpoint in diffusers' layout, for tests of logic."""

from __future__ import annotations

import json
from pathlib import Path

import torch

PROMPT_LENGTH = 24


def save_tiny_checkpoint(
    folder: Path,
    *,
    conditioning: str = "masked",
    prediction_type: str = "epsilon",
    seed: int = 0,
    **scheduler_options: object,
) -> Path:
    """Write random weights of a 64 px inpainting model (latents 16 × 16, cell 4) to ``folder`` and return it."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from magic_ui.registry import write_checksums
    from magic_ui.training.tokenizer import train_tokenizer

    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=9,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        cross_attention_dim=16,
        attention_head_dim=2,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 16, 16),
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=0.5,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
    )
    captions = ["thin scratch on the screw head", "螺丝头部的细划痕 (thin scratch)", "rust on the thread"]
    train_tokenizer(captions, 600, PROMPT_LENGTH, folder / "tokenizer")
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=PROMPT_LENGTH,
            projection_dim=16,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    options = {
        "clip_sample": False,
        "steps_offset": 1,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "set_alpha_to_one": False,
        "prediction_type": prediction_type,
    } | scheduler_options
    DDIMScheduler(**options).save_pretrained(folder / "scheduler")
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    text_encoder.save_pretrained(folder / "text_encoder")
    (folder / "magic_ui.json").write_text(
        json.dumps(
            {
                "conditioning": conditioning,
                "num_inference_steps": 6,
                "guidance_scale": 5.0,
                "resolution": 64,
                "prompt_language": "bilingual",
            }
        )
    )
    write_checksums(folder)
    return folder


def save_tiny_clipseg(folder: Path, *, seed: int = 0) -> Path:
    """Write a random CLIPSeg of 64 px (masks of 64 px) with a bilingual tokenizer to ``folder`` and return it."""
    from transformers import CLIPTokenizer

    from magic_ui.training.clipseg import build_model, export
    from magic_ui.training.tokenizer import train_tokenizer

    recipe = tiny_clipseg_recipe(seed)
    train_tokenizer(["the head of the screw", "螺丝的头部", "the object"], 600, 16, folder / "words")
    tokenizer = CLIPTokenizer.from_pretrained(folder / "words")
    return export(recipe, folder / "clipseg", build_model(recipe, tokenizer).eval(), tokenizer, {})


def tiny_clipseg_recipe(seed: int = 0):
    """A recipe that trains in seconds and learns nothing."""
    from magic_ui.training.recipe import ClipSegRecipe

    return ClipSegRecipe(
        name="test",
        resolution=64,
        seed=seed,
        model={
            "projection_dim": 16,
            "extract_layers": [0, 1],
            "reduce_dim": 8,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 16,
            "use_complex_transposed_convolution": True,
        },
        vision_encoder={
            "hidden_size": 24,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "patch_size": 16,
        },
        text_encoder={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 16,
        },
        tokenizer={"vocab_size": 700},
        training={
            "steps": 4,
            "batch_size": 2,
            "phrases": 2,
            "learning_rate": 1e-3,
            "warmup": 2,
            "weight_decay": 0.01,
            "ema_decay": 0.9,
            "dice_weight": 1.0,
            "save_every": 2,
        },
    )


def tiny_outline_recipe(seed: int = 0):
    """The outline recipe at its smallest: a few thousand weights, pictures of 64 px, six steps."""
    from magic_ui.training.recipe import OutlineRecipe

    return OutlineRecipe(
        name="outline-test",
        resolution=64,
        seed=seed,
        backbone={
            "embedding_size": 8,
            "hidden_sizes": [8, 8, 8, 8],
            "depths": [1, 1, 1, 1],
            "layer_type": "basic",
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
        },
        head={"hidden_size": 8, "pool_scales": [1, 2], "use_auxiliary_head": False},
        training={
            "steps": 6,
            "batch_size": 2,
            "learning_rate": 1e-3,
            "warmup": 2,
            "weight_decay": 0.01,
            "ema_decay": 0.9,
            "dice_weight": 1.0,
            "save_every": 2,
            "settle_batches": 4,
        },
    )


def save_tiny_dataset(folder: Path, *, pictures: int = 3, normals: int = 2, side: int = 96) -> Path:
    """Write a DS-MVTec of plates with two kinds of defect, captions and normal pictures to ``folder``."""
    import numpy as np
    from PIL import Image

    from magic_ui.data.tables import write_captions

    generator = np.random.default_rng(0)
    kinds = {"scratch_head": (slice(40, 44), slice(20, 70), 220), "dent": (slice(50, 70), slice(40, 60), 60)}
    rows = []
    for defect, (ys, xs, value) in [*kinds.items(), ("good", (slice(0, 0), slice(0, 0), 0))]:
        for number in range(normals if defect == "good" else pictures):
            pixels = 130 + generator.normal(0, 6, (side, side, 1)).repeat(3, axis=2)
            mask = np.zeros((side, side), np.uint8)
            pixels[ys, xs] = value
            mask[ys, xs] = 2
            image = folder / "screw" / "image" / defect / f"{number:03d}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(image)
            if defect == "good":
                continue
            target = folder / "screw" / "mask" / defect / f"{number:03d}_mask.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(target)
            words = "The part in the upper left corner has an oval, silver-colored damage defect."
            rows.append((f"screw/{defect}/{number:03d}.png", "A screw.", words))
    (folder / "captions.xlsx").write_bytes(write_captions(rows))
    return folder
