"""V2: any CLIPSeg folder finds phrases on a picture; what it does not find falls back to geometry and says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from magic_ui.errors import CheckpointError, InputError
from magic_ui.instruction.spec import DefectSpec
from magic_ui.localize import make_plan
from magic_ui.localize.clipseg import Square, TextLocator, _load, segment, square_around, view
from magic_ui.localize.phrases import phrases_for, place_phrases
from magic_ui.localize.text_region import find_by_text
from tests.localize.conftest import draw_screw, draw_washer, overlap, paint
from tests.tiny import save_tiny_clipseg


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_clipseg(tmp_path_factory.mktemp("clipseg"))


class Pointer:
    """A locator that sees what it is told to see."""

    languages = ("en", "zh")

    def __init__(self, probability):
        self.probability, self.asked = probability, []

    def locate(self, image, phrases, foreground=None):
        self.asked += phrases
        return self.probability.astype(np.float32)


def test_one_encoding_of_the_picture_gives_what_the_stock_forward_gives(folder):
    processor, model = _load(folder)
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    phrases = ["the head of the screw", "螺丝的头部", "tip"]
    inputs = processor(text=phrases, images=[picture] * 3, padding=True, return_tensors="pt")
    with torch.no_grad():
        theirs = model(**inputs).logits
        ours = segment(model, inputs["pixel_values"][:1], inputs["input_ids"], inputs["attention_mask"], 3)
    assert theirs.shape == ours.shape == (3, 64, 64)
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert not torch.allclose(ours[0], ours[1], atol=1e-6)


def test_the_map_has_the_pictures_size_and_ends_with_the_square(folder):
    image = np.random.default_rng(0).integers(0, 256, (150, 240, 3), dtype=np.uint8)
    foreground = np.zeros((150, 240), bool)
    foreground[40:80, 30:60] = True
    locator = TextLocator(folder)
    found = locator.locate(image, ["head"], foreground)
    assert found.shape == (150, 240) and found.dtype == np.float32
    assert found.min() >= 0 and 0 < found[60, 45] < 1 and (found[:, 120:] == 0).all()
    assert locator.languages == ("en",)
    assert np.array_equal(found, locator.locate(image, ["head"], foreground))


def test_a_view_and_its_way_back_keep_the_place():
    mask = np.zeros((200, 300), bool)
    mask[150:190, 20:50] = True
    square = square_around(mask)
    assert square.side == 50 and square == Square(10, 145, 50)
    seen = view(mask.astype(np.float32)[..., None], square, 100)
    assert seen.reshape(100, 100)[12:88, 22:78].min() == 1
    assert square_around(np.zeros((90, 120), bool)).side == 120


def test_without_a_phrase_or_with_a_broken_checkpoint(folder, tmp_path):
    image = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(InputError, match="phrase"):
        TextLocator(folder).locate(image, [" "])
    with pytest.raises(CheckpointError):
        TextLocator("no-such").locate(image, ["head"])
    with pytest.raises(CheckpointError, match="safetensors"):
        TextLocator(tmp_path).locate(image, ["head"])


def test_phrases_name_part_and_thing_in_the_checkpoints_languages():
    spec = DefectSpec("rust", part="head", category="screw")
    assert phrases_for(spec) == ["the head", "head of the screw", "screw head"]
    assert "螺丝的头部" in phrases_for(spec, ("en", "zh"))
    assert phrases_for(DefectSpec("rust")) == ["the object", "the part", "the whole part"]
    unknown = DefectSpec("rust", unrecognized=["handle"])
    assert phrases_for(unknown) == ["handle", "the handle"]
    assert phrases_for(unknown, ("en", "zh")) == place_phrases(None, None, ("en", "zh"))


def screw_with_half():
    shape = draw_screw(0.0)
    seen = np.zeros(shape.shape)
    seen[:, 256:] = 0.9
    return shape, paint(shape), seen


def test_v2_takes_what_the_model_sees_on_the_object():
    _shape, image, seen = screw_with_half()
    locator = Pointer(seen)
    spec = DefectSpec("stain", part="neck", category="screw")
    plan = make_plan(image, [spec], mask_source="clipseg", mask_shape="region", text_locator=locator)
    assert overlap(plan.region, plan.foreground & (seen > 0)) > 0.97
    assert any("V2 found" in note for note in plan.notes) and "screw neck" in locator.asked


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_v2_falls_back_to_geometry_and_says_so(level):
    _shape, image, seen = screw_with_half()
    spec = DefectSpec("stain", part="neck", category="screw")
    plan = make_plan(image, [spec], mask_source="clipseg", mask_shape="region", text_locator=Pointer(level * seen))
    bands = make_plan(image, [spec], mask_source="band", mask_shape="region")
    assert np.array_equal(plan.region, bands.region)
    assert any("did not find" in note for note in plan.notes)
    assert any("by geometry instead" in note for note in plan.notes)


def test_v2_without_its_checkpoint_falls_back_too():
    _shape, image, _ = screw_with_half()
    spec = DefectSpec("stain", part="neck")
    plan = make_plan(image, [spec], mask_source="clipseg", text_locator=TextLocator("no-such"))
    assert plan.mask.any() and any("not available" in note for note in plan.notes)


def test_auto_asks_the_model_only_where_geometry_is_unsure():
    _shape, image, seen = screw_with_half()
    locator = Pointer(seen)
    make_plan(image, [DefectSpec("stain", part="neck", category="screw")], text_locator=locator)
    make_plan(image, [DefectSpec("stain", region="top")], text_locator=locator)
    assert not locator.asked
    ring = draw_washer()
    left = np.zeros(ring.shape)
    left[:, :200] = 0.95
    locator = Pointer(left)
    plan = make_plan(paint(ring), [DefectSpec("stain", part="neck")], mask_shape="region", text_locator=locator)
    assert locator.asked and overlap(plan.region, plan.foreground & (left > 0)) > 0.97


def test_a_sighting_too_small_or_too_large_is_not_trusted():
    shape, image, _ = screw_with_half()
    spec = DefectSpec("stain", part="head")
    everything = find_by_text(image, shape, spec, Pointer(np.full(shape.shape, 0.9)))
    assert everything.mask is None and "not trusted" in everything.note
