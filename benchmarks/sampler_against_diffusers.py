"""The sampler beside diffusers' StableDiffusionInpaintPipeline on the same weights: latent difference and time ratio.

python benchmarks/sampler_against_diffusers.py [CHECKPOINT]. Perturbations off, same seed; both in one process, in turn.
diffusers' pipeline takes four latent channels alone: one with more is measured in its size with random weights.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from typing import Any

import torch
from diffusers import StableDiffusionInpaintPipeline
from diffusers.utils import logging

from magic_ui.paint.checkpoint import load_checkpoint
from magic_ui.paint.options import SamplerOptions
from magic_ui.paint.sampler import Conditioning, sample

PROMPT = "螺丝头部的细划痕 (thin scratch on the screw head)"


def _with_channels(model: Any, **channels: int) -> Any:
    return type(model).from_config({**model.config, **channels}).eval().requires_grad_(False)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", nargs="?", default="magic-tiny")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    logging.set_verbosity_error()
    checkpoint = load_checkpoint(options.checkpoint, dtype="float32")
    checkpoint.info = replace(  # diffusers' pipeline knows no other
        checkpoint.info, conditioning="masked", mask_channel="binary"
    )
    if checkpoint.unet.config.in_channels != 9:
        torch.manual_seed(0)
        checkpoint.unet = _with_channels(checkpoint.unet, in_channels=9, out_channels=4)
        checkpoint.vae = _with_channels(checkpoint.vae, latent_channels=4)
    pipeline = StableDiffusionInpaintPipeline(
        vae=checkpoint.vae,
        text_encoder=checkpoint.text_encoder,
        tokenizer=checkpoint.tokenizer,
        unet=checkpoint.unet,
        scheduler=checkpoint.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    size = checkpoint.info.resolution
    images = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    masks = torch.zeros(1, 1, size, size)
    masks[..., size // 3 : size // 2, size // 4 : size * 3 // 4] = 1
    plain = SamplerOptions(
        num_inference_steps=options.steps,
        guidance_scale=5.0,
        guidance_scale_end=5.0,
        guidance_scale_out=5.0,
        guidance_schedule="constant",
        text_noise_scale=0.0,
        anomaly_noise=0.0,
    )

    def ours() -> torch.Tensor:
        embeds, attention = checkpoint.encode_prompt(PROMPT)
        batch = Conditioning(
            images, masks, embeds, attention, checkpoint.encode_prompt("")[0], [1.0], [torch.Generator().manual_seed(1)]
        )
        *_, last = sample(checkpoint, batch, plain)
        return last.latents

    def theirs() -> torch.Tensor:
        return pipeline(
            PROMPT,
            image=images,
            mask_image=masks,
            height=size,
            width=size,
            num_inference_steps=options.steps,
            guidance_scale=5.0,
            output_type="latent",
            generator=torch.Generator().manual_seed(1),
        ).images

    print(f"largest latent difference after {options.steps} steps: {(ours() - theirs()).abs().max().item():.2e}")
    times: dict[str, list[float]] = {"ours": [], "diffusers": []}
    for _ in range(options.repeats):
        for name, run in (("ours", ours), ("diffusers", theirs)):
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    a, b = (statistics.median(times[name]) for name in ("ours", "diffusers"))
    print(f"seconds: ours {a:.3f}, diffusers {b:.3f}, ratio {a / b:.3f} (medians of {options.repeats}, in turn)")


if __name__ == "__main__":
    main()
