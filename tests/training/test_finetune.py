import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from magic_ui import DefectStudio, InputError, cli
from magic_ui.data.readers import read_ds_mvtec
from magic_ui.paint.checkpoint import load_checkpoint
from magic_ui.training.captions import IDENTITY_CAPTION
from magic_ui.training.finetune import FineTuning, fine_tune, make_batch
from magic_ui.training.real import Balanced, draw_crop, load_defects
from magic_ui.training.run import TrainingData, fine_tune_dataset
from tests.tiny import save_tiny_checkpoint, save_tiny_dataset

SMALL = FineTuning(steps=6, batch_size=2, learning_rate=1e-3, warmup=1, save_every=2, sample_every=0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return save_tiny_dataset(tmp_path_factory.mktemp("dataset"))


@pytest.fixture(scope="module", params=["normal", "masked"])
def folder(request, tmp_path_factory):
    return str(save_tiny_checkpoint(tmp_path_factory.mktemp(request.param), conditioning=request.param))


@pytest.fixture(scope="module")
def defects(dataset):
    return load_defects(read_ds_mvtec(dataset), 64, pseudo_normals="patches")


def weights(folder):
    return {k: v.clone() for k, v in load_checkpoint(str(folder)).unet.state_dict().items()}


def equal(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_draws_are_balanced_over_defects_of_unequal_number(defects, generator):
    uneven = [d for d in defects if d.defect == "dent"][:1] + [d for d in defects if d.defect != "dent"]
    drawn = [Balanced(uneven).draw(generator).defect for _ in range(400)]
    assert 160 < drawn.count("dent") < 240


def test_crops_hold_the_mask_and_their_words_fit_them(defects, generator):
    for defect in defects:
        for masked in (False, True):
            crop = draw_crop(defect, 64, generator, prompt_language="bilingual", masked=masked, identity=False)
            assert crop.target.shape == crop.condition.shape == (64, 64, 3) and crop.mask.any()
            changed = np.abs(crop.target.astype(int) - crop.condition).max(axis=2) > 40
            assert changed.any() != masked  # the stand-in differs where the defect is
            assert not changed[~crop.mask].mean() > 0.08
            assert "upper" not in crop.caption and "左上" not in crop.caption
    crop = draw_crop(defects[0], 64, generator, prompt_language="bilingual", masked=False, identity=True)
    assert crop.caption == IDENTITY_CAPTION and (crop.target == crop.condition).all()


def test_english_checkpoints_also_read_the_published_sentences(defects, generator):
    captions = [
        draw_crop(defects[-1], 64, generator, prompt_language="en", masked=True, identity=False).caption
        for _ in range(30)
    ]
    assert any("silver-colored" in caption for caption in captions)
    assert all(caption.isascii() for caption in captions)
    assert any("right" in caption for caption in captions) and any("left" in caption for caption in captions)


def test_captions_without_looks_and_without_chinese(defects, generator):
    """What the ablations compare with: the defect and its place, and one language."""
    looks = ("slight", "moderate", "severe", "thin", "thick", "line-like", "irregular", "two")

    def captions(**kept):
        crops = (
            draw_crop(defects[-1], 64, generator, prompt_language="bilingual", masked=False, identity=False, **kept)
            for _ in range(40)
        )
        return [crop.caption for crop in crops]

    plain = captions(attribute_words=False)
    assert not any(word in caption for caption in plain for word in looks)
    assert any(word in caption for caption in captions() for word in looks)
    assert all(caption.isascii() for caption in captions(bilingual=False))
    assert not all(caption.isascii() for caption in plain)


def test_several_devices_draw_what_one_would(folder, defects):
    checkpoint, balanced = load_checkpoint(folder), Balanced(defects)
    settings = FineTuning(batch_size=4)
    whole = make_batch(checkpoint, balanced, settings, 3, range(4))
    half = make_batch(checkpoint, balanced, settings, 3, [1, 3])
    assert half["captions"] == whole["captions"][1::2]
    assert torch.equal(half["noise"], whole["noise"][1::2])
    assert torch.allclose(half["condition"], whole["condition"][1::2], atol=1e-4)


@pytest.mark.parametrize("rank", [0, 4])
def test_training_lowers_the_loss_and_a_killed_run_ends_with_the_same_weights(folder, defects, tmp_path, rank):
    from dataclasses import replace

    settings = replace(SMALL, lora_rank=rank)
    whole = fine_tune(load_checkpoint(folder), defects, settings, tmp_path / "whole.pt")

    class Killed(Exception):
        pass

    def kill(step, loss):
        if step == 5:  # between two saved states
            raise Killed

    with pytest.raises(Killed):
        fine_tune(load_checkpoint(folder), defects, settings, tmp_path / "killed.pt", report=kill)
    resumed = fine_tune(load_checkpoint(folder), defects, settings, tmp_path / "killed.pt")
    assert whole.losses == resumed.losses
    assert equal(whole.unet.state_dict(), resumed.unet.state_dict())
    assert not equal(weights(folder), whole.unet.state_dict())
    assert set(weights(folder)) == set(whole.unet.state_dict())  # LoRA layers are merged


def test_more_steps_lower_the_loss(folder, defects, tmp_path):
    settings = FineTuning(steps=40, batch_size=4, learning_rate=4e-3, warmup=1, save_every=40, sample_every=0)
    losses = fine_tune(load_checkpoint(folder), defects, settings, tmp_path / "state.pt").losses
    assert np.mean(losses[-10:]) < 0.97 * np.mean(losses[:10])


def test_gradient_checkpointing_changes_memory_and_not_the_result(folder, defects, tmp_path):
    from dataclasses import replace

    plain = replace(SMALL, steps=2, mixed_precision="no")
    sparing = replace(plain, gradient_checkpointing=True)
    first = fine_tune(load_checkpoint(folder), defects, plain, tmp_path / "a.pt")
    second = fine_tune(load_checkpoint(folder), defects, sparing, tmp_path / "b.pt")
    assert first.losses == pytest.approx(second.losses, rel=1e-5)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("steps", 0), ("learning_rate", float("nan")), ("batch_size", 1.5), ("caption_dropout", 2), ("text_noise", "x")],
)
def test_settings_out_of_range_are_refused(folder, defects, tmp_path, setting, value):
    with pytest.raises(InputError, match=setting):
        fine_tune(load_checkpoint(folder), defects, FineTuning(**{setting: value}), tmp_path / "state.pt")


def test_a_run_of_another_recipe_is_not_resumed(folder, defects, tmp_path):
    from dataclasses import replace

    fine_tune(load_checkpoint(folder), defects, replace(SMALL, steps=2), tmp_path / "state.pt")
    with pytest.raises(InputError, match="learning_rate"):
        other = replace(SMALL, steps=2, learning_rate=1e-4)
        fine_tune(load_checkpoint(folder), defects, other, tmp_path / "state.pt")


def test_a_run_leaves_a_checkpoint_that_paints_and_says_what_it_is(folder, dataset, tmp_path):
    from dataclasses import replace

    data = TrainingData(dataset, train_share=0.67, licence="CC BY-NC-SA 4.0")
    made = fine_tune_dataset(folder, data, replace(SMALL, sample_every=3), tmp_path / "run")
    loaded = load_checkpoint(str(made))
    assert loaded.info.sha256 != load_checkpoint(folder).info.sha256
    image = read_ds_mvtec(dataset)[-1].load_image()
    result = DefectStudio(loaded).generate(DefectStudio(loaded).plan(image, "a dent", mask_shape="region"))[0]
    assert result.record["checkpoint"]["sha256"] == loaded.info.sha256
    card = (made / "README.md").read_text(encoding="utf-8")
    assert "CC BY-NC-SA 4.0" in card and "| screw/dent | 2 |" in card and "| learning_rate | 0.001 |" in card
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert len(split["train"]) == 4 and split["held_out"] == ["screw/dent/002", "screw/scratch_head/002"]
    assert len((tmp_path / "run" / "loss.csv").read_text().splitlines()) == SMALL.steps + 1
    for name in ("loss.png", "samples/step_000003.png", "samples/step_000006.png", "samples/last.png"):
        assert (tmp_path / "run" / name).stat().st_size > 500


def test_without_stand_ins_the_checkpoint_is_one_of_masked_pictures(folder, dataset, tmp_path):
    from dataclasses import replace

    data = TrainingData(dataset, pseudo_normals="none")
    made = fine_tune_dataset(folder, data, replace(SMALL, steps=1), tmp_path / "run")
    info = load_checkpoint(str(made)).info
    assert (info.conditioning, info.mask_channel) == ("masked", "binary")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda root: (root / "screw/mask/dent/001_mask.png").unlink(), "001_mask.png"),
        (lambda root: (root / "captions.xlsx").write_bytes(b"no workbook"), "workbook"),
        (lambda root: [p.rename(p.with_name("x")) for p in (root / "screw").glob("image")], "image"),
    ],
)
def test_a_broken_data_set_is_named_with_its_fix(tmp_path, break_it, message):
    root = save_tiny_dataset(tmp_path)
    break_it(root)
    with pytest.raises(InputError, match=message):
        TrainingData(root).read()


def test_an_empty_mask_is_named(tmp_path):
    from PIL import Image

    root = save_tiny_dataset(tmp_path)
    Image.new("L", (96, 96)).save(root / "screw/mask/dent/000_mask.png")
    with pytest.raises(InputError, match="screw/dent/000"):
        load_defects(TrainingData(root).read()[0], 64)


def test_the_published_flags_train(folder, dataset, tmp_path):
    arguments = [
        "train", "--checkpoint", folder, "--base_dir", dataset, "--output_name", tmp_path / "run",
        "--category", "screw", "--dataset_type", "ds_mvtec", "--text_noise_scale", 1.0, "--use_ds_captions",
        "--ds_caption_xlsx", dataset / "captions.xlsx", "--steps", 2, "--batch-size", 1, "--lora-rank", 2,
        "--sample-every", 0,
    ]  # fmt: skip
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    assert load_checkpoint(str(tmp_path / "run" / "checkpoint")).info.resolution == 64
    with pytest.raises(InputError, match="base_dir"):
        CliRunner().invoke(cli.app, ["train"], catch_exceptions=False)


@pytest.mark.slow
def test_kill_9_loses_nothing(folder, dataset, tmp_path):
    def command(output):
        options = {"--base_dir": dataset, "--checkpoint": folder, "--steps": 60, "--batch-size": 2, "--save-every": 5}
        words = [str(w) for pair in (options | {"--sample-every": 0, "--output": output}).items() for w in pair]
        return [sys.executable, "-m", "magic_ui", "train", *words]

    subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True)
    kills = 0
    for wait in (1, 2, 3):
        process = subprocess.Popen(command(tmp_path / "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        state = tmp_path / "killed" / "state" / "fine_tuning.pt"
        while not state.is_file() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(wait)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    subprocess.run(command(tmp_path / "killed"), check=True, capture_output=True)
    assert kills
    assert equal(weights(tmp_path / "whole" / "checkpoint"), weights(tmp_path / "killed" / "checkpoint"))
