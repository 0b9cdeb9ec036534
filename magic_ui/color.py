"""Color of a decoded picture: alpha apart, sRGB, 8 bits, upright."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

BACKGROUND = (255, 255, 255)
"""The colour, white, that transparent pixels are composited on."""

_EXIF_ORIENTATION = 0x0112
_TIFF_PHOTOMETRIC = 262


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Separate color and alpha; a palette is resolved. The ICC profile stays with the color."""
    profile = image.info.get("icc_profile")
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if has_alpha and not image.mode.startswith(("I", "F")):
        rgba = image.convert("RGBA")
        image, alpha = rgba.convert("RGB"), rgba.getchannel("A")
    else:
        image, alpha = (image.convert("RGB") if image.mode == "P" else image), None
    if profile:
        image.info["icc_profile"] = profile
    return image, alpha


def color_samples(image: Image.Image, notes: list[str], *, use_profile: bool = True) -> np.ndarray:
    """Samples `[H, W]` (grey, native depth) or `[H, W, 3]` (uint8 sRGB); masks ignore the color profile."""
    if image.mode.startswith(("I", "F")):
        samples = np.array(image)
        samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
        return 65535 - samples if _white_is_zero(image) else samples
    if image.mode == "1":
        return np.array(image.convert("L"))
    profile = image.info.get("icc_profile") if use_profile else None
    if profile and image.mode in ("L", "RGB", "CMYK"):
        converted = _to_srgb(image, profile, notes)
        if converted is not None:
            return np.array(converted)
    return np.array(image if image.mode in ("L", "RGB") else image.convert("RGB"))


def _white_is_zero(image: Image.Image) -> bool:
    """Whether 16-bit TIFF samples are stored inverted; Pillow inverts 1- and 8-bit ones itself."""
    return image.mode.startswith("I;16") and (getattr(image, "tag_v2", None) or {}).get(_TIFF_PHOTOMETRIC) == 0


def _to_srgb(image: Image.Image, profile: bytes, notes: list[str]) -> Image.Image | None:
    """The picture in sRGB, or None when its profile is sRGB already or cannot be used."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        notes.append("The color profile cannot be used and is ignored.")
        return None
    notes.append("The colors are converted to sRGB.")
    return converted


def to_eight_bits(samples: np.ndarray, notes: list[str]) -> np.ndarray:
    """Scale to uint8, nothing clipped: uint16 by 255/65535, float in 0-1 by 255, else from the own range."""
    if samples.dtype == np.uint8:
        return samples
    low, high = float(samples.min()), float(samples.max())
    if samples.dtype.kind in "iu" and low >= 0 and high <= 65535:
        if 0 < high < 8192:
            notes.append("Only the dark end of the 16 bits is used; brighten it if the part is hard to see.")
        return np.rint(np.arange(65536) * (255 / 65535)).astype(np.uint8)[samples]
    if samples.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.rint(samples * samples.dtype.type(255)).astype(np.uint8)
    notes.append(f"Values from {low:g} to {high:g} are scaled to black and white.")
    return np.rint((samples.astype(np.float64) - low) * (255 / max(high - low, 1e-300))).astype(np.uint8)


def orientation_of(image: Image.Image, notes: list[str]) -> int:
    """EXIF orientation 1 to 8; 1 when there is none or it cannot be read."""
    try:
        orientation = int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # EXIF is arbitrary bytes; a picture does not fail for it
        notes.append("The EXIF data cannot be read and is ignored.")
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (CIPA DC-008, tag 0x0112) on `[H, W, ...]`."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return np.ascontiguousarray(samples)


def composite(color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Lay uint8 color `[H, W, 3]` over `BACKGROUND` by its alpha `[H, W]`, rounded to the nearest."""
    weight = alpha[:, :, None].astype(np.uint16)
    mixed = color * weight  # [H, W, 3]; the weighted sum is at most 255 * 255 and fits 16 bits
    mixed += np.array(BACKGROUND, dtype=np.uint16) * (255 - weight)
    mixed += 128
    mixed += mixed >> 8  # with the next shift: division by 255, rounded
    return (mixed >> 8).astype(np.uint8)
