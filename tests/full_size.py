"""The full Stable Diffusion 2 inpainting configuration with random weights, for slow tests."""

from __future__ import annotations

from pathlib import Path

import torch

from magic_ui.paint.checkpoint import Checkpoint, CheckpointInfo
from magic_ui.training.tokenizer import train_tokenizer


def stable_diffusion_2(folder: Path) -> Checkpoint:
    """Stable Diffusion 2 inpainting, 866M parameters in the UNet, 512 px; ``folder`` gets a tokenizer."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    train_tokenizer(["a scratch on the screw head"], 600, 77, folder)
    unet = UNet2DConditionModel(
        sample_size=64,
        in_channels=9,
        block_out_channels=(320, 640, 1280, 1280),
        attention_head_dim=(5, 10, 20, 20),
        cross_attention_dim=1024,
        use_linear_projection=True,
    )
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        layers_per_block=2,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        sample_size=512,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=23,
            num_attention_heads=16,
            hidden_act="gelu",
            projection_dim=512,
        )
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    info = CheckpointInfo("sd2-random", "", 512, "masked", "en", 2, 7.5)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    return Checkpoint(info, tokenizer, text_encoder, vae, unet, scheduler, torch.device("cpu"), torch.float32)


def millions_of_parameters(model: torch.nn.Module) -> int:
    """Rounded."""
    return round(sum(p.numel() for p in model.parameters()) / 1e6)
