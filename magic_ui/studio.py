"""DefectStudio: the road from a picture and a sentence to a painted defect."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from . import records
from .checks import require_number, require_seed, require_text
from .errors import InputError
from .images import decode_image
from .instruction.colors import name_color
from .localize import Plan
from .paint.checkpoint import Checkpoint, load_checkpoint
from .paint.composite import is_weak, mean_change, refine_mask
from .paint.features import UNetFeatures
from .paint.options import SamplerOptions, check_options
from .paint.painter import Canvas, Crop, encode_crops, make_crops, paint, text_agreement
from .planning import draw_plan

MAX_IMAGES = 16
MAX_CANVASES = 64


@dataclass
class Result:
    """One painted picture.

    ``image``: PIL RGB of the input's size; ``mask``: what was asked to be repainted, ``refined_mask``: where it really
    changed, bool [H, W]; ``record``: JSON-able, reproduces the result; ``weak``: hardly anything was drawn.
    """

    image: Image.Image
    mask: np.ndarray
    refined_mask: np.ndarray
    record: dict[str, Any]
    weak: bool


@dataclass
class Progress:
    """One step of the work. ``preview`` is uint8 [H, W, 3] now and then; ``results`` comes with the last step."""

    step: int
    num_steps: int
    preview: np.ndarray | None = None
    results: list[Result] | None = None


@dataclass(frozen=True)
class _Order:
    """A checked request: what the sampler does, which canvases, how many candidates each, how it is composited."""

    options: SamplerOptions
    canvases: list[Canvas]
    candidates: int
    feather: float
    negative_prompt: str
    request: dict[str, Any]


class DefectStudio:
    """Plans and paints with one checkpoint. Safe to share between threads: a call keeps nothing on the object."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self.checkpoint = checkpoint.info

    @classmethod
    def from_pretrained(
        cls, name_or_folder: str | os.PathLike[str] = "magic-tiny", *, device: str = "auto", dtype: str = "auto"
    ) -> DefectStudio:
        """Load a checkpoint by registry name or folder.

        Raises:
            CheckpointError: unknown, damaged, pickled or of the wrong kind.
        """
        return cls(load_checkpoint(name_or_folder, device=device, dtype=dtype))

    def plan(
        self,
        image: Any,
        instruction: str,
        *,
        mask_source: str | np.ndarray = "auto",
        mask_shape: str = "defect",
        align: bool = True,
        reference: Any = None,
        foreground: np.ndarray | str | None = None,
        band_width: float = 0.25,
        pixels_per_mm: float | None = None,
        seed: int = 0,
    ) -> Plan:
        """Understand the sentence and find the place.

        Args:
            image: the normal picture: PIL image, path, bytes or uint8 [H, W, 3].
            instruction: what to draw and where, Chinese or English, at most 1,000 characters.
            mask_source: ``auto``, ``band`` (V1), ``clipseg`` (V2), or the user's own mask, bool [H, W].
            mask_shape: ``defect`` (the defect's own form), ``region`` (all of the place), ``library``.
            align: keep the mask on object and region (CAMA), or move ``reference``'s mask to the matching place.
            reference: ``(defect_image, defect_mask)`` for CAMA; with ``mask_shape="library"`` its mask is the one
                placed, and the picture may be None: the mask is then slid into the sentence's place. Or a folder of
                masks: ``seed`` draws one, of the named defect's own folders where there are any.
            foreground: the object, bool [H, W], where the caller knows better; or how to find it: ``auto``,
                ``embedded``, ``rembg`` (U²-Net; an optional package that downloads its weights), ``full``.
            band_width: share of the object that an image-frame word means, 0.1–0.5.
            pixels_per_mm: scale of the picture, so that millimetres in the sentence become pixels.
            seed: decides the form and place of the mask.

        Raises:
            InputError: names the argument and what to do.
        """
        plan = draw_plan(
            image,
            instruction,
            mask_source=mask_source,
            mask_shape=mask_shape,
            align=align,
            reference=reference,
            foreground=foreground,
            band_width=band_width,
            pixels_per_mm=pixels_per_mm,
            seed=seed,
            features=UNetFeatures(self._checkpoint) if reference is not None and align else None,
        )
        if self._checkpoint.info.name_color:
            _name_colors(plan)
        for target in plan.targets:
            target.prompt = target.describe(self.checkpoint.prompt_language)
        return plan

    def generate(self, plan: Plan, **settings: Any) -> list[Result]:
        """Paint a plan; see :meth:`generate_steps` for the settings. Returns ``num_images`` results."""
        return _last_results(self.generate_steps(plan, **settings))

    def generate_steps(
        self, plan: Plan, *, anomaly_strength: float = 0.6, num_images: int = 1, seed: int = 0, **settings: Any
    ) -> Generator[Progress, None, None]:
        """Paint a plan, step by step; closing the iterator stops the work.

        Args:
            anomaly_strength: how hard the defect is drawn, 0–1; with the seed fixed, the change grows with it.
            num_images: pictures, 1–16; picture i is painted from ``seed + i``.
            seed: 0 … 2³²−1; the same seed gives the same bits on the same machine.
            settings: ``text_noise_scale`` (GPP's σ, 0–2, default 0.3), ``anomaly_noise`` (MGNI weight 0–1, default:
                the strength), ``anomaly_stop_step`` (default: 40% of the steps), ``use_random_mask`` (True),
                ``eta_mask`` (0–1 or None), ``eta`` (0–1), ``guidance_scale`` / ``guidance_scale_end`` /
                ``guidance_scale_out`` (0–30), ``guidance_rescale`` (0–1), ``guidance_schedule`` (cosine),
                ``num_inference_steps`` (1–200),
                ``candidates`` (1–8: best of so many), ``feather`` (px, 0–64), ``negative_prompt``,
                ``preview_every`` (steps, 0: no previews).

        Raises:
            InputError: a setting that is not a number, out of range or unknown.
        """
        strength = float(require_number("anomaly_strength", anomaly_strength, 0, 1))
        count, first = int(require_number("num_images", num_images, 1, MAX_IMAGES, integer=True)), require_seed(seed)
        canvases = [Canvas(strength, (first + i) % 2**32) for i in range(count)]
        request = {"anomaly_strength": strength, "num_images": count, "seed": first}
        preview_every = _preview_interval(settings)
        return self._work(plan, self._order(canvases, request, settings), preview_every)

    def sweep(self, plan: Plan, strengths: Sequence[float] = (0.1, 0.4, 0.7, 1.0), **settings: Any) -> list[Result]:
        """The same seed at several strengths, in one batch; see :meth:`generate_steps` for the settings."""
        return _last_results(self.sweep_steps(plan, strengths, **settings))

    def sweep_steps(
        self, plan: Plan, strengths: Sequence[float] = (0.1, 0.4, 0.7, 1.0), *, seed: int = 0, **settings: Any
    ) -> Generator[Progress, None, None]:
        """As :meth:`sweep`, step by step."""
        if (
            isinstance(strengths, str)
            or not isinstance(strengths, Sequence | np.ndarray)
            or not 1 <= len(strengths) <= 16
        ):
            raise InputError("strengths", "give a list of 1 to 16 numbers between 0 and 1.")
        values = [float(require_number("strengths", value, 0, 1)) for value in strengths]
        first = require_seed(seed)
        request = {"strengths": values, "seed": first}
        preview_every = _preview_interval(settings)
        return self._work(
            plan, self._order([Canvas(value, first) for value in values], request, settings), preview_every
        )

    def reproduce(self, record: dict[str, Any], image: Any) -> Result:
        """Paint again what ``record`` describes, on the same normal picture: the same bits on the same machine.

        Raises:
            InputError: not a record of this product, another picture, or another checkpoint.
        """
        plan, request, settings, index = records.read_record(record, decode_image(image).pixels, self.checkpoint)
        results = (
            self.sweep(plan, **request, **settings)
            if "strengths" in request
            else self.generate(plan, **request, **settings)
        )
        return results[index]

    def text_agreement(self, plan: Plan, image: np.ndarray | Image.Image) -> float:
        """How much better the plan's words explain a painted picture than no words do; at or below 0 they do not.

        Args:
            plan: what was painted.
            image: the painted picture, of the plan's size.
        """
        pixels, crops = np.asarray(image), self._crops(plan)
        return text_agreement(self._checkpoint, plan.image, crops, [encode_crops(self._checkpoint, pixels, crops)])[0]

    def _order(self, canvases: list[Canvas], request: dict[str, Any], settings: dict[str, Any]) -> _Order:
        """Check every setting and fill in the checkpoint's defaults."""
        given = dict(settings)
        candidates = int(require_number("candidates", given.pop("candidates", 1), 1, 8, integer=True))
        feather = float(require_number("feather", 2.0 if given.get("feather") is None else given["feather"], 0, 64))
        given.pop("feather", None)
        negative = require_text("negative_prompt", given.pop("negative_prompt", ""), allow_empty=True)
        if len(canvases) * candidates > MAX_CANVASES:
            raise InputError("candidates", f"pictures times candidates must be at most {MAX_CANVASES}.")
        card = self.checkpoint
        options = check_options(given, card.num_inference_steps, card.guidance_scale, card.guidance_rescale)
        full = {**options.to_dict(), "candidates": candidates, "feather": feather, "negative_prompt": negative}
        return _Order(options, canvases, candidates, feather, negative, {"request": request, "settings": full})

    def _work(self, plan: Plan, order: _Order, preview_every: int) -> Generator[Progress, None, None]:
        crops = self._crops(plan)
        spread = [replace(c, seed=(c.seed + 7919 * k) % 2**32) for c in order.canvases for k in range(order.candidates)]
        steps = paint(
            self._checkpoint,
            plan.image,
            crops,
            spread,
            order.options,
            feather=order.feather,
            negative_prompt=order.negative_prompt,
            preview_every=preview_every,
        )
        for step in steps:
            if step.pictures is None:
                yield Progress(step.step, step.num_steps, step.preview)
                continue
            chosen = self._choose(plan, crops, step.pictures, step.latents, order)
            results = [self._result(plan, picture, order, i) for i, picture in enumerate(chosen)]
            yield Progress(step.step, step.num_steps, None, results)

    def _crops(self, plan: Plan) -> list[Crop]:
        if not plan.targets or not any(target.mask.any() for target in plan.targets):
            raise InputError("plan", "the plan's mask is empty; mark a place to paint.")
        return make_crops(
            [(t.mask, t.prompt or t.describe(self.checkpoint.prompt_language)) for t in plan.targets if t.mask.any()],
            self.checkpoint.resolution,
        )

    def _choose(
        self, plan: Plan, crops: list[Crop], pictures: list[np.ndarray], latents: Any, order: _Order
    ) -> list[np.ndarray]:
        """The best candidate of each canvas: by change inside the mask and by how well the words explain it."""
        n = order.candidates
        if n == 1:
            return pictures
        agreement = text_agreement(self._checkpoint, plan.image, crops, latents)
        scores = [
            min(mean_change(plan.image, p, plan.mask) / 20.0, 1.0) + a for p, a in zip(pictures, agreement, strict=True)
        ]
        return [pictures[i + int(np.argmax(scores[i : i + n]))] for i in range(0, len(pictures), n)]

    def _result(self, plan: Plan, picture: np.ndarray, order: _Order, index: int) -> Result:
        refined = refine_mask(plan.image, picture, plan.mask)
        weak = is_weak(plan.image, picture, plan.mask, refined)
        record = records.write_record(
            plan,
            self.checkpoint,
            order.request,
            index,
            anomaly_strength=order.canvases[index].anomaly_strength,
            seed=order.canvases[index].seed,
            outcome={
                "mean_change": round(mean_change(plan.image, picture, plan.mask), 4),
                "mask_pixels": int(plan.mask.sum()),
                "refined_pixels": int(refined.sum()),
                "weak": weak,
            },
        )
        return Result(Image.fromarray(picture), plan.mask.copy(), refined, record, weak)


def _name_colors(plan: Plan) -> None:
    """Every target's look: its spec, with a colour that shows on this surface where the words left one open."""
    for number, target in enumerate(plan.targets):
        if target.mask.any():
            brightness = float(plan.image[target.mask].mean()) / 255
            target.look = name_color(target.spec, brightness, np.random.default_rng([plan.options["seed"], 17, number]))
            if target.look.color != target.spec.color:
                plan.notes.append(f"No colour was named: it is painted {target.look.color}.")


def _preview_interval(settings: dict[str, Any]) -> int:
    return int(require_number("preview_every", settings.pop("preview_every", 0), 0, 200, integer=True))


def _last_results(steps: Iterator[Progress]) -> list[Result]:
    for progress in steps:
        if progress.results is not None:
            return progress.results
    raise RuntimeError("the painter ended without results")
