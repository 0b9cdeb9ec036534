"""Random scenes: which part lies how, where its defect sits, what the camera sees."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from magic_ui.rendering import surfaces
from magic_ui.rendering.defects import STRENGTHS, Request, draw_defect
from magic_ui.rendering.layers import Layer, Surface
from magic_ui.rendering.lighting import random_environment
from magic_ui.rendering.materials import Finish, random_finish, random_ground
from magic_ui.rendering.meshes import Part
from magic_ui.rendering.parts import build_part
from magic_ui.rendering.stage import FOV, Anchor, Camera, Stage, anchor_at, lookup

CATEGORY_WEIGHTS = {
    "screw": 0.34,
    "metal_nut": 0.10,
    "washer": 0.10,
    "bearing_ring": 0.08,
    "metal_plate": 0.12,
    "tile": 0.08,
    "pill": 0.05,
    "capsule": 0.04,
    "bottle": 0.04,
    "wood": 0.05,
    "carpet": 0.04,
}
HELD_OUT = ("gear", "leather")
"""Categories that are never trained on: what the model makes of them tells how it does on unseen parts."""
DEFECT_WEIGHTS = {
    "scratch": 2.4,
    "crack": 1.5,
    "corrosion": 1.5,
    "stain": 1.5,
    "dent": 1.5,
    "wear": 1.5,
    "hole": 1.0,
    "chip": 1.2,
    "contamination": 1.2,
    "discoloration": 0.8,
}
# Rust on what is not metal is rare, but a sentence may ask for it; yarn takes neither dents nor chips well.
RARE = {
    "corrosion": ("tile", "pill", "capsule", "bottle", "wood", "leather", "carpet"),
    "wear": ("carpet",),
    "chip": ("carpet", "leather", "capsule"),
    "dent": ("carpet",),
    "crack": ("carpet",),
    "discoloration": ("carpet",),
}
RARITY = 0.2
VISIBLE = {"slight": 7.0, "moderate": 12.0, "severe": 18.0}
"""Least mean change inside the mask, in grey levels, of a defect worth showing."""
SURFACES = {
    "wood": surfaces.wood,
    "leather": surfaces.leather,
    "carpet": surfaces.carpet,
    "pill": surfaces.coated,
    "bottle": surfaces.glass,
}
LONG_AXIS = {"capsule": np.pi / 2, "screw": np.pi / 2, "metal_plate": 0.0}


@dataclass
class Variant:
    """A defect to draw and the seed of its brush."""

    request: Request
    seed: int
    orientation: str | None


def choose(generator: np.random.Generator, weights: dict[str, float]) -> str:
    """Random key, by weight."""
    p = np.array(list(weights.values()))
    return str(generator.choice(list(weights), p=p / p.sum()))


def choose_defect(generator: np.random.Generator, category: str) -> str:
    """Random defect that the category's material takes."""
    rare = {kind for kind, categories in RARE.items() if category in categories}
    return choose(generator, {k: w * (RARITY if k in rare else 1.0) for k, w in DEFECT_WEIGHTS.items()})


def pose(part: Part, angle: float) -> Part:
    """Turn a part in its plane by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    part.vertices, part.normals = part.vertices @ turn.T, part.normals @ turn.T
    return part


def camera_above(generator: np.random.Generator, part: Part, film: int, *, field: float, tilt: float = 12.0) -> Camera:
    """Camera looking down on the part; `field` mm across the view, tilted by at most `tilt` degrees."""
    lean, azimuth = np.radians(abs(generator.normal(0, tilt / 2))), generator.uniform(0, 2 * np.pi)
    distance = 0.5 * field / np.tan(np.radians(FOV / 2))
    target = np.array([0.0, 0.0, 0.4 * float(part.vertices[:, 2].max())])
    toward = np.array([np.sin(lean) * np.cos(azimuth), np.sin(lean) * np.sin(azimuth), np.cos(lean)])
    return Camera(target + distance * toward, target, film)


def choose_anchor(generator: np.random.Generator, part: Part, eye: np.ndarray) -> Anchor:
    """Random point of the part that faces the eye; half the time every labelled place is equally likely."""
    corner = part.vertices[part.faces]
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    area = 0.5 * np.linalg.norm(cross, axis=1)
    toward = eye - corner.mean(1)
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    facing = (part.normals[part.faces].mean(1) * toward).sum(1)
    weight = area * np.clip(facing - 0.4, 0, None)
    if part.fills_frame:
        weight = weight * (np.abs(corner.mean(1)[:, :2]).max(1) < 0.5 * part.size)
    labels = part.label_of(part.uv[part.faces].mean(1))
    if generator.random() < 0.5:
        share = np.bincount(labels, weight, len(part.labels)) / weight.sum()
        allowed = np.flatnonzero(share > 0.015)
        weight = weight * (labels == generator.choice(allowed))
    face = int(generator.choice(len(weight), p=weight / weight.sum()))
    return anchor_at(part, face, generator.dirichlet([1.0, 1.0, 1.0]))


def draw_variants(
    generator: np.random.Generator, part: Part, extent: float, chart_size: float, mm_per_pixel: float
) -> list[Variant]:
    """Three defects for one window: three kinds, or one kind in two severities and another."""
    kinds: list[str] = []
    while len(kinds) < 3:
        kind = choose_defect(generator, part.category)
        if kind not in kinds:
            kinds.append(kind)
    twin = generator.random() < 0.6
    severities = generator.permutation(list(STRENGTHS))
    variants = []
    for k, kind in enumerate(kinds):
        severity = str(severities[k]) if twin else str(generator.choice(list(STRENGTHS)))
        variants.append(draw_variant(generator, part, kind, severity, extent, chart_size, mm_per_pixel))
    if twin:
        first = variants[0]
        severity = str(severities[1])
        request = Request(
            **{
                **vars(first.request),
                "severity": severity,
                "strength": generator.uniform(*STRENGTHS[severity]),
            }
        )
        variants[1] = Variant(request, first.seed, first.orientation)
    return variants


def draw_variant(
    generator: np.random.Generator,
    part: Part,
    kind: str,
    severity: str,
    extent: float,
    chart_size: float,
    mm_per_pixel: float,
) -> Variant:
    """Random request of one kind and severity, at most `extent` mm long."""
    size = extent * generator.uniform(0.75, 1.0)
    slim = {"crack": 0.06, "scratch": 0.09}.get(kind, 0.15)
    low, high = max(0.03, 1.6 * mm_per_pixel), max(0.05, slim * size)
    thickness = round(float(np.exp(generator.uniform(np.log(low), np.log(max(high, low * 1.2))))), 3)
    count = (
        int(generator.choice([1, 2, 3], p=[0.82, 0.12, 0.06]))
        if kind in ("scratch", "corrosion", "stain", "dent", "hole")
        else 1
    )
    angle, orientation = generator.uniform(0, np.pi), None
    if part.category in LONG_AXIS:
        orientation = str(generator.choice(["along", "across", "diagonal"], p=[0.35, 0.35, 0.3]))
        turn = {"along": 0.0, "across": np.pi / 2, "diagonal": generator.choice([-1, 1]) * np.pi / 4}[orientation]
        angle = LONG_AXIS[part.category] + turn + generator.normal(0, 0.12)
    if kind in ("hole", "contamination") or kind == "dent":
        orientation = None
    strength = float(generator.uniform(*STRENGTHS[severity]))
    request = Request(kind, size, chart_size, severity, strength, thickness, count, float(angle))
    return Variant(request, int(generator.integers(2**32)), orientation)


def surface_of(finish: Finish) -> Surface:
    """What a defect needs to know of the finish below it."""
    return Surface(np.asarray(finish.base_color), finish.base_roughness, finish.metallic)


def influence_of(layer: Layer) -> np.ndarray:
    """Chart texels [S, S] where the layer changes the surface at all."""
    gy, gx = np.gradient(layer.height, layer.size / layer.height.shape[0])
    return layer.mask | (layer.weight > 0.01) | (np.hypot(gx, gy) > 0.02)


def pool(values: np.ndarray, share: float) -> np.ndarray:
    """Bool [2H, 2W] → bool [H, W]: at least `share` of the four samples of a pixel."""
    h, w = values.shape[0] // 2, values.shape[1] // 2
    return values.reshape(h, 2, w, 2).mean((1, 3)) >= share


def resize(values: np.ndarray, side: int) -> np.ndarray:
    """Area-averaged float map [side, side]."""
    return cv2.resize(values.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)


def window_maps(layer: Layer, uv: np.ndarray, on_part: np.ndarray, anchor: Anchor) -> tuple[np.ndarray, np.ndarray]:
    """Exact mask bool [H, W] and soft blend 0..1 [H, W] from doubled look-ups uv [2H, 2W, 2]."""
    mask = pool(lookup(layer.mask, uv, anchor, layer.size).astype(bool) & on_part, 0.25)
    touched = pool(lookup(influence_of(layer), uv, anchor, layer.size).astype(bool) & on_part, 0.25)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    grown = cv2.dilate(touched.astype(np.float32), kernel)
    return mask, cv2.GaussianBlur(grown, (0, 0), 0.8)


def visible_change(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> float:
    """Mean change in grey levels inside the mask, grain averaged out; pictures uint8 [H, W, 3], mask bool
    [H, W].
    """
    change = cv2.GaussianBlur(after.astype(np.float32) - before, (0, 0), 1.3)
    return float(np.abs(change).mean(-1)[mask].mean())


def build_stage(
    generator: np.random.Generator,
    part: Part,
    finish: Finish,
    *,
    anchor: Anchor | None,
    chart_size: float,
    ground_period: float,
    ground_kind: str | None = None,
) -> Stage:
    """Stage with random light and ground (of `ground_kind`, where given)."""
    _, ground = random_ground(generator, kind=ground_kind)
    environment = random_environment(generator)
    return Stage(part, finish, ground, ground_period, environment, anchor=anchor, chart_size=chart_size)


def random_part(generator: np.random.Generator, category: str) -> Part:
    """Part of a category at a random angle."""
    return pose(build_part(category, generator), generator.uniform(0, 2 * np.pi))


def finish_for(generator: np.random.Generator, part: Part, window: float) -> Finish:
    """Finish whose grain has detail at the scale of a window of `window` mm."""
    period = float(np.clip(window * generator.uniform(1.0, 3.0), 3.0, 80.0))
    if part.category == "capsule":
        return surfaces.gelatine(generator, part.notes["length"])
    if part.category in SURFACES:
        return SURFACES[part.category](generator, period)
    return random_finish(generator, part.category, period, lay=part.lay)


def render_variant(
    stage: Stage,
    camera: Camera,
    box: tuple[int, int, int, int],
    variant: Variant,
    surface: Surface,
    clean: np.ndarray,
    look_up: tuple[np.ndarray, np.ndarray],
    *,
    spp: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, dict] | None:
    """The clean linear picture [h, w, 3] of `box` with a defect in it, its exact mask [H, W] and its record.

    Only the part that changes is rendered again; everywhere else the clean picture stands, bit for bit.
    `look_up` holds (uv, on_part) of the box on a grid of twice the mask's size. None where fewer than 12
    pixels of the defect show.
    """
    layer = draw_defect(np.random.default_rng(variant.seed), variant.request, surface)
    assert stage.anchor is not None, "a defect needs a stage with an anchor"
    mask, blend = window_maps(layer, *look_up, stage.anchor)
    if mask.sum() < 12:
        return None
    blend = resize(blend, box[2])
    rows, columns = np.flatnonzero(blend.max(1) > 0.004), np.flatnonzero(blend.max(0) > 0.004)
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    stage.set_layer(layer)
    patch = stage.render(camera, (box[0] + left, box[1] + top, right - left, bottom - top), spp=spp, seed=seed)
    share = blend[top:bottom, left:right, None]
    picture = clean.copy()
    picture[top:bottom, left:right] = picture[top:bottom, left:right] * (1 - share) + patch * share
    return picture, mask, layer.record
