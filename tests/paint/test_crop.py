import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magic_ui.paint.crop import CropBox, cell_coverage, crop_box, extract, paste_back, resize_image, whole_cells


@given(st.integers(64, 300), st.integers(64, 300), st.data())
def test_box_holds_the_mask_with_margin_and_comes_back(height, width, data):
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    box = crop_box(mask, 64)
    longer = max(bottom - top, right - left)
    assert box.size >= max(32, 1.5 * longer - 1) or box.size >= min(height, width)
    assert extract(mask, box).sum() == mask.sum()
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    square = extract(image, box)
    assert square.shape == (box.size, box.size, 3)
    values, where = paste_back(square, box, mask.shape)
    assert (values == image[where]).all()


def test_small_mask_gets_half_the_resolution():
    mask = np.zeros((1024, 1024), bool)
    mask[500:510, 3:9] = True
    assert crop_box(mask, 128) == CropBox(0, 473, 64)


def test_thin_scratch_survives_the_way_to_the_cells():
    mask = np.zeros((400, 400), bool)
    for i in range(300):
        mask[50 + i : 52 + i, 40 + i] = True
    coverage = cell_coverage(mask, 128, 4)
    assert 0 < coverage[coverage > 0].max() < 0.5
    cells = whole_cells(coverage, 4)
    assert cells.shape == (128, 128)
    assert (cells.reshape(32, 4, 32, 4).all(axis=(1, 3)) == cells.reshape(32, 4, 32, 4).any(axis=(1, 3))).all()
    assert cells[::4, ::4].diagonal(-1).sum() + cells[::4, ::4].diagonal().sum() >= 22


def test_one_pixel_is_one_cell():
    mask = np.zeros((512, 512), bool)
    mask[300, 200] = True
    assert (cell_coverage(mask, 64, 8) > 0).sum() == 1


@pytest.mark.parametrize("size", [40, 128, 300])
def test_resize_keeps_type_and_range(size, generator):
    square = generator.integers(0, 256, (size, size, 3), dtype=np.uint8)
    assert resize_image(square, 128).shape == (128, 128, 3) and resize_image(square, 128).dtype == np.uint8
