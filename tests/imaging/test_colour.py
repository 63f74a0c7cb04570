"""Whatever a decoder gave, as 8-bit RGB in sRGB on a white ground."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from imaging import colour
from imaging.read import read
from tests.imaging.pictures import (
    P3_PRIMARIES,
    chunk,
    cmyk_profile,
    distance,
    encoded,
    grey_profile,
    pixels,
    png,
    rgb_profile,
    scene,
    tiff,
    transparent,
)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def row(data):
    """The first row of what is read, as a list of (R, G, B)."""
    return [tuple(pixel) for pixel in pixels(read(data))[0].tolist()]


def grey(*values):
    return [(value, value, value) for value in values]


# ---------------------------------------------------------------- transparency


def half_red():
    """Red at three opacities: none, half, all."""
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 128))
    image.putpixel((2, 0), (255, 0, 0, 255))
    return image


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_transparent_parts_show_white(form):
    """Left alone, most pictures have black there, and a network sees a black background."""
    image = half_red().resize((48, 16), Image.Resampling.NEAREST)
    options = {
        "WEBP": {"lossless": True},
        "HEIF": {"chroma": 444},
        "AVIF": {"subsampling": "4:4:4"},
    }
    photo = pixels(read(encoded(image, form, **options.get(form, {}))))
    for column, expected in ((4, (255, 255, 255)), (24, (255, 127, 127)), (44, (255, 0, 0))):
        assert np.abs(photo[8, column] - expected).max() <= 16


def test_grey_with_transparency_shows_white():
    image = Image.merge("LA", [Image.new("L", (1, 1), 40), Image.new("L", (1, 1), 0)])
    assert row(encoded(image, "PNG")) == grey(255)


def test_premultiplied_colours_are_understood():
    """TIFF's associated alpha: half a red is stored as (128, 0, 0), and half a grey of 80 as 40."""
    red = tiff(1, 1, b"\x80\0\0\x80", samples=4, photometric=2, extra=[(338, 3, 1, 1)])
    assert np.abs(np.array(row(red)) - (255, 127, 127)).max() <= 1
    half = tiff(1, 1, b"\x28\x80", samples=2, extra=[(338, 3, 1, 1)])
    assert np.abs(np.array(row(half)) - 167).max() <= 1


def test_a_palette_may_hold_transparency():
    """As one entry, as an alpha for each entry, or as an alpha beside it."""
    colours = chunk(b"PLTE", bytes([10, 20, 30, 200, 0, 0, 0, 0, 200]))
    one = png(3, 1, 8, 3, [b"\0\1\2"], colours, chunk(b"tRNS", b"\0"))
    assert row(one) == [(255, 255, 255), (200, 0, 0), (0, 0, 200)]
    several = png(3, 1, 8, 3, [b"\0\1\2"], colours, chunk(b"tRNS", b"\xff\0\x80"))
    assert row(several) == [(10, 20, 30), (255, 255, 255), (127, 127, 227)]
    gif = Image.new("P", (2, 1))
    gif.putpalette([10, 20, 30, 200, 0, 0])
    gif.putpixel((1, 0), 1)
    assert row(encoded(gif, "GIF", transparency=0)) == [(255, 255, 255), (200, 0, 0)]


def test_a_gif_frame_of_greys_keeps_its_own_palette():
    """Pillow drops a palette that is just the greys, and then takes the file's other one."""
    red, greys = bytes([255, 0, 0]) * 256, bytes(n // 3 for n in range(768))
    screen = b"GIF89a\2\0\1\0\x87\0\0" + red
    frame = b"\x21\xf9\4\1\0\0\x02\0\x2c" + bytes(4) + b"\2\0\1\0\x87" + greys
    pixels_2_and_7 = b"\x08\x05\x00\x05\x1c\x08\x08\0"  # LZW: clear, 2, 7, end, in 9 bits each
    assert row(screen + frame + pixels_2_and_7 + b";") == grey(255, 7)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(8, 1, 1, 0, [b"\x0f"], transparent(0)), grey(*[255] * 8)),
        (png(4, 1, 2, 0, [b"\x1b"], transparent(1)), grey(0, 255, 170, 255)),
        (png(2, 1, 4, 0, [b"\x5a"], transparent(5)), grey(255, 170)),
        (png(2, 1, 8, 0, [b"\x05\x0a"], transparent(5)), grey(255, 10)),
        (png(2, 1, 16, 0, [b"\x05\x06\x05\x07"], transparent(0x0506)), grey(255, 5)),
        (png(2, 1, 8, 2, [b"\1\2\3\4\5\6"], transparent(1, 2, 3)), [(255, 255, 255), (4, 5, 6)]),
        (
            png(2, 1, 16, 2, [b"\1\2\3\4\5\6\7\7\7\7\7\7"], transparent(0x102, 0x304, 0x506)),
            [(255, 255, 255), (7, 7, 7)],
        ),
    ],
    ids=["1 bit", "2 bits", "4 bits", "8 bits", "16 bits", "RGB", "RGB of 16 bits"],
)
def test_one_transparent_colour_is_known_at_every_depth(data, expected):
    """PNG gives it with as many bits as the samples have, and Pillow compares it with 8."""
    assert row(data) == expected


def test_large_transparent_pictures_are_worked_off_in_strips(monkeypatch):
    """It must not be seen in the result, nor where the last strip is short."""
    image = scene(600, 601)
    image.putalpha(scene(600, 601).getchannel("G"))
    whole = colour.plain(image, None).reduce(3)
    monkeypatch.setattr(colour, "_STRIP_PIXELS", 20_000)
    assert distance(colour.plain(image, 100), whole) < 0.5


# ---------------------------------------------------------------- bits

RAMP = np.arange(0, 65536, 256, dtype=np.uint16)  # every high byte once, in 16 bits


@pytest.mark.parametrize(
    "data",
    [
        png(256, 1, 16, 0, [RAMP.astype(">u2").tobytes()]),
        png(256, 1, 16, 2, [np.repeat(RAMP, 3).astype(">u2").tobytes()]),
        png(
            256,
            1,
            16,
            6,
            [np.insert(np.repeat(RAMP, 3), range(3, 769, 3), 65535).astype(">u2").tobytes()],
        ),
        tiff(256, 1, RAMP.astype("<u2").tobytes(), bits=16),
        tiff(256, 1, RAMP.astype(">u2").tobytes(), bits=16, order=">"),
    ],
    ids=["PNG grey", "PNG RGB", "PNG RGBA", "TIFF", "TIFF, big-endian"],
)
def test_16_bits_become_8_by_their_high_byte(data):
    """Pillow's own conversion of grey cuts off at 255: nearly everything turns white."""
    assert row(data) == grey(*range(256))


def test_12_bits_fill_the_scale():
    """Pillow unpacks them to values up to 4095 and leaves it at that."""
    packed = bytes([0x00, 0x07, 0xFF, 0xFF, 0xF8, 0x00])  # 0x000, 0x7FF, 0xFFF, 0x800
    assert row(tiff(4, 1, packed, bits=12)) == grey(0, 127, 255, 128)


@pytest.mark.parametrize(
    ("values", "kind", "sample_format"),
    [([-5, 45, 95], "<i4", 2), ([0.25, 0.5, 0.75], "<f4", 3), ([-1e38, 0, 1e38], "<f4", 3)],
    ids=["integers", "floats", "huge floats"],
)
def test_values_without_a_white_are_spread_from_darkest_to_brightest(values, kind, sample_format):
    data = np.array(values, dtype=kind).tobytes()
    picture = tiff(3, 1, data, bits=32, extra=[(339, 3, 1, sample_format)])
    assert row(picture) == grey(0, 127, 255)


@pytest.mark.parametrize("values", [[7, 7, 7], [np.nan, 1, 2], [np.inf, 1, 2], [0, -np.inf, 2]])
def test_floats_that_say_nothing_still_give_a_picture(values):
    data = np.array(values, dtype="<f4").tobytes()
    assert len(row(tiff(3, 1, data, bits=32, extra=[(339, 3, 1, 3)]))) == 3


def test_one_bit_is_black_and_white():
    assert row(png(8, 1, 1, 0, [b"\x0f"])) == grey(*[0] * 4, *[255] * 4)


@pytest.mark.parametrize("factor", [1, 3])
def test_every_mode_may_be_reduced(factor):
    """At full size and in strips, a plain colour stays what it is."""
    for mode in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "I;16"):
        image = Image.new("RGB", (90, 60), "white").convert("L" if mode == "I;16" else mode)
        if mode == "I;16":
            image = Image.fromarray(np.full((60, 90), 65535, np.uint16))
        photo = colour.to_srgb(colour.plain(image, 60 // (2 * factor)), None)
        assert photo.size == (90 // factor, 60 // factor)
        assert (pixels(photo) == 255).all()


# ---------------------------------------------------------------- colours


def test_cmyk_is_read_as_printed():
    """In a JPEG Adobe's programs store it inverted, in a TIFF nobody does."""
    ink = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    for form in ("JPEG", "TIFF"):
        assert distance(read(encoded(ink, form)), Image.new("RGB", (32, 32), "red")) < 3


def test_ycck_is_read_as_printed():
    """Adobe's other CMYK: the inks as YCbCr, marked by a transform of 2 in the APP14 segment."""
    inks = Image.new("RGB", (32, 32), (0, 255, 255)).convert("YCbCr")
    planes = [band.point(lambda value: 255 - value) for band in inks.split()]
    jpeg = encoded(Image.merge("CMYK", [*planes, Image.new("L", (32, 32), 0)]), "JPEG", quality=95)
    at = jpeg.index(b"Adobe") + 11
    assert jpeg[at] == 0
    photo = read(jpeg[:at] + b"\2" + jpeg[at + 1 :])
    assert distance(photo, Image.new("RGB", (32, 32), "red")) < 3


def test_lab_and_ycbcr_are_read():
    spaces = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
    lab = ImageCms.profileToProfile(scene(), *spaces, outputMode="LAB")
    assert distance(read(encoded(lab, "TIFF")), scene()) < 3
    assert distance(read(encoded(scene().convert("YCbCr"), "TIFF")), scene()) < 3


def in_srgb(values, gamma, primaries):
    """The colours of a display with this gamma and these primaries, computed by hand."""
    to_xyz = np.array(primaries).T
    srgb = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
    light = np.linalg.solve(srgb, to_xyz @ (np.array(values) / 255) ** gamma).clip(0, 1)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return curve * 255


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_wide_gamut_photo_is_brought_to_srgb(form):
    """iPhones write Display P3; read as sRGB its colours are pale."""
    profile, colour_in_p3 = rgb_profile(2.2, *P3_PRIMARIES), (200, 80, 60)
    data = encoded(Image.new("RGB", (32, 32), colour_in_p3), form, icc_profile=profile)
    expected = in_srgb(colour_in_p3, 2.2, P3_PRIMARIES)
    assert np.abs(np.array(row(data)[0]) - expected).max() <= 4
    assert np.abs(expected - colour_in_p3).max() > 10


@pytest.mark.parametrize("profile", [SRGB, SRGB[:-1] + b"\x01"], ids=["sRGB", "a copy of it"])
def test_a_photo_in_srgb_keeps_every_pixel(profile):
    """Most profiles are sRGB under some name, and a conversion costs as much as decoding."""
    assert (pixels(read(encoded(scene(), "PNG", icc_profile=profile))) == pixels(scene())).all()


def test_a_grey_profile_is_followed():
    linear = Image.new("L", (4, 4), 55)
    photo = read(encoded(linear, "PNG", icc_profile=grey_profile(1.0)))
    assert abs(pixels(photo)[0, 0, 0] - 128) <= 2  # 55/255 of the light is a middle grey


def test_a_cmyk_profile_is_followed():
    """By the plain formula these inks are red; on this press only the black one can be seen."""
    for black, expected in ((0, 255), (128, 119), (255, 0)):
        ink = Image.new("CMYK", (16, 16), (0, 255, 255, black))
        photo = read(encoded(ink, "JPEG", icc_profile=cmyk_profile()))
        assert np.abs(pixels(photo) - expected).max() <= 3


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        SRGB[:200],
        b"\0" * 5_000_000,
        grey_profile(1.0),
        cmyk_profile(),
        SRGB + b"mpet",
    ],
    ids=["text", "cut short", "zeros", "of grey", "of CMYK", "of endless stages"],
)
def test_a_profile_that_does_not_fit_is_ignored(profile):
    data = encoded(scene(), "TIFF", tiffinfo={34675: profile})
    assert (pixels(read(data)) == pixels(scene())).all()


def test_few_profiles_are_remembered():
    """A sender with a new profile for each photo must not fill our memory."""
    for paper in range(80, 100):
        read(encoded(Image.new("CMYK", (8, 8)), "JPEG", icc_profile=cmyk_profile(paper)))
    cache = colour._transform.cache_info()
    assert cache.currsize <= cache.maxsize <= 16
