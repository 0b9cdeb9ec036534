"""Whole rendered parts with their labels, for models that learn where things are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..data.layout import GOOD
from ..errors import InputError
from ..images import load_image, load_mask
from ..localize.clipseg import Square, square_around, view
from ..localize.foreground import TEXTURES

NEAREST = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP


@dataclass
class Whole:
    """One rendered part: ``pictures`` uint8 [P, S, S, 3] of the same scene, clean first; ``foreground`` bool [S, S];
    ``part_map`` uint8 [S, S], 0 off the part, then 1 + index into ``labels``."""

    category: str
    labels: list[str]
    pictures: np.ndarray
    foreground: np.ndarray
    part_map: np.ndarray

    @property
    def fills_frame(self) -> bool:
        """Whether the part has no ground around it."""
        return self.category in TEXTURES and bool(self.foreground.mean() > 0.97)


@dataclass
class View:
    """A picture as the model sees it: ``picture`` uint8 [S, S, 3], ``foreground`` and ``part_map`` [S, S]."""

    picture: np.ndarray
    foreground: np.ndarray
    part_map: np.ndarray


def load_wholes(folder: Path, *, limit: int | None = None) -> list[Whole]:
    """Read what ``python -m magic_ui render --kind dataset`` wrote, in the order of category and number.

    Raises:
        InputError: nothing of the kind there.
    """
    records = sorted(folder.glob("*/records/*/*.json"))[:limit]
    if not records:
        raise InputError("data", "the folder holds no rendered parts; make some with python -m magic_ui render")
    wholes = []
    for path in records:
        record = json.loads(path.read_text(encoding="utf-8"))
        root, name = path.parents[2], f"{path.stem}.png"
        normal = load_image(root / "image" / GOOD / name)
        twin = [] if path.parent.name == GOOD else [load_image(root / "image" / path.parent.name / name)]
        foreground = load_mask(root / "foreground" / GOOD / name, normal.shape[:2])
        part_map = load_image(root / "part_map" / GOOD / name)[..., 0]
        wholes.append(Whole(record["category"], record["labels"], np.stack([normal, *twin]), foreground, part_map))
    return wholes


def draw_view(whole: Whole, size: int, generator: np.random.Generator) -> View:
    """A random look at a part: turned, flipped, nearer or farther, under other light, at times on another ground."""
    picture = whole.pictures[int(generator.integers(len(whole.pictures)))]
    foreground, part_map = whole.foreground, whole.part_map
    turn, flip = int(generator.integers(4)), generator.random() < 0.5
    picture, foreground, part_map = (
        np.ascontiguousarray(np.rot90(a, turn)[:, ::-1] if flip else np.rot90(a, turn))
        for a in (picture, foreground, part_map)
    )
    if not whole.fills_frame:
        if generator.random() < 0.35:
            picture = on_other_ground(picture, foreground, generator)
        if generator.random() < 0.7:
            picture, foreground, part_map = _rotate(picture, foreground, part_map, generator.uniform(-45, 45))
    square = _random_square(whole, foreground, generator)
    seen = view(picture, square, size)
    labels = _nearest(np.dstack([foreground.astype(np.uint8), part_map]), square, size)
    return View(change_light(seen, generator), labels[..., 0] > 0, labels[..., 1])


def on_other_ground(picture: np.ndarray, foreground: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The part cut out and laid on a plain, graded or mottled ground of any tone."""
    side = picture.shape[0]
    tone = generator.uniform(0, 255) + generator.normal(0, 12, 3) * (generator.random() < 0.5)
    ramp = np.linspace(-1, 1, side)
    ground = np.ones((side, side, 3)) * tone
    ground += (generator.uniform(-25, 25) * ramp[:, None] + generator.uniform(-25, 25) * ramp[None, :])[..., None]
    grain = generator.normal(0, 1, (side, side)).astype(np.float32)
    mottle = cv2.GaussianBlur(grain, (0, 0), generator.uniform(0.5, 6))
    ground += (mottle / max(float(mottle.std()), 1e-6) * generator.exponential(5.0))[..., None]
    edge = cv2.GaussianBlur(foreground.astype(np.float32), (0, 0), 0.7)[..., None]
    return np.clip(picture * edge + ground * (1 - edge), 0, 255).astype(np.uint8)


def change_light(picture: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Another exposure, contrast, tint, sharpness and noise: uint8 [S, S, 3]."""
    values = picture.astype(np.float32) / 255
    if generator.random() < 0.35:
        values = np.repeat(values.mean(axis=2, keepdims=True), 3, axis=2)
    else:
        values = values * (1 + generator.uniform(-0.12, 0.12, 3))
    values = np.clip(values, 0, 1) ** np.exp(generator.uniform(-0.6, 0.6))
    values = 0.5 + (values - 0.5) * generator.uniform(0.6, 1.3) + generator.uniform(-0.12, 0.12)
    if generator.random() < 0.3:
        values = cv2.GaussianBlur(values, (0, 0), generator.uniform(0.3, 1.2))
    noise = generator.normal(0, 1, values.shape[:2])[..., None] * generator.exponential(0.015)
    return np.clip(255 * (values + noise), 0, 255).round().astype(np.uint8)


def _rotate(
    picture: np.ndarray, foreground: np.ndarray, part_map: np.ndarray, degrees: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    side = picture.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2 - 0.5, side / 2 - 0.5), degrees, 0.8)
    turned = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    labels = np.dstack([foreground.astype(np.uint8), part_map])
    labels = cv2.warpAffine(labels, matrix, (side, side), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    return turned, labels[..., 0] > 0, labels[..., 1]


def _random_square(whole: Whole, foreground: np.ndarray, generator: np.random.Generator) -> Square:
    if whole.fills_frame:
        room = foreground.shape[0]
        side = int(room * generator.uniform(0.6, 1.0))
        x, y = generator.integers(0, room - side + 1, 2)
        return Square(int(x), int(y), side)
    square = square_around(foreground, float(generator.choice([0.12, generator.uniform(0.0, 0.6)])))
    right, down = generator.uniform(-0.06, 0.06, 2) * square.side
    return Square(int(square.x + right), int(square.y + down), square.side)


def _nearest(labels: np.ndarray, square: Square, size: int) -> np.ndarray:
    scale = square.side / size
    matrix = np.array([[scale, 0, square.x + scale / 2 - 0.5], [0, scale, square.y + scale / 2 - 0.5]])
    return cv2.warpAffine(labels, matrix, (size, size), flags=NEAREST, borderMode=cv2.BORDER_CONSTANT)
