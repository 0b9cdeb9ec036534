"""The embedded segmenter's training: scenes whose masks fit, a run that survives a kill, a checkpoint that loads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from magic_ui.localize.outline import ObjectSegmenter, letterbox
from magic_ui.training import outline
from magic_ui.training.outline import draw_scene, make_batch, train_outline
from magic_ui.training.progress import learning_rate
from magic_ui.training.recipe import OutlineRecipe, load_recipe
from magic_ui.training.wholes import Whole
from tests.localize.conftest import draw_washer, overlap, paint
from tests.tiny import tiny_outline_recipe


def washers(count=3) -> list[Whole]:
    shape = draw_washer(side=96)
    grounds = [(200, 200, 205), (20, 20, 24), (60, 120, 80)]
    return [Whole("washer", ["face"], paint(shape, g)[None], shape, shape.astype(np.uint8)) for g in grounds[:count]]


@pytest.fixture
def wholes(monkeypatch):
    made = washers()
    monkeypatch.setattr(outline, "load_wholes", lambda *_, **__: made)
    return made


def test_scenes_show_the_part_where_their_mask_says():
    generator = np.random.default_rng(0)
    shares = []
    for _ in range(60):
        picture, mask = draw_scene(washers(1)[0], 64, generator)
        assert picture.shape == (64, 64, 3) and picture.dtype == np.uint8 and mask.dtype == bool
        shares.append(mask.mean())
    assert 0.01 < min(shares) < 0.15 and 0.3 < max(shares) < 0.9
    full = np.ones((96, 96), bool)
    tile = Whole("tile", ["face"], np.full((1, 96, 96, 3), 120, np.uint8), full, full.astype(np.uint8))
    assert all(draw_scene(tile, 64, generator)[1].all() for _ in range(5))


def test_a_run_goes_on_after_a_kill_and_its_checkpoint_loads(wholes, tmp_path, monkeypatch):
    recipe = tiny_outline_recipe()
    rates = []

    def interrupted(*arguments):
        rates.append(arguments)
        if len(rates) == 4:
            raise KeyboardInterrupt
        return learning_rate(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(outline, "learning_rate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_outline(recipe, tmp_path, tmp_path / "killed", device="cpu")
    resumed = train_outline(recipe, tmp_path, tmp_path / "killed", device="cpu")
    whole = train_outline(recipe, tmp_path, tmp_path / "whole", device="cpu")
    name = "model.safetensors"
    assert (resumed / name).read_bytes() == (whole / name).read_bytes()
    shown = ObjectSegmenter(whole).probability(np.zeros((50, 80, 3), np.uint8))
    assert shown.shape == (40, 64) and shown.dtype == np.float32 and 0 <= shown.min() <= shown.max() <= 1


def test_a_few_steps_already_find_the_part(wholes, tmp_path):
    recipe = tiny_outline_recipe()
    recipe.training.update(steps=120, batch_size=4, learning_rate=5e-3)
    folder = train_outline(recipe, tmp_path, tmp_path / "run", device="cpu")
    shape = draw_washer()
    found = ObjectSegmenter(folder).probability(paint(shape, (200, 200, 205)))
    assert overlap(found > 0.5, draw_washer(side=64)) > 0.5


def test_batches_depend_on_their_generator_alone():
    first, again = (make_batch(washers(), 32, 2, np.random.default_rng(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].shape == (2, 3, 32, 32) and set(first[1].unique().tolist()) <= {0.0, 1.0}


def test_letterbox_keeps_the_whole_picture():
    picture = np.random.default_rng(0).integers(0, 256, (30, 60, 3), dtype=np.uint8)
    small, box = letterbox(picture, 64)
    assert small.shape == (64, 64, 3) and box == (64, 32)
    assert (small[32:] == small[31]).all()


def test_the_embedded_recipe_is_read():
    assert isinstance(load_recipe("outline-tiny"), OutlineRecipe)
