import time
import unicodedata
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magic_ui.checks import require_choice, require_number, require_seed, require_text
from magic_ui.errors import InputError
from tests.ids import stable_id

NOT_NUMBERS = [
    None,
    "abc",
    "1",
    "",
    b"1",
    True,
    False,
    [1],
    {},
    1j,
    np.bool_(True),
    np.array([1.0]),
    object(),
]
NOT_FINITE = [float("nan"), float("inf"), float("-inf"), float("1e309"), np.float32("nan"), np.float64("inf")]


@pytest.mark.parametrize(
    "value",
    NOT_NUMBERS + NOT_FINITE + [-0.01, 1.01, 10**400, -(10**400)],
    ids=stable_id,
)
def test_number_refused(value):
    with pytest.raises(InputError) as caught:
        require_number("strength", value, 0, 1)
    assert caught.value.field == "strength"
    assert "from 0 to 1" in caught.value.message


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.float16(0.25), np.int64(1), Fraction(1, 2)])
def test_number_accepted_as_float(value):
    number = require_number("strength", value, 0, 1)
    assert type(number) is float
    assert number == float(value)


@pytest.mark.parametrize("value", [20, 20.0, np.uint8(20), np.float32(20)])
def test_integer_accepted(value):
    steps = require_number("num_inference_steps", value, 1, 100, integer=True)
    assert type(steps) is int
    assert steps == 20


@pytest.mark.parametrize("value", [7.5, np.float32(7.5), 0, 101, "7", True, None, float("nan")])
def test_integer_refused(value):
    with pytest.raises(InputError):
        require_number("num_inference_steps", value, 1, 100, integer=True)


@pytest.mark.parametrize("value", [0, 1, 2**32 - 1, np.uint32(2**32 - 1), 5.0])
def test_seed_accepted(value):
    assert require_seed(value) == int(value)


@pytest.mark.parametrize("value", [-1, 2**32, 0.5, None, "0", True, float("inf")])
def test_seed_refused(value):
    with pytest.raises(InputError, match=r"^seed: .*0 to 4294967295"):
        require_seed(value)


def test_text_is_composed_and_trimmed():
    assert require_text("instruction", "  cafe\u0301\n划痕\t ") == "caf\u00e9 划痕"


@pytest.mark.parametrize("value", ["", "   ", "\x00\x07\n", "\u200b\ufeff\u202e"], ids=ascii)
def test_empty_text(value):
    with pytest.raises(InputError, match="empty"):
        require_text("instruction", value)
    assert require_text("negative_prompt", value, allow_empty=True) == ""


@pytest.mark.parametrize(
    "value",
    [None, 3, b"scratch", ["scratch"], float("nan")],
    ids=stable_id,
)
def test_not_text(value):
    with pytest.raises(InputError, match="not text"):
        require_text("instruction", value)


@pytest.mark.parametrize("value", ["a\ud800", "\udfffb", "\ud83d scratch"], ids=ascii)
def test_lone_surrogates(value):
    with pytest.raises(InputError, match="surrogate"):
        require_text("instruction", value)


def test_control_characters_separate_words_and_formatting_vanishes():
    assert require_text("instruction", "thin\x00scratch \u202e<b>\u202c on\u200b the\x1bhead") == (
        "thin scratch <b> on the head"
    )


def test_emoji_right_to_left_and_stacked_marks_are_text():
    for text in (
        "划痕 👩‍🔧",
        "خدش على الرأس",
        "z\u0335\u0321\u0353a\u0334\u0316",
        "<script>alert(1)</script>",
    ):
        assert require_text("instruction", text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("length", [1001, 100_000, 5_000_000])
def test_long_text_is_refused_fast(length):
    started = time.process_time()
    with pytest.raises(InputError, match="at most 1000"):
        require_text("instruction", "划" * length)
    assert time.process_time() - started < 0.1


def test_limit_holds_after_composition():
    with pytest.raises(InputError, match="at most 10"):
        require_text("instruction", "\ufb2c" * 10, 10)  # one character that composes to three


@given(st.text(st.characters(exclude_categories=()), max_size=1200))
def test_any_text_is_clean_or_refused(text):
    try:
        clean = require_text("instruction", text)
    except InputError:
        return
    assert 0 < len(clean) <= 1000
    assert clean == unicodedata.normalize("NFC", clean).strip()
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in clean)


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans(), st.binary()))
def test_any_value_is_in_range_or_refused(value):
    try:
        number = require_number("strength", value, 0, 1)
    except InputError as error:
        assert len(str(error)) < 200
        return
    assert 0 <= number <= 1


def test_choice():
    assert require_choice("mask_shape", "region", ("defect", "region")) == "region"
    for value in ("regions", "", None, 1, ["region"], np.array(["region"])):
        with pytest.raises(InputError, match=r"^mask_shape: .*choose one of: defect, region\.$"):
            require_choice("mask_shape", value, ("defect", "region"))


def test_choice_does_not_take_true_for_one():
    with pytest.raises(InputError):
        require_choice("count", True, (1, 2))


@pytest.mark.parametrize("value", ["/etc/passwd", "C:\\Windows", "../" * 50])
def test_messages_do_not_echo_paths(value):
    for check in (
        lambda: require_number("strength", value, 0, 1),
        lambda: require_choice("mask_shape", value, ("defect",)),
    ):
        with pytest.raises(InputError) as caught:
            check()
        assert value not in str(caught.value)
