from pathlib import Path

import pytest

from magic_ui import InputError
from magic_ui.data.readers import Sample
from magic_ui.data.splits import split_by_name


def samples(defect, count):
    return [Sample("screw", defect, f"{n:03d}", None, Path(f"{n:03d}.png")) for n in range(count)]


@pytest.mark.parametrize(("count", "share", "training"), [(24, 1 / 3, 8), (23, 1 / 3, 7), (16, 0.5, 8), (2, 0.1, 1)])
def test_the_first_by_name_train(count, share, training):
    chosen, rest = split_by_name(samples("scratch", count)[::-1], share)
    assert [s.stem for s in chosen] == [f"{n:03d}" for n in range(training)]
    assert [s.stem for s in rest] == [f"{n:03d}" for n in range(training, count)]


def test_every_defect_is_split_for_itself_and_normal_pictures_are_in_neither():
    chosen, rest = split_by_name(samples("a", 3) + samples("b", 6) + samples("good", 9))
    assert [(s.defect, s.stem) for s in chosen] == [("a", "000"), ("b", "000"), ("b", "001")]
    assert len(rest) == 6 and all(s.defect != "good" for s in rest)


def test_all_may_train():
    chosen, rest = split_by_name(samples("a", 5), 1)
    assert len(chosen) == 5 and not rest


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan"), "half"])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(InputError, match="train_share"):
        split_by_name(samples("a", 5), share)
