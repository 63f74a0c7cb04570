"""An upload's bytes to an upright RGB photo, bounded, or a refusal in plain words.

What a file is follows from its first bytes, never from its name, and only the decoders named
here ever see one. Bytes are bounded first, then what the file asks of its decoder (`guard.py`),
then pixels, all before a pixel is decoded. Of several frames or pages the first is read, and the
others are never looked at.

Everything may be called from several threads at once; decoding and resizing release the GIL.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from errors import RequestError
from imaging.colour import plain, to_srgb
from imaging.guard import TooMuchWork, check_tiles, guarded

ALLOWED = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC/HEIF and AVIF"
# Which formats are left to processes of their own (`apart.py`), by the word for it. What that
# costs is in docs/trust.md: for a small JPEG, half as much again as decoding it.
APART: dict[str, frozenset[str]] = {
    "none": frozenset(),
    "rare": frozenset(["GIF", "BMP", "TIFF", "HEIF", "AVIF"]),
    "all": frozenset(["JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"]),
}

# Of rows Pillow keeps pointers: 50 million rows of one pixel took 430 MB and 5 s. And libjpeg,
# which writes what /image gives back, takes no longer side than this (JPEG_MAX_DIMENSION).
MAX_SIDE = 65_500

_DECODERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,  # also MPO, a JPEG with others behind it
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}
_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = set(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1".split())

# EXIF tag 0x0112: how the stored picture must be turned to stand upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_THE_SIDE = (5, 6, 7, 8)
_TURNED_BY_DECODER = ("TIFF", "HEIF")
_EXIF_BYTES = 2**16

# Pillow comments on odd files by warnings, with words from the file: nothing for our log, and
# nothing that may stop a picture that can be read. Set once, here, because there is no way to do
# it for one thread alone before Python 3.14.
warnings.filterwarnings("ignore", module=r"PIL\.")


class UnsupportedImage(RequestError):
    """The upload is no picture in an allowed format."""


class PictureTooLarge(RequestError):
    """The upload has too many bytes or the picture too many pixels."""


class BrokenImage(RequestError):
    """The format is allowed, but this picture can't be decoded."""


@dataclass(frozen=True)
class Limits:
    """What an upload may cost. Decoding one holds up to some 16 bytes a pixel for a moment.

    `apart` are the formats that are left to processes which may crash (`apart.py`).
    """

    max_bytes: int = 16 * 2**20
    max_pixels: int = 50_000_000
    apart: frozenset[str] = APART["none"]


def read(data: bytes, limits: Limits = Limits(), at_least: int | None = None) -> Image.Image:
    """The photo in an upload: upright, RGB, in sRGB, transparent parts white.

    Args:
        data: the file, whole.
        at_least: pixels that the shorter side must keep. Larger pictures are then decoded or
            reduced by a whole factor, which is much faster; None keeps every pixel.
    Returns:
        The pixels alone: `info`, where Pillow keeps metadata, is empty.
    Raises:
        UnsupportedImage, PictureTooLarge, BrokenImage: with a sentence for the sender.
    """
    (photo,) = read_in_sizes(data, limits, [at_least])
    return photo


def read_sized(
    data: bytes, limits: Limits, at_least: int | None
) -> tuple[Image.Image, tuple[int, int]]:
    """The photo as `read` gives it; and its width and height, upright, with all its pixels.

    Raises:
        UnsupportedImage, PictureTooLarge, BrokenImage: as of `read`.
    """
    ((photo, size),) = read_sides(data, limits, [at_least])
    return photo, size


def read_in_sizes(
    data: bytes, limits: Limits, sides: Sequence[int | None]
) -> tuple[Image.Image, ...]:
    """The photo as `read` gives it for each `at_least` of `sides`, decoded as seldom as can be.

    Only a JPEG is decoded more than once, and only if the sides need different scales of it. Two
    of the photos may be one object.

    Raises:
        UnsupportedImage, PictureTooLarge, BrokenImage: as of `read`.
    """
    return tuple(photo for photo, _ in read_sides(data, limits, sides))


def read_sides(
    data: bytes, limits: Limits, sides: Sequence[int | None]
) -> list[tuple[Image.Image, tuple[int, int]]]:
    """For each side the photo as `read_in_sizes` gives it, and its size with all its pixels.

    Raises:
        UnsupportedImage, PictureTooLarge, BrokenImage: as of `read`.
        DecoderUnavailable: it is to be read apart, and no process can be started.
    """
    _check_bytes(data, limits)
    kind = _kind(data)
    if kind in limits.apart:
        from imaging import apart  # which needs what is in this file

        return apart.read_sides(data, limits, sides)
    found = _decoded(kind, data, limits, sides)
    with _refusing(kind, data, limits):
        photos = [plain(picture, side) for (picture, _), side in zip(found, sides, strict=True)]
    done = []
    for photo, (picture, (width, height)) in zip(photos, found, strict=True):
        orientation = _orientation(picture, kind)
        upright = _upright(to_srgb(photo, picture.info.get("icc_profile")), orientation)
        done.append((upright, (height, width) if orientation in _ON_THE_SIDE else (width, height)))
    for upright, _ in done:
        upright.info.clear()
    return done


def _decoded(
    kind: str, data: bytes, limits: Limits, sides: Sequence[int | None]
) -> list[tuple[ImageFile.ImageFile, tuple[int, int]]]:
    """For each side a picture with its pixels there, a JPEG by a whole factor smaller.

    With each, the size that it has in the file.
    """
    if kind != "JPEG":
        picture = _opened(kind, data, limits)
        with _refusing(kind, data, limits):
            _load(picture)
        return [(picture, picture.size)] * len(sides)
    scales: dict[tuple[int, int], ImageFile.ImageFile] = {}
    pictures = []
    for at_least in sides:
        picture = _opened(kind, data, limits)
        whole = picture.size
        with _refusing(kind, data, limits):
            if at_least:
                picture.draft(None, (at_least, at_least))
        pictures.append((scales.setdefault(picture.size, picture), whole))
    with _refusing(kind, data, limits):
        for picture in scales.values():
            picture.decodermaxblock = len(data)  # else Pillow feeds its decoder 64 KB at a time
            _load(picture)
    return pictures


def _opened(kind: str, data: bytes, limits: Limits) -> ImageFile.ImageFile:
    """What its head says, within the limits; no pixel is decoded yet."""
    with _refusing(kind, data, limits):
        picture = _decoder(kind)(guarded(kind, data))
        check_tiles(picture.info.get("tiling"))
    _check_pixels(picture.size, limits)
    return picture


def _check_bytes(data: bytes, limits: Limits) -> None:
    if not data:
        raise UnsupportedImage("the upload is empty (0 bytes); send the picture itself")
    if len(data) > limits.max_bytes:
        raise PictureTooLarge(
            f"the upload has {len(data):,} bytes, over the limit of {limits.max_bytes:,} bytes "
            "(SHIWU_MAX_BYTES); send a smaller picture"
        )


def _kind(data: bytes) -> str:
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        end = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
        if brands & _AVIF_BRANDS:
            return "AVIF"
        if brands & _HEIF_BRANDS:
            return "HEIF"
    raise UnsupportedImage(
        f"the upload is no picture in a format that is read here; send one of {ALLOWED}"
    )


def _decoder(kind: str) -> type[ImageFile.ImageFile]:
    if kind == "HEIF":  # imported at first use: 20 MB that most services never need
        from pillow_heif import HeifImageFile

        heif: type[ImageFile.ImageFile] = HeifImageFile
        return heif
    return _DECODERS[kind]


@contextmanager
def _refusing(kind: str, data: bytes, limits: Limits) -> Iterator[None]:
    """Turn what decoders raise on bad bytes, which is nearly everything, into our errors."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow's own check: of GIF and WebP, for which it makes room while it opens them
        raise PictureTooLarge(
            f"the {kind} picture has more than {Image.MAX_IMAGE_PIXELS or 0:,} px, over the limit "
            f"of {limits.max_pixels:,} px (SHIWU_MAX_PIXELS); send a smaller one"
        ) from error
    except TooMuchWork as error:
        raise BrokenImage(
            f"the {kind} picture can't be read here: {error}; save it again in an ordinary way"
        ) from error
    except MemoryError:  # ours, and not the picture's
        raise
    except Exception as error:
        cut = "truncated" in str(error).lower()
        fault = "is cut short" if cut else "is damaged or of a rare kind"
        raise BrokenImage(
            f"the {kind} picture {fault} and can't be decoded ({len(data):,} bytes came); "
            "send the whole file, or save it again as JPEG or PNG"
        ) from error


def _check_pixels(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise PictureTooLarge(
            f"the picture is {width}×{height} px, over the limit of {limits.max_pixels:,} px "
            "(SHIWU_MAX_PIXELS); send a smaller one"
        )
    if max(size) > MAX_SIDE:
        raise PictureTooLarge(
            f"the picture is {width}×{height} px, and no side may be longer than {MAX_SIDE:,} px; "
            "send a smaller one"
        )


def _load(picture: ImageFile.ImageFile) -> None:
    """Decode the pixels."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        # Else Pillow unpacks all EXIF and GPS tags after the pixels (2 million fractions: 5 s).
        picture.is_animated = True
    if picture.mode == "L":  # else a GIF's global palette displaces a frame's own of plain greys
        picture.palette = None
    if isinstance(picture, PngImagePlugin.PngImageFile) and "transparency" in picture.info:
        picture.info["transparency"] = _in_8_bits(picture)
    picture.load()


def _in_8_bits(picture: PngImagePlugin.PngImageFile) -> Any:
    """A PNG's transparent colour (tRNS) on the scale that its pixels will have.

    The file gives it with as many bits as its own samples; Pillow compares it as it stands with
    pixels it has brought to 8 bits. (16-bit grey keeps its bits, and so does its tRNS.)
    """
    transparency, samples = picture.info["transparency"], picture.tile[0].args
    if samples in ("L;2", "L;4"):
        return transparency * (85 if samples == "L;2" else 17)
    if samples == "RGB;16B":
        return tuple(value >> 8 for value in transparency)
    return transparency


def _orientation(picture: ImageFile.ImageFile, kind: str) -> int:
    """The EXIF orientation, 1 to 8; 1 where it is missing, broken or done already.

    An AVIF's is made by Pillow from the file's own rotation (irot, imir).
    """
    if kind in _TURNED_BY_DECODER:
        return 1
    if isinstance(exif := picture.info.get("exif"), bytes):
        picture.info["exif"] = exif[:_EXIF_BYTES]  # no JPEG can hold more in one
    try:
        orientation: int = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # the block is the sender's, and what its parser raises isn't documented
        return 1
    return orientation


def _upright(photo: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return photo if turn is None else photo.transpose(turn)
