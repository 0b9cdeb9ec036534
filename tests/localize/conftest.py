"""Drawn parts with known shape: screws at any angle, washers, textures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

SCREW = {"head": (0.0, 0.15), "neck": (0.15, 0.45), "thread": (0.45, 0.92), "tip": (0.88, 1.0)}


def draw_screw(angle: float, side: int = 512, length: float = 0.75) -> np.ndarray:
    """A countersunk screw seen from the side, head at the given angle's back: bool [side, side]."""
    t = np.linspace(0, 1, 800)
    shank = 0.055
    width = np.full_like(t, shank)
    head = t < 0.15
    width[head] = shank + (0.13 - shank) * (1 - t[head] / 0.15)
    thread = (t > 0.45) & (t < 0.92)
    width[thread] += 0.018 * np.abs(np.sin((t[thread] - 0.45) * np.pi / 0.047))
    tip = t > 0.9
    width[tip] *= np.clip((1 - t[tip]) / 0.1, 0.02, 1)
    scale = length * side
    along = (t - 0.5) * scale
    outline = np.concatenate([np.stack([along, width * scale], 1), np.stack([along[::-1], -width[::-1] * scale], 1)])
    cos, sin = np.cos(angle), np.sin(angle)
    outline = outline @ np.array([[cos, sin], [-sin, cos]]) + side / 2
    canvas = np.zeros((side, side), np.uint8)
    cv2.fillPoly(canvas, [np.round(outline * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return canvas > 0


def draw_washer(side: int = 400, radius: float = 0.36, hole: float = 0.15) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    distance = np.hypot(x - side / 2, y - side / 2) / side
    return (distance < radius) & (distance >= hole)


def paint(mask: np.ndarray, ground=(205, 205, 205), metal=(95, 95, 98), shadow=0.0, seed=0) -> np.ndarray:
    """A noisy picture of the shape, with a soft shadow beside it on request: uint8 [H, W, 3]."""
    generator = np.random.default_rng(seed)
    side = mask.shape[0]
    picture = np.ones((*mask.shape, 3)) * np.array(ground)
    picture *= (0.95 + 0.1 * np.linspace(0, 1, side))[None, :, None]
    soft = cv2.GaussianBlur(np.roll(mask, (side // 40, side // 50), (0, 1)).astype(np.float32), (0, 0), side / 28)
    picture *= (1 - shadow * soft)[..., None]
    sharp = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)[..., None]
    picture = picture * (1 - sharp) + np.array(metal) * sharp
    return np.clip(picture + generator.normal(0, 2.5, picture.shape), 0, 255).astype(np.uint8)


def blank(shape: np.ndarray) -> np.ndarray:
    """An empty picture of a mask's size, where only geometry counts."""
    return np.zeros((*shape.shape, 3), np.uint8)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union."""
    return float((a & b).sum() / max(1, (a | b).sum()))


@pytest.fixture(scope="session")
def screw() -> np.ndarray:
    return draw_screw(0.6, side=320)


@pytest.fixture(scope="session")
def washer() -> np.ndarray:
    return draw_washer()
