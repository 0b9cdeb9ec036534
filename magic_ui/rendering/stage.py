"""A Mitsuba scene of one part on its ground, whose defect layer can be exchanged without rebuilding it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mitsuba as mi
import numpy as np

from magic_ui.rendering.layers import CHART, Layer, blank_layer
from magic_ui.rendering.materials import Finish
from magic_ui.rendering.meshes import Part

mi.set_variant("scalar_rgb")
FOV = 18.0


@dataclass(frozen=True)
class Camera:
    """Perspective view: eye and target [3] in mm, `film` pixels a side over a field of view of `FOV`
    degrees.
    """

    eye: np.ndarray
    target: np.ndarray
    film: int

    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unit right, up and forward."""
        forward = (self.target - self.eye) / np.linalg.norm(self.target - self.eye)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        return right, np.cross(right, forward), forward

    def project(self, points: np.ndarray) -> np.ndarray:
        """Film coordinates (column, row) of points [..., 3]."""
        right, up, forward = self.axes()
        offset = points - self.eye
        scale = self.film / (2 * np.tan(np.radians(FOV / 2))) / (offset @ forward)
        return np.stack([self.film / 2 + (offset @ right) * scale, self.film / 2 - (offset @ up) * scale], -1)


@dataclass(frozen=True)
class Anchor:
    """Where a defect sits: position and normal [3], uv [2], and mm per unit of u and of v."""

    position: np.ndarray
    normal: np.ndarray
    uv: np.ndarray
    scale: np.ndarray


def anchor_at(part: Part, face: int, weights: np.ndarray) -> Anchor:
    """Anchor at barycentric `weights` [3] of a triangle, with the local metric of its texture coordinates."""
    index = part.faces[face]
    p, t = part.vertices[index], part.uv[index]
    edges, texture = np.stack([p[1] - p[0], p[2] - p[0]]), np.stack([t[1] - t[0], t[2] - t[0]])
    jacobian = np.linalg.solve(texture, edges)  # (2, 3): dp/du, dp/dv
    normal = weights @ part.normals[index]
    return Anchor(weights @ p, normal / np.linalg.norm(normal), weights @ t, np.linalg.norm(jacobian, axis=1))


def chart_coordinates(uv: np.ndarray, anchor: Anchor, size: float) -> np.ndarray:
    """Map uv [..., 2] to 0..1 coordinates of the chart of `size` mm centred on the anchor."""
    return (uv - anchor.uv) * anchor.scale / size + 0.5


def lookup(chart_map: np.ndarray, uv: np.ndarray, anchor: Anchor, size: float) -> np.ndarray:
    """Values of a chart map [S, S] at uv [..., 2] (nearest texel), 0 outside the chart."""
    texels = chart_map.shape[0]
    index = np.floor(chart_coordinates(uv, anchor, size) * texels).astype(int)
    inside = ((index >= 0) & (index < texels)).all(-1)
    index = index.clip(0, texels - 1)
    return np.where(inside, chart_map[index[..., 1], index[..., 0]], 0)


def _texture(data: np.ndarray, to_uv: object | None = None, *, wrap: str = "repeat") -> object:
    data = np.ascontiguousarray(data if data.ndim == 3 else data[..., None], np.float32)
    spec = {"type": "bitmap", "bitmap": mi.Bitmap(data), "raw": True, "wrap_mode": wrap}
    if to_uv is not None:
        spec["to_uv"] = to_uv
    return mi.load_dict(spec)


def _mesh(part: Part, bsdf: object) -> object:
    props = mi.Properties()
    props["bsdf"] = bsdf
    mesh = mi.Mesh(
        "part",
        len(part.vertices),
        len(part.faces),
        has_vertex_normals=True,
        has_vertex_texcoords=True,
        props=props,
    )
    params = mi.traverse(mesh)
    params["vertex_positions"] = part.vertices.astype(np.float32).ravel()
    params["vertex_normals"] = part.normals.astype(np.float32).ravel()
    params["vertex_texcoords"] = part.uv.astype(np.float32).ravel()
    params["faces"] = part.faces.astype(np.uint32).ravel()
    params.update()
    return mesh


class Stage:
    """Part, finish, ground and light in one scene. `set_layer` draws a defect on it; `render` looks at it.

    The defect chart of `chart_size` mm is centred on `anchor`; without an anchor the part can only be clean.
    """

    def __init__(
        self,
        part: Part,
        finish: Finish,
        ground: np.ndarray,
        ground_period: float,
        environment: np.ndarray,
        *,
        anchor: Anchor | None = None,
        chart_size: float = 1.0,
    ) -> None:
        self.part, self.anchor, self.chart_size = part, anchor, chart_size
        self._charts: dict[str, Any] = {}
        scene = {
            "type": "scene",
            "light": {
                "type": "envmap",
                "bitmap": mi.Bitmap(environment),
                "to_world": mi.ScalarTransform4f().rotate([1, 0, 0], 90),
            },
            "part": _mesh(part, mi.load_dict(self._material(finish))),
        }
        if not part.fills_frame:
            to_uv = mi.ScalarTransform3f().scale([400.0 / ground_period] * 2)
            scene["ground"] = {
                "type": "rectangle",
                "to_world": mi.ScalarTransform4f().scale([200, 200, 1]),
                "bsdf": {"type": "diffuse", "reflectance": _texture(ground, to_uv)},
            }
        self.scene = mi.load_dict(scene)
        # The shape index counts from 1; 0 is empty space.
        self.part_index = [s.id() for s in self.scene.shapes()].index("part") + 1

    def _material(self, finish: Finish) -> dict:
        to_uv = mi.ScalarTransform3f().rotate(finish.angle).scale([1 / finish.period] * 2)
        color, rough = _texture(finish.color, to_uv), _texture(finish.roughness**1.0, to_uv)
        relief = _texture(finish.height, to_uv)
        if finish.metallic:
            bsdf = {
                "type": "roughconductor",
                "distribution": "ggx",
                "specular_reflectance": color,
                "alpha": rough,
            }
        else:
            bsdf = {
                "type": "principled",
                "base_color": color,
                "roughness": rough,
                "metallic": 0.0,
                "specular": 0.5,
            }
        bsdf = {"type": "bumpmap", "relief": relief, "bsdf": bsdf}
        if self.anchor is not None:
            bsdf = self._with_chart(bsdf)
        return {"type": "twosided", "bsdf": bsdf}

    def _with_chart(self, bsdf: dict) -> dict:
        assert self.anchor is not None, "only a stage with an anchor has a chart"
        scale = self.anchor.scale / self.chart_size
        shift = 0.5 - self.anchor.uv * scale
        matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]], [0, 0, 1]])
        to_uv = mi.ScalarTransform3f(matrix)
        layer = blank_layer(self.chart_size)
        for name in ("height", "weight", "color", "roughness", "metallic"):
            self._charts[name] = _texture(getattr(layer, name), to_uv, wrap="clamp")
        overlay = {
            "type": "principled",
            "base_color": self._charts["color"],
            "roughness": self._charts["roughness"],
            "metallic": self._charts["metallic"],
            "specular": 0.4,
        }
        blend = {"type": "blendbsdf", "weight": self._charts["weight"], "bsdf_0": bsdf, "bsdf_1": overlay}
        return {"type": "bumpmap", "relief": self._charts["height"], "bsdf": blend}

    def set_layer(self, layer: Layer | None) -> None:
        """Put a defect on the part, or none."""
        layer = layer or blank_layer(self.chart_size, CHART)
        for name, texture in self._charts.items():
            data = np.asarray(getattr(layer, name), np.float32)
            params = mi.traverse(texture)
            params["data"] = mi.TensorXf(np.ascontiguousarray(data if data.ndim == 3 else data[..., None]))
            params.update()

    def _sensor(self, camera: Camera, box: tuple[int, int, int, int], spp: int, channels: str) -> Any:
        column, row, width, height = box
        transform = mi.ScalarTransform4f().look_at(camera.eye.tolist(), camera.target.tolist(), [0, 1, 0])
        return mi.load_dict(
            {
                "type": "perspective",
                "fov": FOV,
                "near_clip": 1.0,
                "far_clip": 1e5,
                "to_world": transform,
                "sampler": {"type": "multijitter", "sample_count": spp},
                "film": {
                    "type": "hdrfilm",
                    "width": camera.film,
                    "height": camera.film,
                    "crop_offset_x": column,
                    "crop_offset_y": row,
                    "crop_width": width,
                    "crop_height": height,
                    "pixel_format": channels,
                    "component_format": "float32",
                    "rfilter": {"type": "box"},
                },
            }
        )

    def render(
        self, camera: Camera, box: tuple[int, int, int, int], *, spp: int, seed: int, depth: int = 3
    ) -> np.ndarray:
        """Linear RGB [height, width, 3] of the film's box (column, row, width, height)."""
        integrator = mi.load_dict({"type": "path", "max_depth": depth})
        sensor = self._sensor(camera, box, spp, "rgb")
        return np.array(mi.render(self.scene, sensor=sensor, integrator=integrator, spp=spp, seed=mi.UInt32(seed)))

    def look_up(
        self, camera: Camera, box: tuple[int, int, int, int], *, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Exact (uv [H, W, 2], on_part bool [H, W]) of one sample a pixel."""
        integrator = mi.load_dict({"type": "aov", "aovs": "uv:uv,shape:shape_index,p:position"})
        image = np.array(
            mi.render(
                self.scene,
                sensor=self._sensor(camera, box, 1, "rgb"),
                integrator=integrator,
                spp=1,
                seed=mi.UInt32(seed),
            )
        )
        image = image[..., -6:]
        hit = np.abs(image[..., 3:]).sum(-1) > 0
        return image[..., :2], hit & (np.round(image[..., 2]) == self.part_index)

    def sees(self, camera: Camera, anchor: Anchor) -> bool:
        """Whether nothing stands between the eye and the anchor."""
        start = anchor.position + 1e-3 * self.part.size * anchor.normal
        toward = camera.eye - start
        ray = mi.Ray3f(mi.Point3f(start.tolist()), mi.Vector3f((toward / np.linalg.norm(toward)).tolist()))
        return not self.scene.ray_test(ray)
