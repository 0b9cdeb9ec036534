"""A studio without a model: the page's tests paint grey blobs in milliseconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from magic_ui.images import load_image
from magic_ui.instruction import parse_instruction
from magic_ui.localize.plan import Plan, Target


@dataclass
class StandInResult:
    image: Image.Image
    mask: np.ndarray
    refined_mask: np.ndarray
    record: dict[str, Any]
    weak: bool = False


@dataclass
class StandInProgress:
    step: int
    num_steps: int
    preview: np.ndarray | None = None
    results: list[StandInResult] | None = None


@dataclass
class StandInStudio:
    """Obeys the studio's interface; ``closed`` counts the painters that were stopped before their end."""

    num_steps: int = 6
    seconds_per_step: float = 0.0
    checkpoint: Any = field(
        default_factory=lambda: SimpleNamespace(
            name="stand-in", resolution=256, sha256="0" * 64, num_inference_steps=6, guidance_scale=5.0
        )
    )
    device: str = "cpu"
    closed: int = 0
    fail: Exception | None = None

    def plan(self, image: Any, instruction: str, **options: Any) -> Plan:
        pixels = load_image(image)
        specs = parse_instruction(instruction)
        height, width = pixels.shape[:2]
        rows, columns = np.mgrid[:height, :width]
        source = options.get("mask_source", "auto")
        foreground = (rows / height - 0.5) ** 2 + (columns / width - 0.5) ** 2 < 0.16
        if options.get("foreground") is not None:
            foreground = options["foreground"]
        region = foreground & (rows < height * options.get("band_width", 0.25) + height * 0.1)
        blob = (rows / height - 0.2) ** 2 + ((columns / width - 0.5) / 2) ** 2 < 0.0006
        mask = source if isinstance(source, np.ndarray) else (region if options.get("mask_shape") == "region" else blob)
        if options.get("reference") is not None:
            mask = region & ~blob
        targets = [Target(spec, region, mask, prompt=f"{spec.defect} on the part") for spec in specs]
        notes = ["Stand-in: the band at the top of the part was taken."]
        return Plan(pixels, foreground, region, mask, specs, notes, targets, {"instruction": instruction})

    def generate(self, plan: Plan, **settings: Any) -> list[StandInResult]:
        return _last(self.generate_steps(plan, **settings))

    def generate_steps(self, plan: Plan, **settings: Any) -> Iterator[StandInProgress]:
        strengths = [settings.pop("anomaly_strength", 0.6)] * settings.get("num_images", 1)
        yield from self._steps(plan, strengths, settings)

    def sweep(self, plan: Plan, strengths: Any = (0.1, 0.4, 0.7, 1.0), **settings: Any) -> list[StandInResult]:
        return _last(self.sweep_steps(plan, strengths, **settings))

    def sweep_steps(
        self, plan: Plan, strengths: Any = (0.1, 0.4, 0.7, 1.0), **settings: Any
    ) -> Iterator[StandInProgress]:
        yield from self._steps(plan, list(strengths), settings)

    def _steps(self, plan: Plan, strengths: list[float], settings: dict[str, Any]) -> Iterator[StandInProgress]:
        if self.fail is not None:
            raise self.fail
        results = [self._result(plan, strength, index, settings) for index, strength in enumerate(strengths)]
        finished = False
        try:
            for step in range(1, self.num_steps + 1):
                time.sleep(self.seconds_per_step)
                yield StandInProgress(step, self.num_steps, np.asarray(results[0].image))
            yield StandInProgress(self.num_steps, self.num_steps, None, results)
            finished = True
        finally:
            self.closed += not finished

    def _result(self, plan: Plan, strength: float, index: int, settings: dict[str, Any]) -> StandInResult:
        seed = settings.get("seed", 0) + index
        noise = np.random.default_rng(seed).integers(0, 120, plan.image.shape)
        painted = np.where(plan.mask[..., None], plan.image * (1 - strength) + noise * strength, plan.image)
        record = {
            "instruction": plan.options["instruction"],
            "specs": [spec.to_dict() for spec in plan.specs],
            "prompt": "; ".join(target.prompt for target in plan.targets),
            "anomaly_strength": strength,
            "seed": seed,
        }
        return StandInResult(
            Image.fromarray(painted.astype(np.uint8)), plan.mask, plan.mask.copy(), record, weak=strength < 0.2
        )


def _last(steps: Iterator[StandInProgress]) -> list[StandInResult]:
    return [step.results for step in steps if step.results][-1]
