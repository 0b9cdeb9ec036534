"""The perturbations of MAGIC and the step they act on, each a pure function of tensors.

Symbols of the papers: ``alpha_bar`` is ᾱ_t, ``alpha_bar_prev`` is ᾱ' = ᾱ_{t-1}, ``beta_tilde`` is β̃_t, ``mask`` is M at
latent resolution (1 = repaint).
"""

from __future__ import annotations

import math
from typing import Literal

import torch

GuidanceSchedule = Literal["constant", "linear", "cosine", "polynomial", "exponential"]
GUIDANCE_SCHEDULES: tuple[str, ...] = ("constant", "linear", "cosine", "polynomial", "exponential")


def randn_per_sample(
    shape: torch.Size | tuple[int, ...], generators: list[torch.Generator], device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    """Standard normal noise whose sample ``b`` depends on ``generators[b]`` alone, whatever else is in the batch."""
    noise = [torch.randn((1, *shape[1:]), generator=g, dtype=torch.float32, device=g.device) for g in generators]
    return torch.cat(noise).to(device=device, dtype=dtype)


def gaussian_prompt_perturbation(
    prompt_embeds: torch.Tensor,
    attention_mask: torch.Tensor,
    text_noise_scale: float,
    generators: list[torch.Generator],
) -> torch.Tensor:
    """GPP: ``prompt_embeds + text_noise_scale · N(0, I)`` on the words, not on the padding.

    Args:
        prompt_embeds: conditional embeddings, [B, L, D].
        attention_mask: 1 for the prompt's own tokens, 0 for padding, [B, L].
        text_noise_scale: σ; 0 returns the embeddings untouched and draws nothing.
        generators: one per sample.

    Source: MAGIC, Gaussian prompt perturbation.
    """
    if text_noise_scale == 0:
        return prompt_embeds
    noise = randn_per_sample(prompt_embeds.shape, generators, prompt_embeds.device, prompt_embeds.dtype)
    return prompt_embeds + text_noise_scale * noise * attention_mask.unsqueeze(-1).to(prompt_embeds.dtype)


def posterior_variance(alpha_bar: torch.Tensor, alpha_bar_prev: torch.Tensor) -> torch.Tensor:
    """β̃_t = (1 − ᾱ') / (1 − ᾱ_t) · (1 − ᾱ_t / ᾱ'). Source: DDIM (Song et al. 2021), formula (16) with η = 1."""
    return (1 - alpha_bar_prev) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_prev)


def random_submask(mask: torch.Tensor, generators: list[torch.Generator]) -> torch.Tensor:
    """``mask`` times a random rectangle or ellipse per sample, drawn inside the mask's bounding box.

    The shape spans 30–100% of the box on each side. A draw that would miss the mask leaves it whole.

    Args:
        mask: latent mask, [B, 1, h, w].
    """
    result = mask.clone()
    for b, generator in enumerate(generators):
        draws = torch.rand(5, generator=generator, dtype=torch.float32, device=generator.device).tolist()
        rows, cols = torch.nonzero(mask[b, 0] > 0, as_tuple=True)
        if rows.numel() == 0:
            continue
        top, left = rows.min().item(), cols.min().item()
        height, width = rows.max().item() + 1 - top, cols.max().item() + 1 - left
        sub_h, sub_w = height * (0.3 + 0.7 * draws[0]), width * (0.3 + 0.7 * draws[1])
        center_y = top + sub_h / 2 + (height - sub_h) * draws[2]
        center_x = left + sub_w / 2 + (width - sub_w) * draws[3]
        y = (torch.arange(mask.shape[-2], device=mask.device) + 0.5 - center_y) / (sub_h / 2)
        x = (torch.arange(mask.shape[-1], device=mask.device) + 0.5 - center_x) / (sub_w / 2)
        if draws[4] < 0.5:
            inside = (y.abs()[:, None] <= 1) & (x.abs()[None, :] <= 1)
        else:
            inside = y.square()[:, None] + x.square()[None, :] <= 1
        candidate = mask[b, 0] * inside.to(mask.dtype)
        if candidate.any():
            result[b, 0] = candidate
    return result


def mask_guided_noise(
    latents: torch.Tensor,
    mask: torch.Tensor,
    beta_tilde: torch.Tensor,
    anomaly_noise: torch.Tensor,
    generators: list[torch.Generator],
) -> torch.Tensor:
    """MGNI: ``latents + sqrt(β̃_t) · sqrt(anomaly_noise) · M · N(0, I)`` with fresh noise.

    Args:
        latents: [B, C, h, w], just after a DDIM step.
        mask: M, possibly a random sub-mask, [B, 1, h, w].
        beta_tilde: β̃_t of that step, scalar.
        anomaly_noise: one weight per sample, [B].

    Source: MAGIC, mask-guided noise injection.
    """
    noise = randn_per_sample(latents.shape, generators, latents.device, latents.dtype)
    scale = (beta_tilde * anomaly_noise).sqrt().to(latents)[:, None, None, None]
    return latents + scale * mask.to(latents) * noise


def critical_eta(alpha_bar_prev: torch.Tensor, beta_tilde: torch.Tensor) -> torch.Tensor:
    """The η at which the drift's radicand ``1 − ᾱ' − (η·sqrt(β̃))²`` reaches zero: ``sqrt((1 − ᾱ') / β̃)``."""
    return ((1 - alpha_bar_prev) / beta_tilde).sqrt()


def predict_x0_and_epsilon(
    model_output: torch.Tensor, latents: torch.Tensor, alpha_bar: torch.Tensor, prediction_type: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """``(x0, ε)`` from what the UNet returned. Source: DDIM formula (12); v from Salimans & Ho 2022.

    Raises:
        ValueError: for a prediction type other than ``epsilon``, ``sample`` and ``v_prediction``.
    """
    sqrt_alpha, sqrt_beta = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    if prediction_type == "epsilon":
        return (latents - sqrt_beta * model_output) / sqrt_alpha, model_output
    if prediction_type == "sample":
        return model_output, (latents - sqrt_alpha * model_output) / sqrt_beta
    if prediction_type == "v_prediction":
        return sqrt_alpha * latents - sqrt_beta * model_output, sqrt_alpha * model_output + sqrt_beta * latents
    raise ValueError(f"prediction_type: {prediction_type!r} is not one of epsilon, sample, v_prediction")


def masked_ddim_step(
    pred_x0: torch.Tensor,
    pred_epsilon: torch.Tensor,
    mask: torch.Tensor,
    alpha_bar: torch.Tensor,
    alpha_bar_prev: torch.Tensor,
    eta: float,
    eta_mask: float | None,
    generators: list[torch.Generator],
) -> torch.Tensor:
    """One DDIM step x_t → x_{t−1} with its own η inside the mask (the variance-preserving form of MGNI).

    Drift ``(1−M)·sqrt(1−ᾱ'−a_out²) + M·sqrt(1−ᾱ'−a_in²)``, noise ``(1−M)·a_out + M·a_in`` with
    ``a = η·sqrt(β̃)`` and η clipped to 0.99 of the critical value. With η = 0 everywhere no noise is drawn.
    """
    eta_in = eta if eta_mask is None else eta_mask
    direction_scale = (1 - alpha_bar_prev).sqrt()
    if eta == 0 and eta_in == 0:
        return alpha_bar_prev.sqrt() * pred_x0 + direction_scale * pred_epsilon
    beta_tilde = posterior_variance(alpha_bar, alpha_bar_prev)
    limit = 0.99 * critical_eta(alpha_bar_prev, beta_tilde).item() if beta_tilde > 0 else math.inf
    a_out, a_in = (min(value, limit) * beta_tilde.sqrt() for value in (eta, eta_in))
    m = mask.to(pred_x0)
    drift = (1 - m) * (1 - alpha_bar_prev - a_out**2).sqrt() + m * (1 - alpha_bar_prev - a_in**2).sqrt()
    amplitude = (1 - m) * a_out + m * a_in
    noise = randn_per_sample(pred_x0.shape, generators, pred_x0.device, pred_x0.dtype)
    return alpha_bar_prev.sqrt() * pred_x0 + drift * pred_epsilon + amplitude * noise


def inside_guidance_scale(progress: float, start: float, end: float, schedule: str) -> float:
    """``w_in`` at ``progress`` 0 (first step) … 1 (last): falls from ``start`` to ``end`` along ``schedule``.

    Raises:
        ValueError: for an unknown schedule.
    """
    if schedule == "constant":
        return start
    if schedule == "linear":
        weight = 1 - progress
    elif schedule == "cosine":
        weight = 0.5 * (1 + math.cos(math.pi * progress))
    elif schedule == "polynomial":
        weight = (1 - progress) ** 2
    elif schedule == "exponential":
        weight = (math.exp(-4 * progress) - math.exp(-4)) / (1 - math.exp(-4))
    else:
        raise ValueError(f"guidance_schedule: {schedule!r} is not one of {', '.join(GUIDANCE_SCHEDULES)}")
    return end + (start - end) * weight


def spatially_adaptive_guidance(
    noise_pred_uncond: torch.Tensor,
    noise_pred_text: torch.Tensor,
    mask: torch.Tensor,
    scale_out: float,
    scale_in: torch.Tensor,
    rescale: float = 0.0,
) -> torch.Tensor:
    """``ε = ε_u + [w_out·(1−M) + w_in·M] ⊙ (ε_c − ε_u)``; ``scale_in`` holds one w_in per sample, [B].

    ``rescale`` φ pulls the spread inside the mask back to that of the conditional output, so that strong guidance does
    not bleach what it draws: formulas (15) and (16) of Lin et al. 2024, taken over the mask alone.
    """
    m = mask.to(noise_pred_text)
    weight = scale_out * (1 - m) + scale_in.to(noise_pred_text)[:, None, None, None] * m
    guided = noise_pred_uncond + weight * (noise_pred_text - noise_pred_uncond)
    if rescale == 0:
        return guided
    factor = _spread_inside(noise_pred_text, m) / _spread_inside(guided, m).clamp_min(1e-6)
    return guided * (1 - m * rescale * (1 - factor))


def _spread_inside(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Standard deviation over the mask [B, 1, h, w] and all channels of ``values`` [B, C, h, w]: [B, 1, 1, 1]."""
    count = (mask.sum(dim=(1, 2, 3), keepdim=True) * values.shape[1]).clamp_min(1)
    mean = (values * mask).sum(dim=(1, 2, 3), keepdim=True) / count
    return (((values - mean).square() * mask).sum(dim=(1, 2, 3), keepdim=True) / count).sqrt()
