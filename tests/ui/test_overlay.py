import cv2
import numpy as np
import pytest

from magic_ui.ui import overlay


def square(shape, x0, y0, x1, y1):
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_shrinking_keeps_small_pictures_and_bounds_large_ones(picture):
    assert overlay.shrink(picture) is picture
    assert max(overlay.shrink(np.zeros((3000, 500, 3), np.uint8), 1024).shape) == 1024


def test_a_thin_line_survives_shrinking():
    mask = square((4000, 4000), 0, 2000, 4000, 2001)
    assert overlay.shrink_mask(mask, (512, 512)).any(axis=0).all()


@pytest.mark.parametrize("box", [(0, 0, 4, 4), (90, 60, 128, 96), (50, 40, 51, 41), (0, 0, 128, 96)])
def test_close_up_holds_the_mask_inside_the_picture(box):
    mask = square((96, 128), *box)
    x0, y0, x1, y1 = overlay.close_up_box(mask, least=32)
    assert 0 <= x0 < x1 <= 128 and 0 <= y0 < y1 <= 96
    if box[2] - box[0] <= 96:
        assert overlay.crop(mask, (x0, y0, x1, y1)).sum() == mask.sum()


def test_an_empty_mask_shows_the_whole_picture():
    assert overlay.close_up_box(np.zeros((96, 128), bool)) == (0, 0, 128, 96)


@pytest.mark.parametrize("close_up", [False, True])
def test_overlay_marks_the_mask_and_leaves_the_input_alone(picture, close_up):
    before = picture.copy()
    foreground, region = square((96, 128), 20, 10, 110, 90), square((96, 128), 20, 10, 110, 40)
    mask = square((96, 128), 50, 20, 60, 26)
    drawn = overlay.plan_overlay(picture, foreground=foreground, region=region, mask=mask, close_up=close_up)
    assert np.array_equal(picture, before)
    assert drawn.dtype == np.uint8 and drawn.shape[2] == 3
    if not close_up:
        assert drawn.shape == picture.shape
        changed = (drawn != picture).any(axis=2)
        assert changed[mask].all() and not changed[95, 127]


def test_overlay_dashes_where_the_mask_lay_before(picture):
    mask, before = np.zeros(picture.shape[:2], bool), np.zeros(picture.shape[:2], bool)
    mask[20:40, 20:40] = before[60:90, 20:60] = True
    plain, dashed = (
        overlay.plan_overlay(picture, foreground=mask, region=mask, mask=mask, before=b) for b in (None, before)
    )
    changed = (plain != dashed).any(axis=2)
    edge = cv2.morphologyEx(before.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((9, 9), np.uint8)) > 0
    assert changed.any() and not (changed & ~edge).any()


def test_strokes_become_a_mask_of_the_original_size():
    first, second = (np.zeros((50, 100, 4), np.uint8) for _ in range(2))
    first[10, 20], second[30, 40] = (*overlay.BRUSHES["mask"], 200), (*overlay.BRUSHES["mask"], 1)
    mask = overlay.read_strokes([first, None, second], (100, 200)).mask
    assert mask.shape == (100, 200) and mask.sum() == 8
    assert mask[20:22, 40:42].all() and mask[60:62, 80:82].all()


@pytest.mark.parametrize("layers", [[], [None]])
def test_no_strokes_give_an_empty_mask(layers):
    strokes = overlay.read_strokes(layers, (10, 12))
    assert not (strokes.mask | strokes.keep | strokes.drop).any()


def test_the_brushs_color_says_what_it_means():
    layer = np.zeros((20, 30, 4), np.uint8)
    for index, color in enumerate(overlay.BRUSHES.values()):
        layer[5:10, 10 * index : 10 * index + 5] = (*color, 190)
    strokes = overlay.read_strokes([layer], (40, 60))
    for index, mask in enumerate((strokes.mask, strokes.keep, strokes.drop)):
        assert mask.sum() == 100 and mask[10:20, 20 * index : 20 * index + 10].all()


def test_mask_picture_is_black_and_white():
    shown = overlay.mask_picture(square((96, 128), 5, 5, 9, 9))
    assert set(np.unique(shown)) == {0, 255} and shown.shape[2] == 3
