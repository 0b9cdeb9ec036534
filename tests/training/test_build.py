import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from magic_ui import DefectStudio, InputError
from magic_ui.data.attributes import spec_from_attributes
from magic_ui.paint.checkpoint import load_checkpoint
from magic_ui.paint.crop import cell_coverage
from magic_ui.training.autoencoder import normalize_latents
from magic_ui.training.build import train_from_scratch
from magic_ui.training.captions import sample_caption
from magic_ui.training.diffusion import defect_odds, make_batch, mask_weighted_loss
from magic_ui.training.latents import encode_pairs
from magic_ui.training.pairs import load_pairs, loosen_mask
from magic_ui.training.progress import learning_rate, load_state, start_from_weights
from magic_ui.training.recipe import Recipe, load_recipe


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Six scenes of noise with dark squares for defects, in the renderer's format."""
    folder = tmp_path_factory.mktemp("scenes")
    generator = np.random.default_rng(0)
    for index in range(6):
        normal = generator.integers(90, 160, (80, 80, 3), dtype=np.uint8)
        defective, masks = np.stack([normal] * 3), np.zeros((3, 80, 80), bool)
        for v in range(3):
            y, x = generator.integers(20, 50, 2)
            masks[v, y : y + 9, x : x + 14] = True
            defective[v][masks[v]] = 20 + 60 * v
        variants = [
            {
                "defect": d,
                "severity": s,
                "thickness": "thin",
                "thickness_mm": 0.1,
                "part": p,
                "morphology": ["fine"],
                "count": 2,
            }
            for d, s, p in (("scratch", "slight", "head"), ("dent", "severe", "teeth"), ("corrosion", None, None))
        ]
        meta = json.dumps({"category": "screw", "variants": variants})
        np.savez_compressed(
            folder / f"scene_{index:06d}.npz", normal=normal, defective=defective, mask=masks, meta=meta
        )
    return folder


@pytest.fixture(scope="module")
def recipe():
    return Recipe(
        name="test",
        resolution=64,
        seed=1,
        autoencoder={
            "block_out_channels": [8, 16, 16],
            "latent_channels": 4,
            "norm_num_groups": 8,
            "scaling_factor": 1.0,
            "down_block_types": ["DownEncoderBlock2D"] * 3,
            "up_block_types": ["UpDecoderBlock2D"] * 3,
            "mid_block_add_attention": False,
            "sample_size": 64,
        },
        unet={
            "sample_size": 16,
            "in_channels": 9,
            "out_channels": 4,
            "block_out_channels": [16, 32],
            "layers_per_block": 1,
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
            "norm_num_groups": 8,
            "cross_attention_dim": 16,
            "attention_head_dim": 2,
        },
        text_encoder={
            "hidden_size": 16,
            "intermediate_size": 32,
            "projection_dim": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 48,
        },
        scheduler={
            "prediction_type": "v_prediction",
            "rescale_betas_zero_snr": True,
            "timestep_spacing": "trailing",
            "clip_sample": False,
        },
        tokenizer={"vocab_size": 600},
        autoencoder_training={
            "steps": 4,
            "batch_size": 2,
            "patch": 32,
            "learning_rate": 1e-3,
            "kl_weight": 1e-6,
            "edge_weight": 0.5,
            "mask_weight": 1.0,
            "save_every": 2,
        },
        diffusion_training={
            "batch_size": 2,
            "warmup": 2,
            "ema_decay": 0.9,
            "caption_dropout": 0.1,
            "identity_share": 0.1,
            "text_noise_scale": 1.0,
            "mask_weight": 1.0,
            "masked_share": 0.3,
            "masked_identity_share": 0.5,
            "save_every": 2,
            "stages": [
                {"steps": 4, "learning_rate": 1e-3},
                {"steps": 1, "learning_rate": 1e-3, "weights": {"scratch": 3.0}},
            ],
        },
        card={
            "conditioning": "normal",
            "prompt_language": "bilingual",
            "num_inference_steps": 4,
            "guidance_scale": 3.0,
        },
    )


def weights(folder):
    return {p.name + p.parent.name: p.read_bytes() for p in sorted(folder.rglob("*.safetensors"))}


@pytest.fixture(scope="module")
def trained(scenes, recipe, tmp_path_factory):
    return train_from_scratch(recipe, scenes, tmp_path_factory.mktemp("run"), device="cpu")


def test_one_command_makes_a_checkpoint_that_paints(trained):
    studio = DefectStudio.from_pretrained(trained, device="cpu")
    assert studio.checkpoint.conditioning == "normal"
    image, mask = np.full((96, 96, 3), 120, np.uint8), np.zeros((96, 96), bool)
    mask[40:60, 30:50] = True
    result = studio.generate(studio.plan(image, "划痕", mask_source=mask))[0]
    assert (np.asarray(result.image)[~mask] == 120).all()


@pytest.mark.parametrize("stage", ["autoencoder", "diffusion"])
def test_an_interrupted_run_ends_with_the_same_weights(stage, trained, scenes, recipe, tmp_path, monkeypatch):
    module = importlib.import_module(f"magic_ui.training.{stage}")

    def interrupted_in_step_three(step, steps, peak, warmup):
        if step == 3:
            raise KeyboardInterrupt
        return learning_rate(step, steps, peak, warmup)

    with monkeypatch.context() as patch:
        patch.setattr(module, "learning_rate", interrupted_in_step_three)
        with pytest.raises(KeyboardInterrupt):
            train_from_scratch(recipe, scenes, tmp_path, device="cpu")
    assert load_state(tmp_path / "state" / f"{stage}.pt")["step"] == 2
    assert weights(train_from_scratch(recipe, scenes, tmp_path, device="cpu")) == weights(trained)


def test_latents_are_normalised_inside_the_autoencoder(recipe):
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    vae = AutoencoderKL(**recipe.autoencoder).eval()
    images = torch.rand(16, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = vae.decode(vae.encode(images).latent_dist.mean).sample
        std_before = vae.encode(images).latent_dist.std
    _, std = normalize_latents(vae, images)
    with torch.no_grad():
        posterior = vae.encode(images).latent_dist
        after = vae.decode(posterior.mean).sample
    assert torch.allclose(posterior.mean.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-3)
    assert torch.allclose(posterior.mean.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3)
    assert torch.allclose(posterior.std, std_before / std[:, None, None], rtol=1e-3)
    assert torch.allclose(before, after, atol=1e-3)


def test_a_thin_mask_weighs_as_much_as_all_the_rest():
    error, mask = torch.zeros(2, 4, 8, 8), torch.zeros(2, 1, 8, 8)
    mask[:, :, 2:6, 2:6] = 1
    error[0] = mask[0]
    error[1] = 1 - mask[1]
    assert float(mask_weighted_loss(error[:1], mask[:1], 1.0)) == pytest.approx(0.5)
    assert float(mask_weighted_loss(error[1:], mask[1:], 1.0)) == pytest.approx(0.5)
    assert float(mask_weighted_loss(error, mask, 0.0)) == pytest.approx((16 / 64 + 48 / 64) / 2)
    speck = torch.zeros(1, 1, 32, 32)
    speck[..., 0, 0] = 1
    assert float(mask_weighted_loss(speck.clone(), speck, 1.0)) == pytest.approx(20 / (1023 + 20))


def test_masked_samples_are_conditioned_on_grey_in_place_of_the_mask(trained, scenes, recipe, tmp_path):
    vae, pairs = load_checkpoint(trained, device="cpu").vae, load_pairs(scenes)
    encode = [
        encode_pairs(vae, pairs, 2, 3, torch.device("cpu"), lambda *_: None, tmp_path / "latents.pt") for _ in range(2)
    ]
    data = encode[0]
    assert torch.equal(encode[1].latents, data.latents) and torch.equal(encode[1].masked, data.masked)
    far = torch.from_numpy(~data.masked_cells[:, :, None])
    normal = data.latents[0, :, :1]
    changed = (data.masked - normal).abs().amax(2, keepdim=True)
    assert changed[~far].mean() > 3 * changed[far].mean()
    recipe.diffusion_training["masked_share"] = 1.0
    try:
        batch = make_batch(pairs, data, vae, recipe, np.random.default_rng(0))
    finally:
        recipe.diffusion_training["masked_share"] = 0.3
    size = batch["condition"].shape[-1]
    windows = data.masked.float().unfold(3, size, 1).unfold(4, size, 1)
    assert any(torch.equal(batch["condition"][0], w) for w in windows.permute(0, 1, 3, 4, 2, 5, 6).flatten(0, 3))


def test_a_stage_may_say_which_languages_its_captions_are_in(trained, scenes, recipe, tmp_path):
    vae, pairs = load_checkpoint(trained, device="cpu").vae, load_pairs(scenes)
    data = encode_pairs(vae, pairs, 2, 3, torch.device("cpu"), lambda *_: None, tmp_path / "latents.pt")
    options = {**recipe.diffusion_training, "batch_size": 12, "caption_dropout": 0.0, "identity_share": 0.0}
    options["masked_share"] = 0.0
    alone = {}
    for language in ("zh", "en"):
        generator = np.random.default_rng(0)
        own = replace(recipe, diffusion_training=options)
        alone[language] = "".join(make_batch(pairs, data, vae, own, generator, None, {language: 1.0})["captions"])
    assert alone["en"].isascii() and "划痕" in alone["zh"] and "scratch" not in alone["zh"]


def test_refining_draws_its_defects_more_often(scenes):
    pairs = load_pairs(scenes)
    odds = defect_odds(pairs, {"scratch": 5.0})
    assert odds.sum() == pytest.approx(1) and odds.shape == pairs.masks.shape[:2]
    drawn = {spec.defect: chance for spec, chance in zip(pairs.specs[0], odds[0], strict=True)}
    assert drawn["scratch"] == pytest.approx(5 * drawn["dent"])


def test_captions_name_the_defect_and_vary(generator):
    spec = spec_from_attributes(
        "screw",
        {
            "defect": "scratch",
            "part": "teeth",
            "severity": "severe",
            "thickness": "thin",
            "thickness_mm": 0.15,
            "morphology": ["fine"],
            "count": 2,
        },
    )
    assert spec.part is None and spec.severity == "severe"
    captions = {sample_caption(spec, generator, "en") for _ in range(60)}
    assert len(captions) > 10 and all("scratch" in caption for caption in captions)
    assert all("划痕" in sample_caption(spec, generator, "zh") for _ in range(10))


def test_masks_are_loosened_never_shrunk_and_cells_never_empty(generator):
    mask = np.zeros((80, 80), bool)
    mask[33, 20:60] = True
    for _ in range(20):
        assert (loosen_mask(mask, generator) >= mask).all()
    coverage = cell_coverage(mask, 80, 4)
    assert (coverage > 0).sum() == 10 and np.allclose(coverage[coverage > 0], 0.25)


def test_unknown_recipe_and_empty_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="recipe"):
        load_recipe("no-such")
    (tmp_path / "bad.toml").write_text("name = 1\n")
    with pytest.raises(InputError, match="recipe"):
        load_recipe(str(tmp_path / "bad.toml"))
    with pytest.raises(InputError, match="data"):
        load_pairs(tmp_path)
    assert load_recipe("magic-tiny").resolution == 128


def test_a_run_takes_over_the_fitting_weights_of_another(trained, recipe):
    from diffusers import AutoencoderKL, UNet2DConditionModel

    torch.manual_seed(9)
    unet = UNet2DConditionModel(**recipe.unet)
    theirs = load_checkpoint(trained, device="cpu").unet
    assert start_from_weights(unet, None) == 0
    assert start_from_weights(unet, trained / "unet") == len(unet.state_dict())
    assert torch.equal(unet.conv_in.weight, theirs.conv_in.weight)
    wider = AutoencoderKL(**{**recipe.autoencoder, "latent_channels": 6})
    before = wider.decoder.conv_in.weight.clone()
    assert 0 < start_from_weights(wider, trained / "vae") < len(wider.state_dict())
    assert torch.equal(wider.decoder.conv_in.weight, before)


def test_a_later_stage_begins_from_finished_weights_and_keeps_the_autoencoder(
    trained, scenes, recipe, tmp_path, monkeypatch
):
    module = importlib.import_module("magic_ui.training.diffusion")
    drawn = []
    monkeypatch.setattr(
        module, "make_batch", lambda *a: drawn.append(a[4].bit_generator.seed_seq.entropy) or make_batch(*a)
    )
    later = train_from_scratch(recipe, scenes, tmp_path, device="cpu", start_from=trained, from_stage=1)
    before, after = weights(trained), weights(later)
    assert before.keys() == after.keys()
    same = {name for name in before if before[name] == after[name]}
    assert same == {name for name in before if name.endswith("vae")}
    assert load_state(tmp_path / "state" / "diffusion.pt")["step"] == 1
    assert drawn == [[recipe.seed, 3, 4]], "an earlier stage's four steps are not drawn again"
    with pytest.raises(InputError, match="from_stage"):
        train_from_scratch(recipe, scenes, tmp_path, device="cpu", start_from=trained, from_stage=2)
    with pytest.raises(InputError, match="start_from"):
        train_from_scratch(recipe, scenes, tmp_path, device="cpu", from_stage=1)


def test_the_mask_channel_holds_coverage_but_whole_cells_now_and_then(trained, scenes, recipe, tmp_path):
    vae, pairs = load_checkpoint(trained, device="cpu").vae, load_pairs(scenes)
    data = encode_pairs(vae, pairs, 2, 3, torch.device("cpu"), lambda *_: None, tmp_path / "latents.pt")
    kinds = set()
    for share in (0.0, 1.0):
        options = {**recipe.diffusion_training, "binary_mask_share": share, "masked_share": 0.0, "batch_size": 8}
        batch = make_batch(pairs, data, vae, replace(recipe, diffusion_training=options), np.random.default_rng(0))
        values = batch["mask"].unique()
        assert values.min() >= 0 and values.max() == 1
        kinds.add(len(values) > 2)
    assert kinds == {True, False}
