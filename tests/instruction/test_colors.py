import numpy as np
import pytest

from magic_ui import parse_instruction
from magic_ui.instruction.colors import TOO_BRIGHT, TOO_DARK, name_color


def drawn(text, brightness, draws=60):
    spec = parse_instruction(text)[0]
    return {name_color(spec, brightness, np.random.default_rng(i)).color for i in range(draws)}


def test_an_open_colour_is_drawn_and_both_tones_occur():
    assert drawn("a scratch on the head", 0.5) == {"silver", "black"}
    assert drawn("锈蚀", 0.5) == {"orange", "brown", "black"}


@pytest.mark.parametrize("text", ["a scratch", "wear", "异物", "a stain"])
def test_what_would_hardly_show_is_not_drawn(text):
    bright = {"silver", "white", "yellow"}
    assert drawn(text, TOO_DARK - 0.01) <= bright
    assert not drawn(text, TOO_BRIGHT + 0.01) & bright


def test_words_that_name_a_colour_keep_it_and_kinds_without_a_choice_get_none():
    assert drawn("a black scratch", 0.1) == {"black"}
    assert drawn("a crack", 0.5) == drawn("凹痕", 0.5) == {None}
