"""The page's cards: every component, its look and its words."""

from __future__ import annotations

from typing import Any

import gradio as gr

from magic_ui.ui import panels
from magic_ui.ui.overlay import BRUSHES
from magic_ui.ui.settings import RANGES, STRENGTH_CHOICES, SWEEP_STRENGTHS
from magic_ui.ui.strings import DEFAULT_LANGUAGE, LANGUAGES, say
from magic_ui.ui.words import Built, Words

UPLOAD_TYPES = [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif"]
_LANGUAGE_NAMES = {"en": "English", "zh": "中文"}
SLIDER_POSITION = 15
"""Percent of the width that shows the picture before: at the middle the handle would hide the defect."""


_BRUSHES: list[str | tuple[str, float]] = [
    f"rgba({red}, {green}, {blue}, 0.75)" for red, green, blue in BRUSHES.values()
]


def _heading(words: Words, key: str, number: int | None) -> None:
    html = gr.HTML(panels.step_heading(key, number, DEFAULT_LANGUAGE), apply_default_css=False)
    words.add(html, value=lambda language: panels.step_heading(key, number, language))


def _html(value: str = "", **more: Any) -> gr.HTML:
    return gr.HTML(value, apply_default_css=False, **more)


def _choices(*pairs: tuple[str, str]) -> Built:
    """Radio choices of (string key, value) as a function of the language."""
    return lambda language: [(say(key, language), value) for key, value in pairs]


def _radio(words: Words, label: str, options: Built, value: str, **more: Any) -> gr.Radio:
    radio = gr.Radio(options(DEFAULT_LANGUAGE), value=value, label=say(label), **more)
    return words.add(radio, label=label, choices=options)


def _slider(words: Words, key: str, field_name: str, value: float, step: float, **more: Any) -> gr.Slider:
    low, high = RANGES[field_name]
    info = {"info": f"{key}.info"} if more.pop("info", False) else {}
    shown = {name: say(text) for name, text in info.items()}
    slider = gr.Slider(low, high, value=value, step=step, label=say(key), **shown, **more)
    return words.add(slider, label=key, **info)


def _file(words: Words, key: str, **more: Any) -> gr.File:
    file = gr.File(label=say(key), file_types=UPLOAD_TYPES, height=84, buttons=[], elem_classes="drop-file", **more)
    return words.add(file, label=key)


def header(words: Words, facts: list[str]) -> dict[str, Any]:
    """The wordmark and the language switch."""
    with gr.Row(elem_id="masthead"):
        words.add(
            _html(panels.header(DEFAULT_LANGUAGE, facts), elem_id="masthead-text"),
            value=lambda language: panels.header(language, facts),
        )
        language = gr.Radio(
            [(_LANGUAGE_NAMES[code], code) for code in LANGUAGES],
            value=DEFAULT_LANGUAGE,
            label=say("language.label"),
            show_label=False,
            container=False,
            elem_id="language",
            elem_classes="segmented",
        )
    return {"language": language}


def part_card(words: Words, thumbnails: list[tuple[Any, str]]) -> dict[str, Any]:
    """Step 1: the example gallery, the upload, what was chosen."""
    with gr.Column(elem_classes="card", elem_id="part-card"):
        _heading(words, "part", 1)
        gallery = gr.Gallery(
            thumbnails,
            format="png",
            show_label=False,
            label=say("gallery.label"),
            columns=4,
            rows=2,
            height="auto",
            object_fit="cover",
            allow_preview=False,
            interactive=False,
            buttons=[],
            visible=bool(thumbnails),
            elem_id="examples",
        )
        upload = gr.File(
            label=say("upload.label"),
            file_types=UPLOAD_TYPES,
            height=84,
            buttons=[],
            elem_id="upload",
            elem_classes="drop-file",
        )
        words.add(upload, label="upload.label")
        facts = _html(panels.quiet("part.none", DEFAULT_LANGUAGE))
    return {"gallery": gallery, "upload": upload, "part_facts": facts}


def instruction_card(words: Words) -> dict[str, Any]:
    """Step 2: the sentence, example sentences, what was understood."""
    with gr.Column(elem_classes="card", elem_id="instruction-card"):
        _heading(words, "instruction", 2)
        instruction = gr.Textbox(
            label=say("instruction.label"),
            placeholder=say("instruction.placeholder"),
            lines=2,
            max_lines=4,
            max_length=1000,
            elem_id="instruction",
        )
        words.add(instruction, label="instruction.label", placeholder="instruction.placeholder")
        chips = gr.Dataset(
            label=say("chips.label"),
            components=[gr.Textbox(render=False)],
            samples=[],
            type="index",
            layout="gallery",
            samples_per_page=8,
            elem_id="chips",
        )
        words.add(chips, label="chips.label")
        understood = _html(panels.understood_empty(DEFAULT_LANGUAGE), elem_id="understood")
    return {"instruction": instruction, "chips": chips, "understood": understood}


def stage_card(words: Words) -> dict[str, Any]:
    """The mask over the part, and how it is made."""
    views = _choices(("result.view.whole", "whole"), ("result.view.close", "close"))
    sources = _choices(
        ("mask.source.auto", "auto"),
        ("mask.source.band", "band"),
        ("mask.source.clipseg", "clipseg"),
        ("mask.source.library", "library"),
        ("mask.source.draw", "draw"),
    )
    shapes = _choices(("mask.shape.defect", "defect"), ("mask.shape.region", "region"))
    with gr.Column(elem_classes="card", elem_id="stage-card"):
        with gr.Row(elem_classes="card-top"):
            _heading(words, "mask", None)
            stage_view = _radio(
                words, "result.view", views, "whole", show_label=False, container=False, elem_classes="segmented"
            )
        stage = gr.Image(
            format="png",
            show_label=False,
            label=say("stage.label"),
            alt_text=say("stage.label"),
            interactive=False,
            buttons=["fullscreen"],
            elem_id="stage",
        )
        words.add(stage, label="stage.label")
        editor = gr.ImageEditor(
            label=say("draw.label"),
            visible=False,
            sources=(),
            transforms=(),
            layers=False,
            height=600,
            format="png",
            brush=gr.Brush(default_size=14, colors=_BRUSHES, default_color=_BRUSHES[0], color_mode="fixed"),
            eraser=gr.Eraser(default_size=18),
            buttons=["fullscreen"],
            elem_id="editor",
        )
        words.add(editor, label="draw.label")
        redraw = gr.Button(visible="hidden", elem_id="redraw")
        plan_facts = _html(panels.stage_message(DEFAULT_LANGUAGE), elem_id="plan-facts")
        source = _radio(words, "mask.source", sources, "auto", elem_classes="segmented", elem_id="mask-source")
        with gr.Column(visible=False, elem_id="lend") as lend:
            words.add(
                _html(panels.quiet("lend.hint", DEFAULT_LANGUAGE)), value=lambda code: panels.quiet("lend.hint", code)
            )
            with gr.Row(elem_classes="controls"):
                lent_mask = _file(words, "lend.mask", elem_id="lent-mask")
                lent_part = _file(words, "lend.part", elem_id="lent-part")
        with gr.Column(elem_id="word-controls") as word_controls:
            with gr.Accordion(say("mask.adjust"), open=False, elem_id="adjust") as adjust:
                with gr.Row(elem_classes="controls"):
                    shape = _radio(
                        words, "mask.shape", shapes, "defect", elem_classes="segmented", elem_id="mask-shape"
                    )
                    shape_seed = gr.Number(0, label=say("mask.seed"), minimum=0, elem_id="shape-seed", min_width=120)
                    words.add(shape_seed, label="mask.seed")
                band = _slider(words, "mask.band", "band_percent", 25, 1, elem_id="band")
                align = gr.Checkbox(True, label=say("mask.align"), container=False, elem_id="align")
                words.add(align, label="mask.align")
            words.add(adjust, label="mask.adjust")
    return {
        "stage": stage, "editor": editor, "redraw": redraw, "stage_view": stage_view, "plan_facts": plan_facts,
        "source": source, "lend": lend, "lent_mask": lent_mask, "lent_part": lent_part,
        "word_controls": word_controls, "shape": shape, "band": band, "align": align,
        "shape_seed": shape_seed,
    }  # fmt: skip


def paint_card(words: Words, num_inference_steps: int, guidance_scale: float) -> dict[str, Any]:
    """Step 3: strength, noise, seed, paint and stop, comparison, advanced settings with the checkpoint's own values."""
    with gr.Column(elem_classes="card", elem_id="paint-card"):
        _heading(words, "paint", 3)
        strength = _slider(words, "paint.strength", "anomaly_strength", 0.6, 0.05, info=True, elem_id="strength")
        noise = _slider(words, "paint.noise", "text_noise_scale", 0.3, 0.05, info=True, elem_id="noise")
        images = _slider(words, "paint.images", "num_images", 1, 1, elem_id="images")
        with gr.Row(elem_classes="seed-row"):
            seed = gr.Number(0, label=say("paint.seed"), minimum=0, elem_id="seed", min_width=120)
            words.add(seed, label="paint.seed")
            dice = gr.Button(say("paint.dice"), size="md", min_width=0, scale=0, elem_id="dice")
            words.add(dice, value="paint.dice")
        with gr.Row(elem_classes="actions"):
            go = gr.Button(say("paint.go"), variant="primary", elem_id="paint-button", min_width=0, scale=3)
            words.add(go, value="paint.go")
            stop = gr.Button(
                say("paint.stop"), variant="stop", elem_id="stop-button", interactive=False, min_width=0, scale=1
            )
            words.add(stop, value="paint.stop")
        status = _html(panels.status(say("status.idle"), DEFAULT_LANGUAGE), elem_id="status")
        words.add(status, value=lambda language: panels.status(say("status.idle", language), language))
        words.add(_html(panels.quiet("paint.keys", DEFAULT_LANGUAGE)), value=_quiet("paint.keys"))
        with gr.Column(elem_classes="rule"):
            strengths = gr.CheckboxGroup(
                [(f"{value:g}", value) for value in STRENGTH_CHOICES],
                value=list(SWEEP_STRENGTHS),
                label=say("paint.strengths"),
                elem_id="strengths",
            )
            words.add(strengths, label="paint.strengths")
            compare = words.add(gr.Button(say("paint.compare"), elem_id="compare-button"), value="paint.compare")
        with gr.Accordion(say("advanced.title"), open=False, elem_id="advanced") as accordion:
            auto = words.add(
                gr.Checkbox(True, label=say("advanced.auto"), container=False, elem_id="auto"), label="advanced.auto"
            )
            steps = _slider(
                words,
                "advanced.steps",
                "num_inference_steps",
                num_inference_steps,
                1,
                interactive=False,
                elem_id="steps",
            )
            stop_step = _slider(
                words, "advanced.stop_step", "anomaly_stop_step", round(0.4 * num_inference_steps), 1, interactive=False
            )
            guidance = _slider(words, "advanced.guidance", "guidance_scale", guidance_scale, 0.5, interactive=False)
            candidates = _slider(words, "advanced.candidates", "candidates", 1, 1)
        words.add(accordion, label="advanced.title")
    return {
        "strength": strength, "noise": noise, "images": images, "seed": seed, "dice": dice, "go": go, "stop": stop,
        "status": status, "strengths": strengths, "compare": compare, "auto": auto, "steps": steps,
        "stop_step": stop_step, "guidance": guidance, "candidates": candidates,
    }  # fmt: skip


def result_card(words: Words) -> dict[str, Any]:
    """The painted picture: live preview, before and after, strip of results, masks, facts, downloads."""
    views = _choices(("result.view.whole", "whole"), ("result.view.close", "close"))
    with gr.Column(elem_classes="card", elem_id="result"):
        with gr.Row(elem_classes="card-top"):
            _heading(words, "result", None)
            view = _radio(
                words, "result.view", views, "close", show_label=False, container=False, elem_classes="segmented"
            )
        empty = _html(panels.result_empty(DEFAULT_LANGUAGE), elem_id="result-empty")
        words.add(empty, value=panels.result_empty)
        with gr.Row(visible=False, elem_id="result-body") as body:
            with gr.Column(min_width=0, elem_id="result-picture"):
                with gr.Column(visible=False, elem_id="live-group") as live_group:
                    live = _picture(words, "result.live", elem_id="live", format="jpeg")
                    with gr.Row(elem_classes="live-bar"):
                        live_status = _html(elem_id="live-status")
                        stop_here = gr.Button(
                            say("paint.stop"), variant="stop", size="md", min_width=0, scale=0, elem_id="stop-here"
                        )
                        words.add(stop_here, value="paint.stop")
                slider = gr.ImageSlider(
                    format="png",
                    label=say("result.slider"),
                    show_label=False,
                    interactive=False,
                    buttons=["fullscreen"],
                    max_height=720,
                    slider_position=SLIDER_POSITION,
                    elem_id="slider",
                )
                words.add(slider, label="result.slider")
            with gr.Column(min_width=0, visible=False, elem_id="result-side") as side:
                strip = gr.Gallery(
                    format="png",
                    label=say("result.strip"),
                    columns=4,
                    height="auto",
                    object_fit="cover",
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                    visible=False,
                    elem_id="strip",
                )
                words.add(strip, label="result.strip")
                facts = _html(elem_id="result-facts")
                with gr.Row(elem_classes="masks"):
                    mask_view = _picture(words, "result.mask", elem_id="mask-view")
                    refined_view = _picture(words, "result.refined", elem_id="refined-view")
                files = _downloads(words)
    return {
        "result_empty": empty, "result_body": body, "live_group": live_group, "live": live, "live_status": live_status,
        "stop_here": stop_here, "result_side": side, "slider": slider, "result_view": view,
        "result_facts": facts, "strip": strip, "mask_view": mask_view, "refined_view": refined_view,
    } | files  # fmt: skip


def _picture(words: Words, key: str, *, format: str = "png", **more: Any) -> gr.Image:
    picture = gr.Image(format=format, label=say(key), alt_text=say(key), interactive=False, buttons=[], **more)
    return words.add(picture, label=key)


def _downloads(words: Words) -> dict[str, Any]:
    files = {}
    words.add(
        _html(f"<h3>{say('download.title')}</h3>", elem_classes="downloads-title"),
        value=lambda language: f"<h3>{say('download.title', language)}</h3>",
    )
    with gr.Row(elem_classes="downloads"):
        for name in ("image", "mask", "record", "zip"):
            button = gr.DownloadButton(
                say(f"download.{name}"),
                size="md",
                min_width=140,
                variant="primary" if name == "zip" else "secondary",
                elem_id=f"download-{name}",
            )
            files[f"{name}_file"] = words.add(button, label=f"download.{name}")
    words.add(_html(panels.download_note(DEFAULT_LANGUAGE)), value=panels.download_note)
    return files


def _quiet(key: str) -> Built:
    return lambda language: panels.quiet(key, language)
