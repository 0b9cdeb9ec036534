"""What an encoded picture is, judged from its bytes alone: format, frames, size, and whether it is all there.

Every check runs before a pixel is decoded. The walks below touch container structure only and each has a
bound, so a hostile file costs milliseconds, not memory.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from magic_ui.errors import MagicError

MAX_FRAMES = 1000
MAX_SCANS = 64
"""Scans of a progressive JPEG; each one passes over the whole picture."""
MAX_BLOCKS = 200_000
"""Structural blocks walked in one file."""

_INCOMPLETE = "the file is incomplete or damaged; save or upload it again."
_TOO_MANY_BLOCKS = "the file's structure is abnormally fragmented; save it again as PNG."


class ContainerError(MagicError):
    """The bytes are no picture that can be decoded safely; the message says why and what to do."""


@dataclass(frozen=True)
class Container:
    """An accepted file: Pillow's name of its format, its frames, and its pixel size when the walk met it."""

    format: str
    frames: int = 1
    size: tuple[int, int] | None = None


def inspect(data: bytes) -> Container:
    """Identify an encoded picture by content and check that it is whole.

    Args:
        data: the encoded file.

    Raises:
        ContainerError: no accepted format, truncated, damaged, or with more than `MAX_FRAMES` frames.
    """
    if not data:
        raise ContainerError("the file is empty; choose a picture.")
    for is_format, walk in _WALKS:
        if is_format.match(data):
            try:
                container = walk(data)
            except (struct.error, IndexError, OverflowError):
                raise ContainerError(_INCOMPLETE) from None
            return container
    raise ContainerError("the content is not a PNG, JPEG, WebP, BMP, TIFF or GIF picture; save it as PNG.")


def _check_frames(frames: int) -> int:
    if frames > MAX_FRAMES:
        raise ContainerError(f"the file has more than {MAX_FRAMES} frames; give a single picture.")
    return frames


def _walk_png(data: bytes) -> Container:
    """PNG (third edition), sections 5.3 and 11, with the checksums of the chunks that make pixels."""
    position, frames, size, has_pixels = 8, 1, None, False
    for _ in range(MAX_BLOCKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ContainerError(_INCOMPLETE)
        if kind in (b"IHDR", b"PLTE", b"IDAT"):
            stated = struct.unpack_from(">I", data, end - 4)[0]
            if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != stated:
                raise ContainerError(_INCOMPLETE)
        if kind == b"IHDR":
            size = struct.unpack_from(">II", data, position + 8)
        elif kind == b"IDAT":
            has_pixels = True
        elif kind == b"acTL":
            frames = max(1, _check_frames(struct.unpack_from(">I", data, position + 8)[0]))
        elif kind == b"IEND":
            if size is None or not has_pixels:
                raise ContainerError(_INCOMPLETE)
            return Container("PNG", frames, size)
        if size is None:
            raise ContainerError(_INCOMPLETE)
        position = end
    raise ContainerError(_TOO_MANY_BLOCKS)


_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def _walk_jpeg(data: bytes) -> Container:
    """ITU-T T.81, annex B: marker segments, entropy-coded data after each start of scan, the end marker."""
    position, scans, size = 2, 0, None
    for _ in range(MAX_BLOCKS):
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            raise ContainerError(_INCOMPLETE)
        marker, position = data[found.end() - 1], found.end()
        if marker == 0xD9:  # end of image
            if not scans or size is None:
                raise ContainerError(_INCOMPLETE)
            return Container("JPEG", 1, size)
        length = struct.unpack_from(">H", data, position)[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header
            height, width = struct.unpack_from(">HH", data, position + 3)
            size = (width, height)
        if marker == 0xDA:
            scans += 1
            if scans > MAX_SCANS:
                raise ContainerError(f"the file has more than {MAX_SCANS} scans; save it again as PNG.")
        position += length
    raise ContainerError(_TOO_MANY_BLOCKS)


def _walk_gif(data: bytes) -> Container:
    """GIF89a specification, sections 18 to 27: blocks up to the trailer."""
    width, height, packed = struct.unpack_from("<HHB", data, 6)
    position = 13 + _color_table_bytes(packed)
    frames = blocks = 0
    while True:
        introducer = data[position]
        if introducer == 0x3B:  # trailer
            if not frames:
                raise ContainerError(_INCOMPLETE)
            return Container("GIF", frames, (width, height))
        if introducer == 0x2C:  # image descriptor, colour table, code size
            frames = _check_frames(frames + 1)
            position += 11 + _color_table_bytes(data[position + 9])
        elif introducer == 0x21:  # extension
            position += 2
        else:
            raise ContainerError(_INCOMPLETE)
        while length := data[position]:
            position += length + 1
            blocks = _count_block(blocks)
        position += 1
        blocks = _count_block(blocks)


def _count_block(blocks: int) -> int:
    if blocks >= MAX_BLOCKS:
        raise ContainerError(_TOO_MANY_BLOCKS)
    return blocks + 1


def _color_table_bytes(packed: int) -> int:
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _walk_webp(data: bytes) -> Container:
    """WebP container specification: RIFF chunks; the canvas is sized from VP8X, VP8 or VP8L."""
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise ContainerError(_INCOMPLETE)
    position, frames, size, has_pixels = 12, 0, None, False
    for _ in range(MAX_BLOCKS):
        if position + 8 > end:
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        body, position = position + 8, position + 8 + length + (length & 1)
        if body + length > end:
            raise ContainerError(_INCOMPLETE)
        if kind == b"VP8X":
            size = (_little_24(data, body + 4) + 1, _little_24(data, body + 7) + 1)
        elif kind == b"ANMF":
            frames, has_pixels = _check_frames(frames + 1), True
        elif kind in (b"VP8 ", b"VP8L"):
            has_pixels = True
            if size is None:
                size = _vp8_size(data, body) if kind == b"VP8 " else _vp8l_size(data, body)
    if size is None or not has_pixels:
        raise ContainerError(_INCOMPLETE)
    return Container("WEBP", max(1, frames), size)


def _little_24(data: bytes, position: int) -> int:
    return data[position] | data[position + 1] << 8 | data[position + 2] << 16


def _vp8_size(data: bytes, body: int) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, body + 6)
    return width & 0x3FFF, height & 0x3FFF


def _vp8l_size(data: bytes, body: int) -> tuple[int, int]:
    bits = struct.unpack_from("<I", data, body + 1)[0]
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _walk_bmp(data: bytes) -> Container:
    """Windows bitmap: the header's own file size; no run-length coding (slow to decode, hardly ever used)."""
    stated, _, _, header = struct.unpack_from("<IIII", data, 2)
    if stated > len(data):
        raise ContainerError(_INCOMPLETE)
    if header == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return Container("BMP", 1, (width, height))
    width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
    if compression not in (0, 3, 6):
        raise ContainerError("compressed BMP is not read; save it as PNG.")
    return Container("BMP", 1, (abs(width), abs(height)))


def _walk_tiff(data: bytes) -> Container:
    """TIFF 6.0, section 2, and BigTIFF: the chain of directories, one for each page."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    offset_code, count_code, entry_bytes = ("Q", "Q", 20) if big else ("I", "H", 12)
    offset = struct.unpack_from(order + offset_code, data, 8 if big else 4)[0]
    if not offset:
        raise ContainerError(_INCOMPLETE)
    pages, seen = 0, set()
    while offset and offset not in seen:
        seen.add(offset)
        pages = _check_frames(pages + 1)
        entries = struct.unpack_from(order + count_code, data, offset)[0]
        offset += struct.calcsize(order + count_code) + entries * entry_bytes
        offset = struct.unpack_from(order + offset_code, data, offset)[0]
    return Container("TIFF", pages)


_WALKS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _walk_png),
    (re.compile(rb"\xff\xd8\xff"), _walk_jpeg),
    (re.compile(rb"GIF8[79]a"), _walk_gif),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _walk_webp),
    (re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+"), _walk_tiff),
    (re.compile(rb"BM"), _walk_bmp),
)
