import math

import pytest

from magic_ui.errors import InputError
from magic_ui.ui.settings import RANGES, WHOLE, PaintSettings, check_number, check_strengths

NO_NUMBERS = [math.nan, math.inf, -math.inf, "abc", "1", None, True, [], {}, 1e309]
OPTIONAL = {"num_inference_steps", "anomaly_stop_step", "guidance_scale"}


@pytest.mark.parametrize("field", [*PaintSettings.__dataclass_fields__])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_what_is_no_number_is_refused_in_every_field(field, value):
    if value is None and field in OPTIONAL:
        assert getattr(PaintSettings.checked(**{field: None}), field) is None
        return
    with pytest.raises(InputError) as caught:
        PaintSettings.checked(**{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize("field", sorted(RANGES))
def test_ranges_hold_their_ends_and_nothing_beyond(field):
    low, high = RANGES[field]
    assert check_number(field, low) == low and check_number(field, high) == high
    for value in (low - 1, high + 1):
        with pytest.raises(InputError):
            check_number(field, value)


@pytest.mark.parametrize("field", sorted(WHOLE))
def test_fractions_are_refused_where_whole_numbers_are_due(field):
    with pytest.raises(InputError):
        check_number(field, 2.5)
    assert isinstance(check_number(field, 2.0), int)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5])
def test_seeds_have_32_bits(seed):
    with pytest.raises(InputError):
        PaintSettings.checked(seed=seed)


def test_noise_cannot_stop_after_the_last_step():
    with pytest.raises(InputError, match="anomaly_stop_step"):
        PaintSettings.checked(num_inference_steps=10, anomaly_stop_step=11)


@pytest.mark.parametrize("values", [None, [], "0.5", [0.5, math.nan], [2.0], ["a"], [0.1] * 9])
def test_bad_strengths_are_refused(values):
    with pytest.raises(InputError, match="strengths"):
        check_strengths(values)


def test_strengths_are_sorted_and_unique():
    assert check_strengths([1, 0.4, 0.4, 0.1]) == [0.1, 0.4, 1.0]
