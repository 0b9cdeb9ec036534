"""One optimisation step on the full Stable Diffusion 2 inpainting configuration: does it fit, how long does it take."""

import resource
import time

import pytest
import torch

from magic_ui.data.readers import read_ds_mvtec
from magic_ui.training.finetune import FineTuning, fine_tune
from magic_ui.training.real import load_defects
from tests.full_size import millions_of_parameters, stable_diffusion_2
from tests.tiny import save_tiny_dataset


@pytest.mark.slow
@pytest.mark.parametrize("rank", [8, 0], ids=["lora", "whole-unet"])
def test_one_step_of_stable_diffusion_2(tmp_path, capsys, rank):
    checkpoint = stable_diffusion_2(tmp_path)
    assert millions_of_parameters(checkpoint.unet) == 866
    defects = load_defects(read_ds_mvtec(save_tiny_dataset(tmp_path / "data", side=600)), 512)
    name, before = next((n, p.detach().clone()) for n, p in checkpoint.unet.named_parameters() if "attn1.to_q" in n)
    settings = FineTuning(
        steps=1, batch_size=1, learning_rate=1e-4, warmup=0, lora_rank=rank, ema_decay=0, sample_every=0,
        gradient_checkpointing=True, mixed_precision="bf16",
    )  # fmt: skip
    started = time.perf_counter()
    trained = fine_tune(checkpoint, defects, settings, tmp_path / "state.pt")
    seconds, peak = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with capsys.disabled():
        what = f"LoRA of rank {rank}" if rank else "the whole UNet"
        print(
            f"\nStable Diffusion 2 inpainting, one training step of {what}, batch 1, 512 px, bfloat16, gradient "
            f"checkpointing: {seconds:.0f} s with the state's saving, peak memory of the process {peak:.1f} GB"
        )
    after = dict(trained.unet.named_parameters())[name]
    assert 0 < trained.losses[0] < 10
    assert torch.isfinite(after).all() and not torch.equal(after, before)
