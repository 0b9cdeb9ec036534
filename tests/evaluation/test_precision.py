import numpy as np
import pytest

from magic_ui.evaluation.precision import average_precision, box_average_precision, box_iou, boxes_of, roc_auc


def test_average_precision_of_hand_computed_rankings():
    assert average_precision(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, 1, 0])) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.ones(10), np.arange(10) < 3) == pytest.approx(0.3)  # all alike: the share of true ones
    assert np.isnan(average_precision(np.ones(3), np.zeros(3)))


def test_average_precision_is_the_area_under_the_steps(generator):
    scores, truth = generator.integers(0, 20, 300) / 20, generator.random(300) < 0.3
    area, recall = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:  # the definition, threshold by threshold
        chosen = scores >= threshold
        now = truth[chosen].sum() / truth.sum()
        area += (now - recall) * truth[chosen].mean()
        recall = now
    assert average_precision(scores, truth) == pytest.approx(area)


def test_roc_auc_counts_ties_half():
    assert roc_auc([3, 2, 1], [True, False, False]) == 1
    assert roc_auc([1, 1], [True, False]) == 0.5
    assert roc_auc([1, 2, 3, 4], [True, False, True, False]) == pytest.approx(0.25)
    assert np.isnan(roc_auc([1, 2], [True, True]))


def test_boxes():
    mask = np.zeros((20, 20), bool)
    mask[2:6, 3:9] = mask[12:15, 12:18] = mask[19, 19] = True
    assert boxes_of(mask) == [(3, 2, 9, 6), (12, 12, 18, 15)]  # the last one is a speck
    assert box_iou((0, 0, 4, 4), (2, 0, 6, 4)) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 2, 2), (2, 2, 4, 4)) == 0


def test_average_precision_of_boxes():
    truth = np.zeros((32, 32), bool)
    truth[4:12, 4:12] = truth[20:28, 20:28] = True
    right = np.where(truth, 0.9, 0.0)
    assert box_average_precision([right], [truth]) == 1
    half = right.copy()
    half[20:28, 20:28] = 0
    assert box_average_precision([half], [truth]) == 0.5
    wrong_first = half.copy()
    wrong_first[20:26, 2:8] = 1.0  # scored above the right one
    assert box_average_precision([wrong_first], [truth]) == pytest.approx(0.25)
    assert box_average_precision([np.zeros((32, 32))], [truth]) == 0
    assert np.isnan(box_average_precision([right], [np.zeros((32, 32), bool)]))
