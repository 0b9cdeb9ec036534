"""Masks lent from a folder."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from magic_ui import InputError
from magic_ui.localize.library import draw_from_library, list_masks


@pytest.fixture
def folder(tmp_path):
    """Masks 0–3 of a scratch and a dent, each with as many white columns as its number says; 0 is empty."""
    for name in ("scratch_head", "dent"):
        (tmp_path / name).mkdir()
        for number in range(4):
            pixels = np.zeros((20, 30), np.uint8)
            pixels[:, :number] = 255
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_a_folder_of_the_defects_name_is_preferred(folder):
    assert [p.parent.name for p in list_masks(folder, "scratch")] == ["scratch_head"] * 4
    assert len(list_masks(folder, "corrosion")) == len(list_masks(folder)) == 8


def test_the_seed_draws_a_mask_and_empty_ones_are_passed_over(folder):
    widths = [int(draw_from_library(folder, "dent", seed)[0].sum()) for seed in range(30)]
    assert set(widths) == {1, 2, 3}
    assert widths == [int(draw_from_library(folder, "dent", seed)[0].sum()) for seed in range(30)]


def test_what_is_no_library_is_said(folder, tmp_path):
    with pytest.raises(InputError, match="no folder"):
        draw_from_library(tmp_path / "nowhere", None, 0)
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="0 pictures"):
        draw_from_library(tmp_path / "bare", None, 0)
    (tmp_path / "bare" / "0.png").write_bytes((folder / "dent" / "0.png").read_bytes())
    with pytest.raises(InputError, match="are empty"):
        draw_from_library(tmp_path / "bare", None, 0)
    (tmp_path / "bare" / "1.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"1\.png"):
        draw_from_library(tmp_path / "bare", None, 0)
