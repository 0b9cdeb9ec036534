"""The page's three named endpoints for programs: ``/plan``, ``/generate`` and ``/sweep``."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextlib import closing
from typing import Any

import gradio as gr
from gradio.components.api_component import Api
from gradio.utils import get_upload_folder

from magic_ui.errors import InputError
from magic_ui.images import encode_png, load_mask
from magic_ui.ui import files
from magic_ui.ui.painting import Steps
from magic_ui.ui.panels import plain_error
from magic_ui.ui.parts import open_upload
from magic_ui.ui.planning import PlanRequest, make_plan
from magic_ui.ui.settings import SWEEP_STRENGTHS, PaintSettings, check_strengths
from magic_ui.ui.strings import say

log = logging.getLogger(__name__)

_TEXT, _NUMBER, _WHOLE, _TRUTH = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))
_OPTIONAL: Any = {"anyOf": [_NUMBER, {"type": "null"}]}
_NUMBERS: Any = {"type": "array", "items": _NUMBER}
_TEXTS: Any = {"type": "array", "items": _TEXT}
_OBJECTS: Any = {"type": "array", "items": {"type": "object"}}


def add_endpoints(studio: Any, steps: Steps, *, concurrency_id: str, plan_concurrency_id: str) -> None:
    """Register the endpoints inside the current ``gr.Blocks``; they share the page's painting queue."""
    endpoints = Endpoints(studio, steps)
    with gr.Group(visible=False):
        image, mask = gr.File(label="image", interactive=True), gr.File(label="mask, optional", interactive=True)
        planned = [
            image,
            Api("", _TEXT, "instruction"),
            Api("defect", _TEXT, "mask_shape: defect or region"),
            Api(0.25, _NUMBER, "band_width, 0.1 to 0.5 of the object"),
            Api(True, _TRUTH, "align: keep the mask on the object"),
            Api(0, _WHOLE, "mask_seed"),
            mask,
        ]
        painted = [
            Api(0.3, _NUMBER, "text_noise_scale, 0 to 2"),
            Api(0, _WHOLE, "seed"),
            Api(None, _OPTIONAL, "num_inference_steps; null leaves it to the checkpoint"),
            Api(None, _OPTIONAL, "anomaly_stop_step; null leaves it to the checkpoint"),
            Api(None, _OPTIONAL, "guidance_scale; null leaves it to the checkpoint"),
        ]
        strength = Api(0.6, _NUMBER, "anomaly_strength, 0 to 1")
        source = Api("auto", _TEXT, "mask_source: auto, band or clipseg")
        strengths = Api(list(SWEEP_STRENGTHS), _NUMBERS, "strengths, 0 to 1 each")
        mask_file, image_file = gr.File(label="mask"), gr.File(label="image, its record inside")
        image_files = gr.File(label="images, one per strength", file_count="multiple")
        understood = Api(None, _OBJECTS, "understood, one object per defect")
        notes = Api(None, _TEXTS, "notes")
        record = Api(None, {"type": "object"}, "record")
        records = Api(None, _OBJECTS, "records, one per strength")
        button = gr.Button()
    queued = {"concurrency_id": concurrency_id, "concurrency_limit": 1}
    button.click(
        endpoints.plan, [*planned, source], [mask_file, understood, notes], api_name="plan",
        concurrency_id=plan_concurrency_id, concurrency_limit=4,
    )  # fmt: skip
    button.click(
        endpoints.generate, [*planned, strength, *painted, source], [image_file, mask_file, record],
        api_name="generate", **queued,
    )  # fmt: skip
    button.click(
        endpoints.sweep, [*planned, strengths, *painted, source], [image_files, mask_file, records], api_name="sweep",
        **queued,
    )  # fmt: skip


def _answering(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Turn errors into one sentence for the caller: an input error's own, a general one for the rest."""

    @functools.wraps(endpoint)
    def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return endpoint(*args, **kwargs)
        except InputError as error:
            raise gr.Error(plain_error(error), print_exception=False) from None
        except Exception:
            log.exception("endpoint %s failed", endpoint.__name__)
            raise gr.Error(say("error.inside"), print_exception=False) from None

    return answer


class Endpoints:
    """The endpoints' functions over one studio. Arguments are checked here, whatever the caller sent."""

    def __init__(self, studio: Any, steps: Steps) -> None:
        self.studio = studio
        self.steps = steps
        self.cache = get_upload_folder()

    @_answering
    def plan(
        self,
        image: str,
        instruction: str,
        mask_shape: str = "defect",
        band_width: float = 0.25,
        align: bool = True,
        mask_seed: int = 0,
        mask: str | None = None,
        mask_source: str = "auto",
    ) -> tuple[str, list[dict[str, Any]], list[str]]:
        """What an instruction means on a picture: the mask as PNG, the understood slots, the notes."""
        plan = self._plan(image, instruction, mask_shape, band_width, align, mask_seed, mask, mask_source)
        return self._mask_file(plan.mask), [spec.to_dict() for spec in plan.specs], list(plan.notes)

    @_answering
    def generate(
        self,
        image: str,
        instruction: str,
        mask_shape: str = "defect",
        band_width: float = 0.25,
        align: bool = True,
        mask_seed: int = 0,
        mask: str | None = None,
        anomaly_strength: float = 0.6,
        text_noise_scale: float = 0.3,
        seed: int = 0,
        num_inference_steps: int | None = None,
        anomaly_stop_step: int | None = None,
        guidance_scale: float | None = None,
        mask_source: str = "auto",
    ) -> tuple[str, str, dict[str, Any]]:
        """Paint the defect: the picture as PNG with its record inside, the mask, the record."""
        settings = PaintSettings.checked(
            anomaly_strength=anomaly_strength,
            text_noise_scale=text_noise_scale,
            seed=seed,
            num_inference_steps=num_inference_steps,
            anomaly_stop_step=anomaly_stop_step,
            guidance_scale=guidance_scale,
        )
        plan = self._plan(image, instruction, mask_shape, band_width, align, mask_seed, mask, mask_source)
        result = self._results(plan, None, settings.arguments())[0]
        picture, mask_path, _ = files.result_files(result, self.cache)
        return picture, mask_path, result.record

    @_answering
    def sweep(
        self,
        image: str,
        instruction: str,
        mask_shape: str = "defect",
        band_width: float = 0.25,
        align: bool = True,
        mask_seed: int = 0,
        mask: str | None = None,
        strengths: list[float] = list(SWEEP_STRENGTHS),  # noqa: B006, read only; the API's documentation shows it
        text_noise_scale: float = 0.3,
        seed: int = 0,
        num_inference_steps: int | None = None,
        anomaly_stop_step: int | None = None,
        guidance_scale: float | None = None,
        mask_source: str = "auto",
    ) -> tuple[list[str], str, list[dict[str, Any]]]:
        """Paint the same defect at several strengths: the pictures in ascending order, the mask, the records."""
        settings = PaintSettings.checked(
            text_noise_scale=text_noise_scale,
            seed=seed,
            num_inference_steps=num_inference_steps,
            anomaly_stop_step=anomaly_stop_step,
            guidance_scale=guidance_scale,
        )
        wanted = check_strengths(strengths)
        plan = self._plan(image, instruction, mask_shape, band_width, align, mask_seed, mask, mask_source)
        results = self._results(plan, wanted, settings.sweep_arguments())
        pictures = [files.result_files(result, self.cache)[0] for result in results]
        return pictures, self._mask_file(plan.mask), [result.record for result in results]

    def _plan(
        self,
        image: str,
        instruction: str,
        mask_shape: str,
        band_width: float,
        align: bool,
        mask_seed: int,
        mask: str | None,
        mask_source: str,
    ) -> Any:
        part = open_upload(image)
        drawn = load_mask(mask, part.pixels.shape[:2]) if mask else None
        request = PlanRequest.checked(
            part,
            instruction=instruction,
            mask_source=mask_source,
            mask_shape=mask_shape,
            band_width=band_width,
            align=align,
            seed=mask_seed,
            drawn=drawn,
        )
        return make_plan(self.studio, request)

    def _results(self, plan: Any, strengths: list[float] | None, arguments: dict[str, Any]) -> list[Any]:
        results: list[Any] = []
        with closing(self.steps(plan, strengths, arguments)) as progress:
            for step in progress:
                results = step.results or results
        return results

    def _mask_file(self, mask: Any) -> str:
        return files.keep(encode_png(mask), "mask.png", self.cache)
