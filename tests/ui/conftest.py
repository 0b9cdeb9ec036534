"""The page over a studio without a model."""

import cv2
import numpy as np
import pytest

from magic_ui.images import encode_png
from magic_ui.ui.page import build_page
from tests.ui.stand_in import StandInStudio


@pytest.fixture(scope="session")
def part_picture() -> np.ndarray:
    """A dark bar on a light ground, uint8 [160, 200, 3]."""
    picture = np.full((160, 200, 3), 205, np.uint8)
    cv2.rectangle(picture, (60, 20), (110, 140), (70, 72, 75), -1)
    return picture


@pytest.fixture(scope="session")
def examples_folder(tmp_path_factory, part_picture):
    """Two examples, one of them without its file."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "bar.png").write_bytes(encode_png(part_picture))
    (folder / "examples.toml").write_text(
        "\n".join(
            f'[[example]]\nfile = "{file}"\ncategory = "screw"\nname_en = "Bar"\nname_zh = "铁棒"\n'
            'instructions_en = ["a thin scratch at the top"]\ninstructions_zh = ["顶部一处细划痕"]\n'
            for file in ("bar.png", "missing.png")
        ),
        encoding="utf-8",
    )
    return folder


@pytest.fixture
def studio() -> StandInStudio:
    return StandInStudio()


@pytest.fixture
def page(studio, examples_folder):
    return build_page(studio, examples_folder=examples_folder)
