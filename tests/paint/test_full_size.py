"""The full Stable Diffusion 2 inpainting configuration with random weights: does it fit, and how long does it take."""

import resource
import time

import numpy as np
import pytest

from magic_ui import DefectStudio
from tests.full_size import millions_of_parameters, stable_diffusion_2


@pytest.mark.slow
def test_stable_diffusion_2_inpainting_at_512_px(tmp_path, capsys):
    checkpoint = stable_diffusion_2(tmp_path)
    parameters = millions_of_parameters(checkpoint.unet)
    assert parameters == 866
    studio = DefectStudio(checkpoint)
    image = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    mask = np.zeros((1024, 1024), bool)
    mask[300:420, 400:600] = True
    plan = studio.plan(image, "a scratch on the head", mask_source=mask)
    started = time.perf_counter()
    result = studio.generate(plan, num_inference_steps=2)[0]
    seconds, peak = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with capsys.disabled():
        print(
            f"\nStable Diffusion 2 inpainting, {parameters}M parameters in the UNet, 512 px, 2 steps: "
            f"{seconds:.1f} s, peak memory {peak:.1f} GB"
        )
    after = np.asarray(result.image)
    assert (after[~mask] == image[~mask]).all() and (after[mask] != image[mask]).any()
