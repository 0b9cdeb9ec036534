import numpy as np
import pytest

from magic_ui.rendering.defects import DEFECTS, STRENGTHS, Request, draw_defect
from magic_ui.rendering.layers import Layer, Surface

STEEL = Surface(np.array([0.5, 0.5, 0.5]), 0.35, True)


def draw(defect: str, severity: str, *, thickness: float = 0.25, seed: int = 5) -> Layer:
    strength = float(np.mean(STRENGTHS[severity]))
    request = Request(defect, 4.0, 6.0, severity, strength, thickness, angle=0.4)
    return draw_defect(np.random.default_rng(seed), request, STEEL)


@pytest.mark.parametrize("defect", DEFECTS)
def test_severity_drives_strength(defect: str) -> None:
    layers = [draw(defect, severity) for severity in ("slight", "moderate", "severe")]
    effect = [float(layer.weight.sum()) + 50 * float(np.abs(np.gradient(layer.height)).sum()) for layer in layers]
    assert effect[0] < effect[1] < effect[2]


@pytest.mark.parametrize("defect", DEFECTS)
def test_layer_is_sound(defect: str) -> None:
    layer = draw(defect, "moderate")
    assert layer.mask.any() and layer.mask.mean() < 0.7
    for values in (layer.height, layer.weight, layer.color, layer.roughness, layer.metallic):
        assert np.isfinite(values).all()
    assert layer.weight.min() >= 0 and layer.weight.max() <= 1
    assert layer.weight[0].max() == 0 and layer.weight[:, -1].max() == 0
    assert layer.record["defect"] == defect and layer.record["morphology"]


@pytest.mark.parametrize("defect", DEFECTS)
def test_same_seed_same_layer(defect: str) -> None:
    first, second = draw(defect, "severe"), draw(defect, "severe")
    assert np.array_equal(first.height, second.height) and np.array_equal(first.color, second.color)


@pytest.mark.parametrize("defect", ["scratch", "crack"])
def test_thickness_widens_the_mask(defect: str) -> None:
    areas = [int(draw(defect, "moderate", thickness=t).mask.sum()) for t in (0.1, 0.3, 0.7)]
    words = [draw(defect, "moderate", thickness=t).record["thickness"] for t in (0.1, 0.3, 0.7)]
    assert areas[0] < areas[1] < areas[2]
    assert words == ["thin", "medium", "thick"]
