"""The embedded CLIPSeg's training: what it is shown, what it is asked, and a run that survives a kill."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from magic_ui import InputError
from magic_ui.localize.clipseg import TextLocator
from magic_ui.training import clipseg, matching, parts, words
from magic_ui.training.clipseg import make_batch, normalize, segmentation_loss, train_clipseg
from magic_ui.training.progress import learning_rate, load_state
from magic_ui.training.queries import absent_parts, all_phrases, draw_query, part_masks, phrase_meanings
from magic_ui.training.recipe import ClipSegRecipe, load_recipe
from magic_ui.training.tokenizer import train_tokenizer
from magic_ui.training.wholes import Whole, draw_view, load_wholes
from tests.localize.conftest import draw_screw, paint
from tests.tiny import tiny_clipseg_recipe


def screw() -> Whole:
    shape = draw_screw(0.0, side=96)
    part_map = np.zeros(shape.shape, np.uint8)
    for index, (start, end) in enumerate(((10, 24), (24, 45), (45, 80), (80, 90))):
        part_map[:, start:end] = index + 1
    part_map[~shape] = 0
    return Whole("screw", ["head", "neck", "thread", "tip"], paint(shape)[None], shape, part_map)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three screws and a tile as the renderer writes them, one screw with a defective twin."""
    root, whole = tmp_path_factory.mktemp("parts"), screw()
    for index, category in enumerate(("screw", "screw", "screw", "tile")):
        defect = "dent" if index == 0 else "good"
        full = np.ones_like(whole.foreground)
        foreground = whole.foreground if category == "screw" else full
        files = {
            "image/good": whole.pictures[0],
            "foreground/good": foreground.astype(np.uint8) * 255,
            "part_map/good": whole.part_map if category == "screw" else full.astype(np.uint8),
        }
        if defect != "good":
            files[f"image/{defect}"] = 255 - whole.pictures[0]
        for name, pixels in files.items():
            (root / category / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / category / name / f"{index:03d}.png"), pixels)
        record = root / category / "records" / defect / f"{index:03d}.json"
        record.parent.mkdir(parents=True, exist_ok=True)
        labels = whole.labels if category == "screw" else ["face"]
        record.write_text(json.dumps({"category": category, "labels": labels}))
    return root


def test_a_rendered_folder_is_read_with_its_labels(folder, tmp_path):
    wholes = load_wholes(folder)
    assert [w.category for w in wholes] == ["screw"] * 3 + ["tile"]
    assert sorted(len(w.pictures) for w in wholes) == [1, 1, 1, 2]
    assert wholes[3].fills_frame and not wholes[0].fills_frame
    assert set(np.unique(wholes[0].part_map)) == {0, 1, 2, 3, 4}
    with pytest.raises(InputError, match="render"):
        load_wholes(tmp_path)


def test_a_view_keeps_picture_and_labels_together(generator):
    whole = screw()
    for _ in range(20):
        seen = draw_view(whole, 80, generator)
        assert seen.picture.shape == (80, 80, 3) and seen.picture.dtype == np.uint8
        assert seen.foreground.mean() > 0.02
        assert (seen.part_map[~seen.foreground] == 0).mean() > 0.99
        grey = cv2.cvtColor(seen.picture, cv2.COLOR_RGB2GRAY).astype(float)
        inner = cv2.erode(seen.foreground.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        far = cv2.dilate(seen.foreground.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
        if abs(grey[inner].mean() - grey[far].mean()) > 20:
            level = (np.median(grey[inner]) + np.median(grey[far])) / 2
            brighter = grey[inner].mean() > grey[far].mean()
            assert ((grey > level)[inner] == brighter).mean() > 0.7


def test_every_question_has_its_answer(generator):
    whole, empty, kinds = screw(), 0, set()
    for _ in range(120):
        seen = draw_view(whole, 80, generator)
        phrase, target = draw_query(whole, seen, generator)
        assert phrase and target.dtype == bool and not (target & ~seen.foreground).any()
        empty += not target.any()
        kinds.add("zh" if any("\u4e00" <= c <= "\u9fff" for c in phrase) else "en")
    assert 0 < empty < 60 and kinds == {"zh", "en"}
    seen = draw_view(whole, 80, generator)
    parts = part_masks(whole, seen)
    assert (parts["body"] == (parts["neck"] | parts["thread"])).all()
    assert absent_parts(whole) == ("hole",)
    assert {"head", "tip"} < set(absent_parts(Whole("washer", ["face", "hole"], *[whole.pictures] * 3)))
    assert len(all_phrases()) > 500 and "螺丝的头部" in all_phrases()


def test_pictures_are_normalised_as_the_saved_processor_does_it(tmp_path):
    from transformers import ViTImageProcessorPil

    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    theirs = ViTImageProcessorPil(
        size={"height": 64, "width": 64}, image_mean=list(clipseg.MEAN), image_std=list(clipseg.STD)
    )(picture, return_tensors="pt")["pixel_values"]
    assert torch.allclose(normalize(picture[None]), theirs, atol=1e-5)


def test_the_loss_rewards_the_right_mask_and_silence_where_nothing_is():
    target = torch.zeros(2, 8, 8)
    target[0, 2:6, 2:6] = 1
    right, wrong = 20 * target - 10, 10 - 20 * target
    assert segmentation_loss(right, target, 1.0) < 1e-3 < segmentation_loss(wrong, target, 1.0)
    silent, loud = torch.full((1, 8, 8), -10.0), torch.full((1, 8, 8), 10.0)
    assert segmentation_loss(silent, target[1:], 1.0) < 1e-3 < segmentation_loss(loud, target[1:], 1.0)


def test_one_command_trains_a_locator_and_a_kill_changes_nothing(folder, tmp_path, monkeypatch):
    recipe = tiny_clipseg_recipe()
    whole = train_clipseg(recipe, folder, tmp_path / "whole", device="cpu")
    assert TextLocator(whole).locate(screw().pictures[0], ["头部"]).shape == (96, 96)
    assert "iou" in json.loads((whole / "magic_ui.json").read_text())["training"]

    def killed(step, steps, peak, warmup):
        if step == 3:
            raise KeyboardInterrupt
        return learning_rate(step, steps, peak, warmup)

    with monkeypatch.context() as patch:
        patch.setattr(clipseg, "learning_rate", killed)
        with pytest.raises(KeyboardInterrupt):
            train_clipseg(recipe, folder, tmp_path / "cut", device="cpu")
    assert load_state(tmp_path / "cut" / "state" / "clipseg.pt")["step"] == 2
    resumed = train_clipseg(recipe, folder, tmp_path / "cut", device="cpu")
    assert (whole / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()


def test_a_batch_asks_every_picture_the_same_number_of_questions(folder, generator):
    from transformers import CLIPTokenizer

    from magic_ui.training.tokenizer import train_tokenizer

    train_tokenizer(all_phrases()[:50], 600, 16, folder / ".words")
    batch = make_batch(load_wholes(folder), 64, 3, 2, CLIPTokenizer.from_pretrained(folder / ".words"), generator)
    assert batch["pixel_values"].shape == (3, 3, 64, 64)
    assert batch["targets"].shape == (6, 64, 64) and len(batch["input_ids"]) == 6


def test_the_embedded_recipe_is_read():
    recipe = load_recipe("clipseg-tiny")
    assert isinstance(recipe, ClipSegRecipe) and recipe.resolution % recipe.vision_encoder["patch_size"] == 0


def test_cells_lie_where_their_patches_do():
    recipe = tiny_clipseg_recipe()
    side = recipe.resolution // recipe.vision_encoder["patch_size"]
    rows, cols = np.mgrid[: side * parts.CELLS, : side * parts.CELLS]
    patches = torch.zeros(1, side * side, parts.CELLS**2 * 2)
    for row, col in zip(rows.ravel(), cols.ravel(), strict=True):
        patch = row // parts.CELLS * side + col // parts.CELLS
        cell = row % parts.CELLS * parts.CELLS + col % parts.CELLS
        patches[0, patch, 2 * cell : 2 * cell + 2] = torch.tensor([float(row), float(col)])
    laid = parts.by_cell(patches, 2)[0].numpy()
    assert np.array_equal(laid[0], rows) and np.array_equal(laid[1], cols)


def test_the_encoder_learns_parts_and_goes_on_after_a_kill(folder, tmp_path):
    recipe = tiny_clipseg_recipe()
    recipe.training.update(parts_steps=12, parts_batch_size=4, save_every=6, lessons_rate=3e-3, warmup=1)
    train_tokenizer(all_phrases(), recipe.tokenizer["vocab_size"], 24, tmp_path / "tokenizer")
    tokenizer, wholes = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer"), load_wholes(folder)
    models = [clipseg.build_model(recipe, tokenizer) for _ in range(2)]
    losses = []

    def look(pictures):
        losses.append(len(pictures))
        if len(losses) == 9:
            raise KeyboardInterrupt
        return normalize(pictures)

    with pytest.raises(KeyboardInterrupt):
        parts.learn_parts(models[0], recipe, wholes, look, tmp_path / "parts.pt", torch.device("cpu"))
    assert load_state(tmp_path / "parts.pt")["step"] == 6
    start = {name: value.clone() for name, value in models[1].clip.vision_model.state_dict().items()}
    parts.learn_parts(models[0], recipe, wholes, normalize, tmp_path / "parts.pt", torch.device("cpu"))
    parts.learn_parts(models[1], recipe, wholes, normalize, tmp_path / "whole.pt", torch.device("cpu"))
    resumed, whole = (model.clip.vision_model.state_dict() for model in models)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert any(not torch.equal(start[name], whole[name]) for name in whole)


@pytest.mark.parametrize("complex_upsampling", [False, True])
def test_random_weights_start_calm(folder, tmp_path, complex_upsampling):
    recipe = tiny_clipseg_recipe()
    recipe.model["use_complex_transposed_convolution"] = complex_upsampling
    train_tokenizer(all_phrases(), recipe.tokenizer["vocab_size"], 24, tmp_path / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer")
    model = clipseg.build_model(recipe, tokenizer)
    batch = make_batch(load_wholes(folder), recipe.resolution, 4, 4, tokenizer, np.random.default_rng(0))
    clipseg._settle(model, batch)
    with torch.no_grad():
        logits = clipseg._ask(model, batch, 4)
    assert float(logits.std()) == pytest.approx(1, abs=0.05) and float(logits.mean()) == pytest.approx(-2, abs=0.1)


def test_the_text_encoder_learns_what_phrases_name(tmp_path):
    recipe = tiny_clipseg_recipe()
    recipe.training.update(words_steps=60, words_batch_size=16, lessons_rate=3e-3)
    meanings = {
        "the head": ("head", ""),
        "头部": ("head", ""),
        "head of the screw": ("head", "screw"),
        "the tip": ("tip", ""),
        "尖端": ("tip", ""),
        "螺丝的尖端": ("tip", "screw"),
    }
    train_tokenizer(list(meanings), recipe.tokenizer["vocab_size"], 24, tmp_path / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer")
    model = clipseg.build_model(recipe, tokenizer)
    assert words.learn_words(model, recipe, tokenizer, meanings, torch.device("cpu")) > 0.9
    again = clipseg.build_model(recipe, tokenizer)
    words.learn_words(again, recipe, tokenizer, meanings, torch.device("cpu"))
    weights, repeated = (m.clip.text_model.state_dict() for m in (model, again))
    assert all(torch.equal(weights[name], repeated[name]) for name in weights)
    recipe.training["words_steps"] = 0
    assert words.learn_words(model, recipe, tokenizer, meanings, torch.device("cpu")) == 0


def test_every_phrase_has_one_meaning():
    meanings = phrase_meanings()
    assert meanings["the tip"] == ("tip", "") and meanings["螺丝的头部"] == ("head", "screw")
    assert meanings["the object"] == ("object", "") and meanings["物体的左上角"][0] == "top_left"
    assert list(meanings) == all_phrases()


def test_matching_starts_calm_and_learns(folder, tmp_path):
    recipe = tiny_clipseg_recipe()
    recipe.training.update(matching_steps=120, matching_phrases=3, matching_rate=1e-2, batch_size=2)
    train_tokenizer(all_phrases(), recipe.tokenizer["vocab_size"], 24, tmp_path / "tokenizer")
    tokenizer, wholes = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer"), load_wholes(folder)
    model = clipseg.build_model(recipe, tokenizer)
    untouched = {name: value.clone() for name, value in model.clip.state_dict().items()}
    losses = []

    def draw(step, pictures, phrases):
        generator = np.random.default_rng([1, step % 4])
        return make_batch(wholes, recipe.resolution, pictures, phrases, tokenizer, generator)

    def loss_of(logits, targets):
        loss = clipseg.segmentation_loss(logits, targets, 1.0)
        losses.append(loss.item())
        return loss

    last = matching.learn_to_match(model, recipe, draw, loss_of, torch.device("cpu"))
    assert losses[0] < 3 and last < 0.9 * np.mean(losses[:4]) and len(losses) == 120
    assert all(torch.equal(untouched[name], value) for name, value in model.clip.state_dict().items())
