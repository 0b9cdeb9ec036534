import json

import numpy as np
import pytest
from PIL import Image

from magic_ui import DefectStudio, InputError
from tests.tiny import save_tiny_checkpoint


@pytest.fixture(scope="module", params=["masked", "normal"])
def studio(request, tmp_path_factory):
    folder = save_tiny_checkpoint(tmp_path_factory.mktemp(request.param), conditioning=request.param)
    return DefectStudio.from_pretrained(folder, device="cpu")


@pytest.fixture(scope="module")
def part():
    """A grey plate on a light ground, with a little texture."""
    noise = np.random.default_rng(3).normal(0, 4, (160, 200, 1))
    image = np.full((160, 200, 3), 215.0)
    image[40:120, 30:170] = 110
    return np.clip(image + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def plan(studio, part):
    mask = np.zeros(part.shape[:2], bool)
    mask[60:80, 60:110] = True
    return studio.plan(part, "划痕", mask_source=mask)


def test_every_other_pixel_is_untouched(studio, plan, part):
    for result in studio.generate(plan, anomaly_strength=0.9, num_images=2, seed=5):
        image = np.asarray(result.image)
        assert image.shape == part.shape
        assert (image[~plan.mask] == part[~plan.mask]).all()
        assert (image[plan.mask] != part[plan.mask]).any()
        assert not (result.refined_mask & ~plan.mask).any()


def test_same_seed_same_bits_and_seeds_count_up(studio, plan):
    pair = studio.generate(plan, num_images=2, seed=7)
    again = studio.generate(plan, num_images=2, seed=7)
    assert [r.image.tobytes() for r in pair] == [r.image.tobytes() for r in again]
    assert pair[0].image.tobytes() != pair[1].image.tobytes()
    assert [r.record["seed"] for r in pair] == [7, 8]


def test_record_reproduces_bit_for_bit(studio, plan, part):
    for results in (
        studio.generate(plan, anomaly_strength=0.4, num_images=2, seed=1, text_noise_scale=0.5),
        studio.sweep(plan, [0.2, 0.9], seed=1, candidates=2),
    ):
        for result in results:
            record = json.loads(json.dumps(result.record))
            assert studio.reproduce(record, part).image.tobytes() == result.image.tobytes()


def test_record_of_another_picture_or_garbage_is_refused(studio, plan, part):
    record = studio.generate(plan)[0].record
    with pytest.raises(InputError, match="another picture"):
        studio.reproduce(record, 255 - part)
    for broken in ({}, [], "x", {**record, "targets": [{"mask_png": "!"}]}, {**record, "format": 99}):
        with pytest.raises(InputError, match="record"):
            studio.reproduce(broken, part)


def test_steps_report_and_stop(studio, plan):
    steps = list(studio.generate_steps(plan, preview_every=2))
    assert [s.step for s in steps] == list(range(1, steps[-1].num_steps + 1))
    assert steps[1].preview.shape == plan.image.shape and steps[-1].results and not steps[-2].results
    running = studio.generate_steps(plan)
    next(running)
    running.close()
    with pytest.raises(StopIteration):
        next(running)


def test_places_far_apart_get_their_own_crop(studio, part):
    mask = np.zeros(part.shape[:2], bool)
    mask[45:50, 35:45] = mask[110:115, 150:160] = True
    plan = studio.plan(part, "scratch", mask_source=mask)
    crops = studio._crops(plan)
    assert len(crops) == 2 and (crops[0].mask | crops[1].mask == mask).all()
    image = np.asarray(studio.generate(plan)[0].image)
    for crop in crops:
        assert (image[crop.mask] != part[crop.mask]).any()


BAD_NUMBERS = [float("nan"), float("inf"), float("-inf"), "abc", "1", True, [], -1, 1e309]


@pytest.mark.parametrize(
    "name",
    [
        "anomaly_strength",
        "num_images",
        "seed",
        "text_noise_scale",
        "anomaly_noise",
        "guidance_scale",
        "guidance_rescale",
        "anomaly_stop_step",
        "num_inference_steps",
        "candidates",
        "feather",
        "eta_mask",
        "preview_every",
    ],
)
def test_bad_numbers_are_refused_by_name(studio, plan, name):
    for value in BAD_NUMBERS:
        with pytest.raises(InputError) as caught:
            studio.generate(plan, **{name: value})
        assert caught.value.field == name
    if name in ("num_images", "seed", "anomaly_stop_step", "num_inference_steps", "candidates"):
        with pytest.raises(InputError):
            studio.generate(plan, **{name: 7.5})


def test_bad_choices_and_unknown_settings_are_refused(studio, plan, part):
    for settings in (
        {"guidance_schedule": "steep"},
        {"use_random_mask": "yes"},
        {"no_such_setting": 1},
        {"negative_prompt": 3},
    ):
        with pytest.raises(InputError):
            studio.generate(plan, **settings)
    for strengths in ([], "0.5", [0.1] * 17, [2], None, [float("nan")]):
        with pytest.raises(InputError):
            studio.sweep(plan, strengths)
    for settings in (
        {"mask_source": "magic"},
        {"mask_shape": "star"},
        {"band_width": 0.9},
        {"seed": -1},
        {"pixels_per_mm": 0},
        {"mask_source": np.zeros(part.shape[:2], bool)},
        {"mask_source": np.ones((5, 5), bool)},
    ):
        with pytest.raises(InputError):
            studio.plan(part, "scratch", **settings)


def test_masks_of_the_user_full_and_single_pixel(studio, part):
    for mask in (np.ones(part.shape[:2], bool), np.zeros(part.shape[:2], bool)):
        mask[3, 5] = True
        result = studio.generate(studio.plan(part, "stain", mask_source=mask))[0]
        assert (np.asarray(result.image)[~mask] == part[~mask]).all()
        assert (result.mask == mask).all()


def test_takes_paths_and_pil(studio, part, tmp_path):
    path = tmp_path / "part.png"
    Image.fromarray(part).save(path)
    plans = [studio.plan(source, "scratch", seed=3) for source in (part, path, str(path), Image.fromarray(part))]
    assert all((p.mask == plans[0].mask).all() for p in plans) and plans[0].mask.any()


@pytest.mark.parametrize(
    "reference",
    [
        "picture.png",
        (np.zeros((64, 64, 3), np.uint8),),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), bool)),
        (np.zeros((64, 64, 3), np.uint8), np.ones((32, 64), bool)),
        (np.zeros((64, 64, 3), np.float64) + np.nan, np.ones((64, 64), bool)),
    ],
)
def test_a_reference_that_is_no_picture_and_mask_is_refused(studio, part, reference):
    with pytest.raises(InputError, match="reference"):
        studio.plan(part, "划痕", reference=reference)


def test_a_reference_is_aligned_with_the_checkpoints_own_features(studio, part):
    mask = np.zeros(part.shape[:2], bool)
    mask[70:90, 90:120] = True
    plan = studio.plan(part[:, ::-1], "rust", mask_shape="library", reference=(part, mask))
    assert plan.mask.any() and any("reference" in note for note in plan.notes)
    assert studio.generate(plan, num_inference_steps=2)[0].image.size == (200, 160)


def test_a_folder_lends_a_mask_that_the_seed_draws(studio, part, tmp_path):
    for size in (4, 9, 16):
        mask = np.zeros((100, 100), np.uint8)
        mask[20 : 20 + size, 70:76] = 255
        Image.fromarray(mask).save(tmp_path / f"{size}.png")
    plans = [studio.plan(part, "rust", mask_shape="library", reference=tmp_path, seed=seed) for seed in (0, 1, 2, 3, 0)]
    assert len({int(plan.mask.sum()) for plan in plans}) > 1
    assert np.array_equal(plans[0].mask, plans[4].mask)
    for plan in plans:
        assert not (plan.mask & ~plan.foreground).any()
    with pytest.raises(InputError, match="library"):
        studio.plan(part, "rust", reference=tmp_path)


def test_a_checkpoint_that_would_paint_the_mean_of_all_colours_is_told_one(part, tmp_path):
    from magic_ui.registry import write_checksums

    folder = save_tiny_checkpoint(tmp_path, conditioning="normal")
    card = json.loads((folder / "magic_ui.json").read_text()) | {"name_color": True}
    (folder / "magic_ui.json").write_text(json.dumps(card))
    write_checksums(folder)
    studio, mask = DefectStudio.from_pretrained(folder, device="cpu"), np.zeros(part.shape[:2], bool)
    mask[60:80, 60:110] = True
    plans = [studio.plan(part, "划痕", mask_source=mask, seed=seed) for seed in range(12)]
    words = {"silver" in plan.targets[0].prompt for plan in plans}
    assert words == {True, False}
    for plan in plans:
        color = plan.targets[0].look.color
        assert color in plan.targets[0].prompt and plan.specs[0].color is None
        assert any(color in note for note in plan.notes)
    named = studio.plan(part, "黑色划痕", mask_source=mask).targets[0]
    assert "black" in named.prompt and "silver" not in named.prompt
    result = studio.generate(plans[0])[0]
    again = studio.reproduce(json.loads(json.dumps(result.record)), part)
    assert again.image.tobytes() == result.image.tobytes()
