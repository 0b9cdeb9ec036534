"""Painting, comparing strengths, stopping, and opening a finished result."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
import numpy as np

from magic_ui.errors import InputError
from magic_ui.ui import files, overlay, panels
from magic_ui.ui.layout import Widgets
from magic_ui.ui.planning import PlanDesk, Updates
from magic_ui.ui.settings import PaintSettings, check_strengths
from magic_ui.ui.strings import say

LIVE_SIDE = 640
MASK_SIDE = 320
FRAME_SECONDS = 0.15
Steps = Callable[[Any, "list[float] | None", dict[str, Any]], Generator[Any, None, None]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shown:
    """A visitor's finished results, the plan they were painted on, and which one is open."""

    results: list[Any]
    plan: Any
    seconds: float
    strengths: tuple[float, ...] = ()
    category: str | None = None
    opened: int = 0

    def captions(self, language: str) -> list[str]:
        """One line under each result: its strength or seed, and whether it came out weak."""
        return [self._caption(index, result, language) for index, result in enumerate(self.results)]

    def _caption(self, index: int, result: Any, language: str) -> str:
        if self.strengths:
            text = say("result.caption.strength", language, strength=f"{self.strengths[index]:g}")
        else:
            text = say("result.caption.seed", language, seed=result.record.get("seed", index))
        return f"{text} · {say('result.weak', language)}" if result.weak else text


def studio_steps(studio: Any, gpu: Callable[[Any], Any]) -> Steps:
    """The painter as one generator function, under the Space's GPU decorator where there is one.

    ``steps(plan, strengths, arguments)``: ``strengths`` None paints, a list compares them.
    """

    def steps(plan: Any, strengths: list[float] | None, arguments: dict[str, Any]) -> Generator[Any, None, None]:
        if strengths is None:
            progress = studio.generate_steps(plan, **arguments)
        else:
            progress = studio.sweep_steps(plan, strengths=strengths, **arguments)
        with closing(progress):
            yield from progress

    return gpu(steps)


class PaintDesk:
    """The handlers of step 3 and of the result. Holds nothing of any visitor."""

    def __init__(self, steps: Steps, widgets: Widgets, plans: PlanDesk) -> None:
        self.steps = steps
        self.w = widgets
        self.plans = plans

    def begin(self, language: str) -> Updates:
        """At once, before the queue: the button has been heard."""
        return self._busy(True) | self._say(panels.status(say("status.waiting", language), language, tone="busy"))

    def paint(self, values: dict[Any, Any]) -> Iterator[Updates]:
        """Paint with the page's settings, showing every step."""
        yield from self._run(values, compare=False)

    def compare(self, values: dict[Any, Any]) -> Iterator[Updates]:
        """Paint the same defect at the chosen strengths."""
        yield from self._run(values, compare=True)

    def stopping(self, language: str) -> Updates:
        """Stop was pressed: heard, but the painting's last picture may still be on its way."""
        text = panels.status(say("status.stopping", language), language, tone="busy")
        return self._say(text) | {self.w.stop: gr.update(interactive=False)}

    def stopped(self, language: str, shown: Shown | None) -> Updates:
        """The painting is cancelled; the last finished result comes back."""
        text = panels.status(say("status.stopped", language), language)
        return self._busy(False) | self._say(text) | self._body(shown is not None)

    def settings(self, values: dict[Any, Any], *, compare: bool) -> PaintSettings:
        """The page's numbers, checked; raises ``InputError``."""
        w = self.w
        own = {} if values[w.auto] else {
            "num_inference_steps": values[w.steps],
            "anomaly_stop_step": values[w.stop_step],
            "guidance_scale": values[w.guidance],
        }  # fmt: skip
        return PaintSettings.checked(
            anomaly_strength=values[w.strength],
            text_noise_scale=values[w.noise],
            seed=values[w.seed],
            num_images=1 if compare else values[w.images],
            candidates=values[w.candidates],
            **own,
        )

    def open_result(self, shown: Shown | None, view: str, language: str, event: gr.SelectData) -> Updates:
        """A result of the strip was clicked."""
        if shown is None or not 0 <= event.index < len(shown.results):
            return {}
        return self._open(replace(shown, opened=event.index), view, language)

    def show_again(self, shown: Shown | None, view: str, language: str) -> Updates:
        """The view or the language has changed."""
        if shown is None:
            return {self.w.shown: None}
        return self._open(shown, view, language) | self._strip(shown, language)

    def _run(self, values: dict[Any, Any], *, compare: bool) -> Iterator[Updates]:
        language = values[self.w.language]
        try:
            yield from self._painted(values, language, compare=compare)
        except InputError as error:
            yield self._failed(panels.error_card(error, language), values)
        except Exception:
            log.exception("painting failed")
            yield self._failed(panels.status(say("error.inside", language), language, tone="bad"), values)

    def _painted(self, values: dict[Any, Any], language: str, *, compare: bool) -> Iterator[Updates]:
        w, started = self.w, time.monotonic()
        settings = self.settings(values, compare=compare)
        strengths = check_strengths(values[w.strengths]) if compare else None
        plan = self.plans.kept_plan(values).plan
        yield (
            self._busy(True)
            | self._body(values[w.shown] is not None, live=True)
            | {w.live: gr.update(value=_viewed(plan.image, plan.mask, values[w.result_view], LIVE_SIDE))}
        )
        arguments = settings.sweep_arguments() if compare else settings.arguments()
        arguments["preview_every"] = 1
        results, sent = None, 0.0
        with closing(self.steps(plan, strengths, arguments)) as progress:
            for step in progress:
                results = step.results or results
                if time.monotonic() - sent < FRAME_SECONDS and step.results is None:
                    continue
                sent = time.monotonic()
                yield self._frame(step, plan.mask, values[w.result_view], language)
        if not results:
            raise RuntimeError("the painter ended without a result")
        example = values[w.part].example
        category = example.category if example else None
        shown = Shown(
            results,
            plan,
            time.monotonic() - started,
            tuple(strengths or ()),
            category,
            len(results) - 1 if compare else 0,
        )
        yield self._finished(shown, values[w.result_view], language)

    def _frame(self, step: Any, mask: overlay.Mask, view: str, language: str) -> Updates:
        text = say("status.step", language, step=step.step, steps=step.num_steps)
        bar = panels.status(text, language, fraction=step.step / max(1, step.num_steps), tone="busy")
        if step.preview is None:
            return self._say(bar)
        return self._say(bar) | {self.w.live: gr.update(value=_viewed(step.preview, mask, view, LIVE_SIDE))}

    def _finished(self, shown: Shown, view: str, language: str) -> Updates:
        w = self.w
        done = panels.status(say("status.done", language, seconds=f"{shown.seconds:.1f}"), language, tone="good")
        archive = files.zip_file(shown.results, shown.plan, w.zip_file.GRADIO_CACHE, category=shown.category)
        return (
            self._open(shown, view, language)
            | self._strip(shown, language)
            | self._busy(False)
            | self._say(done)
            | self._body(True)
            | {w.slider: self._slider(shown, view), w.zip_file: gr.update(value=archive)}
        )

    def _failed(self, message: str, values: dict[Any, Any]) -> Updates:
        return self._busy(False) | self._body(values[self.w.shown] is not None) | self._say(message)

    def _open(self, shown: Shown, view: str, language: str) -> Updates:
        w, result = self.w, shown.results[shown.opened]
        picture, mask, record = files.result_files(result, w.image_file.GRADIO_CACHE)
        return {
            w.shown: shown,
            w.slider: self._slider(shown, view),
            w.mask_view: _viewed(
                overlay.mask_picture(result.mask, max(result.mask.shape)), result.mask, view, MASK_SIDE
            ),
            w.refined_view: _viewed(
                overlay.mask_picture(result.refined_mask, max(result.mask.shape)), result.mask, view, MASK_SIDE
            ),
            w.result_facts: panels.result_facts(self._facts(shown, language), weak=result.weak, language=language),
            w.image_file: gr.update(value=picture),
            w.mask_file: gr.update(value=mask),
            w.record_file: gr.update(value=record),
        }

    def _slider(self, shown: Shown, view: str) -> Updates:
        result = shown.results[shown.opened]
        before, after = (
            _viewed(picture, result.mask, view) for picture in (shown.plan.image, np.asarray(result.image))
        )
        return gr.update(value=(before, after), visible=True)

    def _strip(self, shown: Shown, language: str) -> Updates:
        many = len(shown.results) > 1
        box = overlay.close_up_box(shown.plan.mask)
        pictures = (overlay.enlarge(overlay.crop(np.asarray(result.image), box), 320) for result in shown.results)
        strip = list(zip(pictures, shown.captions(language), strict=True)) if many else []
        return {self.w.strip: gr.update(value=strip, visible=many, selected_index=shown.opened if many else None)}

    def _facts(self, shown: Shown, language: str) -> list[tuple[str, str]]:
        result = shown.results[shown.opened]
        height, width = result.mask.shape
        strength = shown.strengths[shown.opened] if shown.strengths else result.record.get("anomaly_strength")
        rows = [
            (say("paint.strength", language), "" if strength is None else f"{strength:g}"),
            (say("paint.seed", language), str(result.record.get("seed", ""))),
            (say("result.changed", language), f"{int(result.refined_mask.sum()):,} / {int(result.mask.sum()):,}"),
            (say("result.size", language), f"{width} × {height} px"),
            (say("result.instruction", language), str(result.record.get("instruction", ""))),
            (say("result.prompt", language), str(result.record.get("prompt", ""))),
        ]
        return [(label, value) for label, value in rows if value]

    def _busy(self, busy: bool) -> Updates:
        w = self.w
        return {
            w.go: gr.update(interactive=not busy),
            w.compare: gr.update(interactive=not busy),
            w.stop: gr.update(interactive=busy),
        }

    def _say(self, status: str) -> Updates:
        return {self.w.status: status, self.w.live_status: status}

    def _body(self, shown: bool, *, live: bool = False) -> Updates:
        """Which parts of the result are there: a finished one, a live painting, both, or nothing yet."""
        w = self.w
        return {
            w.result_body: gr.update(visible=shown or live),
            w.result_empty: gr.update(visible=not (shown or live)),
            w.result_side: gr.update(visible=shown),
            w.live_group: gr.update(visible=live),
            w.slider: gr.update(visible=shown and not live),
        }

    @property
    def inputs(self) -> set[Any]:
        """What painting reads."""
        w = self.w
        return self.plans.inputs | {
            w.shown, w.strength, w.noise, w.images, w.seed, w.strengths, w.auto, w.steps, w.stop_step, w.guidance,
            w.candidates, w.result_view,
        }  # fmt: skip

    @property
    def result_outputs(self) -> list[Any]:
        """What opening a result writes."""
        w = self.w
        return [
            w.shown, w.slider, w.mask_view, w.refined_view, w.result_facts, w.image_file, w.mask_file, w.record_file,
            w.strip,
        ]  # fmt: skip

    @property
    def outputs(self) -> list[Any]:
        """What painting writes."""
        w = self.w
        return [
            *self.result_outputs, w.status, w.live_status, w.live_group, w.live, w.zip_file, w.go, w.compare, w.stop,
            w.result_body, w.result_empty, w.result_side,
        ]  # fmt: skip


def _viewed(picture: overlay.Pixels, mask: overlay.Mask, view: str, side: int = overlay.VIEW_SIDE) -> overlay.Pixels:
    """The whole picture, or the close-up around ``mask``, at a size for looking at."""
    if view == "close":
        return overlay.enlarge(overlay.crop(picture, overlay.close_up_box(mask)), side)
    return overlay.shrink(picture, side)
