"""The page: layout and handlers wired together, and its launch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import gradio as gr

from magic_ui.ui.api import add_endpoints
from magic_ui.ui.layout import Widgets, lay_out
from magic_ui.ui.painting import PaintDesk, studio_steps
from magic_ui.ui.parts import EXAMPLES_FOLDER, load_examples, open_example, thumbnails
from magic_ui.ui.planning import PlanDesk
from magic_ui.ui.strings import DEFAULT_LANGUAGE, say
from magic_ui.ui.theme import page_css, page_script, page_theme
from magic_ui.ui.uploads import local_files_only

PAINTERS = "painters"
PLANNERS = "planners"
CACHE_SECONDS = 3600
QUEUE_LENGTH = 32
UPLOAD_LIMIT = "20mb"
VISITORS = 500
Decorator = Callable[[Any], Any]
_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build_page(studio: Any, gpu: Decorator | None = None, *, examples_folder: Path = EXAMPLES_FOLDER) -> gr.Blocks:
    """The whole app around a loaded ``DefectStudio``: the page and its named endpoints, not yet launched.

    Args:
        studio: paints; shared by all visitors.
        gpu: wraps the painting generator, for Spaces that lend a GPU per call.
        examples_folder: holds ``examples.toml`` and its pictures; without them the gallery is left out.
    """
    examples = load_examples(examples_folder)
    with gr.Blocks(
        title=say("brand.title"), analytics_enabled=False, fill_width=True, delete_cache=(CACHE_SECONDS, CACHE_SECONDS)
    ) as page:
        checkpoint = studio.checkpoint
        widgets = lay_out(
            [checkpoint.name, f"{checkpoint.resolution} px"],
            thumbnails(examples, DEFAULT_LANGUAGE),
            num_inference_steps=checkpoint.num_inference_steps,
            guidance_scale=checkpoint.guidance_scale,
        )
        steps = studio_steps(studio, gpu or _unchanged)
        plans = PlanDesk(studio, widgets, examples)
        paints = PaintDesk(steps, widgets, plans)
        _wire_plan(page, widgets, plans)
        _wire_paint(widgets, paints)
        add_endpoints(studio, steps, concurrency_id=PAINTERS, plan_concurrency_id=PLANNERS)
        local_files_only(page)
    return page.queue(max_size=QUEUE_LENGTH, default_concurrency_limit=8)


def launch(checkpoint: str = "magic-tiny", *, device: str = "auto", **options: Any) -> Any:
    """Load a checkpoint and serve the page; ``options`` go to ``gr.Blocks.launch`` and win over the defaults.

    Raises:
        CheckpointError: unknown, damaged, or of the wrong kind.
    """
    gpu = gpu_decorator()
    Thread(target=_find_outlines, daemon=True).start()
    from magic_ui.studio import DefectStudio

    return build_page(DefectStudio.from_pretrained(checkpoint, device=device), gpu).launch(**launch_options() | options)


def _find_outlines() -> None:
    """Find the objects of the example parts before a visitor asks."""
    for example in load_examples():
        open_example(example).outline()


def launch_options() -> dict[str, Any]:
    """What every launch of the page needs: its look, its limits, no shared folders."""
    return {
        "theme": page_theme(),
        "css": page_css(),
        "head": page_script(),
        "footer_links": ["api"],
        "show_error": True,
        "max_file_size": UPLOAD_LIMIT,
        "allowed_paths": [],
        "run_history": False,
        "state_session_capacity": VISITORS,
    }


def _wire_plan(page: gr.Blocks, w: Widgets, desk: PlanDesk) -> None:
    choosing: dict[str, Any] = _QUIET | {"queue": False, "outputs": desk.part_outputs}
    page.load(desk.start, w.language, [w.language, *desk.part_outputs], js="() => studioPage.firstLanguage()",
              **_QUIET, queue=False)  # fmt: skip
    w.gallery.select(desk.pick_example, [w.language, w.instruction], **{
        **choosing, "outputs": [*desk.part_outputs, w.upload]})  # fmt: skip
    w.source.change(
        lambda source: [*[gr.update(visible=source != "draw")] * 2, gr.update(visible=source == "library")],
        w.source,
        [w.word_controls, w.stage_view, w.lend],
        queue=False,
        **_QUIET,
    )
    w.upload.upload(desk.open_upload, [w.upload, w.language, w.instruction], **choosing)
    w.chips.click(desk.pick_sentence, [w.chips, w.part, w.language], w.instruction, queue=False, **_QUIET)
    w.language.change(desk.relabel, [w.language, w.part], desk.relabelled, queue=False, **_QUIET)
    w.language.change(None, w.language, None, js="(code) => { studioPage.keepLanguage(code); }", **_QUIET)
    gr.on(
        [
            w.picked.change, w.instruction.change, w.language.change, w.source.change, w.shape.change, w.band.change,
            w.align.change, w.shape_seed.change, w.stage_view.change, w.redraw.click, w.lent_mask.change,
            w.lent_part.change,
        ],
        desk.replan,
        desk.inputs,
        desk.outputs,
        trigger_mode="always_last",
        concurrency_id=PLANNERS,
        concurrency_limit=4,
        **_QUIET,
    )  # fmt: skip


_LATER = "(...values) => new Promise((done) => setTimeout(() => done(values), 200))"


def _wire_paint(w: Widgets, desk: PaintDesk) -> None:
    running = []
    for button, handler in ((w.go, desk.paint), (w.compare, desk.compare)):
        button.click(None, js="() => { studioPage.showResult(); }", **_QUIET)
        begun = button.click(
            desk.begin, w.language, [w.status, w.live_status, w.go, w.compare, w.stop], queue=False, **_QUIET
        )
        running.append(
            begun.then(handler, desk.inputs, desk.outputs, concurrency_id=PAINTERS, concurrency_limit=1, **_QUIET)
        )
    sent = [w.language, w.shown]
    freed = [w.status, w.live_status, w.live_group, w.go, w.compare, w.stop, w.result_body, w.result_empty]
    freed += [w.slider, w.result_side]
    halt = gr.on(
        [w.stop.click, w.stop_here.click],
        desk.stopping,
        w.language,
        [w.status, w.live_status, w.stop],
        cancels=running,
        queue=False,
        **_QUIET,
    )
    # Twice: the painting may not have been sent when the first cancels it, and its last update may come late.
    halt.then(desk.stopped, sent, freed, cancels=running, queue=False, js=_LATER, **_QUIET)
    w.dice.click(None, None, w.seed, js="() => studioPage.dice()", **_QUIET)
    w.strip.select(desk.open_result, [w.shown, w.result_view, w.language], desk.result_outputs, queue=False, **_QUIET)
    gr.on(
        [w.result_view.change, w.language.change],
        desk.show_again,
        [w.shown, w.result_view, w.language],
        desk.result_outputs,
        queue=False,
        **_QUIET,
    )
    own = [w.steps, w.stop_step, w.guidance]
    w.auto.change(lambda auto: [gr.update(interactive=not auto)] * len(own), w.auto, own, queue=False, **_QUIET)


def gpu_decorator() -> Decorator:
    """The Space's GPU decorator where the ``spaces`` package is installed; call it before CUDA starts."""
    try:
        import spaces
    except ImportError:
        return _unchanged
    return spaces.GPU


def _unchanged(function: Any) -> Any:
    return function
