from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tiny import save_tiny_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> str:
    return str(save_tiny_checkpoint(tmp_path_factory.mktemp("tiny"), conditioning="normal"))


def save_parts(folder: Path, count: int = 2) -> list[str]:
    """Dark plates on a light ground, 96 px."""
    names = []
    for number in range(count):
        pixels = np.full((96, 96, 3), 210.0)
        pixels[20:76, 16:80] = 100 + 10 * number
        pixels += np.random.default_rng(number).normal(0, 3, pixels.shape)
        names.append(f"plate_{number}.png")
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / names[-1])
    return names


@pytest.fixture
def table(tmp_path) -> Path:
    """Five pictures of two parts."""
    parts = save_parts(tmp_path)
    rows = ["image,instruction,category,count", f"{parts[0]},a scratch,plate,2", f"{parts[1]},a dent,plate,2"]
    (tmp_path / "jobs.csv").write_text(
        "\n".join([*rows, f"{parts[1]},左侧的一处划痕,plate,1"]) + "\n", encoding="utf-8"
    )
    return tmp_path / "jobs.csv"
