from dataclasses import replace

import numpy as np
import pytest
import torch

from magic_ui.paint.checkpoint import load_checkpoint
from magic_ui.paint.options import SamplerOptions
from magic_ui.paint.sampler import Conditioning, first_step, sample
from tests.tiny import save_tiny_checkpoint

PLAIN = {
    "text_noise_scale": 0.0,
    "anomaly_noise": 0.0,
    "guidance_schedule": "constant",
    "guidance_scale": 7.5,
    "guidance_scale_end": 7.5,
    "guidance_scale_out": 7.5,
}
SCHEDULES = {
    "sd2": {},
    "v_prediction": {"prediction_type": "v_prediction"},
    "zero_snr_trailing": {
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
        "steps_offset": 0,
        "set_alpha_to_one": True,
    },
}


def batch_of(checkpoint, strengths, seeds, prompt="thin scratch on the screw head"):
    size, count = checkpoint.info.resolution, len(strengths)
    images = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(9)).repeat(count, 1, 1, 1) * 2 - 1
    masks = torch.zeros(count, 1, size, size)
    masks[:, :, 21:45, 10:50] = 1
    embeds, attention = checkpoint.encode_prompt(prompt)
    return Conditioning(
        images,
        masks,
        embeds.repeat(count, 1, 1),
        attention.repeat(count, 1),
        checkpoint.encode_prompt("")[0].repeat(count, 1, 1),
        strengths,
        [torch.Generator().manual_seed(seed) for seed in seeds],
    )


def finish(checkpoint, batch, **options):
    *_, last = sample(checkpoint, batch, SamplerOptions(**{**PLAIN, **options}))
    return last.latents


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_equals_diffusers_pipeline_with_every_perturbation_off(tmp_path, schedule, eta):
    from diffusers import StableDiffusionInpaintPipeline
    from diffusers.utils import logging

    logging.set_verbosity_error()
    checkpoint = load_checkpoint(save_tiny_checkpoint(tmp_path, **SCHEDULES[schedule]), device="cpu")
    pipeline = StableDiffusionInpaintPipeline(
        vae=checkpoint.vae,
        text_encoder=checkpoint.text_encoder,
        tokenizer=checkpoint.tokenizer,
        unet=checkpoint.unet,
        scheduler=checkpoint.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    batch = batch_of(checkpoint, [1.0], [42])
    theirs = pipeline(
        "thin scratch on the screw head",
        image=batch.images,
        mask_image=batch.masks,
        height=64,
        width=64,
        num_inference_steps=8,
        guidance_scale=7.5,
        eta=eta,
        output_type="latent",
        generator=torch.Generator().manual_seed(42),
    ).images
    ours = finish(checkpoint, batch, num_inference_steps=8, eta=eta)
    assert (ours - theirs).abs().max().item() < 1e-4


@pytest.fixture(scope="module", params=["masked", "normal"])
def checkpoint(request, tmp_path_factory):
    return load_checkpoint(
        save_tiny_checkpoint(tmp_path_factory.mktemp(request.param), conditioning=request.param), device="cpu"
    )


def test_same_seed_same_bits_and_other_seed_other_picture(checkpoint):
    options = {"num_inference_steps": 5, "text_noise_scale": 0.3, "anomaly_noise": None}
    first, second = (finish(checkpoint, batch_of(checkpoint, [0.8, 0.8], [1, 2]), **options) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.allclose(first[0], first[1], atol=1e-2)


def test_a_sample_does_not_depend_on_its_neighbours(checkpoint):
    options = {"num_inference_steps": 5, "text_noise_scale": 0.3, "anomaly_noise": None}
    pair = finish(checkpoint, batch_of(checkpoint, [0.3, 0.9], [1, 2]), **options)
    alone = finish(checkpoint, batch_of(checkpoint, [0.9], [2]), **options)
    assert torch.allclose(pair[1:], alone, atol=1e-4)


def test_the_checkpoint_says_how_much_noise_a_strength_injects(checkpoint):
    batch, info = batch_of(checkpoint, [0.8], [1]), checkpoint.info
    options = {"num_inference_steps": 5, "text_noise_scale": 0.0}
    try:
        checkpoint.info = replace(info, anomaly_noise=0.25)
        quarter = finish(checkpoint, batch, **options, anomaly_noise=None)
    finally:
        checkpoint.info = info
    batch = batch_of(checkpoint, [0.8], [1])
    assert torch.equal(quarter, finish(checkpoint, batch, **options, anomaly_noise=0.2))
    batch = batch_of(checkpoint, [0.8], [1])
    assert not torch.equal(quarter, finish(checkpoint, batch, **options, anomaly_noise=None))


def test_the_checkpoint_says_whether_its_mask_channel_holds_coverage(checkpoint):
    info, options = checkpoint.info, {"num_inference_steps": 4}
    plain = finish(checkpoint, batch_of(checkpoint, [1.0], [1]), **options)
    batches = [batch_of(checkpoint, [1.0], [1]) for _ in range(3)]
    whole = torch.nn.functional.interpolate(batches[0].masks, size=(16, 16))
    for batch, coverages in zip(batches, (whole, 0.3 * whole, 0.3 * whole), strict=True):
        batch.coverages = coverages
    assert torch.equal(plain, finish(checkpoint, batches[2], **options))
    try:
        checkpoint.info = replace(info, mask_channel="coverage")
        assert torch.equal(plain, finish(checkpoint, batches[0], **options))
        assert not torch.equal(plain, finish(checkpoint, batches[1], **options))
    finally:
        checkpoint.info = info


def test_weaker_strength_stays_nearer_to_the_normal_latents(checkpoint):
    strengths = [0.0, 0.35, 0.7, 1.0]
    batch = batch_of(checkpoint, strengths, [5] * 4)
    normal = checkpoint.encode_image(batch.images)[0]
    latents = finish(
        checkpoint, batch, num_inference_steps=10, guidance_scale=1.5, guidance_scale_end=1.5, guidance_scale_out=1.5
    )
    distance = (latents - normal).abs().mean(dim=(1, 2, 3)).tolist()
    assert distance == sorted(distance) and distance[0] < distance[-1]


def test_first_step_spans_the_schedule():
    assert first_step(1.0, 20, 0.5) == 0
    starts = [first_step(s, 20, 0.5) for s in np.linspace(0, 1, 11)]
    assert starts == sorted(starts, reverse=True) and starts[0] == 10
    assert first_step(0.0, 1, 0.5) == 0


def test_can_be_stopped_at_any_step(checkpoint):
    calls = []
    original = checkpoint.predict
    checkpoint.predict = lambda *args: (calls.append(1), original(*args))[1]
    try:
        steps = sample(
            checkpoint, batch_of(checkpoint, [1.0], [0]), SamplerOptions(**PLAIN | {"num_inference_steps": 6})
        )
        assert [next(steps).step, next(steps).step] == [1, 2]
        steps.close()
    finally:
        checkpoint.predict = original
    assert len(calls) == 2


def test_perturbations_change_the_result_and_stop_step_limits_mgni(checkpoint):
    base = finish(checkpoint, batch_of(checkpoint, [1.0], [3]), num_inference_steps=6)
    for options in ({"text_noise_scale": 1.0}, {"anomaly_noise": 1.0}, {"eta_mask": 0.8}):
        changed = finish(checkpoint, batch_of(checkpoint, [1.0], [3]), num_inference_steps=6, **options)
        assert not torch.allclose(base, changed, atol=1e-3), options
    stopped = finish(
        checkpoint, batch_of(checkpoint, [1.0], [3]), num_inference_steps=6, anomaly_noise=1.0, anomaly_stop_step=0
    )
    assert torch.equal(base, stopped)
