"""The full Stable Diffusion 2 inpainting configuration with random weights: does it fit, and how long does it take."""

import resource
import time

import numpy as np
import pytest
import torch

from magic_ui import DefectStudio
from magic_ui.paint.checkpoint import Checkpoint, CheckpointInfo
from magic_ui.training.tokenizer import train_tokenizer


@pytest.mark.slow
def test_stable_diffusion_2_inpainting_at_512_px(tmp_path, capsys):
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    train_tokenizer(["a scratch on the screw head"], 600, 77, tmp_path)
    unet = UNet2DConditionModel(
        sample_size=64,
        in_channels=9,
        block_out_channels=(320, 640, 1280, 1280),
        attention_head_dim=(5, 10, 20, 20),
        cross_attention_dim=1024,
        use_linear_projection=True,
    )
    parameters = sum(p.numel() for p in unet.parameters())
    assert round(parameters / 1e6) == 866
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
    studio = DefectStudio(
        Checkpoint(
            info,
            CLIPTokenizer.from_pretrained(tmp_path),
            text_encoder,
            vae,
            unet,
            scheduler,
            torch.device("cpu"),
            torch.float32,
        )
    )
    image = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    mask = np.zeros((1024, 1024), bool)
    mask[300:420, 400:600] = True
    plan = studio.plan(image, "a scratch on the head", mask_source=mask)
    started = time.perf_counter()
    result = studio.generate(plan, num_inference_steps=2)[0]
    seconds, peak = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with capsys.disabled():
        print(
            f"\nStable Diffusion 2 inpainting, {parameters / 1e6:.0f}M parameters in the UNet, 512 px, 2 steps: "
            f"{seconds:.1f} s, peak memory {peak:.1f} GB"
        )
    after = np.asarray(result.image)
    assert (after[~mask] == image[~mask]).all() and (after[mask] != image[mask]).any()
