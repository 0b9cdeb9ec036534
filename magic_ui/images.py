"""Any picture that a person may hand in → uint8 RGB `[H, W, 3]`. The only decoder of the package.

Files are judged by content, checked before a pixel is decoded, turned upright, brought to sRGB and to 8 bits.
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin

from magic_ui import color as colors
from magic_ui import containers
from magic_ui.errors import InputError

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 40_000_000
MIN_SIDE = 64
MAX_ASPECT = 8

ImageSource = str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray

# Pillow's limits are process-wide; the page's own components decode with them before this module is asked.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
ImageFile.LOAD_TRUNCATED_IMAGES = False
PngImagePlugin.MAX_TEXT_CHUNK = 1024 * 1024
PngImagePlugin.MAX_TEXT_MEMORY = 4 * 1024 * 1024

_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 322, 323
_UNREADABLE = "the picture cannot be decoded; it is incomplete or damaged. Save or upload it again."


@dataclass(frozen=True)
class DecodedImage:
    """A picture ready for use.

    Attributes:
        pixels: uint8 `[H, W, 3]`, sRGB, upright, transparent parts composited on `BACKGROUND`.
        alpha: uint8 `[H, W]`, 255 = opaque; None when the picture is opaque throughout.
        notes: what was chosen on the way, in words for the person ("first of 12 frames").
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Raster:
    """Samples as stored, upright: color `[H, W]` or `[H, W, 3]` of any depth, alpha uint8 `[H, W]`."""

    color: np.ndarray
    alpha: np.ndarray | None
    notes: list[str]
    lossy: bool = False


def load_image(source: ImageSource, *, field: str = "image") -> np.ndarray:
    """Return the picture as uint8 RGB `[H, W, 3]`. Sources and errors as for `decode_image`."""
    return decode_image(source, field=field).pixels


def decode_image(source: ImageSource, *, field: str = "image") -> DecodedImage:
    """Decode a picture and say what was chosen on the way.

    Args:
        source: a path, the encoded bytes, a binary file object, a PIL image, or an array `[H, W]`,
            `[H, W, 1]`, `[H, W, 3]` (RGB) or `[H, W, 4]` (RGBA) of bool, uint8, uint16 (full range) or
            float (0 to 1). Encoded pictures are PNG, JPEG, WebP, BMP, TIFF or GIF; of an animation the first
            frame is taken.
        field: the name that errors carry.

    Raises:
        InputError: unreadable, damaged, another format, more than `MAX_FILE_BYTES` or `MAX_PIXELS`, a side
            below `MIN_SIDE`, an aspect above `MAX_ASPECT`, or transparent throughout.
    """
    raster = _read_raster(source, field)
    notes = list(raster.notes)
    color = colors.to_eight_bits(raster.color, notes)  # [H, W] or [H, W, 3]
    if color.ndim == 2:
        color = np.repeat(color[:, :, None], 3, axis=2)
    alpha = raster.alpha
    if alpha is not None and alpha.min() == 255:
        alpha = None
    if alpha is None:
        return DecodedImage(np.ascontiguousarray(color), None, notes)
    if alpha.max() == 0:
        raise InputError(field, "the picture is transparent throughout; give one that shows the part.")
    notes.append("Transparent parts are shown on white.")
    return DecodedImage(colors.composite(color, alpha), np.ascontiguousarray(alpha), notes)


def load_mask(source: ImageSource, size: tuple[int, int] | None, *, field: str = "mask") -> np.ndarray:
    """Return a mask as bool `[H, W]`: True where any stored sample is above 0, be it a class id or 255.

    JPEG blurs a mask's border, so there a sample counts above half of the brightest one. A pixel that is
    fully transparent is outside; when all that is visible is black, as a brush layer may be, the visible part
    is the mask.

    Args:
        source: as for `decode_image`; an array may be of any real type.
        size: (H, W) of the picture that the mask belongs to; None where it belongs to none.

    Raises:
        InputError: unreadable, of another size, or empty.
    """
    if isinstance(source, np.ndarray) and source.dtype.kind in "iuf":
        source = source > 0
    raster = _read_raster(source, field, as_mask=True)
    height, width = raster.color.shape[:2]
    if size is not None and (height, width) != tuple(size):
        raise InputError(
            field,
            f"the mask is {width} x {height} pixels, but the picture is {size[1]} x {size[0]}; "
            "make them the same size.",
        )
    samples = raster.color if raster.color.ndim == 2 else raster.color.max(axis=2)
    mask = samples > (samples.max() / 2 if raster.lossy else 0)
    if raster.alpha is not None:
        visible = raster.alpha > 0
        mask = mask & visible
        if not mask.any() and not visible.all():
            mask = visible
    if not mask.any():
        raise InputError(field, "the mask is empty; mark at least one pixel.")
    return np.ascontiguousarray(mask)


def encode_png(pixels: np.ndarray, text: dict[str, str] | None = None) -> bytes:
    """Encode pixels without loss as a PNG that holds no metadata but `text`.

    Args:
        pixels: uint8 `[H, W, 3]` RGB, uint8 `[H, W]` grey, or a bool mask `[H, W]`, which becomes 0/255.
        text: keyword → text, stored as UTF-8 (`iTXt`).

    Raises:
        InputError: another shape or type, or a keyword that PNG does not allow.
    """
    if pixels.dtype == bool and pixels.ndim == 2:
        pixels = pixels.astype(np.uint8) * 255
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise InputError("pixels", f"got {pixels.dtype} {list(pixels.shape)}; give uint8 [H, W, 3] or a mask [H, W].")
    info = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        try:
            if not 1 <= len(key.encode("latin-1")) <= 79 or "\0" in key + value:
                raise ValueError
            info.add_itxt(key, value, "", "", zip=False)
        except ValueError:
            raise InputError("text", "a keyword has 1 to 79 Latin characters, and its text is UTF-8.") from None
    encoded = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(encoded, format="PNG", pnginfo=info)
    return encoded.getvalue()


# --- from a source to a raster ---


def _read_raster(source: Any, field: str, *, as_mask: bool = False) -> _Raster:
    smallest = 1 if as_mask else MIN_SIDE
    if isinstance(source, np.ndarray):
        return _raster_from_array(source, field, smallest)
    if isinstance(source, Image.Image):
        _check_size(*source.size, field, smallest)
        return _raster_from_pil(source, field, [], as_mask)
    data = _read_bytes(source, field)
    try:
        container = containers.inspect(data)
    except containers.ContainerError as error:
        raise InputError(field, str(error)) from None
    if container.size is not None:
        _check_size(*container.size, field, smallest)
    notes = []
    if container.frames > 1:
        notes.append(f"The file has {container.frames} frames; the first is used.")
    try:
        opened = Image.open(io.BytesIO(data), formats=[container.format])
    except Exception:  # hostile bytes raise nearly anything: SyntaxError, struct.error, KeyError ...
        raise InputError(field, _UNREADABLE) from None
    _check_size(*opened.size, field, smallest)
    return _raster_from_pil(opened, field, notes, as_mask)


def _read_bytes(source: Any, field: str) -> bytes:
    """The encoded file, at most `MAX_FILE_BYTES`; only regular files are opened, never an address."""
    if isinstance(source, bytes | bytearray | memoryview):
        _check_bytes(memoryview(source).nbytes, field)
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        try:
            path = Path(source)
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise InputError(field, "this is not a file; choose a picture.")
            _check_bytes(status.st_size, field)
            with path.open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(field, "there is no such file, or it cannot be read; choose another.") from None
    elif hasattr(source, "read"):
        try:
            data = source.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError, TypeError):
            raise InputError(field, "the file cannot be read; open it again in binary mode.") from None
    else:
        received = "nothing" if source is None else f"a value of type {type(source).__name__}"
        raise InputError(field, f"got {received}; give a picture.")
    if not isinstance(data, bytes):
        raise InputError(field, "the file is open as text; open it in binary mode.")
    _check_bytes(len(data), field)
    return data


def _raster_from_pil(image: Image.Image, field: str, notes: list[str], as_mask: bool) -> _Raster:
    if _tiff_tile_area(image) > MAX_PIXELS:
        raise InputError(field, _UNREADABLE)
    lossy = image.format in ("JPEG", "MPO")
    try:
        image.load()
        orientation = colors.orientation_of(image, notes)
        image, alpha = colors.split_alpha(image)
        color = colors.color_samples(image, notes, use_profile=not as_mask)
    except Exception:  # as above: the decoder meets the pixels only here
        raise InputError(field, _UNREADABLE) from None
    if color.dtype.kind == "f" and not np.isfinite(color).all():
        raise InputError(field, "the picture holds values that are no finite numbers; save it as 8 or 16 bits.")
    upright_alpha = None if alpha is None else colors.upright(np.asarray(alpha), orientation)
    return _Raster(colors.upright(color, orientation), upright_alpha, notes, lossy)


def _raster_from_array(array: np.ndarray, field: str, smallest: int) -> _Raster:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or 0 in array.shape:
        raise InputError(
            field, f"got an array of shape {list(array.shape)}; give [H, W], [H, W, 3] RGB or [H, W, 4] RGBA."
        )
    _check_size(array.shape[1], array.shape[0], field, smallest)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError(field, "the array holds NaN or infinity; give uint8, or float from 0 to 1.")
        if array.min() < 0 or array.max() > 1:
            received = f"got float values from {array.min():g} to {array.max():g}"
            raise InputError(field, f"{received}; give uint8, or float from 0 to 1.")
    elif array.dtype not in (np.uint8, np.uint16, np.bool_):
        raise InputError(field, f"got an array of {array.dtype}; give uint8, uint16, bool, or float 0 to 1.")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    array = array.copy()
    if array.ndim == 2:
        return _Raster(array, None, [])
    if array.shape[2] == 1:
        return _Raster(array[:, :, 0], None, [])
    if array.shape[2] == 3:
        return _Raster(array, None, [])
    return _Raster(array[:, :, :3], colors.to_eight_bits(array[:, :, 3], []), [])


# --- limits ---


def _check_bytes(count: int, field: str) -> None:
    if count > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 1024**2
        raise InputError(field, f"the file has {count / 1024**2:.1f} MB; give at most {limit} MB.")


def _check_size(width: int, height: int, field: str, smallest: int) -> None:
    received = f"the picture is {width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise InputError(field, f"{received}; give at most {MAX_PIXELS // 10**6} million.")
    if min(width, height) < smallest:
        raise InputError(field, f"{received}; each side must have at least {smallest}.")
    if smallest > 1 and max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(field, f"{received}; the long side may be at most {MAX_ASPECT} times the short one. Crop it.")


def _tiff_tile_area(image: Image.Image) -> int:
    """Pixels of one TIFF tile: a small picture may declare a tile of gigabytes, and libtiff allocates it."""
    tags = getattr(image, "tag_v2", None) or {}
    try:
        return int(tags.get(_TIFF_TILE_WIDTH, 0)) * int(tags.get(_TIFF_TILE_LENGTH, 0))
    except (TypeError, ValueError):
        return MAX_PIXELS + 1
