"""The embedded inpainting model: UNet and text encoder trained together on latents of rendered pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..devices import mixed_precision
from .captions import IDENTITY_CAPTION, sample_caption
from .latents import LatentSet, encode_pairs, loose_coverage
from .pairs import PairSet
from .progress import ExponentialMovingAverage, learning_rate, load_state, save_state, start_from_weights
from .recipe import Recipe


def make_batch(
    pairs: PairSet,
    data: LatentSet,
    vae: Any,
    recipe: Recipe,
    generator: np.random.Generator,
    odds: np.ndarray | None = None,
    languages: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Target, condition and mask latents at the recipe's size, and captions, for one step.

    ``odds``: chance of every scene's every defect [S, V]; None: equal. ``languages``: share of the captions in each of
    ``PROMPT_LANGUAGES``; None: :func:`~magic_ui.training.captions.sample_caption`'s own.

    A share of the samples (``masked_share``) is conditioned as Stable Diffusion 2 is, on the picture with grey in
    place of the mask; of these, ``masked_identity_share`` are to be filled with sound surface. The mask tells how much
    of every cell is covered, but whole cells now and then (``binary_mask_share``) and where it hides the picture.
    """
    options, cell = recipe.diffusion_training, 2 ** (len(recipe.autoencoder["block_out_channels"]) - 1)
    size = recipe.resolution // cell
    targets, conditions, masks, captions = [], [], [], []
    while len(targets) < options["batch_size"]:
        masked = generator.random() < options.get("masked_share", 0.0)
        view, scene, variant = (
            int(generator.integers(n)) for n in (data.latents.shape[0], len(pairs), pairs.masks.shape[1])
        )
        if odds is not None:
            scene, variant = divmod(int(generator.choice(odds.size, p=odds.ravel())), odds.shape[1])
        if masked:
            view, cells, condition = 0, data.masked_cells[scene, variant], data.masked[scene, variant]
            cells = cells.astype(np.float32)
        else:
            cells, condition = (
                loose_coverage(data.masks[view, scene, variant], generator, vae),
                data.latents[view, scene, 0],
            )
            if generator.random() < options.get("binary_mask_share", 1.0):
                cells = (cells > 0).astype(np.float32)
        window = _window(cells, size, generator)
        if not cells[window].any():
            continue
        share = options.get("masked_identity_share", 0.0) if masked else options["identity_share"]
        identity = generator.random() < share
        dropped = generator.random() < options["caption_dropout"] and not identity
        targets.append(data.latents[view, scene, 0 if identity else 1 + variant][window])
        conditions.append(condition[window])
        masks.append(torch.from_numpy(cells[window].copy()))
        language = str(generator.choice([*languages], p=[*languages.values()])) if languages else None
        spec = pairs.specs[scene][variant]
        captions.append("" if dropped else IDENTITY_CAPTION if identity else sample_caption(spec, generator, language))
    return {
        "target": torch.stack(targets).float(),
        "condition": torch.stack(conditions).float(),
        "mask": torch.stack(masks)[:, None],
        "captions": captions,
    }


def _window(cells: np.ndarray, size: int, generator: np.random.Generator) -> tuple[Any, slice, slice]:
    """A random window of ``size`` cells that holds the mask where it fits, else its middle."""
    room = cells.shape[0] - size
    corner = []
    for span in (np.flatnonzero(cells.any(1)), np.flatnonzero(cells.any(0))):
        low, high = max(0, min(room, span[-1] + 1 - size)), min(room, span[0])
        corner.append(int(generator.integers(low, high + 1)) if high >= low else room // 2)
    return (..., slice(corner[0], corner[0] + size), slice(corner[1], corner[1] + size))


def defect_odds(pairs: PairSet, weights: dict[str, float]) -> np.ndarray:
    """Chance of every scene's every defect [S, V], in proportion to its kind's weight (1 where none is given)."""
    odds = np.array([[weights.get(spec.defect, 1.0) for spec in specs] for specs in pairs.specs], float)
    return odds / odds.sum()


def find_stage(stages: Sequence[dict[str, Any]], step: int) -> tuple[int, int]:
    """The stage that a step of the whole run falls in, and its number within that stage."""
    for index, stage in enumerate(stages):
        if step < stage["steps"]:
            return index, step
        step -= stage["steps"]
    raise ValueError("the step lies beyond the last stage")


def mask_weighted_loss(error: torch.Tensor, mask: torch.Tensor, mask_weight: float, most: float = 20.0) -> torch.Tensor:
    """Mean of ``error`` [N, C, h, w], every sample's mask [N, 1, h, w] weighted up, however thin it is.

    The mask counts ``mask_weight`` times as much as all that lies outside it, but a cell of it never less than a cell
    outside and never more than ``most`` of them.
    """
    share = mask.mean(dim=(1, 2, 3), keepdim=True)
    weight = 1 + mask * ((mask_weight * (1 - share) / share.clamp(1e-6)).clamp(1, most) - 1)
    weight = weight / weight.mean(dim=(1, 2, 3), keepdim=True)
    return (weight * error).mean()


def train_diffusion(
    recipe: Recipe,
    pairs: PairSet,
    vae: Any,
    tokenizer: Any,
    state_path: Path,
    device: torch.device,
    report: Any,
    start_from: Path | None = None,
    compiled: bool = False,
) -> tuple[Any, Any]:
    """Train (or finish training) the recipe's UNet and CLIP text encoder; returns them with averaged weights.

    ``start_from`` is a checkpoint folder whose weights of equal name and shape are taken over at step 0; ``compiled``
    runs the UNet through ``torch.compile``.

    v-prediction on the noised target, loss weighted towards the mask. Every stage of the recipe has a warm-up and a
    cosine of its own, and draws defects by its ``weights`` or as often as they were rendered, and captions by its
    ``languages``. The step's random numbers depend on the seed and the step alone, counted from ``first_step``, so
    that a resumed run ends with the same weights and a later stage does not see the noise of an earlier one again.
    """
    from diffusers import DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    options = recipe.diffusion_training
    data = encode_pairs(
        vae, pairs, options.get("views", 2), recipe.seed, device, report, state_path.with_name("latents.pt")
    )
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
    if start_from is not None:
        start_from_weights(unet, start_from / "unet")
        start_from_weights(text_encoder, start_from / "text_encoder")
    scheduler: Any = DDIMScheduler(**recipe.scheduler)
    alphas_cumprod = scheduler.alphas_cumprod.to(device)
    parameters = [*unet.parameters(), *text_encoder.parameters()]
    optimizer = torch.optim.AdamW(parameters, weight_decay=1e-2, betas=(0.9, 0.99))
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
    denoise: Any = torch.compile(unet) if compiled else unet
    running = None
    stages = options["stages"]
    odds = [defect_odds(pairs, stage["weights"]) if "weights" in stage else None for stage in stages]
    steps = sum(stage["steps"] for stage in stages)
    for step in range(first, steps):
        index, within = find_stage(stages, step)
        drawn = options.get("first_step", 0) + step
        batch = make_batch(
            pairs,
            data,
            vae,
            recipe,
            np.random.default_rng([recipe.seed, 3, drawn]),
            odds[index],
            stages[index].get("languages"),
        )
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + drawn)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(
                within, stages[index]["steps"], stages[index]["learning_rate"], options["warmup"]
            )
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
            output = denoise(sample, timesteps, encoder_hidden_states=prompt_embeds, return_dict=False)[0]
        loss = mask_weighted_loss((output.float() - velocity).square(), (mask > 0).float(), options["mask_weight"])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % options.get("save_every", 200) == 0 or step + 1 == steps:
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
            report(step + 1, steps, running)
    average.copy_to_parameters()
    return unet.eval().requires_grad_(False), text_encoder.eval().requires_grad_(False)
