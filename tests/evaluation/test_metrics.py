import numpy as np
import pytest
import torch

from magic_ui.evaluation.kid import (
    distance_between,
    distance_within_groups,
    kernel_distance,
    polynomial_kernel,
    squared_mmd,
)
from magic_ui.evaluation.lpips import distances, intra_cluster_lpips, mean_over_groups, mean_pairwise
from magic_ui.evaluation.ordering import is_ordered, share_ordered, stroke_width
from magic_ui.evaluation.seam import border_gradient, pixels_changed_outside, seam_ratio
from magic_ui.evaluation.table import Row, print_table, share_row, wilson_interval


def test_polynomial_kernel_is_the_published_one():
    x, y = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    assert polynomial_kernel(x, y).item() == pytest.approx((1 / 2 + 1) ** 3)


def test_squared_mmd_of_two_pairs_by_hand():
    x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    by_hand = 1.0 + (2 * 3 + 1) ** 3 - 2 * np.mean([1, 1, 3**3, 4**3])
    assert squared_mmd(x, y) == pytest.approx(by_hand)


def test_kid_is_near_zero_for_one_distribution_and_grows_with_the_shift(generator):
    x, y = generator.normal(size=(2, 400, 8))
    values = [kernel_distance(x, y + shift, subset_size=200)[0] for shift in (0.0, 0.3, 0.6, 1.2)]
    assert abs(values[0]) < 0.05
    assert values == sorted(values)
    assert values[3] > 1


def test_kid_is_unbiased_where_pictures_share_their_scenes(generator):
    """x_i and y_i are nearly the same picture: comparing them would make the distance negative."""
    scenes = np.repeat(np.arange(30), 2)
    background = generator.normal(size=(30, 4))[scenes]
    x, y = background + 0.1 * generator.normal(size=(2, 60, 4))
    labelled, naive = squared_mmd(x, y, scenes, scenes), squared_mmd(x, y)
    assert abs(labelled) < 0.05
    assert abs(labelled) < abs(naive)


def test_swapped_kinds_are_far_within_kinds_though_the_whole_sets_are_alike(generator):
    kinds, scenes = np.repeat([0, 1], 60), np.arange(120)
    x = generator.normal(size=(120, 6)) + 1.5 * kinds[:, None]
    same = generator.normal(size=(120, 6)) + 1.5 * kinds[:, None]
    swapped = generator.normal(size=(120, 6)) + 1.5 * (1 - kinds[:, None])
    near, error = distance_within_groups(same, x, kinds, scenes)
    far, _ = distance_within_groups(swapped, x, kinds, scenes)
    assert abs(near) < 3 * error and far > 20 * error
    assert abs(kernel_distance(swapped, x)[0]) < far / 5


def test_kid_within_one_group_is_the_plain_one_and_its_error_a_jackknife(generator):
    x, y, scenes = *generator.normal(size=(2, 12, 3)), np.arange(12)
    value, error = distance_within_groups(x, y, np.zeros(12), scenes, parts=12)
    assert value == pytest.approx(squared_mmd(x, y, scenes, scenes))
    left_out = [squared_mmd(*(np.delete(v, i, axis=0) for v in (x, y, scenes, scenes))) for i in range(12)]
    assert error == pytest.approx(np.sqrt(11 / 12 * np.sum((left_out - np.mean(left_out)) ** 2)))


def test_two_kids_to_the_same_few_pictures_are_told_apart_where_each_alone_is_uncertain(generator):
    truth = generator.normal(size=(16, 6))
    far = generator.normal(size=(80, 6)) + 1.5
    near = far - 0.3
    rows, columns = np.arange(80), 100 + np.arange(16)
    value, error = distance_between(near, far, truth, rows, columns)
    assert value == pytest.approx(squared_mmd(far, truth, rows, columns) - squared_mmd(near, truth, rows, columns))
    assert value > 3 * error
    assert distance_between(far, near, truth, rows, columns) == pytest.approx((-value, error))
    assert distance_between(far, far, truth, rows, columns) == (0, 0)


def test_the_error_of_a_difference_of_kids_is_its_spread_over_other_pictures(generator):
    draws = []
    for _ in range(60):
        truth, noise = generator.normal(size=(16, 4)), generator.normal(size=(40, 4))
        draws.append(distance_between(noise + 0.8, noise + 1, truth, np.arange(40), 100 + np.arange(16)))
    spread, errors = np.std([d[0] for d in draws]), [d[1] for d in draws]
    assert 0.7 < np.mean(errors) / spread < 1.5


def test_kid_is_deterministic_by_seed(generator):
    x, y = generator.normal(size=(2, 60, 4))
    assert kernel_distance(x, y, seed=3) == kernel_distance(x, y, seed=3)
    assert kernel_distance(x, y, seed=3) != kernel_distance(x, y, seed=4)


def test_distances_are_squared_euclidean():
    a, b = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[3.0, 4.0]])
    assert distances(a, b).flatten().tolist() == pytest.approx([25.0, 13.0])


def test_intra_cluster_lpips_by_hand():
    """Two clusters: pairs 1 and 4 apart (squared); a third of one picture says nothing."""
    vectors = torch.tensor([[0.0], [1.0], [10.0], [12.0], [100.0]])
    value, clusters = intra_cluster_lpips(vectors, torch.tensor([[0.0], [11.0], [99.0]]))
    assert (value, clusters) == (pytest.approx(2.5), 2)
    assert np.isnan(intra_cluster_lpips(vectors[:1], torch.zeros(1, 1))[0])


def test_mean_pairwise_and_groups():
    vectors = torch.tensor([[0.0], [1.0], [5.0], [5.0]])
    assert mean_pairwise(vectors[:3]) == pytest.approx((1 + 25 + 16) / 3)
    assert mean_over_groups(vectors, [0, 0, 1, 1]) == pytest.approx(0.5)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7, 12])
def test_stroke_width_of_straight_lines(width):
    mask = np.zeros((60, 80), bool)
    mask[20 : 20 + width, 10:70] = True
    assert stroke_width(mask) == pytest.approx(width, abs=0.5)


def test_stroke_width_of_nothing_is_zero():
    assert stroke_width(np.zeros((8, 8), bool)) == 0


def test_ordering():
    assert is_ordered([1, 2, 3]) and not is_ordered([1, 3, 2]) and not is_ordered([1, 1, 2])
    assert share_ordered([[1, 2, 3], [3, 2, 1]]) == 0.5


def half(side=40):
    mask = np.zeros((side, side), bool)
    mask[:, side // 2 :] = True
    return mask


def ramp(step=0, slope=2, side=40):
    rows = np.tile(np.arange(side) * slope, (side, 1)) + step * half(side)
    return np.repeat(rows[..., None], 3, axis=2).astype(np.uint8)


def test_seam_of_a_known_step():
    """Across the border the ramp climbs slope + step; beside it half of the neighbours differ by the slope."""
    plain, stepped = border_gradient(ramp(), half()), border_gradient(ramp(step=20), half())
    assert plain.across == pytest.approx(2) and stepped.across == pytest.approx(22)
    assert plain.beside == stepped.beside
    assert stepped.ratio == pytest.approx(11 * plain.ratio)


def test_seam_of_noise_is_one(generator):
    image = generator.integers(0, 255, (80, 80, 3), dtype=np.uint8)
    mask = np.zeros((80, 80), bool)
    mask[20:60, 25:55] = True
    assert seam_ratio([border_gradient(image, mask)]) == pytest.approx(1, abs=0.1)


def test_pixels_changed_outside_counts_pixels_not_channels():
    before, mask = ramp(), half()
    after = before.copy()
    after[0, 0] += 1
    after[0, 39] += 1
    assert pixels_changed_outside(before, after, mask) == 1


def test_rows_know_whether_their_bar_is_reached():
    assert Row("a", 0.9, 0.85).reached and not Row("a", 0.9, 0.85, at_least=False).reached
    assert Row("a", float("nan"), 0.5).reached is None and Row("a", float("nan"), 0.5).to_dict()["value"] is None
    assert share_row("a", 0, 0, 0.5).reached is None
    assert "MISSED" in print_table([Row("seam", 1.5, 1.3, at_least=False)])


def test_wilson_interval_holds_the_share():
    low, high = wilson_interval(9, 10)
    assert (low, high) == (pytest.approx(0.5958, abs=1e-3), pytest.approx(0.9821, abs=1e-3))
