"""Hostile files, made here: each is refused by an `InputError`, fast, in little memory, naming no path."""

import contextlib
import io
import os
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from magic_ui import containers
from magic_ui.errors import InputError
from magic_ui.images import MAX_FILE_BYTES, encode_png, load_image, load_mask
from tests.ids import stable_id

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, compressed, bits=8, color=0, extra=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
    return SIGNATURE + header + extra + chunk(b"IDAT", compressed) + chunk(b"IEND", b"")


def gif(frames, filler=b""):
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 100, 100, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 100, 100, 0x80, 0, 0) + bytes(6) + frame * frames + filler + b"\x3b"


def encode(array, format, **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format, **options)
    return stream.getvalue()


def refuse(source, match=None, seconds=1.0):
    """Assert an `InputError` within `seconds` of computing and with less than 64 MB of memory at the peak."""
    started = time.process_time()
    with pytest.raises(InputError, match=match) as caught:
        load_image(source)
    elapsed = time.process_time() - started
    assert elapsed < seconds
    if elapsed < 0.05 or seconds > 1:  # tracing slows long walks, which hold nothing, tenfold
        tracemalloc.start()
        with pytest.raises(InputError):
            load_image(source)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 64 * 1024**2
    assert caught.value.field == "image"
    assert caught.value.__cause__ is None
    assert "/" not in str(caught.value)
    return caught.value


def empty_bomb(side):
    compressor = zlib.compressobj(9)
    rows = bytes((side // 8 + 2) * 100)
    compressed = b"".join(compressor.compress(rows) for _ in range(side // 100)) + compressor.flush()
    return png(side, side, compressed, bits=1)


# --- 1: nothing, cut, random


def test_empty_file(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    for source in (b"", io.BytesIO(), path):
        refuse(source, "empty")


@pytest.mark.parametrize(
    "format, options",
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("GIF", {}),
    ],
    ids=str,
)
def test_cut_anywhere(picture, format, options):
    data = encode(picture, format, **options)
    load_image(data)
    for cut in {*(len(data) * step // 20 for step in range(20)), *range(len(data) - 16, len(data))}:
        with pytest.raises(InputError):
            load_image(data[:cut])


def test_whole_container_with_missing_pixels():
    rows = bytes(101 * 100)
    whole = zlib.compress(rows)
    load_image(png(100, 100, whole))
    for compressed in (b"", whole[:-6], whole[: len(whole) // 2], zlib.compress(rows[:5000])):
        refuse(png(100, 100, compressed), "incomplete or damaged")
    refuse(gif(1), "incomplete or damaged")


def test_flipped_pixel_bytes_are_noticed(picture):
    data = bytearray(encode(picture, "PNG"))
    data[len(data) // 2] ^= 1
    refuse(bytes(data), "damaged")


@pytest.mark.parametrize("prefix", [b"", SIGNATURE, b"\xff\xd8\xff", b"GIF89a", b"II*\0", b"MM\0+", b"BM"])
def test_random_bytes(prefix):
    for seed in range(20):
        refuse(prefix + np.random.default_rng(seed).bytes(3000))


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", SIGNATURE, b"\xff\xd8\xff\xda", b"GIF87a", b"II+\0", b"BM"]),
)
def test_nothing_but_an_input_error(data, prefix):
    for load in (load_image, lambda source: load_mask(source, (64, 64))):
        with pytest.raises(InputError):
            load(prefix + data)


@given(st.data())
def test_one_changed_byte_never_escapes(data):
    picture = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    format = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"]))
    encoded = bytearray(encode(picture, format))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        assert load_image(bytes(encoded)).ndim == 3


# --- 2: sizes


@pytest.mark.parametrize("width, height", [(1, 1), (63, 64), (64, 63), (1, 8192), (64, 513), (1000, 100)])
def test_small_and_narrow(width, height):
    array = np.zeros((height, width, 3), np.uint8)
    for source in (array, encode_png(array), Image.fromarray(array)):
        refuse(source, f"{width} x {height}")


@pytest.mark.parametrize("width, height", [(64, 64), (64, 512), (512, 64)])
def test_just_large_enough(width, height):
    assert load_image(np.zeros((height, width), np.uint8)).shape == (height, width, 3)


# --- 3: bombs


@pytest.mark.parametrize("side", [6400, 13000, 20000])
def test_bombs_are_refused_by_their_header(side):
    data = empty_bomb(side)
    assert len(data) < 1024**2
    refuse(data, "at most 40 million")
    refuse(np.broadcast_to(np.uint8(0), (side, side)), "at most 40 million")
    with pytest.raises(InputError, match="at most 40 million"):
        load_mask(data, (side, side))


def test_other_bombs():
    canvas = (13000 - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + canvas * 2 + b"VP8L" + struct.pack("<I", 0)
    refuse(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body, "at most 40 million")
    refuse(b"BM" + struct.pack("<IIIIiiHHI", 0, 0, 54, 40, 20000, -20000, 1, 24, 0) + bytes(20), "40 million")


def test_tiff_tile_of_gigabytes():
    tags = [
        (256, 64),
        (257, 64),
        (258, 8),
        (259, 8),
        (262, 1),
        (277, 1),
        (322, 65520),
        (323, 65520),
        (324, 8),
        (325, 9),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + bytes(64)
    refuse(data, "cannot be decoded")


def test_endless_frames():
    refuse(gif(10_000), "more than 1000 frames")
    frame = encode(np.zeros((64, 64), np.uint8), "PNG")
    refuse(frame[:33] + chunk(b"acTL", struct.pack(">II", 10_000, 0)) + frame[33:], "more than 1000 frames")
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02" + bytes(3) + b"\x3f\0\0" * 2 + b"ANMF\0\0\0\0" * 10_000
    refuse(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body, "more than 1000 frames")
    page = b"".join(struct.pack("<HI", 0, 8 + 6 * (number + 1)) for number in range(10_000))
    refuse(b"II*\0" + struct.pack("<I", 8) + page, "more than 1000 frames")


def test_fragments():
    whole = encode_png(np.zeros((64, 64), np.uint8))
    refuse(whole[:33] + chunk(b"teXt", b"") * 250_000 + whole[33:], "fragmented")
    refuse(gif(0, b"\x21\xf9\0" * 250_000), "fragmented")
    refuse(gif(0, b"\x21\xf9" + b"\1\0" * 250_000), "fragmented")
    scan = b"\xff\xda\0\x08\1\1\0\0\x3f\0"
    refuse(b"\xff\xd8\xff\xc0\0\x0b\x08\0\x40\0\x40\1\1\x11\0" + scan * 1000 + b"\xff\xd9", "scans")
    refuse(b"\xff\xd8" + b"\xff" * 2_000_000, "incomplete")
    refuse(b"\xff\xd8\xff\xda" + b"\xff\x00" * 1_000_000, "incomplete")


# --- 4: large files and text


@pytest.fixture(scope="module")
def zeros():
    """200 MB of nothing, compressed."""
    return zlib.compress(bytes(200 * 1024**2), 1)


def test_upload_of_one_byte_too_many(tmp_path):
    path = tmp_path / "large.png"
    whole = encode_png(np.zeros((64, 64), np.uint8))
    with path.open("wb") as stream:
        stream.write(whole)
        stream.truncate(MAX_FILE_BYTES + 1)
    with path.open("rb") as stream:
        for source in (path, stream):
            refuse(source, "20.0 MB; give at most 20 MB")
    refuse(bytes(MAX_FILE_BYTES + 1), "at most 20 MB")


@pytest.mark.parametrize("kind, head", [(b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")])
def test_compressed_text_bomb(kind, head, zeros):
    refuse(png(64, 64, zlib.compress(bytes(65 * 64)), extra=chunk(kind, head + zeros)), seconds=2.0)


def test_plain_text_bomb():
    text = chunk(b"tEXt", b"a\0" + bytes(19 * 1024**2))
    refuse(png(64, 64, zlib.compress(bytes(65 * 64)), extra=text), seconds=2.0)
    refuse(io.BytesIO(SIGNATURE + bytes(200 * 1024**2)), "at most 20 MB", seconds=2.0)


# --- 7: content, not name


@pytest.mark.parametrize(
    "content",
    [
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>',
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n",
        b"%PDF-1.7\n1 0 obj\n",
        b"SIMPLE  =                    T / FITS" + b" " * 2880,
        b"P6 64 64 255\n" + bytes(64 * 64 * 3),
        b"PK\x03\x04" + bytes(200),
        b"\0\0\x01\0\1\0" + bytes(200),
        b"RIFF\x10\0\0\0WAVE" + bytes(200),
    ],
)
def test_other_formats_named_png(content, tmp_path):
    path = tmp_path / "part.png"
    path.write_bytes(content)
    refuse(path, "not a PNG, JPEG, WebP, BMP, TIFF or GIF")


# --- 10: names and sources


@pytest.mark.parametrize(
    "source",
    [
        "../" * 9 + "etc/passwd",
        "/etc/passwd",
        "%2e%2e%2fetc%2fpasswd",
        "part\0.png",
        "x" * 300,
        "/" + "y" * 5000,
        "",
        ".",
        "/dev/zero",
        "/proc/self/environ",
        "file:///etc/passwd",
        "http://127.0.0.1:1/part.png",
        "\ud800.png",
        "data:image/png;base64,AAAA",
    ],
    ids=ascii,
)
def test_names_that_are_no_picture(source):
    assert "passwd" not in str(refuse(source))


def test_pipes_and_folders_do_not_block(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    refuse(pipe, "not a file")
    refuse(tmp_path, "not a file")


@pytest.mark.parametrize(
    "source",
    [None, 3, 1.5, True, [], {}, object(), io.StringIO("a"), Image],
    ids=stable_id,
)
def test_other_sources(source):
    refuse(source)


def test_a_lazy_pil_image_is_checked_too(picture):
    data = encode(picture, "PNG")
    refuse(Image.open(io.BytesIO(data[: len(data) // 2])), "incomplete or damaged")
    with pytest.warns(Image.DecompressionBombWarning):
        bomb = Image.open(io.BytesIO(empty_bomb(6400)))
    refuse(bomb, "at most 40 million")


def test_after_a_refusal_the_next_picture_succeeds(picture):
    refuse(gif(10_000))
    assert (load_image(encode(picture, "PNG")) == picture).all()


def test_containers_agree_with_pillow_on_the_size(picture):
    for format in ("PNG", "JPEG", "WEBP", "BMP", "GIF"):
        assert containers.inspect(encode(picture, format)).size == (128, 96)
    assert containers.inspect(encode(picture, "WEBP", lossless=True)).size == (128, 96)
