import json

import cv2
import numpy as np
import pytest

from magic_ui.evaluation.scenes import load_samples

KINDS = ("hole", "scratch", "stain")
SEVERITIES = ("slight", "moderate", "severe")


def write_scenes(folder, count, seed=0, category="metal_plate", side=80):
    """Scenes in the renderer's format: black disks, bright lines and brown squares on grey noise."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for index in range(count):
        normal = generator.integers(110, 150, (side, side, 3), dtype=np.uint8)
        defective, masks, variants = np.stack([normal] * 3), np.zeros((3, side, side), bool), []
        for v, kind in enumerate(KINDS):
            x, y = (int(value) for value in generator.integers(26, 54, 2))
            canvas = np.zeros((side, side), np.uint8)
            if kind == "hole":
                cv2.circle(canvas, (x, y), 9, 255, -1)
            elif kind == "scratch":
                cv2.line(canvas, (x - 14, y - 8), (x + 14, y + 8), 255, 2)
            else:
                cv2.rectangle(canvas, (x - 8, y - 10), (x + 8, y + 10), 255, -1)
            masks[v] = canvas > 0
            defective[v][masks[v]] = {"hole": (12, 12, 12), "scratch": (235, 235, 235), "stain": (120, 80, 40)}[kind]
            thickness = "thin" if kind == "scratch" else None
            variants.append({"defect": kind, "severity": SEVERITIES[(index + v) % 3], "thickness": thickness})
        np.savez_compressed(
            folder / f"scene_{index:06d}.npz",
            normal=normal,
            defective=defective,
            mask=masks,
            foreground=np.ones((side, side), bool),
            part_map=np.zeros((side, side), np.uint8),
            meta=json.dumps({"category": category, "labels": ["face"], "variants": variants}),
        )
    return folder


@pytest.fixture(scope="session")
def scene_folder(tmp_path_factory):
    return write_scenes(tmp_path_factory.mktemp("held_out"), 6)


@pytest.fixture(scope="session")
def samples(scene_folder):
    return load_samples(scene_folder)
