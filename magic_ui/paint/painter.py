"""From a plan's masks and prompts to finished pictures: crops in, one batched sampling run, composite out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from .checkpoint import Checkpoint, images_to_tensor, tensor_to_arrays
from .composite import blend
from .crop import CropBox, cell_coverage, crop_box, extract, paste_back, resize_image, whole_cells
from .options import SamplerOptions
from .perturbation import predict_x0_and_epsilon
from .sampler import Conditioning, SamplerState, condition_latents, make_timesteps, mask_input, sample

MAX_BATCH = 8
"""Samples in one UNet call; a longer list is painted in several runs."""

MAX_CROPS = 8
"""Crops of one picture; beyond that the nearest pieces of a mask share one."""

LEAST_GAIN = 0.35
"""Share of the painted change that ``anomaly_strength = 0`` keeps in checkpoints conditioned on the normal image."""


@dataclass(frozen=True)
class Crop:
    """One place to paint: a piece of a target's mask (bool [H, W]), its square and its words."""

    mask: np.ndarray
    box: CropBox
    prompt: str


@dataclass(frozen=True)
class Canvas:
    """One picture to make of the same plan: how strong, and from which seed."""

    anomaly_strength: float
    seed: int


@dataclass
class PaintStep:
    """Progress of a painting run; ``pictures`` holds the canvases' float-free results after the last step only."""

    step: int
    num_steps: int
    preview: np.ndarray | None
    pictures: list[np.ndarray] | None
    latents: list[torch.Tensor] | None = None


def make_crops(targets: list[tuple[np.ndarray, str]], resolution: int) -> list[Crop]:
    """Squares to paint for ``(mask, prompt)`` targets: pieces that lie apart get a square of their own.

    A picture's two scratches at opposite ends would otherwise share one square in which both are a pixel wide.
    """
    crops = []
    for mask, prompt in targets:
        pieces = _split_mask(mask, resolution)
        crops += [Crop(piece, crop_box(piece, resolution), prompt) for piece in pieces]
    return crops


def _split_mask(mask: np.ndarray, resolution: int) -> list[np.ndarray]:
    """Group a mask's components while their joint box stays within half a crop's resolution or 1.5× the larger one."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    groups = [([i], stats[i, :4] + [0, 0, stats[i, 0], stats[i, 1]]) for i in range(1, count)]  # x0, y0, x1, y1
    while len(groups) > 1:
        best, best_excess = None, np.inf
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                joint, larger = _side(_join(groups[a][1], groups[b][1])), max(_side(groups[a][1]), _side(groups[b][1]))
                excess = joint / max(1.5 * larger, resolution / 2)
                if excess < best_excess:
                    best, best_excess = (a, b), excess
        if best is None or (best_excess > 1 and len(groups) <= MAX_CROPS):
            break
        a, b = best
        merged = (groups[a][0] + groups[b][0], _join(groups[a][1], groups[b][1]))
        groups = [g for i, g in enumerate(groups) if i not in best] + [merged]
    return [np.isin(labels, members) for members, _ in sorted(groups, key=lambda g: min(g[0]))]


def _join(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.concatenate([np.minimum(a[:2], b[:2]), np.maximum(a[2:], b[2:])])


def _side(box: np.ndarray) -> int:
    return int(max(box[2] - box[0], box[3] - box[1]))


def sample_generator(seed: int, crop_index: int) -> torch.Generator:
    """The CPU generator of one crop of one canvas; crop 0 is the plain ``manual_seed(seed)``."""
    return torch.Generator().manual_seed((seed + crop_index * 0x9E3779B97F4A7C15) % 2**63)


def paint(
    checkpoint: Checkpoint,
    image: np.ndarray,
    crops: list[Crop],
    canvases: list[Canvas],
    options: SamplerOptions,
    *,
    negative_prompt: str = "",
    feather: float = 2.0,
    preview_every: int = 0,
) -> Iterator[PaintStep]:
    """Paint every canvas; yields after each denoising step and can be closed at any of them.

    Args:
        image: the normal picture, uint8 [H, W, 3].
        crops: from :func:`make_crops`.
        canvases: the pictures to make; all crops of all canvases share batches of ``MAX_BATCH``.
        feather: width in px over which the change fades in, inside the mask.
        preview_every: decode a preview of the last canvas every so many steps (0: never).
    """
    resolution = checkpoint.info.resolution
    squares = [extract(image, crop.box) for crop in crops]
    inputs = [resize_image(square, resolution) for square in squares]
    cells = [cell_coverage(extract(crop.mask, crop.box), resolution, checkpoint.cell) for crop in crops]
    jobs = [(c, k) for c in range(len(canvases)) for k in range(len(crops))]
    runs = [jobs[i : i + MAX_BATCH] for i in range(0, len(jobs), MAX_BATCH)]
    num_steps, step = len(runs) * options.num_inference_steps, 0
    finished: dict[tuple[int, int], torch.Tensor] = {}
    for run in runs:
        batch = _conditioning(checkpoint, run, inputs, cells, crops, canvases, negative_prompt)
        state: SamplerState | None = None
        for state in sample(checkpoint, batch, options):
            step += 1
            preview = None
            if preview_every and state.step % preview_every == 0 and state.step < state.num_steps:
                shown = {job: state.pred_x0[i : i + 1] for i, job in enumerate(run) if job[0] == run[-1][0]}
                preview = _assemble(checkpoint, image, crops, squares, inputs, shown, canvases, run[-1][0], feather)
            if step < num_steps:
                yield PaintStep(step, num_steps, preview, None)
        assert state is not None
        finished |= {job: state.latents[i : i + 1] for i, job in enumerate(run)}
    pictures = [
        _assemble(checkpoint, image, crops, squares, inputs, finished, canvases, c, feather)
        for c in range(len(canvases))
    ]
    latents = [torch.cat([finished[c, k] for k in range(len(crops))]) for c in range(len(canvases))]
    yield PaintStep(num_steps, num_steps, None, pictures, latents)


def _conditioning(
    checkpoint: Checkpoint,
    run: list[tuple[int, int]],
    inputs: list[np.ndarray],
    cells: list[np.ndarray],
    crops: list[Crop],
    canvases: list[Canvas],
    negative_prompt: str,
) -> Conditioning:
    words = [checkpoint.encode_prompt(crops[k].prompt) for _, k in run]
    return Conditioning(
        images=images_to_tensor([inputs[k] for _, k in run]),
        masks=torch.from_numpy(np.stack([whole_cells(cells[k], checkpoint.cell) for _, k in run]))[:, None].float(),
        prompt_embeds=torch.cat([embeds for embeds, _ in words]),
        attention_mask=torch.cat([mask for _, mask in words]),
        negative_embeds=checkpoint.encode_prompt(negative_prompt)[0].repeat(len(run), 1, 1),
        strengths=[canvases[c].anomaly_strength for c, _ in run],
        generators=[sample_generator(canvases[c].seed, k) for c, k in run],
        coverages=torch.from_numpy(np.stack([cells[k] for _, k in run]))[:, None],
    )


def _assemble(
    checkpoint: Checkpoint,
    image: np.ndarray,
    crops: list[Crop],
    squares: list[np.ndarray],
    inputs: list[np.ndarray],
    latents: dict[tuple[int, int], torch.Tensor],
    canvases: list[Canvas],
    canvas: int,
    feather: float,
) -> np.ndarray:
    """The picture of one canvas: every finished crop blended into a copy of the image."""
    picture = image.copy()
    for k, crop in enumerate(crops):
        if (canvas, k) not in latents:
            continue
        decoded = tensor_to_arrays(checkpoint.decode(latents[canvas, k]))[0]
        under, where = paste_back(extract(picture, crop.box).astype(np.float32), crop.box, image.shape[:2])
        if checkpoint.info.conditioning == "normal":
            plain = tensor_to_arrays(checkpoint.reconstruct(images_to_tensor([inputs[k]])))[0]
            if _is_grey(inputs[k]):  # a grey sensor sees grey defects
                decoded, plain = (v.mean(axis=2, keepdims=True).repeat(3, axis=2) for v in (decoded, plain))
            gain = LEAST_GAIN + (1 - LEAST_GAIN) * canvases[canvas].anomaly_strength
            change, _ = paste_back(resize_image(gain * (decoded - plain), crop.box.size), crop.box, image.shape[:2])
            painted = under + change
        else:
            painted, _ = paste_back(resize_image(decoded, crop.box.size), crop.box, image.shape[:2])
        picture[where] = blend(picture[where], painted, crop.mask[where], feather)
    return picture


def _is_grey(pixels: np.ndarray) -> bool:
    """Whether a picture uint8 [H, W, 3] has the same value in all channels, rounding aside."""
    return int(np.ptp(pixels.astype(np.int16), axis=2).max()) <= 2


def encode_crops(checkpoint: Checkpoint, image: np.ndarray, crops: list[Crop]) -> torch.Tensor:
    """Latents of a picture's crops at the posterior's mean, [K, C, r, r]."""
    squares = [resize_image(extract(image, crop.box), checkpoint.info.resolution) for crop in crops]
    return torch.cat([checkpoint.encode_image(images_to_tensor([square]))[0] for square in squares])


def text_agreement(
    checkpoint: Checkpoint, image: np.ndarray, crops: list[Crop], latents: list[torch.Tensor]
) -> list[float]:
    """How much better the words explain finished latents than no words do: one number for each picture's latents.

    The drop of the denoising error inside the mask when the prompt replaces the empty one, at one middle timestep,
    relative to the error without words; mean over the crops. Source: the diffusion classifier (Li et al. 2023).
    """
    resolution = checkpoint.info.resolution
    inputs = [resize_image(extract(image, crop.box), resolution) for crop in crops]
    cells = [cell_coverage(extract(crop.mask, crop.box), resolution, checkpoint.cell) for crop in crops]
    jobs = [(0, k) for k in range(len(crops))]
    agreement = []
    for finished in latents:
        batch = _conditioning(checkpoint, jobs, inputs, cells, crops, [Canvas(1.0, 0)], "")
        noise, mask, condition = condition_latents(checkpoint, batch)
        shown_mask = mask_input(checkpoint, batch, mask)
        t, alpha_bar, _ = make_timesteps(checkpoint, 10)[5]
        noisy = alpha_bar.sqrt() * finished + (1 - alpha_bar).sqrt() * noise
        errors = []
        for embeds in (batch.negative_embeds, batch.prompt_embeds):
            output = checkpoint.predict(noisy, shown_mask, condition, torch.tensor(t, device=noisy.device), embeds)
            x0, _ = predict_x0_and_epsilon(output, noisy, alpha_bar, checkpoint.scheduler.config.prediction_type)
            errors.append(((x0 - finished) ** 2 * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp(min=1))
        agreement.append(float(((errors[0] - errors[1]) / errors[0].clamp(min=1e-8)).mean()))
    return agreement
