import numpy as np
import pytest

from magic_ui.rendering.meshes import Part
from magic_ui.rendering.parts import CATEGORIES, build_part


@pytest.fixture(scope="module", params=CATEGORIES)
def part(request: pytest.FixtureRequest) -> Part:
    return build_part(request.param, np.random.default_rng(3))


def test_lies_on_the_ground_with_unit_normals(part: Part) -> None:
    assert part.vertices[:, 2].min() >= -1e-6
    assert np.isfinite(part.vertices).all() and np.isfinite(part.uv).all()
    used = np.unique(part.faces)
    assert np.allclose(np.linalg.norm(part.normals[used], axis=1), 1, atol=1e-6)


def test_every_label_is_met(part: Part) -> None:
    labels = part.label_of(part.uv)
    assert labels.max() < len(part.labels)
    assert len(np.unique(labels)) == len(part.labels)


def test_top_faces_up(part: Part) -> None:
    top = part.vertices[:, 2] > part.vertices[:, 2].max() - 0.05 * np.ptp(part.vertices[:, 2]) - 1e-6
    assert part.normals[top, 2].mean() > 0.2


def test_texture_is_nearly_isometric_where_the_part_is_smooth(part: Part) -> None:
    corner, uv = part.vertices[part.faces], part.uv[part.faces]
    length = np.linalg.norm(corner[:, 1] - corner[:, 0], axis=1)
    texture = np.linalg.norm(uv[:, 1] - uv[:, 0], axis=1)
    stretch = length[texture > 1e-6] / texture[texture > 1e-6]
    assert 0.5 < np.median(stretch) < 2.0


def test_screw_runs_from_head_to_tip() -> None:
    screw = build_part("screw", np.random.default_rng(0))
    labels = screw.label_of(screw.uv)
    order = [screw.vertices[labels == k, 0].mean() for k in range(4)]
    assert order == sorted(order)


def test_same_seed_same_part() -> None:
    first, second = (build_part("gear", np.random.default_rng(9)) for _ in range(2))
    assert np.array_equal(first.vertices, second.vertices)
