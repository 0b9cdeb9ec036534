"""The embedded segmenter: one object, or several, lying on an even or slowly varying ground.

Classical and without weights. The ground is a low-order surface in Lab fitted robustly to the border; what
departs from it in colour or in texture is the object; of all thresholds the one whose contour runs along the
steepest edges is taken, which leaves soft shadows outside; local two-means rounds (after Lankton and
Tannenbaum, IEEE TIP 2008) settle the contour, coarse first, then at full resolution. GrabCut in between
added nothing in IoU and took the shadow under dark screws for metal.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.localize.geometry import fill_small_holes, slenderness

Mask = NDArray[np.bool_]
Floats = NDArray[np.floating]

COARSE_SIDE = 256
BORDER_SHARE = 0.035
CONTOUR_AREA_POWER = 0.2  # keeps a dark stripe with sharp edges from winning over the whole object
EDGE_BLUR = 0.0015  # of the longer side: the optically blurred rim of the object belongs to it
SLENDER = 3.0  # length to width: a bolt, a pin, a screw
SLENDER_HOLE = 0.03  # of a slender object's area: a smaller gap is a highlight or a bright defect, not a hole
CONTRAST = (8.0, 20.0)  # Lab units between object and ground from which, and up to which, colours decide a contour
NOISE_FLOOR = 1.5  # Lab units: sensor noise and JPEG blocks of a plain sheet


@dataclass(frozen=True)
class Segmentation:
    """``mask`` bool [H, W]; ``fills_frame`` when no object stands out from a ground."""

    mask: Mask
    fills_frame: bool
    confidence: float


def segment_object(image: NDArray[np.uint8]) -> Segmentation:
    """Separate the object from the ground it lies on.

    ``image`` is uint8 [H, W, 3] RGB. When nothing stands out from the border's statistics, or what stands out
    takes most of the border, the picture is read as a texture and the mask is full.
    """
    height, width = image.shape[:2]
    scale = min(1.0, COARSE_SIDE / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    lab = _to_lab(small)
    distance = ground_distance(lab)
    coarse = _object_seed(lab, distance)
    if coarse is None:
        return Segmentation(np.ones((height, width), bool), True, 0.5)
    rows, cols = _bounds(coarse, margin=24)
    coarse[rows, cols] = settle_contour(lab[rows, cols], coarse[rows, cols])
    coarse = clean_object(coarse, distance)
    if not coarse.any() or _border_share(coarse) > 0.6:
        return Segmentation(np.ones((height, width), bool), True, 0.5)
    mask = refine_contour(image, lab, coarse)
    if slenderness(mask) > SLENDER:
        mask = fill_small_holes(mask, SLENDER_HOLE)
    edge = _contour_contrast(lab, coarse)
    return Segmentation(mask, False, float(np.clip(edge / 20.0, 0.1, 1.0)))


def segment_with_prior(image: NDArray[np.uint8], prior: Floats) -> Segmentation:
    """The object that a network saw, its contour drawn at the picture's own resolution.

    ``prior`` float32 [h, w] in 0..1 covers the picture ``image`` uint8 [H, W, 3]; ``confidence`` is its mean certainty.
    """
    height, width = image.shape[:2]
    scale = min(1.0, COARSE_SIDE / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    likely = cv2.resize(prior.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    confidence = float(np.abs(2 * likely - 1).mean())
    coarse = _larger_pieces(likely > 0.5)
    if not coarse.any() or coarse.mean() > 0.95:
        return Segmentation(np.ones((height, width), bool), True, confidence if coarse.any() else 0.1)
    lab = _to_lab(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    mask = refine_contour(image, lab, coarse, likely)
    return Segmentation(mask, False, confidence)


def _larger_pieces(mask: Mask) -> Mask:
    """Without the pieces that have less than 8% of the largest one's area."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    return np.isin(labels, 1 + np.flatnonzero(areas >= 0.08 * areas.max()))


def ground_distance(lab: Floats) -> Floats:
    """Distance of every pixel from the ground, in units of the ground's own spread: float32 [h, w]."""
    features = np.dstack([lab, _texture(lab)])
    border = border_ring(lab.shape[:2])
    terms = _surface_terms(lab.shape[:2], order=2)
    residual = features - _fit_surface(features, border, terms)
    spread = _spread(residual[border])
    distance = _length(residual, spread)
    ground = distance < 4.0
    if ground.mean() > 0.2:  # the sheet seen between border and object tells more than the border alone
        terms = _surface_terms(lab.shape[:2], order=3)
        residual = features - _fit_surface(features, ground | border, terms)
        distance = _length(residual, spread)
    return distance


def border_ring(shape: tuple[int, int]) -> Mask:
    """The outer ``BORDER_SHARE`` of the frame: bool [h, w]."""
    ring = np.ones(shape, bool)
    depth = max(2, round(BORDER_SHARE * min(shape)))
    ring[depth:-depth, depth:-depth] = False
    return ring


def clean_object(mask: Mask, distance: Floats) -> Mask:
    """Drop specks beside the object and fill what is not a real hole.

    A part is kept when it has at least 8% of the largest part's area. A hole is kept when it looks like the
    ground and has at least 0.6% of the object's area: washers stay washers, highlights are filled.
    """
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _disc(2), borderValue=0)
    opened = cv2.morphologyEx(_fill_holes(closed > 0, distance).astype(np.uint8), cv2.MORPH_OPEN, _disc(1))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = 1 + np.flatnonzero(areas >= 0.08 * areas.max())
    solid = np.isin(labels, kept)
    return _fill_holes(solid, distance)


def settle_contour(lab: Floats, mask: Mask, *, rounds: int = 3, reach: int = 4) -> Mask:
    """Let the coarse contour move up to ``reach`` pixels a round to where object and ground really differ.

    Each pixel near the contour joins the nearer of the two means around it; the shadow between a screw's
    teeth is nearer to the shadow outside than to the metal.
    """
    lab = lab.copy()
    lab[..., 0] = 20 * np.log(lab[..., 0] + 4)  # ratios: a shadow scales the light, also where both are dark
    for _ in range(rounds):
        solid = mask.astype(np.uint8)
        inside, outside = cv2.erode(solid, _disc(reach)) > 0, cv2.dilate(solid, _disc(reach)) == 0
        near_in, near_out = cv2.erode(solid, _disc(1)) > 0, cv2.dilate(solid, _disc(1)) == 0
        if not near_in.any() or not near_out.any():
            return mask
        object_mean, ground_mean = _local_mean(lab, near_in), _local_mean(lab, near_out)
        side = _dot(object_mean - ground_mean, lab - (object_mean + ground_mean) / 2)
        moved = inside | (~outside & (cv2.GaussianBlur(side, (0, 0), 0.7) > 0))
        if (moved == mask).all():
            break
        mask = moved
    return mask


def refine_contour(image: NDArray[np.uint8], lab: Floats, coarse: Mask, likely: Floats | None = None) -> Mask:
    """Carry a coarse mask to full resolution; only a narrow band along its contour is decided anew.

    Every band pixel goes to the nearer of two local means, the object's and the ground's, so that a shadow
    beside the object counts as ground there. Where these means hardly differ, ``likely`` (float32 like ``lab``'s
    first two axes, 0..1) decides instead.
    """
    height, width = image.shape[:2]
    radius = 2
    inside = cv2.erode(coarse.astype(np.uint8), _disc(radius)) > 0
    outside = cv2.dilate(coarse.astype(np.uint8), _disc(radius)) == 0
    if not inside.any() or not outside.any():
        return _upsample(coarse, (width, height))
    object_mean, ground_mean = _local_mean(lab, inside), _local_mean(lab, outside)
    axis = object_mean - ground_mean
    gain = axis / np.maximum(_dot(axis, axis), 1.0)[..., None]
    offset = _dot(gain, object_mean + ground_mean) / 2

    certain_in = _upsample(inside, (width, height))
    band = ~certain_in & ~_upsample(outside, (width, height))
    rows, cols = _bounds(band)
    scale = (lab.shape[0] / height, lab.shape[1] / width)
    gain_full = _sample(gain, rows, cols, scale)
    offset_full = _sample(offset, rows, cols, scale)
    fine = _to_lab(image[rows, cols])
    side = _dot(gain_full, fine) - offset_full
    side = cv2.GaussianBlur(side, (0, 0), max(0.6, 0.25 / scale[0]))
    if likely is not None:
        contrast = _sample(np.sqrt(_dot(axis, axis)), rows, cols, scale)
        trust = np.clip((contrast - CONTRAST[0]) / (CONTRAST[1] - CONTRAST[0]), 0, 1)
        side = trust * side + (1 - trust) * (_sample(likely, rows, cols, scale) - 0.5)
    mask = certain_in
    mask[rows, cols] |= band[rows, cols] & (side > 0)
    mask = _settle(mask, _upsample(coarse, (width, height)))
    rim = round(EDGE_BLUR * max(height, width))
    return cv2.dilate(mask.astype(np.uint8), _disc(rim)) > 0 if rim else mask


def _settle(mask: Mask, coarse: Mask) -> Mask:
    """Smooth single-pixel teeth and drop crumbs the band left behind."""
    smooth = cv2.medianBlur(mask.astype(np.uint8), 5)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(smooth, connectivity=8)
    if count < 2:
        return coarse
    areas = stats[1:, cv2.CC_STAT_AREA]
    solid = np.isin(labels, 1 + np.flatnonzero(areas >= 0.05 * areas.max()))
    return fill_small_holes(solid, 0.004)


def _to_lab(image: NDArray[np.uint8]) -> Floats:
    """CIE Lab, L in 0..100; through 8 bits, which is finer than any threshold here and ten times faster."""
    lab = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2LAB).astype(np.float32)
    return (lab - np.array([0, 128, 128], np.float32)) * np.array([100 / 255, 1, 1], np.float32)


def _texture(lab: Floats) -> Floats:
    """Local spread of lightness over 7×7, compressed: float32 [h, w, 1]."""
    light = lab[..., 0]
    mean = cv2.blur(light, (7, 7))
    variance = np.maximum(cv2.blur(light * light, (7, 7)) - mean * mean, 0)
    return (4.0 * np.log1p(np.sqrt(variance)))[..., None]


def _surface_terms(shape: tuple[int, int], order: int) -> NDArray[np.float32]:
    y = np.linspace(-1, 1, shape[0])[:, None] ** np.arange(order + 1)  # [h, order + 1]
    x = np.linspace(-1, 1, shape[1])[:, None] ** np.arange(order + 1)  # [w, order + 1]
    pairs = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    terms = np.empty((*shape, len(pairs)), np.float32)
    for index, (i, j) in enumerate(pairs):
        np.multiply(y[:, j, None], x[None, :, i], out=terms[..., index])
    return terms


def _fit_surface(features: Floats, where: Mask, terms: NDArray[np.float32]) -> Floats:
    """Iteratively trimmed least squares; an object that touches the border is trimmed away."""
    rows = np.flatnonzero(where.ravel())
    rows = rows[:: max(1, rows.size // 6000)]
    basis = terms.reshape(-1, terms.shape[-1])
    samples = features.reshape(-1, features.shape[-1])[rows].astype(np.float64)
    design = basis[rows].astype(np.float64)
    center = np.median(samples, 0)
    error = np.abs(samples - center)
    keep = np.ones(rows.size, bool)
    for _ in range(4):
        limit = 3.0 * np.maximum(1.4826 * np.median(error[keep], 0), NOISE_FLOOR)
        keep = (error <= limit).all(-1)
        if keep.sum() < 4 * design.shape[1]:
            return np.broadcast_to(center, features.shape).astype(np.float32)
        kept = design[keep]  # the normal equations: terms in −1…1, ten times faster than an SVD of all rows
        weights = np.linalg.lstsq(kept.T @ kept, kept.T @ samples[keep], rcond=None)[0]
        error = np.abs(samples - design @ weights)
    return (basis @ weights.astype(np.float32)).reshape(features.shape)


def _spread(residual: Floats) -> Floats:
    return np.maximum(1.4826 * np.median(np.abs(residual), 0), NOISE_FLOOR).astype(np.float32)


def _length(residual: Floats, spread: Floats) -> Floats:
    """Colour counts fully; texture half, for a shadow's or an object's skirt is textured on both sides."""
    weights = np.array([1, 1, 1, 0.5], np.float32) / spread
    return np.sqrt(_dot(residual * weights, residual * weights))


def _object_seed(lab: Floats, distance: Floats) -> Mask | None:
    """Threshold with hysteresis at the level whose contour is steepest; None when nothing stands out."""
    border = border_ring(distance.shape)
    floor = max(5.0, 1.3 * float(np.percentile(distance[border], 75)))
    high = float(np.percentile(distance, 99.5))
    if high < 1.6 * floor:
        return None
    steep = _gradient(cv2.GaussianBlur(lab, (0, 0), 1.0))
    best, best_score = None, 0.0
    for level in np.geomspace(floor, 0.75 * high, 9):
        mask = clean_object(hysteresis(distance, level, min(1.5 * level, 0.9 * high)), distance)
        if mask.mean() < 0.001:
            continue
        contour = mask & (cv2.erode(mask.astype(np.uint8), _disc(1), borderValue=0) == 0)
        score = float(steep[contour].mean()) * float(mask.mean()) ** CONTOUR_AREA_POWER
        if score > best_score:
            best, best_score = mask, score
    return best


def hysteresis(values: Floats, low: float, high: float) -> Mask:
    """Pixels above ``low`` in a connected part that somewhere exceeds ``high``: bool [h, w]."""
    count, labels = cv2.connectedComponents((values > low).astype(np.uint8), connectivity=8)
    strong = np.zeros(count, bool)
    strong[np.unique(labels[values > high])] = True
    strong[0] = False
    return strong[labels]


def _fill_holes(solid: Mask, distance: Floats) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~solid).astype(np.uint8), connectivity=4)
    height, width = solid.shape
    level = float(np.median(distance[solid])) if solid.any() else 0.0
    filled = solid.copy()
    for index in range(1, count):
        x, y, w, h, area = stats[index]
        if x == 0 or y == 0 or x + w == width or y + h == height:
            continue
        inside = labels == index
        like_ground = float(np.median(distance[inside])) < min(0.4 * level, 8.0)
        if area < 0.006 * solid.sum() or not like_ground:
            filled |= inside
    return filled


def _border_share(mask: Mask) -> float:
    return float(np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean())


def _contour_contrast(lab: Floats, mask: Mask) -> float:
    inside = mask & (cv2.erode(mask.astype(np.uint8), _disc(3)) == 0)
    outside = (cv2.dilate(mask.astype(np.uint8), _disc(3)) > 0) & ~mask
    if not inside.any() or not outside.any():
        return 0.0
    return float(np.linalg.norm(np.median(lab[inside], 0) - np.median(lab[outside], 0)))


def _gradient(lab: Floats) -> Floats:
    gx, gy = cv2.Sobel(lab, cv2.CV_32F, 1, 0), cv2.Sobel(lab, cv2.CV_32F, 0, 1)
    return np.sqrt(_dot(gx, gx) + _dot(gy, gy))


def _local_mean(lab: Floats, where: Mask) -> Floats:
    """Mean of ``lab`` over ``where`` near each pixel, falling back to wider surroundings: [h, w, 3]."""
    weight = where.astype(np.float32)
    result = np.empty_like(lab)
    result[:] = cv2.mean(lab, where.astype(np.uint8))[:3]
    for sigma in (20.0, 4.0):
        total = _soft(weight, sigma)[..., None]
        mean = _soft(lab * weight[..., None], sigma) / np.maximum(total, 1e-6)
        trust = np.clip(total / 0.02, 0, 1)
        result = trust * mean + (1 - trust) * result
    return result


def _dot(a: Floats, b: Floats) -> Floats:
    return np.einsum("...i,...i->...", a, b).astype(np.float32)


def _soft(values: Floats, sigma: float) -> Floats:
    """A Gaussian mean in constant time: three box filters in a row."""
    side = max(3, round(sigma * 2) | 1)
    for _ in range(3):
        values = cv2.blur(values, (side, side))
    return values


def _sample(values: Floats, rows: slice, cols: slice, scale: tuple[float, float]) -> Floats:
    """The part of a coarse map that a full-resolution window covers, resampled to that window."""
    window = (cols.stop - cols.start, rows.stop - rows.start)
    matrix = np.array(
        [
            [scale[1], 0, (cols.start + 0.5) * scale[1] - 0.5],
            [0, scale[0], (rows.start + 0.5) * scale[0] - 0.5],
        ]
    )
    return cv2.warpAffine(
        values.astype(np.float32),
        matrix,
        window,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _upsample(mask: Mask, size: tuple[int, int]) -> Mask:
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5


def _bounds(mask: Mask, margin: int = 0) -> tuple[slice, slice]:
    y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if y.size == 0:
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    top, left = max(0, y[0] - margin), max(0, x[0] - margin)
    return slice(int(top), min(mask.shape[0], int(y[-1]) + 1 + margin)), slice(
        int(left), min(mask.shape[1], int(x[-1]) + 1 + margin)
    )


def _disc(radius: int) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
