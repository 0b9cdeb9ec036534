"""Fine-tuning any inpainting checkpoint on real defects: the UNet or a LoRA of it, resumable, on one device or many."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checks import require_choice, require_number
from ..devices import mixed_precision
from ..errors import InputError
from ..paint.checkpoint import Checkpoint, images_to_tensor
from ..paint.crop import cell_coverage, whole_cells
from .diffusion import mask_weighted_loss
from .progress import ExponentialMovingAverage, learning_rate, load_state, save_state
from .real import Balanced, RealDefect, TrainingCrop, draw_crop

LORA_TARGETS = ("to_q", "to_k", "to_v", "to_out.0")


@dataclass(frozen=True)
class FineTuning:
    """Everything that decides what fine-tuning makes of a checkpoint and pictures.

    ``lora_rank`` 0 trains the whole UNet. ``masked_share`` of the samples are conditioned as Stable Diffusion 2 is
    (all of them in checkpoints that know nothing else); ``text_noise_scale`` is GPP's σ, added to the words at full
    size (``text_noise`` "fixed", as published) or drawn uniformly below it ("uniform", as the embedded model was made).
    Without ``attribute_words`` captions name defect and place alone; without ``bilingual`` those of a bilingual
    checkpoint are English alone: both are there to be compared with.
    """

    steps: int = 3000
    batch_size: int = 4
    learning_rate: float = 5e-6
    lora_rank: int = 0
    lora_alpha: int | None = None
    text_noise_scale: float = 1.0
    text_noise: str = "fixed"
    caption_dropout: float = 0.1
    identity_share: float = 0.04
    masked_share: float = 0.3
    mask_weight: float = 1.0
    use_ds_captions: bool = True
    attribute_words: bool = True
    bilingual: bool = True
    warmup: int = 100
    ema_decay: float = 0.999
    gradient_checkpointing: bool = False
    mixed_precision: str = "auto"
    save_every: int = 200
    sample_every: int = 500
    seed: int = 0

    def checked(self) -> FineTuning:
        """This recipe, if every value is in its range.

        Raises:
            InputError: naming the first that is not.
        """
        whole = {"steps": (1, 1_000_000), "batch_size": (1, 4096), "lora_rank": (0, 1024), "warmup": (0, 100_000)}
        for name, (low, high) in (whole | {"save_every": (1, 1_000_000), "sample_every": (0, 1_000_000)}).items():
            require_number(name, getattr(self, name), low, high, integer=True)
        for name in ("caption_dropout", "identity_share", "masked_share"):
            require_number(name, getattr(self, name), 0, 1)
        require_number("learning_rate", self.learning_rate, 1e-9, 1)
        require_number("text_noise_scale", self.text_noise_scale, 0, 2)
        require_number("ema_decay", self.ema_decay, 0, 0.99999)
        require_number("mask_weight", self.mask_weight, 0, 100)
        require_choice("text_noise", self.text_noise, ("fixed", "uniform"))
        require_choice("mixed_precision", self.mixed_precision, ("auto", "no", "bf16"))
        return self


@dataclass
class TrainedUNet:
    """The UNet with averaged weights, its LoRA layers merged, and the loss of every step."""

    unet: Any
    losses: list[float]


def fine_tune(
    checkpoint: Checkpoint,
    defects: Sequence[RealDefect],
    settings: FineTuning,
    state_path: Path,
    *,
    report: Callable[[int, float], None] | None = None,
    sample: Callable[[int], None] | None = None,
) -> TrainedUNet:
    """Train the checkpoint's UNet in place, or finish an interrupted run; autoencoder and text encoder stay.

    What step and sample see depends on the seed, the step and the sample's number alone, so a run that was killed ends
    with the same weights as one that was not, and several devices see what one would.

    Args:
        checkpoint: loaded; its UNet is changed.
        defects: from :func:`~magic_ui.training.real.load_defects`.
        state_path: file that keeps the state to resume from.
        report: called with (finished steps, loss) after every step.
        sample: called with the step now and then, while the checkpoint holds the averaged weights.

    Raises:
        InputError: a setting out of range, a state of another recipe, a loss that is no number.
    """
    from accelerate import Accelerator
    from accelerate.utils import set_seed

    settings = settings.checked()
    # Precision is ours: accelerate keeps the first one asked for as long as the process lives.
    accelerator = Accelerator(mixed_precision="no", cpu=checkpoint.device.type == "cpu")
    set_seed(settings.seed)
    unet = checkpoint.unet.requires_grad_(settings.lora_rank == 0)
    if settings.lora_rank:
        _add_lora(unet, settings)
    if settings.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    parameters = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=1e-2, betas=(0.9, 0.99))
    average = ExponentialMovingAverage(parameters, settings.ema_decay) if settings.ema_decay else None
    first, losses = _resume(state_path, settings, parameters, optimizer, average)
    model, optimizer = accelerator.prepare(unet, optimizer)
    balanced, alphas = Balanced(defects), checkpoint.scheduler.alphas_cumprod.to(accelerator.device)
    model.train()
    for step in range(first, settings.steps):
        numbers = range(accelerator.process_index, settings.batch_size, accelerator.num_processes)
        batch = make_batch(checkpoint, balanced, settings, step, list(numbers))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, settings.steps, settings.learning_rate, settings.warmup)
        with _autocast(settings, checkpoint.device):
            loss = diffusion_loss(checkpoint, model, batch, alphas, settings)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if average is not None:
            average.update()
        everywhere: Any = accelerator.gather(loss.detach())
        losses.append(float(everywhere.mean()))
        if not math.isfinite(losses[-1]):
            raise InputError("learning_rate", f"the loss is no number at step {step + 1}; use a smaller learning rate.")
        finished = step + 1
        if accelerator.is_main_process:
            if finished % settings.save_every == 0 or finished == settings.steps:
                save_state(state_path, _state(settings, parameters, optimizer, average, losses))
            if report is not None:
                report(finished, losses[-1])
            if sample is not None and settings.sample_every and finished % settings.sample_every == 0:
                with averaged(parameters, average), torch.no_grad():
                    unet.eval()
                    sample(finished)
                    unet.train()
    accelerator.wait_for_everyone()
    if average is not None:
        average.copy_to_parameters()
    if settings.lora_rank:
        unet.fuse_lora()
        unet.unload_lora()
    if settings.gradient_checkpointing:
        unet.disable_gradient_checkpointing()
    return TrainedUNet(unet.eval().requires_grad_(False), losses)


def _autocast(settings: FineTuning, device: torch.device) -> AbstractContextManager[Any]:
    if settings.mixed_precision == "auto":
        return mixed_precision(device)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.mixed_precision == "bf16")


def _add_lora(unet: Any, settings: FineTuning) -> None:
    from peft import LoraConfig

    torch.manual_seed(settings.seed + 1)
    rank = settings.lora_rank
    unet.add_adapter(
        LoraConfig(
            r=rank,
            lora_alpha=settings.lora_alpha or rank,
            init_lora_weights="gaussian",
            target_modules=list(LORA_TARGETS),
        )
    )


def _state(
    settings: FineTuning, parameters: list[Any], optimizer: Any, average: Any, losses: list[float]
) -> dict[str, Any]:
    return {
        "settings": asdict(settings),
        "parameters": [p.detach() for p in parameters],
        "optimizer": optimizer.state_dict(),
        "average": average.state() if average is not None else None,
        "losses": losses,
    }


def _resume(
    path: Path, settings: FineTuning, parameters: list[Any], optimizer: Any, average: Any
) -> tuple[int, list[float]]:
    """Take over a saved state; returns the steps it has and their losses."""
    state = load_state(path)
    if state is None:
        return 0, []
    free = {"save_every", "sample_every", "gradient_checkpointing"}  # change nothing but time and memory
    for name, value in asdict(settings).items():
        if name not in free and state["settings"].get(name) != value:
            before = state["settings"].get(name)
            raise InputError(name, f"the run to resume has {before!r}, not {value!r}; use that, or another output.")
    for own, stored in zip(parameters, state["parameters"], strict=True):
        own.data.copy_(stored)
    optimizer.load_state_dict(state["optimizer"])
    if average is not None:
        average.restore(state["average"])
    return len(state["losses"]), list(state["losses"])


@contextmanager
def averaged(parameters: list[Any], average: ExponentialMovingAverage | None) -> Iterator[None]:
    """The parameters replaced by their averages for a while."""
    if average is None:
        yield
        return
    kept = [p.detach().clone() for p in parameters]
    average.copy_to_parameters()
    try:
        yield
    finally:
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.data.copy_(value)


def make_batch(
    checkpoint: Checkpoint, balanced: Balanced, settings: FineTuning, step: int, numbers: Sequence[int]
) -> dict[str, Any]:
    """The samples ``numbers`` of one step: latents, condition, mask, words, noise and timesteps, each [N, ...]."""
    info, tokenizer = checkpoint.info, checkpoint.tokenizer
    crops, noises, timesteps, text_noises = [], [], [], []
    shape = (checkpoint.vae.config.latent_channels, *(2 * [info.resolution // checkpoint.cell]))
    words = (tokenizer.model_max_length, checkpoint.text_encoder.config.hidden_size)
    for number in numbers:
        generator = np.random.default_rng([settings.seed, 11, step, number])
        torch_generator = torch.Generator().manual_seed(int(generator.integers(2**62)))
        crops.append(_draw(checkpoint, balanced, settings, generator))
        noises.append(torch.randn(shape, generator=torch_generator))
        timesteps.append(
            torch.randint(0, checkpoint.scheduler.config.num_train_timesteps, (), generator=torch_generator)
        )
        scale = settings.text_noise_scale
        if settings.text_noise == "uniform":
            scale = scale * float(torch.rand((), generator=torch_generator))
        text_noises.append(scale * torch.randn(words, generator=torch_generator))
    with _autocast(settings, checkpoint.device):
        target, condition, mask = _encode(checkpoint, crops)
    embeds = [checkpoint.encode_prompt(crop.caption) for crop in crops]
    prompt_embeds = torch.cat([e for e, _ in embeds])
    attention = torch.cat([m for _, m in embeds])[..., None]  # padding tokens are not noised
    return {
        "target": target,
        "condition": condition,
        "mask": mask,
        "prompt_embeds": prompt_embeds + torch.stack(text_noises).to(prompt_embeds) * attention,
        "noise": torch.stack(noises).to(target),
        "timesteps": torch.stack(timesteps).to(target.device),
        "captions": [crop.caption for crop in crops],
    }


def _draw(
    checkpoint: Checkpoint, balanced: Balanced, settings: FineTuning, generator: np.random.Generator
) -> TrainingCrop:
    info, tokenizer = checkpoint.info, checkpoint.tokenizer
    defect = balanced.draw(generator)
    # A picture without a stand-in for its normal one can only be conditioned on what is left of it.
    paired = info.conditioning == "normal" and defect.normal is not defect.picture
    masked = not paired or generator.random() < settings.masked_share
    dropped = generator.random() < settings.caption_dropout
    identity = paired and not dropped and generator.random() < settings.identity_share
    crop = draw_crop(
        defect,
        info.resolution,
        generator,
        prompt_language=info.prompt_language,
        masked=masked,
        identity=identity,
        use_descriptions=settings.use_ds_captions,
        attribute_words=settings.attribute_words,
        bilingual=settings.bilingual,
        count_tokens=lambda text: len(tokenizer(text).input_ids),
    )
    return TrainingCrop(crop.target, crop.condition, crop.mask, "", crop.masked) if dropped else crop


@torch.no_grad()
def _encode(checkpoint: Checkpoint, crops: Sequence[TrainingCrop]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents of targets and conditions and the mask channel, as the sampler gives them to the UNet."""
    resolution, cell = checkpoint.info.resolution, checkpoint.cell
    coverages, conditions = [], []
    for crop in crops:
        coverage = cell_coverage(crop.mask, resolution, cell)
        condition = images_to_tensor([crop.condition])
        if crop.masked:
            condition = condition * torch.from_numpy(~whole_cells(coverage, cell))
        whole = crop.masked or checkpoint.info.mask_channel == "binary"
        coverages.append((coverage > 0).astype(np.float32) if whole else coverage)
        conditions.append(condition)
    images = torch.cat([images_to_tensor([crop.target for crop in crops]), *conditions]).to(checkpoint.device)
    images = images.contiguous(memory_format=torch.channels_last)  # a third faster on a CPU
    means = checkpoint.vae.encode(images).latent_dist.mean.float() * checkpoint.vae.config.scaling_factor
    mask = torch.from_numpy(np.stack(coverages))[:, None].to(means)
    return means[: len(crops)], means[len(crops) :], mask


def diffusion_loss(
    checkpoint: Checkpoint, unet: Any, batch: dict[str, Any], alphas_cumprod: torch.Tensor, settings: FineTuning
) -> torch.Tensor:
    """Mean squared error of the scheduler's own prediction type, the mask weighted up."""
    alpha_bar = alphas_cumprod[batch["timesteps"]][:, None, None, None]
    target, noise = batch["target"], batch["noise"]
    noisy = alpha_bar.sqrt() * target + (1 - alpha_bar).sqrt() * noise
    wanted = {
        "epsilon": noise,
        "v_prediction": alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * target,  # Salimans & Ho 2022
        "sample": target,
    }[checkpoint.scheduler.config.prediction_type]
    sample = torch.cat([noisy, batch["mask"], batch["condition"]], dim=1).contiguous(memory_format=torch.channels_last)
    output = unet(sample, batch["timesteps"], encoder_hidden_states=batch["prompt_embeds"], return_dict=False)[0]
    error = (output.float() - wanted).square()
    return mask_weighted_loss(error, (batch["mask"] > 0).float(), settings.mask_weight)
