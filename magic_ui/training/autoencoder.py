"""The embedded autoencoder: trained on patches, its latents normalised inside its own convolutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..devices import mixed_precision
from .pairs import PairSet, patches
from .progress import learning_rate, load_state, save_state, start_from_weights
from .recipe import Recipe


def _edges(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return images[..., 1:, :] - images[..., :-1, :], images[..., :, 1:] - images[..., :, :-1]


def reconstruction_loss(
    output: torch.Tensor, target: torch.Tensor, masks: torch.Tensor, edge_weight: float, mask_weight: float
) -> torch.Tensor:
    """L1 and squared error, weighted towards defects, plus the L1 of the gradients (what blur loses)."""
    weight = 1 + mask_weight * masks
    error = output - target
    loss = (weight * (error.abs() + 2 * error.square())).mean()
    for ours, theirs in zip(_edges(output), _edges(target), strict=True):
        loss = loss + edge_weight * (ours - theirs).abs().mean()
    return loss


def train_autoencoder(
    recipe: Recipe,
    pairs: PairSet,
    state_path: Path,
    device: torch.device,
    report: Any,
    start_from: Path | None = None,
) -> Any:
    """Train (or finish training) the recipe's ``AutoencoderKL`` and normalise its latents.

    Args:
        state_path: where the state is saved every 100 steps and read at the start.
        report: called with (step, steps, loss) now and then.
        start_from: folder of an ``AutoencoderKL`` whose weights of equal name and shape are taken over at step 0;
            in a recipe of no steps they are kept as they are.
    """
    from diffusers import AutoencoderKL

    options = recipe.autoencoder_training
    torch.manual_seed(recipe.seed)
    vae: Any = AutoencoderKL(**recipe.autoencoder)
    start_from_weights(vae, start_from)
    vae.to(device, memory_format=torch.channels_last)
    if not options["steps"]:
        return vae.eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=options["learning_rate"], weight_decay=1e-4)
    first = 0
    if (state := load_state(state_path)) is not None:
        vae.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    for step in range(first, options["steps"]):
        generator = np.random.default_rng([recipe.seed, 1, step])
        noise_generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        images, masks = (t.to(device) for t in patches(pairs, options["batch_size"], options["patch"], generator))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options["steps"], options["learning_rate"], 50)
        with mixed_precision(device):
            posterior = vae.encode(images.contiguous(memory_format=torch.channels_last)).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=noise_generator).to(device)
            output = vae.decode(posterior.mean + posterior.std * noise).sample
        loss = reconstruction_loss(output.float(), images, masks, options["edge_weight"], options["mask_weight"])
        loss = loss + options["kl_weight"] * posterior.kl().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % options.get("save_every", 100) == 0 or step + 1 == options["steps"]:
            save_state(state_path, {"step": step + 1, "model": vae.state_dict(), "optimizer": optimizer.state_dict()})
        if (step + 1) % 20 == 0:
            report(step + 1, options["steps"], loss.item())
    vae.eval().requires_grad_(False)
    normalize_latents(vae, patches(pairs, 256, options["patch"], np.random.default_rng([recipe.seed, 2]))[0].to(device))
    return vae


@torch.no_grad()
def normalize_latents(vae: Any, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Fold the latents' mean and scale per channel into ``quant_conv`` and ``post_quant_conv``.

    Afterwards the posterior means of ``images`` have mean 0 and standard deviation 1 in every channel, and decoding
    undoes it: the stock pipeline needs nothing special.

    Returns:
        The mean and standard deviation folded in, each [C].
    """
    means = torch.cat([vae.encode(chunk).latent_dist.mean for chunk in images.split(32)])
    mean, std = means.mean(dim=(0, 2, 3)), means.std(dim=(0, 2, 3))
    channels = mean.numel()
    quant, post = vae.quant_conv, vae.post_quant_conv
    quant.bias[:channels] = (quant.bias[:channels] - mean) / std
    quant.weight[:channels] /= std[:, None, None, None]
    quant.bias[channels:] -= 2 * std.log()  # the second half of the channels is the log-variance
    post.bias += post.weight[:, :, 0, 0] @ mean
    post.weight *= std[None, :, None, None]
    return mean, std


@torch.no_grad()
def psnr_inside(vae: Any, images: torch.Tensor, masks: torch.Tensor) -> tuple[float, float]:
    """PSNR in dB of the reconstruction over whole images and inside the masks; images in −1…1."""
    errors = torch.cat(
        [(vae.decode(vae.encode(c).latent_dist.mean).sample.clamp(-1, 1) - c).square() for c in images.split(16)]
    )
    inside = (errors * masks).sum() / (masks.sum() * 3).clamp(1)
    return tuple(float(10 * torch.log10(4 / e)) for e in (errors.mean(), inside))  # type: ignore[return-value]
