from pathlib import Path

import numpy as np
import pytest

from magic_ui import InputError
from magic_ui.data.captioning import (
    MAX_TOKENS,
    LookWords,
    caption_with_name,
    flip_region,
    flip_words,
    measure_look,
    read_spec,
    vary_location,
)
from magic_ui.data.readers import Sample
from magic_ui.data.tables import Caption
from magic_ui.instruction.spec import REGIONS, DefectSpec


def sample(defect, caption=None, category="screw"):
    words = Caption("", caption) if caption is not None else None
    return Sample(category, defect, "000", None, Path("000.png"), Path("000_mask.png"), None, words)


OVAL = "The head of the metal screw in the upper left corner has an oval-shaped, silver-colored damage defect."


def test_the_folder_names_the_defect_and_the_caption_its_look():
    spec = read_spec(sample("scratch_head", OVAL))
    assert (spec.defect, spec.part, spec.region, spec.category) == ("scratch", "head", "top_left", "screw")
    assert "oval" in spec.morphology and spec.color == "silver"


def test_a_folder_that_is_a_place_takes_the_kind_from_the_caption():
    spec = read_spec(sample("thread_side", "The tail end of the metal screw has a crack."))
    assert (spec.defect, spec.part, spec.part_detail) == ("crack", "thread", "flank")
    assert read_spec(sample("thread_top")).defect == "wear"


def test_a_folder_that_says_nothing_needs_a_caption():
    assert read_spec(sample("print", "a stain on the pill", "pill")).defect == "stain"
    with pytest.raises(InputError, match="screw/print/000"):
        read_spec(sample("print"))


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("in the upper left corner", "in the upper right corner"),
        ("Left of the thread tops", "Right of the thread tops"),
        ("螺丝的左上角，右侧", "螺丝的右上角，左侧"),
        ("bright and upright", "bright and upright"),
    ],
)
def test_mirrored_pictures_get_mirrored_words(text, mirrored):
    assert flip_words(text, sideways=True) == mirrored
    assert flip_words(mirrored, sideways=True) == text


def test_words_of_height_turn_over_but_not_those_of_the_object():
    assert flip_words("the thread top in the top left", upright=True) == "the thread top in the bottom left"
    assert flip_words("左上角的螺丝上", upright=True) == "左下角的螺丝上"


@pytest.mark.parametrize("region", REGIONS)
def test_regions_and_words_flip_alike(region):
    for flips in ({"sideways": True}, {"upright": True}, {"sideways": True, "upright": True}):
        words = flip_words(region.replace("_", " "), **flips)
        assert words == flip_region(region, **flips).replace("_", " ")
    assert flip_region(None, sideways=True) is None


def test_locations_are_named_in_several_ways_that_mean_the_same(generator):
    varied = {vary_location("in the upper left part of it", generator) for _ in range(40)}
    assert len(varied) > 4
    assert all("left" in text and ("upper" in text or "top" in text) for text in varied)


def test_looks_are_measured():
    image, mask = np.full((100, 100, 3), 100, np.uint8), np.zeros((100, 100), bool)
    mask[40:44, 10:90] = True
    image[mask] = 160
    line = measure_look(image, mask)
    assert line.contrast == pytest.approx(60, abs=0.5) and line.area == pytest.approx(320 / 10000)
    assert line.width == pytest.approx(4 / 100, rel=0.3) and line.elongation > 8 and line.count == 1
    block = np.zeros((100, 100), bool)
    block[20:40, 20:40] = block[60:80, 60:80] = True
    look = measure_look(image, block)
    assert look.count == 2 and look.elongation < 8 and look.solidity > 0.9 and look.width > 2 * line.width


def test_words_for_looks_compare_with_their_own_kind():
    images, masks = [], []
    for width in range(2, 14):
        image, mask = np.full((100, 100, 3), 100, np.uint8), np.zeros((100, 100), bool)
        mask[40 : 40 + width, 10:90] = True
        image[mask] = 110 + 8 * width
        images.append(image)
        masks.append(mask)
    looks = [measure_look(i, m) for i, m in zip(images, masks, strict=True)]
    words = LookWords(["a"] * 12, looks)
    specs = [words.add_to(DefectSpec("scratch"), "a", look) for look in looks]
    assert [s.thickness for s in specs] == ["thin"] * 4 + ["medium"] * 4 + ["thick"] * 4
    assert specs[0].severity == "slight" and specs[-1].severity == "severe"
    assert "line-like" in specs[0].morphology
    assert words.add_to(DefectSpec("scratch", thickness="thin"), "a", looks[-1]).thickness == "thin"
    assert words.add_to(DefectSpec("scratch"), "unknown", looks[0]).thickness == "thin"


def test_descriptions_carry_the_name_and_fit_the_text_encoder():
    spec = DefectSpec("scratch")
    assert caption_with_name(spec, OVAL).startswith("scratch: The head")
    long = caption_with_name(spec, " ".join(["word"] * 200), lambda text: len(text.split()) + 2)
    assert len(long.split()) == MAX_TOKENS - 2
