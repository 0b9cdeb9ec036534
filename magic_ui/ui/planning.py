"""From the visitor's part and words to a plan, and from the plan to what the page shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from magic_ui.checks import require_choice, require_seed, require_text
from magic_ui.errors import InputError
from magic_ui.images import decode_image, load_mask
from magic_ui.instruction import parse_instruction
from magic_ui.instruction.prompt import describe
from magic_ui.localize.correction import correct_foreground
from magic_ui.localize.foreground import TEXTURES, Foreground
from magic_ui.ui import overlay, panels
from magic_ui.ui.layout import Widgets
from magic_ui.ui.notes import translate_note
from magic_ui.ui.parts import Example, Part, open_example, open_upload, thumbnails
from magic_ui.ui.settings import check_number
from magic_ui.ui.strings import as_language, say

CORRECTED = "The outline was corrected with your strokes."
GIVEN_FOREGROUND = "The given foreground is used."
MASK_SHAPES = ("defect", "region")
MASK_SOURCES = ("auto", "band", "clipseg")
Updates = dict[Any, Any]


@dataclass(frozen=True)
class PlanRequest:
    """What a plan is made from, already checked."""

    part: Part
    instruction: str
    mask_source: str = "auto"
    mask_shape: str = "defect"
    band_width: float = 0.25
    align: bool = True
    seed: int = 0
    drawn: overlay.Mask | None = None
    lent: tuple[overlay.Pixels | None, overlay.Mask] | None = None
    marks: tuple[overlay.Mask, overlay.Mask] | None = None

    @classmethod
    def checked(
        cls,
        part: Part | None,
        *,
        instruction: Any,
        mask_source: Any = "auto",
        mask_shape: Any = "defect",
        band_width: Any = 0.25,
        align: Any = True,
        seed: Any = 0,
        drawn: overlay.Mask | None = None,
        lent: tuple[overlay.Pixels | None, overlay.Mask] | None = None,
        marks: tuple[overlay.Mask, overlay.Mask] | None = None,
    ) -> PlanRequest:
        """Build from raw values.

        Raises:
            InputError: no part, an empty or too long sentence, a number out of range, an empty drawing.
        """
        if part is None:
            raise InputError("part", "no part was chosen; pick an example or upload a picture.")
        if drawn is not None and not drawn.any():
            raise InputError("mask", "nothing was drawn; brush over the place where the defect should go.")
        return cls(
            part=part,
            instruction=require_text("instruction", instruction),
            mask_source=require_choice("mask_source", mask_source, MASK_SOURCES),
            mask_shape=require_choice("mask_shape", mask_shape, MASK_SHAPES),
            band_width=check_number("band_width", band_width),
            align=bool(require_choice("align", align, (True, False))),
            seed=require_seed(seed),
            drawn=drawn,
            lent=lent,
            marks=marks,
        )

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal keys give equal plans."""
        pixels = [self.drawn, *(self.lent or (None, None)), *(self.marks or (None, None))]
        drawn = [b"" if array is None else hashlib.sha256(array.tobytes()).digest() for array in pixels]
        settings = (self.instruction, self.mask_source, self.mask_shape, self.band_width, self.align, self.seed)
        return (self.part.identity, *settings, *drawn)


@dataclass(frozen=True)
class KeptPlan:
    """A visitor's latest plan and the key it was made from."""

    key: tuple[Any, ...]
    plan: Any


def make_plan(studio: Any, request: PlanRequest) -> Any:
    """The studio's plan for the request; the part's outline is found once and used for every sentence."""
    part = request.part
    textured = any(spec.category in TEXTURES for spec in parse_instruction(request.instruction))
    outline = None if textured else part.outline()
    if request.marks is not None:
        former = part.outline().mask
        outline = Foreground(correct_foreground(part.pixels, former, *request.marks), "user", [CORRECTED])
    plan = studio.plan(
        part.pixels,
        request.instruction,
        mask_source=request.mask_source if request.drawn is None else request.drawn,
        mask_shape="library" if request.lent is not None else request.mask_shape,
        reference=request.lent,
        align=request.align,
        foreground=None if outline is None else outline.mask,
        band_width=request.band_width,
        seed=request.seed,
    )
    if outline is not None:
        plan.notes[:] = [note for note in (*outline.notes, *plan.notes) if note != GIVEN_FOREGROUND]
    return plan


def understood_cards(specs: list[Any], language: str) -> list[tuple[list[tuple[str, str]], list[str]]]:
    """(rows, unknown words) for every defect, as ``panels.understood`` wants them."""
    return [(list(describe(spec, language)), list(spec.unrecognized)) for spec in specs]


class PlanDesk:
    """The handlers of steps 1 and 2 and of the stage. Holds nothing of any visitor."""

    def __init__(self, studio: Any, widgets: Widgets, examples: Sequence[Example]) -> None:
        self.studio = studio
        self.w = widgets
        self.examples = examples
        self.sentences = {text for example in examples for texts in example.instructions.values() for text in texts}

    def start(self, language: str) -> Updates:
        """The first example, when the page opens."""
        code = as_language(language)
        first = {self.w.language: code}
        return first | (self._show(open_example(self.examples[0]), code, "") if self.examples else {})

    def relabel(self, language: str, part: Part | None) -> list[Any]:
        """Every text of the page in another language; the visitor's work stays."""
        code = as_language(language)
        facts = panels.quiet("part.none", code) if part is None else self._facts(part, code)
        return [
            *self.w.words.updates(code),
            gr.update(value=thumbnails(self.examples, code)),
            facts,
            self._chips(part, code),
        ]

    @property
    def relabelled(self) -> list[Any]:
        """The outputs of ``relabel``."""
        return [*self.w.words.components, self.w.gallery, self.w.part_facts, self.w.chips]

    def pick_example(self, language: str, text: str, event: gr.SelectData) -> Updates:
        """An example was clicked."""
        if not 0 <= event.index < len(self.examples):
            return {self.w.part_facts: panels.quiet("part.none", language)}
        part = open_example(self.examples[event.index])
        return self._show(part, as_language(language), text) | {self.w.upload: gr.update(value=None)}

    def open_upload(self, path: str | None, language: str, text: str) -> Updates:
        """A file was uploaded. A picture that cannot be used is explained where its name would stand."""
        try:
            return self._show(open_upload(path), language, text)
        except InputError as error:
            return {self.w.part_facts: panels.error_card(error, language)}

    def pick_sentence(self, index: int, part: Part | None, language: str) -> str:
        """An example sentence was clicked."""
        return part.instructions(language)[index] if part else ""

    def replan(self, values: dict[Any, Any]) -> Iterator[Updates]:
        """Anything that the plan depends on has changed: first the words, then the mask."""
        w, language = self.w, values[self.w.language]
        text = values[w.instruction] or ""
        drawing = values[w.source] == "draw"
        editor = {w.editor: gr.update(visible=drawing)}
        if not text.strip():
            yield editor | {w.understood: panels.understood_empty(language)} | self._bare(values)
            return
        try:
            specs = parse_instruction(require_text("instruction", text))
        except InputError as error:
            yield editor | {w.understood: panels.understood_error(error, language)} | self._bare(values)
            return
        yield editor | {w.understood: panels.understood(understood_cards(specs, language), language)}
        try:
            kept = self.kept_plan(values)
        except InputError as error:
            waiting = drawing or (values[w.source] == "library" and not values[w.lent_mask])
            shown = None if error.field == "mask" and waiting else error
            yield self._bare(values, shown)
            return
        yield self._stage(kept, values) | {w.plan: kept}

    def kept_plan(self, values: dict[Any, Any]) -> KeptPlan:
        """The visitor's plan for what the page shows now, made anew only when something changed."""
        request = self.request(values)
        kept = values[self.w.plan]
        if kept is not None and kept.key == request.key:
            return kept
        return KeptPlan(request.key, make_plan(self.studio, request))

    def request(self, values: dict[Any, Any]) -> PlanRequest:
        """The page's values, checked; raises ``InputError``."""
        w = self.w
        part = values[w.part]
        source, drawn, lent, marks = values[w.source], None, None, None
        if source == "library" and part is not None:
            lent = _read_lent(values[w.lent_mask], values[w.lent_part])
        if source == "draw" and part is not None:
            layers = (values[w.editor] or {}).get("layers") or []
            strokes = overlay.read_strokes(layers, part.pixels.shape[:2])
            marks = (strokes.keep, strokes.drop) if strokes.keep.any() or strokes.drop.any() else None
            drawn = strokes.mask if strokes.mask.any() or marks is None else None
        return PlanRequest.checked(
            part,
            instruction=values[w.instruction],
            mask_source="auto" if source in ("draw", "library") else source,
            mask_shape=values[w.shape],
            band_width=check_number("band_percent", values[w.band]) / 100,
            align=values[w.align],
            seed=values[w.shape_seed],
            drawn=drawn,
            lent=lent,
            marks=marks,
        )

    @property
    def inputs(self) -> set[Any]:
        """What ``replan`` reads."""
        w = self.w
        return {
            w.language, w.part, w.plan, w.instruction, w.source, w.shape, w.band, w.align, w.shape_seed, w.editor,
            w.stage_view, w.lent_mask, w.lent_part,
        }  # fmt: skip

    @property
    def outputs(self) -> list[Any]:
        """What ``replan`` writes."""
        w = self.w
        return [w.understood, w.stage, w.editor, w.plan_facts, w.plan]

    @property
    def part_outputs(self) -> list[Any]:
        """What choosing a part writes."""
        w = self.w
        return [w.part, w.picked, w.part_facts, w.instruction, w.chips, w.editor]

    def _show(self, part: Part, language: str, text: str) -> Updates:
        w = self.w
        proxy = overlay.shrink(part.pixels)
        shown = {
            w.part: part,
            w.picked: part.identity,
            w.part_facts: self._facts(part, language),
            w.chips: self._chips(part, language),
            w.editor: {"background": proxy, "layers": [], "composite": None},
        }
        if not (text or "").strip() or text in self.sentences:
            shown[w.instruction] = next(iter(part.instructions(language)), "")
        return shown

    def _facts(self, part: Part, language: str) -> str:
        title = part.example.names[language] if part.example else say("part.own", language)
        notes = [translate_note(note, language) for note in part.notes]
        return panels.part_facts(title, part.pixels.shape[:2], notes)

    def _chips(self, part: Part | None, language: str) -> Any:
        samples = [[text] for text in part.instructions(language)] if part else []
        return gr.Dataset(samples=samples, visible=bool(samples))

    def _bare(self, values: dict[Any, Any], error: InputError | None = None) -> Updates:
        """The part alone: there is nothing to draw over it."""
        w, part, language = self.w, values[self.w.part], values[self.w.language]
        picture = None if part is None else overlay.shrink(part.pixels)
        waiting = {"draw": "draw.empty", "library": "lend.empty"}.get(values[w.source])
        if error is None and waiting:
            facts = f'<div class="plan-facts">{panels.quiet(waiting, language)}</div>'
        else:
            facts = panels.stage_message(language, error)
        return {w.stage: _stage_update(picture, values[w.source]), w.plan_facts: facts, w.plan: None}

    def _stage(self, kept: KeptPlan, values: dict[Any, Any]) -> Updates:
        w, plan = self.w, kept.plan
        picture = overlay.plan_overlay(
            plan.image,
            foreground=plan.foreground,
            region=plan.region,
            mask=plan.mask,
            before=plan.mask_before,
            close_up=values[w.stage_view] == "close",
        )
        pixels = int(plan.mask.sum())
        share = pixels / max(1, int(plan.foreground.sum()))
        language = values[w.language]
        notes = [translate_note(note, language) for note in plan.notes]
        moved = plan.mask_before is not None
        facts = panels.plan_facts(share, pixels, notes, language, confidence=plan.confidence, moved=moved)
        return {w.stage: _stage_update(picture, values[w.source]), w.plan_facts: facts}


def _read_lent(mask: str | None, picture: str | None) -> tuple[overlay.Pixels | None, overlay.Mask]:
    """The visitor's own mask and, if given, the picture that it was cut from.

    Raises:
        InputError: no mask yet, an unreadable file, or a mask that does not fit its picture.
    """
    if not mask:
        raise InputError("mask", "no mask was lent yet; give a mask file, or choose another source.")
    if not picture:
        return None, load_mask(mask, None, field="mask")
    pixels = decode_image(picture).pixels
    return pixels, load_mask(mask, pixels.shape[:2], field="mask")


def _stage_update(picture: overlay.Pixels | None, source: str) -> Updates:
    return gr.update(value=picture, visible=source != "draw")
