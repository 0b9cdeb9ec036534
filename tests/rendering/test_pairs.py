import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from magic_ui.rendering import pairs

SMALL = {"window": 32, "spp": 4, "category": "washer"}


@pytest.fixture(scope="module")
def scene() -> dict:
    return pairs.render_scene(11, 0, **SMALL)


def test_shapes_and_words(scene: dict) -> None:
    assert scene["normal"].shape == (32, 32, 3) and scene["normal"].dtype == np.uint8
    assert scene["defective"].shape == (3, 32, 32, 3) and scene["mask"].shape == (3, 32, 32)
    meta = json.loads(scene["meta"])
    assert meta["category"] == "washer" and len(meta["variants"]) == 3
    assert all(variant["part"] in meta["labels"] for variant in meta["variants"])


def test_pair_differs_inside_and_only_there(scene: dict) -> None:
    for picture, mask in zip(scene["defective"], scene["mask"], strict=True):
        change = np.abs(picture.astype(int) - scene["normal"]).mean(-1)
        far = cv2.dilate(mask.astype(np.uint8), np.ones((15, 15), np.uint8)) == 0
        assert change[mask].mean() > 3
        assert change[far].mean() < 1


def test_mask_lies_on_the_part(scene: dict) -> None:
    near = cv2.dilate(scene["foreground"].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert not (scene["mask"] & ~near).any()


def test_same_seed_same_scene(scene: dict) -> None:
    again = pairs.render_scene(11, 0, **SMALL)
    assert np.array_equal(again["defective"], scene["defective"])


def test_existing_scenes_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "scene_000000.npz"
    path.write_bytes(b"kept")
    assert pairs.write_scene(tmp_path, 0, 0) == path
    assert path.read_bytes() == b"kept"


def test_importing_the_package_loads_no_renderer() -> None:
    code = "import sys, magic_ui.rendering, magic_ui.rendering.pairs; sys.exit('mitsuba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
