"""A Stable Diffusion inpainting checkpoint in memory: its parts, and encodings that are computed once."""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ..devices import pick_device, pick_dtype
from ..errors import CheckpointError
from ..registry import check_weights, resolve, verify_folder

Conditioning = Literal["masked", "normal"]
MaskChannel = Literal["binary", "coverage"]
CARD = "magic_ui.json"
"""File in a checkpoint's folder with what diffusers' layout has no field for: conditioning, languages, defaults."""

COMPONENTS = ("tokenizer", "text_encoder", "vae", "unet", "scheduler")


@dataclass(frozen=True)
class CheckpointInfo:
    """What a result's record says of the checkpoint.

    ``conditioning``: the UNet's last input channels hold the ``masked`` image (as Stable Diffusion 2) or the
    ``normal`` image itself. ``prompt_language``: ``en`` or ``bilingual``, how prompts are worded for it.
    ``mask_channel``: the UNet's mask channel holds whole cells (``binary``, as Stable Diffusion 2) or the share of each
    cell that is to be repainted (``coverage``, which tells a hairline from a band).
    ``guidance_rescale``: see :class:`~magic_ui.paint.options.SamplerOptions`; what the checkpoint is best painted with.
    ``anomaly_noise``: MGNI's weight for each unit of ``anomaly_strength``; 1 is the published coupling, a model trained
    on pairs draws the defect by itself and wants little.
    ``name_color``: where the words leave a defect's colour open, one is named for it, since it would paint the mean.
    """

    name: str
    sha256: str
    resolution: int
    conditioning: Conditioning
    prompt_language: str
    num_inference_steps: int
    guidance_scale: float
    guidance_rescale: float = 0.0
    anomaly_noise: float = 1.0
    mask_channel: MaskChannel = "binary"
    name_color: bool = False


class _LRU:
    """A small thread-safe cache: the last ``size`` values."""

    def __init__(self, size: int) -> None:
        self._size, self._values, self._lock = size, OrderedDict(), threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = compute()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value


class Checkpoint:
    """Tokenizer, text encoder, autoencoder, UNet and noise schedule of one inpainting model.

    Nothing per-user is stored here and the schedule is read, never stepped, so several threads may paint at once.

    Shapes: images [B, 3, R, R] in −1…1 and latents [B, C, r, r], R = ``resolution``, r = R / ``cell`` and C the
    autoencoder's channels (4 in Stable Diffusion 2).
    """

    def __init__(
        self,
        info: CheckpointInfo,
        tokenizer: Any,
        text_encoder: Any,
        vae: Any,
        unet: Any,
        scheduler: Any,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.info, self.device, self.dtype = info, device, dtype
        self.tokenizer, self.scheduler = tokenizer, scheduler
        self.text_encoder = text_encoder.to(device).eval().requires_grad_(False)
        self.vae = vae.to(device).eval().requires_grad_(False)
        self.unet = unet.to(device=device, memory_format=torch.channels_last).eval().requires_grad_(False)
        self.cell = 2 ** (len(vae.config.block_out_channels) - 1)
        self._prompts, self._images = _LRU(64), _LRU(16)

    def autocast(self) -> torch.autocast:
        """Mixed precision where ``dtype`` is below float32; weights and latents stay float32."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)

    @torch.no_grad()
    def encode_prompt(self, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
        """``(prompt_embeds [1, L, D], attention_mask [1, L])``, padded as the checkpoint was trained; cached."""

        def compute() -> tuple[torch.Tensor, torch.Tensor]:
            tokens = self.tokenizer(
                prompt,
                padding="max_length",
                max_length=self.tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            )
            use_mask = getattr(self.text_encoder.config, "use_attention_mask", None)
            mask = tokens.attention_mask.to(self.device)
            embeds = self.text_encoder(tokens.input_ids.to(self.device), attention_mask=mask if use_mask else None)[0]
            return embeds.float(), mask

        return self._prompts.get(prompt, compute)

    @torch.no_grad()
    def encode_image(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Posterior ``(mean, std)`` of the images' latents, scaled for the UNet, each [B, C, r, r]; cached."""

        def compute() -> tuple[torch.Tensor, torch.Tensor]:
            posterior = self.vae.encode(images.to(self.device)).latent_dist
            scale = self.vae.config.scaling_factor
            return scale * posterior.mean.float(), scale * posterior.std.float()

        return self._images.get(("encode", _digest(images)), compute)

    @torch.no_grad()
    def reconstruct(self, images: torch.Tensor) -> torch.Tensor:
        """``decode(encode(image))`` at the posterior's mean, [B, 3, R, R]; cached."""
        return self._images.get(("reconstruct", _digest(images)), lambda: self.decode(self.encode_image(images)[0]))

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents → images [B, 3, R, R] in about −1…1 (not clipped)."""
        return self.vae.decode(latents / self.vae.config.scaling_factor, return_dict=False)[0].float()

    @torch.no_grad()
    def predict(
        self,
        latents: torch.Tensor,
        mask: torch.Tensor,
        condition: torch.Tensor,
        timestep: torch.Tensor,
        prompt_embeds: torch.Tensor,
    ) -> torch.Tensor:
        """One UNet call on [latents | mask | condition] (C + 1 + C channels) → model output [B, C, r, r]."""
        sample = torch.cat([latents, mask, condition], dim=1).contiguous(memory_format=torch.channels_last)
        with self.autocast():
            output = self.unet(sample, timestep, encoder_hidden_states=prompt_embeds, return_dict=False)[0]
        return output.float()


def _digest(images: torch.Tensor) -> tuple[tuple[int, ...], bytes]:
    import hashlib

    data = images.detach().cpu().contiguous()
    return tuple(data.shape), hashlib.sha256(data.numpy().tobytes()).digest()


def images_to_tensor(images: list[np.ndarray]) -> torch.Tensor:
    """uint8 [H, W, 3] images of one size → float32 [B, 3, H, W] in −1…1."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def tensor_to_arrays(images: torch.Tensor) -> np.ndarray:
    """float [B, 3, H, W] in −1…1 → float32 [B, H, W, 3] in 0…255, not clipped."""
    return ((images + 1.0) * 127.5).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def load_checkpoint(
    name_or_folder: str | os.PathLike[str] = "magic-tiny", *, device: str = "auto", dtype: str = "auto"
) -> Checkpoint:
    """Load and verify a checkpoint: files against their SHA-256, weights as safetensors, shapes, finite values.

    Args:
        name_or_folder: a name of ``checkpoints/registry.toml`` or a ``StableDiffusionInpaintPipeline`` folder.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16``, ``float16`` (the UNet's arithmetic).

    Raises:
        CheckpointError: whatever is wrong with it, in one sentence; nothing already loaded is touched.
    """
    name, folder, expected, entry = resolve(name_or_folder)
    for part in COMPONENTS:
        if not (folder / part).is_dir():
            raise CheckpointError(
                f"{name}: the folder {part!r} is missing; an inpainting checkpoint has {', '.join(COMPONENTS)}"
            )
    digest = verify_folder(folder, expected)
    for part in ("text_encoder", "vae", "unet"):
        check_weights(name, folder / part)
    try:
        parts = _load_components(folder)
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"{name} cannot be loaded: {_without_path(reason[0], folder)}") from error
    _check_components(name, parts)
    info = _read_info(name, folder, digest, parts, entry.resolution if entry else None)
    chosen = pick_device(device)
    return Checkpoint(info, *parts, device=chosen, dtype=pick_dtype(dtype, chosen))


def _load_components(folder: Path) -> tuple[Any, ...]:
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    def load(kind: Any, part: str, **options: Any) -> Any:
        model, report = kind.from_pretrained(
            folder / part, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
        )
        missing = sorted(report["missing_keys"])
        if missing:
            raise ValueError(f"{part} lacks the weight {missing[0]}")
        return model

    return (
        CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        load(CLIPTextModel, "text_encoder", dtype=torch.float32),
        load(AutoencoderKL, "vae", torch_dtype=torch.float32, low_cpu_mem_usage=False),
        load(UNet2DConditionModel, "unet", torch_dtype=torch.float32, low_cpu_mem_usage=False),
        DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True),
    )


def _check_components(name: str, parts: tuple[Any, ...]) -> None:
    _, text_encoder, vae, unet, _ = parts
    latents = vae.config.latent_channels
    if unet.config.in_channels != 2 * latents + 1:
        raise CheckpointError(
            f"{name}: the UNet takes {unet.config.in_channels} channels; an inpainting "
            f"UNet takes latents + mask + condition = {2 * latents + 1}"
        )
    if unet.config.cross_attention_dim != text_encoder.config.hidden_size:
        raise CheckpointError(
            f"{name}: the text encoder's width {text_encoder.config.hidden_size} is not "
            f"the UNet's cross-attention width {unet.config.cross_attention_dim}"
        )


def _read_info(name: str, folder: Path, digest: str, parts: tuple[Any, ...], resolution: int | None) -> CheckpointInfo:
    card = json.loads((folder / CARD).read_text(encoding="utf-8")) if (folder / CARD).is_file() else {}
    conditioning = card.get("conditioning", "masked")
    if conditioning not in ("masked", "normal"):
        raise CheckpointError(f"{name}: {CARD} names the conditioning {conditioning!r}; it is masked or normal")
    mask_channel = card.get("mask_channel", "binary")
    if mask_channel not in ("binary", "coverage"):
        raise CheckpointError(f"{name}: {CARD} names the mask channel {mask_channel!r}; it is binary or coverage")
    cell = 2 ** (len(parts[2].config.block_out_channels) - 1)
    return CheckpointInfo(
        name=name,
        sha256=digest,
        resolution=int(card.get("resolution") or resolution or cell * parts[3].config.sample_size),
        conditioning=conditioning,
        prompt_language=card.get("prompt_language", "en"),
        num_inference_steps=int(card.get("num_inference_steps", 50)),
        guidance_scale=float(card.get("guidance_scale", 7.5)),
        guidance_rescale=float(card.get("guidance_rescale", 0.0)),
        anomaly_noise=float(card.get("anomaly_noise", 1.0)),
        mask_channel=mask_channel,
        name_color=bool(card.get("name_color", False)),
    )


def _without_path(text: str, folder: Path) -> str:
    return text.replace(str(folder), "the checkpoint").replace(str(folder.resolve()), "the checkpoint")[:300]
