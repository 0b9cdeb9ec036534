import numpy as np
import pytest

from magic_ui.rendering import compose, surfaces
from magic_ui.rendering.parts import CATEGORIES, build_part


@pytest.mark.parametrize("name", ["wood", "leather", "carpet", "coated", "glass"])
def test_finishes_have_no_seam_where_they_tile(name: str) -> None:
    finish = getattr(surfaces, name)(np.random.default_rng(4), 20.0)
    assert finish.color.min() > 0 and finish.color.max() < 1 and not finish.metallic
    for axis in (0, 1):
        inner = np.abs(np.diff(finish.color.mean(-1), axis=axis)).mean()
        seam = np.abs(np.take(finish.color, 0, axis) - np.take(finish.color, -1, axis)).mean()
        assert seam < 3 * inner + 0.01


def test_a_capsule_has_two_colours_that_meet_in_the_middle() -> None:
    part = build_part("capsule", np.random.default_rng(0))
    finish = compose.finish_for(np.random.default_rng(2), part, 5.0)
    # The tile spans twice the length: rows 0..T/2 lie on the capsule.
    texels = finish.color.shape[0]
    low, high = finish.color[: texels // 5].mean((0, 1)), finish.color[texels * 3 // 10 : texels // 2].mean((0, 1))
    assert np.abs(low - high).max() > 0.05


def test_every_category_is_trained_on_or_held_out_never_both() -> None:
    assert set(compose.CATEGORY_WEIGHTS).isdisjoint(compose.HELD_OUT)
    assert set(compose.CATEGORY_WEIGHTS) | set(compose.HELD_OUT) == set(CATEGORIES)


def test_what_a_material_seldom_has_is_drawn_seldom() -> None:
    generator = np.random.default_rng(0)
    drawn = {c: [compose.choose_defect(generator, c) for _ in range(600)].count("corrosion") for c in ("screw", "wood")}
    assert 0 < drawn["wood"] < 0.5 * drawn["screw"]
