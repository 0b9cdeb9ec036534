"""Ordinary pictures: every format, depth, color model, orientation and source becomes upright 8-bit RGB."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from magic_ui.color import BACKGROUND
from magic_ui.errors import InputError
from magic_ui.images import decode_image, encode_png, load_image, load_mask


def encode(image, format, **options):
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, format, **options)
    return stream.getvalue()


def difference(pixels, golden):
    golden = golden if golden.ndim == 3 else golden[:, :, None]
    return np.abs(pixels.astype(int) - golden).max()


@pytest.fixture(scope="module")
def depth():
    return np.random.default_rng(2).integers(0, 65536, (72, 80, 3)).astype(np.uint16)


# --- sources and formats


def test_every_source_gives_the_same(picture, tmp_path):
    data = encode(picture, "PNG")
    path = tmp_path / "part.png"
    path.write_bytes(data)
    with path.open("rb") as stream:
        sources = [path, str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), stream]
        sources += [Image.open(io.BytesIO(data)), Image.fromarray(picture), picture, picture[:, :, :]]
        for source in sources:
            pixels = load_image(source)
            assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
            assert (pixels == picture).all()


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "GIF", "JPEG", "WEBP"])
def test_formats(picture, format):
    golden = np.asarray(Image.open(io.BytesIO(encode(picture, format))).convert("RGB"))
    decoded = decode_image(encode(picture, format))
    assert (decoded.pixels == golden).all()
    assert decoded.alpha is None and decoded.notes == []


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_compressed_tiff(picture, compression):
    assert np.abs(load_image(encode(picture, "TIFF", compression=compression)).astype(int) - picture).mean() < 6


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "TIFF"])
def test_of_an_animation_the_first_frame_is_used(picture, format):
    others = [Image.fromarray(255 - picture), Image.fromarray(picture[::-1].copy())]
    options = {"lossless": True} if format == "WEBP" else {}
    decoded = decode_image(encode(picture, format, save_all=True, append_images=others, **options))
    assert np.abs(decoded.pixels.astype(int) - picture).mean() < 8
    assert decoded.notes == ["The file has 3 frames; the first is used."]


def test_arrays(picture):
    grey = picture[:, :, 0]
    for array in (
        grey,
        grey[:, :, None],
        grey.astype(np.uint16) * 257,
        grey / 255,
        (grey / 255).astype(np.float32),
    ):
        assert (load_image(array) == grey[:, :, None]).all()
    assert set(np.unique(load_image(grey > 99))) == {0, 255}
    assert (load_image(picture / 255) == picture).all()
    decoded = decode_image(np.dstack([picture, grey]))
    assert (decoded.alpha == grey).all()


def test_arrays_are_not_shared(picture):
    original = picture.copy()
    load_image(original)[:] = 0
    load_mask(original, original.shape[:2])[:] = False
    assert (original == picture).all()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((64, 64, 2), np.uint8),
        np.zeros((64,), np.uint8),
        np.zeros((2, 64, 64, 3), np.uint8),
        np.zeros((0, 64, 3), np.uint8),
        np.zeros((64, 64, 3), np.int64),
        np.zeros((64, 64, 3), complex),
        np.full((64, 64, 3), 255.0),
        np.full((64, 64, 3), -0.1),
        np.full((64, 64, 3), np.nan),
        np.full((64, 64), "a"),
        np.full((64, 64), None),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_refused(array):
    with pytest.raises(InputError, match=r"^part: "):
        load_image(array, field="part")


# --- depth and color


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(depth, format):
    assert difference(load_image(encode(depth[:, :, 0], format)), np.rint(depth[:, :, 0] / 257)) == 0


def test_16_bit_big_endian_and_inverted_tiff(depth):
    grey = depth[:, :, 0]
    swapped = Image.frombytes("I;16B", (80, 72), grey.astype(">u2").tobytes())
    assert difference(load_image(encode(swapped, "TIFF")), np.rint(grey / 257)) == 0
    white_is_zero = encode(grey, "TIFF", tiffinfo={262: 0})
    assert difference(load_image(white_is_zero), np.rint((65535 - grey) / 257)) == 0


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_color_is_scaled(depth, extension, channels):
    opaque = np.full((*depth.shape[:2], 1), 65535, np.uint16)
    stored = np.concatenate([depth[:, :, ::-1], opaque], axis=2)[:, :, :channels]
    data = cv2.imencode(extension, stored)[1].tobytes()
    assert difference(load_image(data), np.rint(depth / 257)) <= 1


def test_dark_16_bit_is_said():
    assert "16 bits" in decode_image(np.full((64, 64), 4095, np.uint16)).notes[0]


def test_32_bit(depth):
    ramp = np.linspace(0, 1, 72 * 80, dtype=np.float32).reshape(72, 80)
    assert difference(load_image(encode(ramp, "TIFF")), np.rint(ramp * 255)) == 0
    stretched = decode_image(encode(ramp * 900 - 50, "TIFF"))
    assert difference(stretched.pixels, np.rint(ramp * 255)) <= 1
    assert "scaled" in stretched.notes[0]
    assert difference(load_image(encode(depth[:, :, 0].astype(np.int32), "TIFF")), depth[:, :, 0] / 257) <= 1
    flat = decode_image(encode(np.full((64, 64), 7.0, np.float32), "TIFF"))
    assert (flat.pixels == flat.pixels[0, 0]).all()
    with pytest.raises(InputError, match="finite"):
        load_image(encode(np.full((64, 64), np.nan, np.float32), "TIFF"))


@pytest.mark.parametrize("mode, format", [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("P", "PNG"), ("1", "PNG"), ("L", "PNG")])
def test_color_models_match_a_golden_conversion(picture, mode, format):
    stored = Image.fromarray(picture).convert(mode)
    data = encode(stored, format)
    golden = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert difference(load_image(data), golden) <= 2
    assert difference(load_image(stored), np.asarray(stored.convert("RGB")).astype(int)) <= 2


def test_lab_tiff(picture):
    lab = ImageCms.profileToProfile(
        Image.fromarray(picture),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert np.abs(load_image(encode(lab, "TIFF")).astype(int) - picture).mean() < 3


@pytest.fixture(scope="module")
def swapped_profile():
    """sRGB with the red and the blue primary exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))
    return profile.replace(b"rXYZ", b"????", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"????", b"bXYZ", 1)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_color_profile_is_applied(picture, swapped_profile, format):
    options = {"lossless": True} if format == "WEBP" else {}
    decoded = decode_image(encode(picture, format, icc_profile=swapped_profile, **options))
    assert difference(decoded.pixels, picture[:, :, ::-1].astype(int)) <= 2
    assert decoded.notes == ["The colors are converted to sRGB."]


def test_color_profile_with_alpha_and_for_masks(picture, swapped_profile):
    alpha = np.full((96, 128, 1), 255, np.uint8)
    alpha[0] = 0
    decoded = decode_image(encode(np.concatenate([picture, alpha], 2), "PNG", icc_profile=swapped_profile))
    assert difference(decoded.pixels[1:], picture[1:, :, ::-1].astype(int)) <= 2
    mask = (picture > 128).any(axis=2)
    data = encode(mask.astype(np.uint8), "PNG", icc_profile=swapped_profile)
    assert (load_mask(data, mask.shape) == mask).all()


def test_srgb_profile_changes_nothing(picture):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    decoded = decode_image(encode(picture, "PNG", icc_profile=profile))
    assert (decoded.pixels == picture).all() and decoded.notes == []


@pytest.mark.parametrize("profile", [b"not a profile", b"\0" * 128, b"\xff" * 4000])
def test_broken_profile_is_ignored_and_said(picture, profile):
    decoded = decode_image(encode(picture, "PNG", icc_profile=profile))
    assert (decoded.pixels == picture).all()
    assert decoded.notes == ["The color profile cannot be used and is ignored."]


# --- alpha


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_composited_on_white(picture, format):
    alpha = np.tile(np.arange(128, dtype=np.uint8) * 2, (96, 1))
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    decoded = decode_image(encode(np.dstack([picture, alpha]), format, **options))
    weight = alpha[:, :, None] / 255
    assert difference(decoded.pixels, picture * weight + np.array(BACKGROUND) * (1 - weight)) < 1
    assert (decoded.alpha == alpha).all()
    assert decoded.notes == ["Transparent parts are shown on white."]


def test_grey_alpha_and_transparent_palette(picture):
    alpha = np.where(picture[:, :, 0] > 99, 255, 0).astype(np.uint8)
    grey = Image.fromarray(np.dstack([picture[:, :, 1], alpha]), "LA")
    decoded = decode_image(encode(grey, "PNG"))
    assert (decoded.pixels == np.where(alpha, picture[:, :, 1], 255)[:, :, None]).all()
    assert (decoded.alpha == alpha).all()

    palette = Image.fromarray(picture).quantize(16)
    decoded = decode_image(encode(palette, "PNG", transparency=3))
    assert ((decoded.alpha == 0) == (np.asarray(palette) == 3)).all()
    assert (decoded.pixels[np.asarray(palette) == 3] == BACKGROUND).all()


def test_opaque_alpha_is_dropped_and_full_transparency_refused(picture):
    opaque = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    assert decode_image(opaque).alpha is None
    opaque[:, :, 3] = 0
    with pytest.raises(InputError, match="transparent throughout"):
        decode_image(opaque)


# --- orientation and metadata


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_exif_orientation(picture, format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    data = encode(picture, format, exif=exif, **options)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert (load_image(data) == upright).all()
    assert (load_image(Image.open(io.BytesIO(data))) == upright).all()

    mask = encode((picture[:, :, 0] > 128).astype(np.uint8) * 255, format, exif=exif, **options)
    shape = upright.shape[:2]
    golden = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(mask))).convert("L")) > 127
    assert (load_mask(mask, shape) == golden).all()


def test_broken_exif_is_no_reason_to_fail(picture):
    for exif in (b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0" + b"\xff" * 99):
        assert load_image(encode(picture, "JPEG", exif=exif)).shape == picture.shape


def test_output_holds_the_record_and_nothing_else(picture):
    text = {"magic_ui": '{"instruction": "螺丝头部的细划痕", "seed": 3}'}
    data = encode_png(picture, text)
    stored = Image.open(io.BytesIO(data))
    assert stored.text == text
    assert stored.info == text
    assert not stored.getexif()
    assert (load_image(data) == picture).all()
    assert encode_png(picture, text) == data
    assert Image.open(io.BytesIO(encode_png(load_image(encode(picture, "PNG", dpi=(72, 72)))))).info == {}


@pytest.mark.parametrize("text", [{"": "a"}, {"x" * 80: "a"}, {"划痕": "a"}, {"a": "\ud800"}, {"a\0b": "c"}])
def test_png_text_refused(picture, text):
    with pytest.raises(InputError, match=r"^text: "):
        encode_png(picture, text)


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8), np.zeros((4,), bool)])
def test_png_pixels_refused(pixels):
    with pytest.raises(InputError, match=r"^pixels: "):
        encode_png(pixels)


# --- masks


@pytest.fixture
def mask():
    marked = np.zeros((70, 90), bool)
    marked[10:20, 30:60] = True
    return marked


def test_mask_is_what_is_above_zero(mask):
    for value in (1, 5, 127, 255):
        ids = mask.astype(np.uint8) * value
        for source in (
            ids,
            encode(ids, "PNG"),
            Image.fromarray(ids),
            np.dstack([ids] * 3),
            ids.astype(float),
        ):
            assert (load_mask(source, (70, 90)) == mask).all()
    assert (load_mask(mask, (70, 90)) == mask).all()
    assert (load_mask(encode(mask.astype(np.uint16), "PNG"), (70, 90)) == mask).all()
    assert (load_mask(encode_png(mask), (70, 90)) == mask).all()
    assert set(np.unique(np.asarray(Image.open(io.BytesIO(encode_png(mask)))))) == {0, 255}


def test_palette_mask(mask):
    palette = Image.fromarray(mask.astype(np.uint8) * 2, "P")
    palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    assert (load_mask(encode(palette, "PNG"), (70, 90)) == mask).all()


def test_brush_layer(mask):
    for color in (0, 255):
        layer = np.dstack([np.full((70, 90, 3), color, np.uint8), mask.astype(np.uint8) * 255])
        assert (load_mask(layer, (70, 90)) == mask).all()


def test_jpeg_mask_has_no_fringe(mask):
    assert (load_mask(encode(mask.astype(np.uint8) * 255, "JPEG", quality=70), (70, 90)) == mask).mean() > 0.999


def test_one_pixel_and_full_masks():
    one = np.zeros((64, 64), np.uint8)
    one[63, 0] = 1
    assert load_mask(one, (64, 64)).sum() == 1
    assert load_mask(np.ones((64, 64), bool), (64, 64)).all()


def test_empty_and_wrong_size_masks(mask):
    with pytest.raises(InputError, match=r"^mask: the mask is empty"):
        load_mask(np.zeros((70, 90), np.uint8), (70, 90))
    with pytest.raises(InputError, match=r"90 x 70 pixels, but the picture is 70 x 90"):
        load_mask(encode_png(mask), (90, 70))
    for source in (None, b"", np.zeros((0, 0)), np.full((70, 90), np.nan), "no such file"):
        with pytest.raises(InputError, match=r"^mask: "):
            load_mask(source, (70, 90))
