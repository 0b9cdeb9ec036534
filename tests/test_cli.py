import inspect
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from magic_ui import InputError, __version__, cli
from tests.tiny import save_tiny_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return str(save_tiny_checkpoint(tmp_path_factory.mktemp("tiny"), conditioning="normal"))


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """A dark plate on a light ground, 96 px."""
    pixels = np.full((96, 96, 3), 210.0)
    pixels[20:76, 16:80] = 110
    pixels += np.random.default_rng(0).normal(0, 3, pixels.shape)
    path = tmp_path_factory.mktemp("part") / "plate.png"
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    return path


def run(*arguments):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments], catch_exceptions=True)
    if isinstance(result.exception, InputError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def pixels(path):
    return np.asarray(Image.open(path))


def test_parse_prints_the_specs():
    (spec,) = json.loads(run("parse", "在螺丝头部生成一处细划痕"))
    assert (spec["defect"], spec["part"], spec["thickness"]) == ("scratch", "head", "thin")


def test_a_real_process_parses_and_fails_with_a_sentence():
    command = [sys.executable, "-m", "magic_ui", "parse"]
    good = subprocess.run([*command, "两处划痕"], capture_output=True, text=True, timeout=120)
    assert good.returncode == 0 and json.loads(good.stdout)[0]["count"] == 2
    bad = subprocess.run([*command, "a nice day"], capture_output=True, text=True, timeout=120)
    assert bad.returncode == 2 and bad.stderr.startswith("error: ") and "Traceback" not in bad.stderr


def test_version():
    assert run("--version").strip() == __version__


def test_mask_writes_three_masks_and_loads_no_checkpoint(part, tmp_path):
    said = json.loads(run("mask", part, "a dent on the left", "-o", tmp_path))
    mask, region, foreground = (pixels(tmp_path / f"plate_{n}.png") > 0 for n in ("mask", "region", "foreground"))
    assert said["mask_pixels"] == mask.sum() > 0
    assert not (mask & ~foreground).any() and not (region & ~foreground).any()


def test_generate_writes_results_that_their_record_repeats(part, checkpoint, tmp_path):
    common = ["--checkpoint", checkpoint, "--steps", 2]
    run("generate", part, "severe rust on the left", *common, "-n", 2, "--seed", 5, "-o", tmp_path / "a")
    for i in (0, 1):
        stem = tmp_path / "a" / f"plate_{i:03d}"
        mask = pixels(f"{stem}_mask.png") > 0
        assert np.array_equal(pixels(f"{stem}.png")[~mask], pixels(part)[~mask])
        assert not ((pixels(f"{stem}_refined_mask.png") > 0) & ~mask).any()
        assert json.loads((tmp_path / "a" / f"plate_{i:03d}.json").read_text())["seed"] == 5 + i
    record = tmp_path / "a" / "plate_001.json"
    run("generate", part, "--from-record", record, "--checkpoint", checkpoint, "-o", tmp_path / "b")
    assert (tmp_path / "b/plate_000.png").read_bytes() == (tmp_path / "a/plate_001.png").read_bytes()


def test_generate_takes_magics_flags(part, checkpoint, tmp_path):
    foregrounds = tmp_path / "fg"
    foregrounds.mkdir()
    foreground = np.zeros((96, 96), np.uint8)
    foreground[30:60, 30:60] = 255
    Image.fromarray(foreground).save(foregrounds / "plate_mask.png")
    run(
        "generate", part, "--prompt", "a deep scratch", "--auto_mask_text", "scratch on the left", "--CAMA",
        "--anomaly_strength_min", 0.4, "--anomaly_strength_max", 0.6, "--anomaly_stop_step", 1, "--text_noise_scale", 0,
        "--use_random_mask", "--normal_masks", foregrounds, "--model_ckpt_root", checkpoint, "--steps", 2, "-n", 3,
        "-o", tmp_path,
    )  # fmt: skip
    records = [json.loads((tmp_path / f"plate_{i:03d}.json").read_text()) for i in range(3)]
    strengths = [record["anomaly_strength"] for record in records]
    assert len(set(strengths)) == 3 and all(0.4 <= s <= 0.6 for s in strengths)
    assert "a deep scratch" in json.dumps(records[0]["prompt"])
    assert not ((pixels(tmp_path / "plate_000_mask.png") > 0) & (foreground == 0)).any()


def test_generate_paints_a_dataset_and_goes_on(part, checkpoint, tmp_path):
    for i in range(2):
        target = tmp_path / f"data/metal_plate/image/good/{i:03d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(part.read_bytes())
    (tmp_path / "defects.json").write_text('{"metal_plate": ["dent", "stain"]}')
    command = [
        "generate", "--base_dir", tmp_path / "data", "--dataset_type", "ds_mvtec", "--categories", "metal_plate",
        "--defect_json", tmp_path / "defects.json", "--output_name", "new", "-o", tmp_path, "--steps", 2,
        "--checkpoint", checkpoint,
    ]  # fmt: skip
    assert "4 painted now, 4 in all" in run(*command)
    assert sorted(p.name for p in (tmp_path / "new/metal_plate/image").iterdir()) == ["dent", "stain"]
    assert (tmp_path / "new/captions.xlsx").is_file() and (tmp_path / "new/manifest.csv").is_file()
    assert "0 painted now, 4 in all" in run(*command)


def test_sweep_writes_a_row(part, checkpoint, tmp_path):
    run("sweep", part, "dent", "--strengths", "0.2,0.9", "--checkpoint", checkpoint, "--steps", 2, "-o", tmp_path)
    assert pixels(tmp_path / "plate_row.png").shape == (96, 3 * 96, 3)
    assert json.loads((tmp_path / "plate_001.json").read_text())["anomaly_strength"] == 0.9


def test_align_moves_a_mask_and_matches_a_dataset(part, checkpoint, tmp_path):
    mask = np.zeros((96, 96), np.uint8)
    mask[40:56, 30:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    run("align", part, tmp_path / "mask.png", part, "--checkpoint", checkpoint, "-o", tmp_path)
    assert (pixels(tmp_path / "plate_mask.png") > 0).sum() > 200
    for name, source in (("image/good/000.png", part), ("image/dent/000.png", part), ("mask/dent/000_mask.png", None)):
        target = tmp_path / "data/metal_plate" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((source or tmp_path / "mask.png").read_bytes())
    options = ["--base_dir", tmp_path / "data", "--checkpoint", checkpoint, "-o", tmp_path]
    assert "1 matches" in run("align", *options)
    (match,) = json.loads((tmp_path / "matching_result.json").read_text())["metal_plate"]["dent"]
    assert abs(match["best_x"] - 40 * 5) < 25 and abs(match["best_y"] - 48 * 5) < 25
    assert "1 matches" in run("align", *options, "--method", "published")


def test_train_makes_a_checkpoint_of_its_recipe(tmp_path):
    with pytest.raises(InputError, match="recipe"):
        run("train", "--data", tmp_path, "--recipe", "no-such")
    with pytest.raises(InputError, match="data"):
        run("train", "--data", tmp_path, "--output", tmp_path / "run")


def test_render_writes_a_dataset_or_windows(tmp_path):
    pytest.importorskip("mitsuba")
    run(
        "render", "--count", 1, "--size", 64, "--spp", 1, "--workers", 1, "--categories", "washer",
        "-o", tmp_path / "set", "--seed", 3,
    )  # fmt: skip
    assert (tmp_path / "set/captions.xlsx").is_file() and list((tmp_path / "set").glob("washer/image/good/000.png"))
    run("render", "--kind", "parts", "--count", 1, "--size", 64, "--spp", 1, "--workers", 1, "-o", tmp_path / "parts")
    assert list((tmp_path / "parts").glob("*/part_map/good/000.png"))
    assert list((tmp_path / "parts").glob("*/records/good/000.json"))
    run("render", "--kind", "windows", "--count", 1, "--workers", 1, "--categories", "tile", "-o", tmp_path / "win")
    assert (tmp_path / "win/scene_000000.npz").is_file()


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("instruction", ["parse", "hello world"]),
        ("image", ["mask", "no-such.png", "dent"]),
        ("image", ["generate"]),
        ("instruction", ["generate", "PART"]),
        ("record", ["generate", "PART", "--from-record", "no-such.json"]),
        ("mask_source", ["mask", "PART", "dent", "--mask-source", "no-such.png"]),
        ("band_width", ["mask", "PART", "dent", "--band-width", "3"]),
        ("seed", ["mask", "PART", "dent", "--seed", "-1"]),
        ("strengths", ["sweep", "PART", "dent", "--strengths", "low,high"]),
        ("anomaly_strength", ["generate", "PART", "dent", "--strength", "7"]),
        ("anomaly_strength_max", ["generate", "PART", "dent", "--anomaly_strength_max", "7"]),
        ("match_json", ["generate", "PART", "dent", "--match_json", "PART"]),
        ("reference", ["align", "PART"]),
        ("method", ["align", "PART", "PART", "PART", "--method", "guess"]),
        ("features", ["align", "PART", "PART", "PART", "--features", "none", "--method", "published"]),
        ("kind", ["render", "--kind", "film"]),
        ("categories", ["render", "--categories", "cloud"]),
        ("count", ["render", "--count", "0"]),
        ("scenes", ["evaluate", "--held-out", "no-such", "--train", "no-such"]),
    ],
)
def test_what_is_wrong_is_named(part, checkpoint, field, arguments):
    arguments = [str(part) if a == "PART" else a for a in arguments]
    if arguments[0] in ("generate", "sweep", "evaluate"):
        arguments += ["--checkpoint", checkpoint]
    with pytest.raises(InputError, match=field):
        run(*arguments)


def test_an_unknown_checkpoint_ends_with_a_sentence(part, tmp_path):
    command = [sys.executable, "-m", "magic_ui", "generate", part, "dent", "--checkpoint", tmp_path / "no"]
    ended = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr and ended.stderr.startswith("error: ")


def test_evaluate_has_the_functions_defaults():
    from magic_ui.cli.models import evaluate
    from magic_ui.evaluation.command import run_downstream, run_evaluation

    offered = inspect.signature(evaluate).parameters
    for function in (run_evaluation, run_downstream):
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.default is not inspect.Parameter.empty:
                assert offered[name].default == parameter.default, name
