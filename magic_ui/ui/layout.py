"""The page's parts and where they stand. No behaviour here: ``page.py`` wires them to ``handlers.py``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from magic_ui.ui import cards
from magic_ui.ui.words import Words

STATE_SECONDS = 3600


@dataclass
class Widgets:
    """Every component that a handler reads or writes."""

    language: gr.Radio
    part: gr.State
    plan: gr.State
    shown: gr.State
    picked: gr.Textbox
    gallery: gr.Gallery
    upload: gr.File
    part_facts: gr.HTML
    instruction: gr.Textbox
    chips: gr.Dataset
    understood: gr.HTML
    stage: gr.Image
    editor: gr.ImageEditor
    redraw: gr.Button
    stage_view: gr.Radio
    word_controls: gr.Column
    plan_facts: gr.HTML
    source: gr.Radio
    lend: gr.Column
    lent_mask: gr.File
    lent_part: gr.File
    shape: gr.Radio
    band: gr.Slider
    align: gr.Checkbox
    shape_seed: gr.Number
    strength: gr.Slider
    noise: gr.Slider
    images: gr.Slider
    seed: gr.Number
    dice: gr.Button
    go: gr.Button
    stop: gr.Button
    compare: gr.Button
    strengths: gr.CheckboxGroup
    auto: gr.Checkbox
    steps: gr.Slider
    stop_step: gr.Slider
    guidance: gr.Slider
    candidates: gr.Slider
    status: gr.HTML
    result_empty: gr.HTML
    result_body: gr.Column
    live_group: gr.Column
    live: gr.Image
    live_status: gr.HTML
    stop_here: gr.Button
    result_side: gr.Column
    slider: gr.ImageSlider
    result_view: gr.Radio
    result_facts: gr.HTML
    strip: gr.Gallery
    mask_view: gr.Image
    refined_view: gr.Image
    image_file: gr.DownloadButton
    mask_file: gr.DownloadButton
    record_file: gr.DownloadButton
    zip_file: gr.DownloadButton
    words: Words

    def __post_init__(self) -> None:
        missing = [item.name for item in fields(self) if getattr(self, item.name) is None]
        if missing:
            raise TypeError(f"components missing: {', '.join(missing)}")


def lay_out(
    facts: list[str], thumbnails: list[tuple[Any, str]], *, num_inference_steps: int = 20, guidance_scale: float = 7.5
) -> Widgets:
    """Place every component inside the current ``gr.Blocks``.

    Args:
        facts: short facts about the loaded checkpoint, for the header.
        thumbnails: the example gallery's pictures and names; may be empty.
        num_inference_steps: the checkpoint's own number of steps.
        guidance_scale: the checkpoint's own guidance.
    """
    words = Words()
    parts: dict[str, Any] = {"words": words}
    parts |= {
        "part": gr.State(None, time_to_live=STATE_SECONDS),
        "plan": gr.State(None, time_to_live=STATE_SECONDS),
        "shown": gr.State(None, time_to_live=STATE_SECONDS),
        "picked": gr.Textbox(visible="hidden", container=False),
    }
    parts |= cards.header(words, facts)
    with gr.Row(elem_id="bench"):
        with gr.Column(elem_id="words-column", min_width=0):
            parts |= cards.part_card(words, thumbnails)
            parts |= cards.instruction_card(words)
        with gr.Column(elem_id="stage-column", min_width=0):
            parts |= cards.stage_card(words)
        with gr.Column(elem_id="paint-column", min_width=0):
            parts |= cards.paint_card(words, num_inference_steps, guidance_scale)
    parts |= cards.result_card(words)
    return Widgets(**parts)
