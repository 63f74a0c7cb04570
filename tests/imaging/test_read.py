"""Bytes to an upright photo, or a refusal in plain words."""

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from errors import RequestError
from imaging.fit import Fit, fit
from imaging.read import (
    BrokenImage,
    Limits,
    PictureTooLarge,
    UnsupportedImage,
    read,
    read_in_sizes,
)
from tests.imaging.pictures import (
    chunk,
    distance,
    encoded,
    exif,
    pixels,
    png,
    scene,
    segment,
    with_segments,
)

pytestmark = pytest.mark.filterwarnings("ignore:::PIL")

LOSSLESS = {
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {"lossless": True, "exact": True}),
    "TIFF": ("TIFF", {}),
    "TIFF, deflated": ("TIFF", {"compression": "tiff_adobe_deflate"}),
}
LOSSY = {
    "JPEG": ("JPEG", {"quality": 95, "subsampling": 0}),
    "AVIF": ("AVIF", {"quality": 95, "subsampling": "4:4:4"}),
    "HEIF": ("HEIF", {"quality": 95, "chroma": 444}),
}
# How a camera held that way stores an upright scene: the inverse of EXIF's turns
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def stored(photo, orientation):
    turn = STORED[orientation]
    return photo if turn is None else photo.transpose(turn)


def refusal(kind, data, **options):
    with pytest.raises(kind) as caught:
        read(data, **options)
    return str(caught.value)


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize(("form", "options"), LOSSLESS.values(), ids=LOSSLESS)
def test_lossless_pictures_come_back_pixel_by_pixel(form, options):
    photo = read(encoded(scene(), form, **options))
    assert photo.mode == "RGB"
    assert (pixels(photo) == pixels(scene())).all()


@pytest.mark.parametrize(("form", "options"), LOSSY.values(), ids=LOSSY)
def test_photographs_formats_come_back_nearly_so(form, options):
    assert distance(read(encoded(scene(), form, **options)), scene()) < 3


@pytest.mark.parametrize("form", ["BMP", "GIF"])
def test_older_formats_are_read(form):
    assert distance(read(encoded(scene(), form)), scene().quantize().convert("RGB")) < 8


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "MPO", "AVIF", "HEIF"])
def test_of_several_frames_the_first_is_read(form):
    """The others are never looked at: counting them can take longer than reading one."""
    others = [Image.new("RGB", (96, 64), "navy"), Image.new("RGB", (96, 64), "black")]
    red = Image.new("RGB", (96, 64), "red")
    data = encoded(red, form, save_all=True, append_images=others)
    assert distance(read(data), red) < 3


def test_a_phone_jpeg_with_a_broken_index_of_further_pictures_is_read():
    """Pillow turns a JPEG with an MPF segment into MPO and stumbles over a bad one."""
    data = with_segments(encoded(scene(), "JPEG"), segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"))
    assert read(data).size == (96, 64)


@pytest.mark.parametrize("form", ["ICO", "PPM", "TGA", "PCX", "EPS", "PDF", "DDS", "JPEG2000"])
def test_other_formats_that_pillow_knows_are_refused(form):
    """Every decoder is a door; only those on the list are open."""
    message = refusal(UnsupportedImage, encoded(scene(64, 64), form))
    assert "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC/HEIF and AVIF" in message


@pytest.mark.parametrize(
    "data",
    [
        b"not a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"8BPS\0\x01" + bytes(30),
        b"PK\x03\x04" + bytes(30),
        b"\0\0\0\x18ftypisom" + bytes(30),
        b"RIFF\0\0\0\0WAVEfmt ",
        bytes(1000),
        b"\xff",
    ],
)
def test_what_is_no_picture_is_unsupported(data):
    """Text, SVG, PSD, ZIP, a film, a sound, zeros, one byte."""
    assert "send one of" in refusal(UnsupportedImage, data)


def test_an_empty_upload_has_its_own_sentence():
    assert "the upload is empty (0 bytes)" in refusal(UnsupportedImage, b"")


# ---------------------------------------------------------------- limits


def test_too_many_bytes_are_refused_with_the_limit_and_the_setting():
    message = refusal(PictureTooLarge, bytes(1001), limits=Limits(max_bytes=1000))
    assert "1,001 bytes, over the limit of 1,000 bytes (SHIWU_MAX_BYTES)" in message


def test_too_many_pixels_are_refused_with_the_limit_and_the_setting():
    data = encoded(scene(100, 50), "PNG")
    message = refusal(PictureTooLarge, data, limits=Limits(max_pixels=4999))
    assert "100×50 px, over the limit of 4,999 px (SHIWU_MAX_PIXELS)" in message
    assert read(data, Limits(max_pixels=5000)).size == (100, 50)


@pytest.mark.parametrize(
    ("width", "height"), [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (7100, 7100)]
)
def test_a_bomb_is_refused_by_its_header(width, height):
    """A few bytes that claim gigapixels: the answer shows that nothing was decoded."""
    message = refusal(PictureTooLarge, png(width, height, 8, 6, [b""]))
    assert f"{width}×{height} px, over the limit of 50,000,000 px" in message


def test_a_gif_cannot_make_room_for_gigapixels_before_it_is_measured():
    """Pillow fills a frame to be disposed of while it opens the file."""
    frame = b"\x21\xf9\x04\x08\0\0\0\0\x2c\0\0\0\0" + b"\xff\xff\x60\xea\0\x02\x02\x44\x01\0"
    message = refusal(PictureTooLarge, b"GIF89a\x08\0\x08\0\0\0\0" + frame + b";")
    assert "over the limit of 50,000,000 px (SHIWU_MAX_PIXELS)" in message


def test_no_side_may_be_endless():
    """Every row costs Pillow a pointer, however short it is."""
    message = refusal(PictureTooLarge, png(1, 70_000, 8, 0, [b""]))
    assert "1×70000 px, and no side may be longer than 65,500 px" in message
    assert read(encoded(Image.new("L", (1, 50_000)), "PNG")).size == (1, 50_000)


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_a_picture_cut_short_is_broken(form, share):
    data = encoded(scene(200, 150), form)
    message = refusal(BrokenImage, data[: int(len(data) * share)])
    assert "can't be decoded" in message
    assert f"{int(len(data) * share):,} bytes came" in message


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "TIFF"])
def test_a_picture_cut_short_is_told_so(form):
    data = encoded(scene(200, 150), form)
    assert "is cut short" in refusal(BrokenImage, data[:-100])


def test_a_palette_picture_without_a_palette_is_broken():
    """Pillow opens and loads it, and stumbles only when the colours are asked for."""
    refusal(BrokenImage, png(2, 2, 8, 3, [b"\0\1"] * 2))


def test_the_cause_of_a_refusal_is_kept_for_the_log():
    with pytest.raises(BrokenImage) as caught:
        read(encoded(scene(), "JPEG")[:-100])
    assert isinstance(caught.value.__cause__, OSError)


SOUND = [
    encoded(scene(), form, **options)
    for form, options in [
        *LOSSLESS.values(),
        *LOSSY.values(),
        ("GIF", {}),
        ("BMP", {}),
        ("JPEG", {"progressive": True, "exif": exif(6), "icc_profile": b"no profile"}),
        ("PNG", {"save_all": True, "append_images": [scene()], "exif": exif(3)}),
    ]
]
SOUND.append(encoded(scene().convert("CMYK"), "JPEG"))
SOUND.append(encoded(scene().quantize(16), "PNG", transparency=3))


@st.composite
def damaged(draw):
    data = bytearray(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(0, 8))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(st.one_of(damaged(), st.binary(max_size=200)), st.sampled_from([None, 16]))
def test_any_bytes_give_a_picture_or_one_of_our_errors(data, at_least):
    """What decoders raise on bad bytes is nearly everything; none of it may get through."""
    try:
        photo = read(data, Limits(max_pixels=1_000_000), at_least)
    except RequestError:
        return
    assert photo.mode == "RGB"
    assert fit(photo, Fit(32)).shape == (32, 32, 3)


# ---------------------------------------------------------------- orientation


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("form", "options"), LOSSLESS.values(), ids=LOSSLESS)
def test_a_sideways_picture_is_upright_before_it_is_cropped(form, options, orientation):
    """Networks are silently worse on sideways photos; all eight ways must give one square."""
    data = encoded(stored(scene(), orientation), form, exif=exif(orientation), **options)
    photo = read(data)
    assert photo.size == (96, 64)
    assert (fit(photo, Fit(32)) == fit(scene(), Fit(32))).all()


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("form", "options"), LOSSY.values(), ids=LOSSY)
def test_a_sideways_photograph_is_turned_once(form, options, orientation):
    """HEIF and AVIF say it twice, in EXIF and in a property of their own."""
    data = encoded(stored(scene(), orientation), form, exif=exif(orientation), **options)
    photo = read(data)
    assert photo.size == (96, 64)
    assert distance(photo, scene()) < 3


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "TIFF"])
def test_orientation_in_xmp_counts_where_exif_has_none(form):
    """Some editors write it only there."""
    sideways = stored(scene(), 6)
    options = {"lossless": True} if form == "WEBP" else {}
    if form == "TIFF":
        options["tiffinfo"] = {700: XMP}
    else:
        options["xmp"] = XMP
    assert distance(read(encoded(sideways, form, **options)), scene()) < 4


@pytest.mark.parametrize("form", ["AVIF", "HEIF"])
def test_xmp_does_not_turn_what_the_container_describes(form):
    """In these the property alone counts (ISO/IEC 23008-12); XMP may be left over from before."""
    upright = XMP.replace(b'"6"', b'"1"')
    data = encoded(scene(), form, xmp=upright)
    assert upright in data
    assert read(data.replace(upright, XMP)).size == (96, 64)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation):
    photo = read(encoded(scene(), "PNG", exif=exif(orientation)))
    assert (pixels(photo) == pixels(scene())).all()


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"no EXIF at all",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x02\0\xff\xff\xff\xff\x1a\0\0\0" * 9,
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x05\0\0\0\x01\0\0\0\x1a\0\0\0\0" + bytes(8),
        b"II+\0\x08\0\0\0" + b"\xff" * 24,
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_a_broken_exif_block_is_ignored(form, block):
    """Metadata must never cost a photo its answer."""
    assert read(with_exif_block(form, block)).size == (96, 64)


def with_exif_block(form, block):
    """The scene with an EXIF block that no encoder would write."""
    if form == "JPEG":
        return with_segments(encoded(scene(), form), segment(0xE1, b"Exif\0\0" + block))
    if form == "PNG":
        rows = [bytes(row) for row in pixels(scene()).astype(np.uint8)]
        return png(96, 64, 8, 2, rows, chunk(b"eXIf", block))
    if form == "WEBP":
        return encoded(scene(), form, exif=b"Exif\0\0" + block)
    sound = Image.Exif()  # AVIF and HEIF: overwritten in place, behind the encoder's back
    sound[0x010E] = "a description that is longer than any of the blocks put here" * 4
    data, inside = encoded(scene(), form, exif=sound), sound.tobytes()[6:]
    at = data.index(inside)
    return data[:at] + block + data[at + len(block) :]


def test_nothing_of_the_metadata_is_left():
    """EXIF says where a photo was taken; what isn't kept can't be sent on."""
    options = {"exif": exif(1), "comment": b"private", "xmp": XMP, "icc_profile": b"x"}
    assert read(encoded(scene(), "JPEG", **options)).info == {}


# ---------------------------------------------------------------- reduced decoding


@pytest.mark.parametrize("size", [(1600, 1200), (1200, 1600), (4000, 520), (513, 600), (511, 300)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_reduced_decode_never_goes_below_what_the_fit_needs(size, orientation):
    data = encoded(scene(*size), "JPEG", exif=exif(orientation))
    photo, whole = read(data, at_least=256), read(data)
    assert min(photo.size) >= 256
    assert photo.width <= whole.width
    assert distance(fit(photo, Fit(224)), fit(whole, Fit(224))) < 2


def test_a_large_photo_is_decoded_smaller():
    """It is most of the speed: 12 megapixels in a fifth of the time."""
    assert read(encoded(scene(1600, 1200), "JPEG"), at_least=256).size == (400, 300)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_other_large_pictures_are_reduced_before_their_colours(form):
    data = encoded(scene(1600, 1300), form)
    photo = read(data, at_least=256)
    assert photo.size == (800, 650)
    assert distance(fit(photo, Fit(224)), fit(read(data), Fit(224))) < 1


# ---------------------------------------------------------------- as a part of a service


IN_SIZES = {
    "a JPEG that needs two scales": ("JPEG", (500, 375), {}),
    "a JPEG at its smallest scale for both": ("JPEG", (2500, 2400), {}),
    "a sideways JPEG with odd sides": ("JPEG", (2501, 2403), {"exif": exif(6)}),
    "a greyscale JPEG": ("JPEG", (800, 700), {"grey": True}),
    "a PNG": ("PNG", (1001, 703), {"exif": exif(6)}),
    "a turned TIFF": ("TIFF", (701, 500), {"exif": exif(8)}),
    "a HEIF": ("HEIF", (700, 500), {}),
}


@pytest.mark.parametrize(("form", "size", "options"), IN_SIZES.values(), ids=IN_SIZES)
def test_a_photo_read_in_two_sizes_is_what_reading_it_twice_gives(form, size, options):
    """So an explanation's probability is that of /predict, to the digit."""
    options = dict(options)
    photo = scene(*size).convert("L" if options.pop("grey", False) else "RGB")
    data = encoded(photo, form, **options)
    for sides in ((91, 280), (280, None), (320, 320)):
        photos = read_in_sizes(data, Limits(), sides)
        for one, side in zip(photos, sides, strict=True):
            assert one.info == {}
            assert np.array_equal(pixels(one), pixels(read(data, at_least=side)))


def test_a_picture_with_one_transparent_grey_can_be_read_in_two_sizes():
    """Its grey is given in the file's own bits, and must be brought to 8 of them only once."""
    data = png(600, 400, 2, 0, [b"\x1b" * 150] * 400, chunk(b"tRNS", b"\0\x01"))
    for one in read_in_sizes(data, Limits(), (300, None)):
        assert np.array_equal(np.unique(pixels(one)), [0, 170, 255])


def test_many_threads_may_read_at_once():
    uploads = SOUND * 4
    alone = [pixels(read(data)) for data in uploads]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda data: pixels(read(data)), uploads))
    assert all((one == other).all() for one, other in zip(alone, together))


def test_pillows_warnings_neither_stop_a_picture_nor_reach_the_log():
    """They quote the file, so a sender could write our log full."""
    program = "import sys; from imaging.read import read; print(read(sys.stdin.buffer.read()).size)"
    odd = segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=with_segments(encoded(scene(), "JPEG"), odd),
        capture_output=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert done.stdout == b"(96, 64)\n"
    assert done.stderr == b""


def test_the_eight_orientations_of_a_real_photo_agree(shared):
    """As cameras write them, each compressed apart."""
    folder = shared / "data" / "photos" / "orientation"
    squares = []
    for path in sorted(folder.glob("landscape_*.jpg")):
        photo = read(path.read_bytes(), at_least=256)
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(path.read_bytes()))).convert("RGB")
        assert photo.width > photo.height
        assert distance(fit(photo, Fit(224)), fit(upright, Fit(224))) < 2
        squares.append(fit(photo, Fit(224)))
    assert len(squares) == 8
    assert max(distance(square, squares[0]) for square in squares) < 12
