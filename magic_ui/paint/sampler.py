"""The one sampler: DDIM inpainting with MAGIC's perturbations, a generator that can be stopped at any step.

With ``anomaly_strength = 1``, ``text_noise_scale = 0``, ``anomaly_noise = 0``, ``eta = 0`` and a constant guidance
scale it walks exactly where diffusers' ``StableDiffusionInpaintPipeline`` walks for the same generator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .checkpoint import Checkpoint
from .options import SamplerOptions
from .perturbation import (
    gaussian_prompt_perturbation,
    inside_guidance_scale,
    mask_guided_noise,
    masked_ddim_step,
    posterior_variance,
    predict_x0_and_epsilon,
    randn_per_sample,
    random_submask,
    spatially_adaptive_guidance,
)

LEAST_DENOISING = {"masked": 0.4, "normal": 0.8}
"""Share of the schedule that ``anomaly_strength = 0`` still walks, starting from the normal image's latents.

A checkpoint conditioned on the normal image keeps its structure by itself and is weakened by the composite's gain too.
"""

LEAST_GUIDANCE = 0.4
"""Share of the inside guidance (above 1) that ``anomaly_strength = 0`` keeps."""


@dataclass
class Conditioning:
    """One batch to paint: B crops at the checkpoint's resolution, with their words.

    ``images`` float [B, 3, R, R] in −1…1; ``masks`` float [B, 1, R, R], 1 = repaint; ``prompt_embeds`` [B, L, D] and
    ``attention_mask`` [B, L]; ``negative_embeds`` [B, L, D]; ``strengths``: ``anomaly_strength`` of each sample;
    ``generators``: one CPU generator a sample, so that a sample does not depend on its neighbours in the batch.
    ``coverages`` float [B, 1, r, r]: the share of every latent cell that the mask covers, for checkpoints that want it.
    """

    images: torch.Tensor
    masks: torch.Tensor
    prompt_embeds: torch.Tensor
    attention_mask: torch.Tensor
    negative_embeds: torch.Tensor
    strengths: list[float]
    generators: list[torch.Generator]
    coverages: torch.Tensor | None = None


@dataclass
class SamplerState:
    """After ``step`` of ``num_steps``: the latents, and the clean latents predicted from them, [B, C, r, r]."""

    step: int
    num_steps: int
    latents: torch.Tensor
    pred_x0: torch.Tensor


def first_step(strength: float, num_inference_steps: int, least: float) -> int:
    """Index of the step at which a sample of this ``anomaly_strength`` leaves the normal image's latents."""
    denoising = least + (1 - least) * strength
    return num_inference_steps - max(1, min(int(num_inference_steps * denoising + 1e-6), num_inference_steps))


def make_timesteps(checkpoint: Checkpoint, num_inference_steps: int) -> list[tuple[int, torch.Tensor, torch.Tensor]]:
    """``(t, ᾱ_t, ᾱ')`` of every step, from the checkpoint's own schedule (leading, trailing or linspace)."""
    scheduler = type(checkpoint.scheduler).from_config(checkpoint.scheduler.config)
    scheduler.set_timesteps(num_inference_steps)
    stride = scheduler.config.num_train_timesteps // num_inference_steps
    steps = []
    for t in scheduler.timesteps.tolist():
        previous = t - stride
        alpha_bar_prev = scheduler.alphas_cumprod[previous] if previous >= 0 else scheduler.final_alpha_cumprod
        steps.append((t, scheduler.alphas_cumprod[t].to(checkpoint.device), alpha_bar_prev.to(checkpoint.device)))
    return steps


def condition_latents(checkpoint: Checkpoint, batch: Conditioning) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Initial noise, latent mask [B, 1, r, r] and the UNet's condition [B, C, r, r], drawn in diffusers' order."""
    device, size = checkpoint.device, batch.images.shape[-1] // checkpoint.cell
    masks = batch.masks.to(device)
    shape = (len(batch.strengths), checkpoint.vae.config.latent_channels, size, size)
    noise = randn_per_sample(shape, batch.generators, device, torch.float32)
    latent_mask = F.interpolate(masks, size=(size, size))
    if checkpoint.info.conditioning == "normal":
        return noise, latent_mask, checkpoint.encode_image(batch.images)[0]
    mean, std = checkpoint.encode_image(batch.images.to(device) * (masks < 0.5))
    return noise, latent_mask, mean + std * randn_per_sample(shape, batch.generators, device, torch.float32)


def mask_input(checkpoint: Checkpoint, batch: Conditioning, latent_mask: torch.Tensor) -> torch.Tensor:
    """What the UNet's mask channel holds, [B, 1, r, r]: the latent mask, or its coverage if the checkpoint wants it."""
    if checkpoint.info.mask_channel == "binary" or batch.coverages is None:
        return latent_mask
    return batch.coverages.to(latent_mask)


def sample(checkpoint: Checkpoint, batch: Conditioning, options: SamplerOptions) -> Iterator[SamplerState]:
    """Denoise the batch, yielding after every step; closing the generator stops the work at once.

    A sample with ``anomaly_strength`` below 1 sits out the first steps and starts from the noised latents of its own
    normal image; the UNet sees only the samples that are under way.
    """
    with torch.no_grad():
        noise, latent_mask, condition = condition_latents(checkpoint, batch)
        shown_mask = mask_input(checkpoint, batch, latent_mask)
        prompt_embeds = gaussian_prompt_perturbation(
            batch.prompt_embeds, batch.attention_mask, options.text_noise_scale, batch.generators
        )
        steps = make_timesteps(checkpoint, options.num_inference_steps)
        least = LEAST_DENOISING[checkpoint.info.conditioning]
        starts = [first_step(s, len(steps), least) for s in batch.strengths]
        strengths = torch.tensor(batch.strengths, dtype=torch.float32, device=checkpoint.device)
        normal_latents = checkpoint.encode_image(batch.images)[0] if min(batch.strengths) < 1 else noise
        latents, pred_x0 = noise.clone(), normal_latents.clone()
        anomaly_noise = (
            strengths * checkpoint.info.anomaly_noise
            if options.anomaly_noise is None
            else torch.full_like(strengths, options.anomaly_noise)
        )

    for i, (t, alpha_bar, alpha_bar_prev) in enumerate(steps):
        for b in (b for b, start in enumerate(starts) if start == i and start > 0):
            latents[b] = alpha_bar.sqrt() * normal_latents[b] + (1 - alpha_bar).sqrt() * noise[b]
        active = [b for b, start in enumerate(starts) if start <= i]
        if active:
            with torch.no_grad():
                generators = [batch.generators[b] for b in active]
                mask = latent_mask[active]
                model_output = _guided_output(
                    checkpoint,
                    latents[active],
                    mask,
                    shown_mask[active],
                    condition[active],
                    t,
                    prompt_embeds[active],
                    batch.negative_embeds[active],
                    options,
                    _inside_scales(options, i, len(steps), strengths[active]),
                )
                x0, epsilon = predict_x0_and_epsilon(
                    model_output, latents[active], alpha_bar, checkpoint.scheduler.config.prediction_type
                )
                moved = masked_ddim_step(
                    x0, epsilon, mask, alpha_bar, alpha_bar_prev, options.eta, options.eta_mask, generators
                )
                latents[active], pred_x0[active] = moved, x0
        if i < options.mgni_steps and bool((anomaly_noise > 0).any()):
            # Drawn for the whole batch, so that strengths of one seed meet the same noise at the same step.
            with torch.no_grad():
                noised = random_submask(latent_mask, batch.generators) if options.use_random_mask else latent_mask
                beta_tilde = posterior_variance(alpha_bar, alpha_bar_prev)
                injected = mask_guided_noise(latents, noised, beta_tilde, anomaly_noise, batch.generators)
                latents[active] = injected[active]
        yield SamplerState(i + 1, len(steps), latents.clone(), pred_x0.clone())


def _inside_scales(options: SamplerOptions, step: int, num_steps: int, strengths: torch.Tensor) -> torch.Tensor:
    """w_in of each sample at this step, [b]: the schedule's value, less of it for weaker anomalies."""
    progress = step / max(num_steps - 1, 1)
    scale = inside_guidance_scale(
        progress, options.guidance_scale, options.guidance_scale_end, options.guidance_schedule
    )
    return 1 + (scale - 1) * (LEAST_GUIDANCE + (1 - LEAST_GUIDANCE) * strengths)


def _guided_output(
    checkpoint: Checkpoint,
    latents: torch.Tensor,
    mask: torch.Tensor,
    shown_mask: torch.Tensor,
    condition: torch.Tensor,
    t: int,
    prompt_embeds: torch.Tensor,
    negative_embeds: torch.Tensor,
    options: SamplerOptions,
    scale_in: torch.Tensor,
) -> torch.Tensor:
    """The UNet's output under spatially adaptive guidance; one call without guidance, one doubled call with it."""
    timestep = torch.tensor(t, device=checkpoint.device)
    if options.guidance_scale <= 1 and options.guidance_scale_out <= 1:
        return checkpoint.predict(latents, shown_mask, condition, timestep, prompt_embeds)
    output = checkpoint.predict(
        torch.cat([latents] * 2),
        torch.cat([shown_mask] * 2),
        torch.cat([condition] * 2),
        timestep,
        torch.cat([negative_embeds, prompt_embeds]),
    )
    uncond, text = output.chunk(2)
    return spatially_adaptive_guidance(
        uncond, text, mask, options.guidance_scale_out, scale_in, options.guidance_rescale
    )
