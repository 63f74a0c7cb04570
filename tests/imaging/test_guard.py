"""Files that would keep a decoder busy for many seconds, or take gigabytes, for a few pixels.

Each is a small copy of one that did (Pillow 13.0, pillow-heif 1.8); the figures are those of the
16 MB that an upload may have.
"""

import io
import re
import struct
import zlib

import pillow_heif
import pytest
from PIL import Image

from imaging.guard import BoundedFile, TooMuchWork, check_tiles, guarded
from imaging.read import BrokenImage, read
from tests.imaging.pictures import (
    chunk,
    directory,
    distance,
    encoded,
    exif,
    png,
    scene,
    segment,
    tiff,
    with_segments,
)

pytestmark = pytest.mark.filterwarnings("ignore:::PIL")


def refusal(data):
    with pytest.raises(BrokenImage) as caught:
        read(data)
    return str(caught.value)


def test_a_file_may_be_read_from_so_many_times():
    file = BoundedFile(b"abcdef", reads=2)
    assert file.read(1) + file.read() == b"abcdef"
    with pytest.raises(TooMuchWork, match="more than 2 reads"):
        file.read(1)


# ---------------------------------------------------------------- JPEG


def test_padding_read_byte_by_byte_has_an_end():
    """17 s."""
    padding = segment(0xFE) + bytes(110_000)
    assert "reads" in refusal(with_segments(encoded(scene(), "JPEG"), padding))


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\0", segment(0xFE), segment(0xE5)])
def test_segments_before_the_pixels_are_counted(filler):
    """9 s; a camera writes some dozens, a large colour profile some hundreds."""
    jpeg = encoded(scene(), "JPEG")
    assert "4,096 segments" in refusal(with_segments(jpeg, filler * 5000))
    assert read(with_segments(jpeg, filler * 400)).size == (96, 64)


def test_exif_in_many_segments_is_refused():
    """Minutes: they are joined one by one, each time from the start."""
    part = segment(0xE1, b"Exif\0\0x")
    assert "16 EXIF segments" in refusal(with_segments(encoded(scene(), "JPEG"), part * 17))


def scans(jpeg, count):
    """The last scan of a progressive JPEG again and again."""
    end = jpeg.rindex(b"\xff\xd9")
    return jpeg[:end] + jpeg[jpeg.rindex(b"\xff\xda") : end] * count + jpeg[end:]


def test_a_progressive_jpeg_may_not_paint_its_pixels_a_thousand_times():
    """11 s for 300 KB: every scan visits every pixel."""
    jpeg = encoded(Image.new("RGB", (1000, 1000)), "JPEG", progressive=True)
    assert "paints its 1000×1000 px in 1,010 scans" in refusal(scans(jpeg, 1000))
    assert read(scans(jpeg, 50)).size == (1000, 1000)


# ---------------------------------------------------------------- PNG, GIF, BMP

TOO_MUCH_TEXT = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x"))


@pytest.mark.parametrize(
    ("filler", "count", "words"),
    [
        (chunk(b"prVt"), 60_000, "reads"),
        (TOO_MUCH_TEXT, 101, "101 compressed texts or profiles"),
        (chunk(b"iCCP", b"a\0\0"), 101, "101 compressed texts or profiles"),
    ],
    ids=["10 s", "28 s", "27 s"],
)
def test_chunks_of_a_png_are_bounded(filler, count, words):
    rows = [bytes(8)] * 8
    assert words in refusal(png(8, 8, 8, 0, rows, filler * count))
    assert read(png(8, 8, 8, 0, rows, filler * 90)).size == (8, 8)


@pytest.mark.parametrize("filler", [b"\x21\xfe" + b"\1a" * 60_000 + b"\0", b"\1" * 110_000])
def test_a_gif_may_not_hide_its_frame_behind_endless_blocks(filler):
    """2 s and 700 MB."""
    data = encoded(scene().quantize(), "GIF")
    start = data.index(b"\x2c")
    assert "reads" in refusal(data[:start] + filler + data[start:])


def bmp(width, height, runs):
    """A run-length BMP of 8 bits."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = struct.pack("<IHHI", 54 + 1024 + len(runs), 0, 0, 54 + 1024)
    return b"BM" + start + head + bytes(range(256)) * 4 + runs


def test_run_length_bmps_are_small():
    """10 s: Pillow unpacks them in Python."""
    assert "this has 7000×7000" in refusal(bmp(7000, 7000, b""))
    assert read(bmp(200, 100, b"\xc8\x07\0\0" * 100)).size == (200, 100)
    assert "reads" in refusal(bmp(8, 8, b"\0\0" * 210_000))


# ---------------------------------------------------------------- TIFF


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tag", [258, 273, 282, 320, 339])
def test_a_tag_of_a_tiff_may_not_hold_a_million_values(order, tag):
    """30 s and 1.2 GB: each becomes one object or several."""
    kind = 5 if tag == 282 else 3
    data = tiff(8, 8, bytes(64), order=order, extra=[(tag, kind, 100_001, 8)])
    assert f"its tag {tag} has 100,001 values" in refusal(data)


def test_a_big_tiff_is_bounded_too():
    entry = struct.pack("<HHQQ", 273, 4, 2**40, 8)
    data = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 1) + entry + bytes(8)
    assert "its tag 273 has 1,099,511,627,776 values" in refusal(data)


def test_a_tile_may_not_be_far_larger_than_a_picture():
    """5 s and 1.8 GB for 8x8 px: a tile is unpacked whole."""
    tile = [(322, 4, 1, 40_000), (323, 4, 1, 40_000), (324, 4, 1, 8), (325, 4, 1, 64)]
    assert "its tiles have 40000×40000 px" in refusal(tiff(8, 8, bytes(64), extra=tile))


def test_fractions_in_the_exif_directory_of_a_tiff_are_left_alone():
    """5 s: Pillow unpacks all of them once the pixels are there."""
    at = 8 + 2 + 12 * 10 + 4 + 64
    data = tiff(8, 8, bytes(64), extra=[(34665, 4, 1, at)])
    count = 300_000
    data += directory([(0x9999, 5, count, at + 18)]) + struct.pack("<II", 7, 3) * count
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("PIL.TiffImagePlugin.IFDRational", None)  # would fail if one were made
        assert read(data).size == (8, 8)


# ---------------------------------------------------------------- HEIF and AVIF


def heif(pictures, **info):
    """A HEIF of several pictures; `info` belongs to the first."""
    file = pillow_heif.HeifFile()
    for picture in pictures:
        file.add_from_pillow(picture)
    file[0].info.update(info)
    out = io.BytesIO()
    file.save(out, quality=90)
    return out.getvalue()


def test_only_the_primary_picture_of_a_heif_is_in_sight():
    """7 GB: EXIF and profiles are copied for each picture in the file."""
    data = heif([scene(), *[Image.new("RGB", (16, 16))] * 20], exif=exif(1))
    assert len(pillow_heif.open_heif(data)) == 21
    left = pillow_heif.open_heif(guarded("HEIF", data).read())
    assert len(left) == 1
    assert left.info["exif"] is None
    assert distance(read(data), scene()) < 4


def test_alpha_and_tiles_of_a_heif_stay():
    """They are pictures in the file too, and hidden from sight on purpose."""
    image = scene(192, 128)
    image.putalpha(Image.linear_gradient("L").resize((192, 128)))
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    assert distance(read(encoded(image, "HEIF", quality=95, chroma=444)), white) < 4
    tiled = encoded(scene(192, 128), "HEIF", quality=95, chroma=444, tile_size=64)
    assert distance(read(tiled), scene(192, 128)) < 3


def test_a_heif_has_few_descriptions():
    """32 s: each is loaded, and many may share the same megabytes of the file."""
    data = heif([Image.new("RGB", (16, 16))] * 40)
    crowd = re.sub(rb"(infe\x02.{7})hvc1", rb"\1none", data, count=39, flags=re.S)
    assert "more than 32 descriptions" in refusal(crowd)


def tiling(columns, rows, tile, width, height):
    return {
        "num_columns": columns,
        "num_rows": rows,
        "tile_width": tile,
        "tile_height": tile,
        "image_width": width,
        "image_height": height,
    }


def test_tiles_of_a_heif_must_show():
    """An hour: 65,000 times the same tile of 16 megapixels, all but one out of sight."""
    check_tiles(tiling(8, 6, 512, 4032, 3024))  # as an iPhone writes it
    check_tiles(None)
    with pytest.raises(TooMuchWork, match="made of 65,025 tiles of 16,777,216 px"):
        check_tiles(tiling(255, 255, 4096, 64, 64))
    with pytest.raises(TooMuchWork, match="made of 9 tiles"):
        check_tiles(tiling(3, 3, 4096, 64, 64))
    with pytest.raises(TooMuchWork, match="made of 40,000 tiles of 256 px"):
        check_tiles(tiling(200, 200, 16, 3200, 3200))


def test_a_grid_within_the_grid_of_a_heif_is_out_of_reach():
    """Else the tiles of its tiles would count for nothing."""
    data = encoded(scene(192, 128), "HEIF", tile_size=64)
    nested = data.replace(b"hvc1\0", b"grid\0")
    assert nested.count(b"grid\0") > 6
    assert guarded("HEIF", nested).read().count(b"grid\0") < nested.count(b"grid\0") - 5
    refusal(nested)


def test_exif_of_an_avif_is_not_parsed():
    """6 s: Pillow writes it anew to put its own orientation in."""
    description = Image.Exif()
    description[0x010E] = "a place and a time"
    data = encoded(scene(), "AVIF", exif=description)
    assert b"Exif" in data
    left = guarded("AVIF", data).read()
    assert b"infe" in left
    assert not re.search(rb"infe.{8,10}Exif", left, re.S)
    assert distance(read(data), scene()) < 4
