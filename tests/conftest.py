"""Shared fixtures: a part to look at, and a browser to look with."""

import os
import shutil

# Before any numeric library starts its threads: the workers share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import numpy as np
import pytest
from hypothesis import settings

# Shared cores make single examples slow now and then; the number of examples bounds the time.
settings.register_profile("shared_cores", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("shared_cores")


@pytest.fixture
def generator() -> np.random.Generator:
    """A NumPy generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A shaded, slightly noisy picture, uint8 [96, 128, 3]."""
    rows, columns = np.mgrid[0:96, 0:128]
    shades = np.stack([columns * 2, rows * 2, 255 - rows - columns], axis=2)
    noise = np.random.default_rng(1).integers(0, 8, shades.shape)
    return np.clip(shades + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium; the test is skipped without one."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium installed")
