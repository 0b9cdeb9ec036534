"""The embedded inpainting model: UNet and text encoder trained together on latents of rendered pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .captions import IDENTITY_CAPTION, sample_caption
from .pairs import PairSet, loosen_mask, mask_cells
from .progress import ExponentialMovingAverage, learning_rate, load_state, mixed_precision, save_state
from .recipe import Recipe


@dataclass
class LatentSet:
    """Latents float16 [A, S, 1 + V, C, w, w] of A views (flips and turns) of every picture, and the views' masks."""

    latents: torch.Tensor
    masks: np.ndarray


def turn(array: np.ndarray, view: int) -> np.ndarray:
    """One of the eight flips and quarter turns of the last two axes."""
    turned = np.rot90(array, view % 4, axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if view >= 4 else turned)


def change_tone(pictures: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One scene's pictures (uint8 [N, W, W, 3]) under another exposure, contrast and slight tint, all of them alike."""
    gamma, gain = np.exp(generator.uniform(-0.35, 0.35)), np.exp(generator.uniform(-0.2, 0.45))
    tint = 1 + generator.uniform(-0.06, 0.06, 3)
    curve = np.arange(256)[:, None] / 255
    table = np.clip(255 * gain * tint * curve**gamma, 0, 255).round().astype(np.uint8)  # [256, 3]
    return np.stack([table[pictures[..., c], c] for c in range(3)], axis=-1)


@torch.no_grad()
def encode_pairs(vae: Any, pairs: PairSet, views: int, seed: int, device: torch.device, report: Any) -> LatentSet:
    """Encode every picture once per view; scene s uses views (s, s + 3, ...) mod 8 so that all eight occur.

    Every view but the first is also seen under another exposure, contrast and tint.
    """
    scenes = len(pairs)
    latents: list[torch.Tensor] = []
    masks = np.zeros((views, *pairs.masks.shape), bool)
    for view in range(views):
        per_view = []
        for s in range(scenes):
            which = (s + 3 * view + seed) % 8
            toned = (
                change_tone(pairs.pictures[s], np.random.default_rng([seed, 4, view, s])) if view else pairs.pictures[s]
            )
            images = turn(toned.transpose(0, 3, 1, 2), which)
            batch = torch.from_numpy(images).to(device).float() / 127.5 - 1
            per_view.append(
                vae.encode(batch.contiguous(memory_format=torch.channels_last)).latent_dist.mean.half().cpu()
            )
            masks[view, s] = turn(pairs.masks[s], which)
            if (s + 1) % 100 == 0:
                report(view * scenes + s + 1, views * scenes, 0.0)
        latents.append(torch.stack(per_view))
    return LatentSet(torch.stack(latents), masks)


def make_batch(pairs: PairSet, data: LatentSet, recipe: Recipe, generator: np.random.Generator) -> dict[str, Any]:
    """Target, condition and mask latents at the recipe's size, and captions, for one step."""
    options, cell = recipe.diffusion_training, 2 ** (len(recipe.autoencoder["block_out_channels"]) - 1)
    size = recipe.resolution // cell
    targets, conditions, masks, captions = [], [], [], []
    while len(targets) < options["batch_size"]:
        view, scene, variant = (
            int(generator.integers(n)) for n in (data.latents.shape[0], len(pairs), pairs.masks.shape[1])
        )
        cells = mask_cells(loosen_mask(data.masks[view, scene, variant], generator), cell)
        rows, cols = np.flatnonzero(cells.any(1)), np.flatnonzero(cells.any(0))
        room = cells.shape[0] - size
        y, x = (
            int(generator.integers(max(0, min(room, span[-1] + 1 - size)), min(room, max(span[0], 0)) + 1))
            if min(room, max(span[0], 0)) >= max(0, min(room, span[-1] + 1 - size))
            else room // 2
            for span in (rows, cols)
        )
        window = (..., slice(y, y + size), slice(x, x + size))
        if not cells[window].any():
            continue
        picture = data.latents[view, scene]
        identity = generator.random() < options["identity_share"]
        dropped = generator.random() < options["caption_dropout"]
        targets.append(picture[0 if identity else 1 + variant][window])
        conditions.append(picture[0][window])
        masks.append(torch.from_numpy(cells[window].copy()))
        captions.append(
            "" if dropped else IDENTITY_CAPTION if identity else sample_caption(pairs.specs[scene][variant], generator)
        )
        if dropped and identity:  # no words, no defect would teach the empty prompt to draw nothing
            targets[-1] = picture[1 + variant][window]
    return {
        "target": torch.stack(targets).float(),
        "condition": torch.stack(conditions).float(),
        "mask": torch.stack(masks)[:, None].float(),
        "captions": captions,
    }


def train_diffusion(
    recipe: Recipe, pairs: PairSet, vae: Any, tokenizer: Any, state_path: Path, device: torch.device, report: Any
) -> tuple[Any, Any]:
    """Train (or finish training) the recipe's UNet and CLIP text encoder; returns them with averaged weights.

    v-prediction on the noised target, loss weighted towards the mask; the step's random numbers depend on the seed
    and the step alone, so that a resumed run ends with the same weights.
    """
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    options = recipe.diffusion_training
    data = encode_pairs(vae, pairs, options.get("views", 2), recipe.seed, device, report)
    torch.manual_seed(recipe.seed + 1)
    unet: Any = UNet2DConditionModel(**recipe.unet)
    unet.to(device, memory_format=torch.channels_last)
    text_encoder: Any = CLIPTextModel(
        CLIPTextConfig(
            **recipe.text_encoder,
            vocab_size=len(tokenizer),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    text_encoder.to(device)
    scheduler: Any = DDIMScheduler(**recipe.scheduler)
    alphas_cumprod = scheduler.alphas_cumprod.to(device)
    parameters = [*unet.parameters(), *text_encoder.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=options["learning_rate"], weight_decay=1e-2, betas=(0.9, 0.99))
    average = ExponentialMovingAverage(parameters, options["ema_decay"])
    first = 0
    if (state := load_state(state_path)) is not None:
        unet.load_state_dict(state["unet"])
        text_encoder.load_state_dict(state["text_encoder"])
        optimizer.load_state_dict(state["optimizer"])
        average.restore(state["average"])
        first = state["step"]
    unet.train()
    text_encoder.train()
    running = None
    for step in range(first, options["steps"]):
        batch = make_batch(pairs, data, recipe, np.random.default_rng([recipe.seed, 3, step]))
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options["steps"], options["learning_rate"], options["warmup"])
        target, condition, mask = (batch[k].to(device) for k in ("target", "condition", "mask"))
        tokens = tokenizer(
            batch["captions"],
            padding="max_length",
            truncation=True,
            return_tensors="pt",
            max_length=tokenizer.model_max_length,
        )
        noise = torch.randn(target.shape, generator=generator).to(device)
        text_noise = torch.randn((*tokens.input_ids.shape, text_encoder.config.hidden_size), generator=generator)
        scale = options["text_noise_scale"] * torch.rand((len(target), 1, 1), generator=generator)
        timesteps = torch.randint(0, scheduler.config.num_train_timesteps, (len(target),), generator=generator).to(
            device
        )
        alpha_bar = alphas_cumprod[timesteps][:, None, None, None]
        noisy = alpha_bar.sqrt() * target + (1 - alpha_bar).sqrt() * noise
        velocity = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * target
        with mixed_precision(device):
            prompt_embeds = text_encoder(tokens.input_ids.to(device))[0]
            prompt_embeds = prompt_embeds + (scale * text_noise * tokens.attention_mask[..., None]).to(device)
            sample = torch.cat([noisy, mask, condition], dim=1).contiguous(memory_format=torch.channels_last)
            output = unet(sample, timesteps, encoder_hidden_states=prompt_embeds, return_dict=False)[0]
        weight = 1 + options["mask_weight"] * mask
        loss = (weight * (output.float() - velocity).square()).sum() / (weight.sum() * target.shape[1])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % options.get("save_every", 200) == 0 or step + 1 == options["steps"]:
            save_state(
                state_path,
                {
                    "step": step + 1,
                    "unet": unet.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "text_encoder": text_encoder.state_dict(),
                    "average": average.state(),
                },
            )
        if (step + 1) % 20 == 0:
            report(step + 1, options["steps"], running)
    average.copy_to_parameters()
    return unet.eval().requires_grad_(False), text_encoder.eval().requires_grad_(False)
