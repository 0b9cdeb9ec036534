import itertools
import math

import pytest
import torch

from magic_ui.paint.perturbation import (
    critical_eta,
    gaussian_prompt_perturbation,
    inside_guidance_scale,
    mask_guided_noise,
    masked_ddim_step,
    posterior_variance,
    predict_x0_and_epsilon,
    random_submask,
    spatially_adaptive_guidance,
)


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_gpp_adds_sigma_times_normal_noise_to_words_only():
    embeds, attention = torch.zeros(2, 300, 64), torch.ones(2, 300)
    attention[:, 200:] = 0
    noised = gaussian_prompt_perturbation(embeds, attention, 0.7, generators(1, 2))
    assert torch.equal(noised[:, 200:], embeds[:, 200:])
    assert noised[:, :200].std().item() == pytest.approx(0.7, rel=0.02)
    assert abs(noised[:, :200].mean().item()) < 0.02
    assert not torch.equal(noised[0], noised[1])


def test_gpp_of_a_sample_does_not_depend_on_its_neighbours():
    embeds, attention = torch.zeros(2, 5, 8), torch.ones(2, 5)
    pair = gaussian_prompt_perturbation(embeds, attention, 1.0, generators(1, 2))
    alone = gaussian_prompt_perturbation(embeds[1:], attention[1:], 1.0, generators(2))
    assert torch.equal(pair[1:], alone)


def test_gpp_without_noise_draws_nothing():
    (generator,) = generators(3)
    before = generator.get_state()
    embeds = torch.randn(1, 4, 4)
    assert gaussian_prompt_perturbation(embeds, torch.ones(1, 4), 0.0, [generator]) is embeds
    assert torch.equal(generator.get_state(), before)


def test_posterior_variance_is_that_of_diffusers():
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(clip_sample=False)
    scheduler.set_timesteps(20)
    for t in scheduler.timesteps[:-1].tolist():
        ours = posterior_variance(scheduler.alphas_cumprod[t], scheduler.alphas_cumprod[t - 50])
        assert ours.item() == pytest.approx(scheduler._get_variance(t, t - 50).item(), rel=1e-6)


def test_mgni_follows_its_formula():
    latents, mask = torch.randn(2, 4, 64, 64), torch.zeros(2, 1, 64, 64)
    mask[..., 16:48, 16:48] = 1
    beta_tilde, anomaly_noise = torch.tensor(0.09), torch.tensor([0.25, 1.0])
    change = mask_guided_noise(latents, mask, beta_tilde, anomaly_noise, generators(1, 2)) - latents
    assert not change[:, :, :16].any()
    for b in range(2):
        expected = math.sqrt(0.09) * math.sqrt(anomaly_noise[b])
        assert change[b, :, 16:48, 16:48].std().item() == pytest.approx(expected, rel=0.05)


def test_random_submask_stays_inside_and_is_never_empty():
    mask = torch.zeros(40, 1, 32, 32)
    mask[:, :, 5:20, 8:30] = 1
    subs = random_submask(mask, generators(*range(40)))
    assert ((subs > 0) <= (mask > 0)).all()
    sizes = subs.sum(dim=(1, 2, 3))
    assert (sizes > 0).all() and sizes.unique().numel() > 20 and sizes.min() < 0.5 * mask[0].sum()


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_step_equals_diffusers_with_the_same_eta_everywhere(eta):
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(clip_sample=False, beta_schedule="scaled_linear")
    scheduler.set_timesteps(10)
    latents, output, noise_seed = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8), 11
    t = scheduler.timesteps[3].item()
    theirs = scheduler.step(output, t, latents, eta=eta, generator=generators(noise_seed)[0]).prev_sample
    alpha_bar, alpha_bar_prev = scheduler.alphas_cumprod[t], scheduler.alphas_cumprod[t - 100]
    x0, epsilon = predict_x0_and_epsilon(output, latents, alpha_bar, "epsilon")
    ours = masked_ddim_step(
        x0, epsilon, torch.ones(1, 1, 8, 8), alpha_bar, alpha_bar_prev, eta, None, generators(noise_seed)
    )
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_eta_mask_keeps_the_variance_inside_and_stays_below_the_critical_value():
    alpha_bar, alpha_bar_prev = torch.tensor(0.3), torch.tensor(0.5)
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., 64:] = 1
    x0, epsilon = torch.zeros(1, 4, 128, 128), torch.randn(1, 4, 128, 128, generator=generators(5)[0])
    for eta_mask in (0.5, 1e6):
        moved = masked_ddim_step(x0, epsilon, mask, alpha_bar, alpha_bar_prev, 0.0, eta_mask, generators(1))
        assert torch.isfinite(moved).all()
        assert torch.allclose(moved[..., :64], (1 - alpha_bar_prev).sqrt() * epsilon[..., :64])
        assert moved[..., 64:].var().item() == pytest.approx(1 - alpha_bar_prev.item(), rel=0.05)
    beta_tilde = posterior_variance(alpha_bar, alpha_bar_prev)
    assert (1 - alpha_bar_prev - critical_eta(alpha_bar_prev, beta_tilde) ** 2 * beta_tilde).item() == pytest.approx(
        0, abs=1e-6
    )


@pytest.mark.parametrize("schedule", ["linear", "cosine", "polynomial", "exponential"])
def test_inside_guidance_falls_from_start_to_end(schedule):
    values = [inside_guidance_scale(i / 20, 7.5, 4.0, schedule) for i in range(21)]
    assert values[0] == pytest.approx(7.5) and values[-1] == pytest.approx(4.0)
    assert all(a > b for a, b in itertools.pairwise(values))


def test_inside_guidance_constant_and_unknown():
    assert inside_guidance_scale(0.7, 7.5, 4.0, "constant") == 7.5
    with pytest.raises(ValueError, match="guidance_schedule"):
        inside_guidance_scale(0.7, 7.5, 4.0, "steep")


def test_guidance_rescale_keeps_the_conditional_spread_inside_and_leaves_the_outside():
    torch.manual_seed(0)
    uncond, text, mask = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.zeros(2, 1, 8, 8)
    mask[..., :3] = 1
    scales = torch.tensor([6.0, 9.0])
    plain = spatially_adaptive_guidance(uncond, text, mask, 7.5, scales)
    full, half = (spatially_adaptive_guidance(uncond, text, mask, 7.5, scales, rescale=r) for r in (1.0, 0.5))
    assert torch.equal(full[..., 3:], plain[..., 3:])
    for i in range(2):
        spread = text[i, :, :, :3].std(correction=0)
        assert plain[i, :, :, :3].std(correction=0) > 2 * spread
        assert full[i, :, :, :3].std(correction=0) == pytest.approx(spread.item(), rel=1e-4)
    assert torch.allclose(half, (plain + full) / 2, atol=1e-5)


def test_spatially_adaptive_guidance_weights_inside_and_outside():
    uncond, text, mask = torch.ones(2, 4, 4, 4), torch.full((2, 4, 4, 4), 3.0), torch.zeros(2, 1, 4, 4)
    mask[..., :2] = 1
    guided = spatially_adaptive_guidance(uncond, text, mask, 7.5, torch.tensor([2.0, 4.0]))
    assert (guided[..., 2:] == 1 + 7.5 * 2).all()
    assert (guided[0, :, :, :2] == 1 + 2.0 * 2).all() and (guided[1, :, :, :2] == 1 + 4.0 * 2).all()
