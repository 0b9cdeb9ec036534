"""The catalogue of defects: each is material and relief drawn on a flat chart in millimetres."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from magic_ui.rendering import patches, strokes
from magic_ui.rendering.layers import STRENGTHS, Layer, Request, Surface, chart_fade

__all__ = ["DEFECTS", "DRAWERS", "STRENGTHS", "Request", "draw_defect"]

Draw = Callable[[np.random.Generator, Request, Surface], Layer]


def draw_defect(generator: np.random.Generator, request: Request, surface: Surface) -> Layer:
    """Draw one defect; its record carries defect, severity, thickness, morphology, count, color."""
    layer = DRAWERS[request.defect](generator, request, surface)
    fade = chart_fade()
    layer.weight = np.clip(layer.weight, 0, 1) * fade
    layer.height = (layer.height * fade).astype(np.float32)
    layer.mask = layer.mask & (fade > 0.2)
    lined = request.defect in ("scratch", "crack")
    words = {
        "defect": request.defect,
        "severity": request.severity,
        "thickness": request.thickness if lined else None,
        "thickness_mm": round(request.thickness_mm, 3) if lined else None,
        "count": request.count,
    }
    layer.record = words | {"morphology": [], "color": None} | layer.record
    return layer


DRAWERS: dict[str, Draw] = {
    "scratch": strokes.scratch,
    "crack": strokes.crack,
    "contamination": strokes.contamination,
    "corrosion": patches.corrosion,
    "stain": patches.stain,
    "dent": patches.dent,
    "wear": patches.wear,
    "hole": patches.hole,
    "chip": patches.chip,
    "discoloration": patches.discoloration,
}
DEFECTS = list(DRAWERS)
