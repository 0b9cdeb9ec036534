"""U²-Net through rembg: the real package on a stand-in network of U²-Net's form."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import rembg
from onnx import TensorProto, helper

from magic_ui import InputError
from magic_ui.localize import make_plan
from magic_ui.localize.foreground import _rembg_session, segment_foreground
from tests.localize.conftest import draw_washer, overlap, paint
from tests.localize.test_plan import SPECS


def write_stand_in(path) -> None:
    """A network with U²-Net's input and its seven outputs, each a sigmoid of the channels' mean: bright is object."""
    outputs = [f"d{k}" for k in range(7)]
    nodes = [helper.make_node("ReduceMean", ["input.1", "axes"], ["mean"], keepdims=1)]
    nodes += [helper.make_node("Sigmoid", ["mean"], [name]) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "u2net",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, 320, 320])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 320, 320]) for name in outputs],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """rembg's own folder, empty; the session is made anew."""
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    monkeypatch.delenv("MODEL_CHECKSUM_DISABLED", raising=False)
    _rembg_session.cache_clear()
    yield tmp_path
    _rembg_session.cache_clear()


def test_u2net_finds_the_object_at_the_pictures_own_size(weights):
    write_stand_in(weights / "u2net.onnx")
    shape = draw_washer()
    picture = paint(shape, (30, 30, 34), (200, 205, 210))[:, 40:-20]
    found = segment_foreground(picture, method="rembg")
    assert found.source == "rembg" and found.mask.shape == picture.shape[:2]
    assert overlap(found.mask, shape[:, 40:-20]) > 0.9
    plan = make_plan(picture, SPECS, foreground="rembg")
    assert plan.options["foreground_source"] == "rembg" and (plan.foreground == found.mask).all()


def test_weights_that_do_not_load_are_told_about(weights):
    (weights / "u2net.onnx").write_bytes(b"not a network")
    with pytest.raises(InputError, match=r"weights cannot be loaded.*give a mask") as caught:
        segment_foreground(np.zeros((40, 40, 3), np.uint8), method="rembg")
    assert caught.value.field == "foreground"


def test_a_picture_without_an_object_is_told_about(weights, monkeypatch):
    write_stand_in(weights / "u2net.onnx")
    monkeypatch.setattr(rembg, "remove", lambda image, **_: np.zeros(image.shape[:2], np.uint8))
    with pytest.raises(InputError, match="found no object"):
        segment_foreground(np.zeros((40, 40, 3), np.uint8), method="rembg")
