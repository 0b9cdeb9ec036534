import io
import json
import math
import zipfile
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from magic_ui.errors import InputError
from magic_ui.ui.layout import lay_out
from magic_ui.ui.painting import PaintDesk, Shown, studio_steps
from magic_ui.ui.parts import Part, load_examples, open_example, thumbnails
from magic_ui.ui.planning import PlanDesk, PlanRequest
from tests.ui.stand_in import StandInStudio


@pytest.fixture(scope="module")
def laid_out(examples_folder):
    """(StandInStudio, PlanDesk, PaintDesk) over one layout."""
    studio = StandInStudio()
    examples = load_examples(examples_folder)
    with gr.Blocks():
        widgets = lay_out([], thumbnails(examples, "en"))
    plans = PlanDesk(studio, widgets, examples)
    return studio, plans, PaintDesk(studio_steps(studio, lambda function: function), widgets, plans)


@pytest.fixture
def studio(laid_out) -> StandInStudio:
    laid_out[0].__init__()
    return laid_out[0]


@pytest.fixture
def desks(laid_out, studio):
    return laid_out[1:]


@pytest.fixture
def values(desks, part_picture):
    """What the page sends when everything stands at its default."""
    plans, paints = desks
    w = plans.w
    read = {component: getattr(component, "value", None) for component in paints.inputs}
    read[w.align] = read[w.auto] = True
    return read | {
        w.part: Part(part_picture, example=plans.examples[0]),
        w.plan: None,
        w.shown: None,
        w.editor: None,
        w.instruction: "a thin scratch at the top",
        w.language: "en",
    }


def everything(updates) -> dict:
    merged: dict = {}
    for update in updates:
        for component, value in update.items():
            known = merged.get(component)
            both = isinstance(known, dict) and isinstance(value, dict)
            merged[component] = known | value if both else value
    return merged


def test_examples_without_a_picture_are_left_out(examples_folder, tmp_path):
    assert [example.path.name for example in load_examples(examples_folder)] == ["bar.png"]
    assert load_examples(tmp_path) == ()


def test_an_examples_own_foreground_is_its_outline(examples_folder, tmp_path):
    for file in examples_folder.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    pixels = open_example(load_examples(examples_folder)[0]).pixels
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[3:9, 4:11] = 255
    (tmp_path / "foreground").mkdir()
    Image.fromarray(mask).save(tmp_path / "foreground" / "bar.png")
    part = open_example(load_examples(tmp_path)[0])
    assert np.array_equal(part.outline().mask, mask > 0)


def test_opening_the_page_shows_the_first_example(desks):
    plans, _ = desks
    shown = plans.start("zh")
    assert shown[plans.w.part].example.category == "screw"
    assert shown[plans.w.instruction] == "顶部一处细划痕"
    assert "铁棒" in shown[plans.w.part_facts]


def test_a_sentence_of_ones_own_survives_choosing_a_part(desks):
    plans, _ = desks
    event = gr.SelectData(None, {"index": 0, "value": None})
    assert plans.w.instruction not in plans.pick_example("en", "my own words", event)
    assert plans.pick_example("en", "a thin scratch at the top", event)[plans.w.instruction]


def test_a_file_that_is_no_picture_is_explained_in_place(desks, tmp_path):
    plans, _ = desks
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    shown = plans.open_upload(str(bad), "zh", "")
    assert "error-card" in shown[plans.w.part_facts] and "图片无法使用" in shown[plans.w.part_facts]
    assert str(tmp_path) not in shown[plans.w.part_facts]
    assert plans.w.part not in shown


def test_sixteen_bit_uploads_are_scaled_not_clipped(desks, tmp_path):
    plans, _ = desks
    ramp = np.tile(np.linspace(0, 65535, 128).astype(np.uint16), (96, 1))
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    pixels = plans.open_upload(str(tmp_path / "ramp.png"), "en", "")[plans.w.part].pixels
    assert abs(int(pixels[0, 64, 0]) - 128) <= 3


def test_words_come_first_and_the_mask_after(desks, values):
    plans, _ = desks
    first, second = plans.replan(values)
    assert "scratch" in first[plans.w.understood] and plans.w.plan not in first
    assert second[plans.w.plan].plan.mask.any()
    assert second[plans.w.stage]["value"].dtype == np.uint8
    assert "%" in second[plans.w.plan_facts]


@pytest.mark.parametrize("text", ["", "   ", None])
def test_no_words_no_plan(desks, values, text):
    plans, _ = desks
    shown = everything(plans.replan(values | {plans.w.instruction: text}))
    assert shown[plans.w.plan] is None and "error-card" not in shown[plans.w.understood]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "qwertyuiop", "x" * 100_000, "\ud800", "!!!", "\u202e\u202e"]
)
def test_words_that_mean_nothing_are_explained(desks, values, text):
    plans, _ = desks
    shown = everything(plans.replan(values | {plans.w.instruction: text}))
    assert "error-card" in shown[plans.w.understood] and "<script" not in shown[plans.w.understood]
    assert shown[plans.w.plan] is None


def test_an_unchanged_request_keeps_its_plan(desks, values):
    plans, _ = desks
    kept = plans.kept_plan(values)
    assert plans.kept_plan(values | {plans.w.plan: kept}) is kept
    assert plans.kept_plan(values | {plans.w.plan: kept, plans.w.shape_seed: 1}) is not kept


@pytest.mark.parametrize("field", ["band", "shape_seed"])
@pytest.mark.parametrize("value", [math.nan, math.inf, None, "abc", -1, 7.5e9])
def test_bad_numbers_of_the_mask_are_refused(desks, values, field, value):
    plans, _ = desks
    with pytest.raises(InputError):
        plans.request(values | {getattr(plans.w, field): value})


@pytest.mark.parametrize(
    "options", [{"mask_shape": "library"}, {"mask_source": "x"}, {"align": "yes"}, {"band_width": 0.9}, {"seed": 0.5}]
)
def test_bad_plan_options_are_refused(part_picture, options):
    with pytest.raises(InputError):
        PlanRequest.checked(Part(part_picture), instruction="scratch", **options)


def test_the_brush_becomes_the_mask(desks, values, part_picture):
    plans, _ = desks
    layer = np.zeros((*part_picture.shape[:2], 4), np.uint8)
    layer[50:60, 70:90] = (255, 112, 26, 255)
    w = plans.w
    drawn = values | {w.source: "draw", w.editor: {"background": part_picture, "layers": [layer], "composite": None}}
    shown = everything(plans.replan(drawn))
    assert np.array_equal(shown[w.plan].plan.mask, layer[..., 3] > 0)
    marked = layer.copy()
    marked[100:104, 20:40] = (34, 160, 84, 255)
    both = plans.request(drawn | {w.editor: {"layers": [marked]}})
    assert both.drawn is not None and both.marks[0].sum() == 80 and not both.marks[1].any()
    assert both.key != plans.request(drawn).key
    only = marked * (marked[..., :1] == 34)
    outlined = plans.request(drawn | {w.editor: {"layers": [only]}})
    assert outlined.drawn is None and outlined.marks is not None
    shown = everything(plans.replan(drawn | {w.editor: {"layers": [only]}}))
    assert any("corrected" in note for note in shown[w.plan].plan.notes)
    assert shown[w.plan].plan.foreground[100:104, 20:40].all()
    nothing = everything(plans.replan(values | {w.source: "draw"}))
    assert nothing[w.plan] is None and "Brush" in nothing[w.plan_facts]


def test_a_lent_mask_is_asked_for_then_placed(desks, values, part_picture, tmp_path):
    plans, _ = desks
    w = plans.w
    waiting = everything(plans.replan(values | {w.source: "library"}))
    assert waiting[w.plan] is None and "mask file below" in waiting[w.plan_facts]
    mask = np.zeros(part_picture.shape[:2], np.uint8)
    mask[10:30, 10:40] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(part_picture).save(tmp_path / "part.png")
    lent = values | {w.source: "library", w.lent_mask: str(tmp_path / "mask.png")}
    alone = plans.request(lent)
    assert alone.lent[0] is None and np.array_equal(alone.lent[1], mask > 0)
    both = plans.request(lent | {w.lent_part: str(tmp_path / "part.png")})
    assert np.array_equal(both.lent[0], part_picture) and both.key != alone.key
    assert everything(plans.replan(lent))[w.plan].plan.mask.any()
    Image.fromarray(mask[:50]).save(tmp_path / "small.png")
    refused = everything(
        plans.replan(lent | {w.lent_mask: str(tmp_path / "small.png"), w.lent_part: str(tmp_path / "part.png")})
    )
    assert refused[w.plan] is None and "error-card" in refused[w.plan_facts]


def test_painting_shows_steps_then_the_result(desks, values):
    _, paints = desks
    w = paints.w
    updates = list(paints.paint(values))
    assert any("Step" in str(update.get(w.status)) for update in updates)
    shown = everything(updates)
    assert len(shown[w.shown].results) == 1
    assert shown[w.go]["interactive"] and not shown[w.stop]["interactive"]
    assert shown[w.slider]["visible"] and not shown[w.live_group]["visible"]
    picture = Image.open(shown[w.image_file]["value"])
    assert json.loads(picture.text["magic_ui"])["anomaly_strength"] == 0.6
    assert set(np.unique(np.asarray(Image.open(shown[w.mask_file]["value"])))) == {0, 255}
    assert json.loads(Path(shown[w.record_file]["value"]).read_text(encoding="utf-8"))["seed"] == 0


def test_comparing_paints_every_strength_and_packs_them_all(desks, values):
    _, paints = desks
    w = paints.w
    shown = everything(paints.compare(values))
    assert [caption.split(" · ")[0] for _, caption in shown[w.strip]["value"]] == [
        f"strength {strength:g}" for strength in (0.1, 0.4, 0.7, 1)
    ]
    archive = zipfile.ZipFile(io.BytesIO(Path(shown[w.zip_file]["value"]).read_bytes()))
    assert sum(name.startswith("screw/image/scratch_top/") for name in archive.namelist()) == 4


def test_opening_another_result_of_the_strip(desks, values):
    _, paints = desks
    shown = everything(paints.compare(values))[paints.w.shown]
    opened = paints.open_result(shown, "close", "zh", gr.SelectData(None, {"index": 0, "value": None}))
    assert opened[paints.w.shown].opened == 0
    assert shown.opened == 3
    outside = paints.open_result(shown, "whole", "en", gr.SelectData(None, {"index": 9, "value": None}))
    assert isinstance(outside, dict) and paints.w.slider not in outside


@pytest.mark.parametrize("field", ["strength", "noise", "images", "seed", "candidates"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "abc", -1, 1e309])
def test_bad_numbers_end_in_a_sentence_not_in_a_traceback(desks, values, field, value):
    _, paints = desks
    w = paints.w
    shown = everything(paints.paint(values | {getattr(w, field): value}))
    assert "error-card" in shown[w.status] and "Traceback" not in shown[w.status]
    assert shown[w.go]["interactive"] and w.shown not in shown


@pytest.mark.parametrize("steps", [7.5, 0, 1000, math.nan])
def test_bad_steps_are_refused(desks, values, steps):
    _, paints = desks
    w = paints.w
    shown = everything(paints.paint(values | {w.auto: False, w.steps: steps}))
    assert "error-card" in shown[w.status]


def test_inside_errors_tell_nothing(desks, values, studio):
    _, paints = desks
    studio.fail = RuntimeError("/secret/path <b>")
    shown = everything(paints.paint(values))
    assert "secret" not in shown[paints.w.status] and "our side" in shown[paints.w.status]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_closing_the_handler_closes_the_painter(desks, values, studio, frames):
    _, paints = desks
    studio.seconds_per_step = 0.16
    painting = paints.paint(values)
    for _ in range(frames + 1):
        next(painting)
    painting.close()
    assert studio.closed == 1


def test_stopping_brings_the_last_result_back(desks, values):
    _, paints = desks
    w = paints.w
    assert not paints.stopping("zh")[w.stop]["interactive"] and w.go not in paints.stopping("zh")
    nothing = paints.stopped("zh", None)
    assert "已停止" in nothing[w.status] and nothing[w.result_empty]["visible"]
    shown = Shown([object()], None, 1.0)
    assert paints.stopped("en", shown)[w.slider]["visible"]


def test_the_other_language_reaches_every_labelled_component(desks, values):
    plans, _ = desks
    outputs = plans.relabel("zh", values[plans.w.part])
    assert len(outputs) == len(plans.relabelled)
    labels = dict(zip(plans.relabelled, outputs, strict=True))
    assert labels[plans.w.go]["value"] == "绘制"
    assert labels[plans.w.shape]["choices"][0] == ("缺陷形", "defect")
    assert all(isinstance(output, dict | str | gr.Dataset) for output in outputs)


def test_handlers_keep_nothing_of_a_visitor(desks, values):
    plans, paints = desks
    before = [set(vars(desk)) for desk in desks]
    list(paints.paint(values))
    list(plans.replan(values))
    assert [set(vars(desk)) for desk in desks] == before


def test_a_studio_stand_in_is_stopped_by_close():
    studio = StandInStudio()
    plan = studio.plan(np.full((64, 64, 3), 90, np.uint8), "scratch")
    steps = studio.generate_steps(plan)
    next(steps)
    steps.close()
    assert studio.closed == 1


def test_example_outlines_are_found_once(examples_folder):
    example = load_examples(examples_folder)[0]
    assert open_example(example).outline() is open_example(example).outline()
