"""Good pictures, small, in every format that is read and in most ways of writing each."""

import io
import re
import struct
import zlib
from functools import lru_cache

import pillow_heif
from PIL import Image, ImageCms

from tests.imaging.pictures import chunk, cmyk_profile, exif, png, scene, segment, with_segments

pillow_heif.register_heif_opener()  # so that HEIC can be written here


def encoded(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@lru_cache(maxsize=1)
def good_pictures() -> dict[str, bytes]:
    """Name to file; the name's end, behind the last dot, is the format's."""
    photo = scene(48, 36)
    return _jpegs(photo) | _pngs(photo) | _gifs(photo) | _tiffs(photo) | _others(photo)


def good_jpeg() -> bytes:
    """What is sent between the others, and must get the same answer each time."""
    return encoded(scene(320, 240), "JPEG", quality=90)


def _jpegs(photo):
    baseline = encoded(photo, "JPEG", quality=80)
    return {
        "baseline.jpg": baseline,
        "progressive.jpg": encoded(photo, "JPEG", progressive=True),
        "grey.jpg": encoded(photo.convert("L"), "JPEG"),
        "cmyk.jpg": encoded(photo.convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        "full.jpg": encoded(photo, "JPEG", subsampling=0, quality=95),
        "restarts.jpg": encoded(photo, "JPEG", restart_marker_blocks=2),
        "sideways.jpg": encoded(photo, "JPEG", exif=exif(6), icc_profile=srgb()),
        "comment.jpg": with_segments(baseline, segment(0xFE, b"a comment")),
    }


def _pngs(photo):
    rgba = photo.copy()
    rgba.putalpha(photo.getchannel(0))
    rows = [bytes(range(48)) * 2] * 36
    frames = [photo.rotate(angle) for angle in (0, 90, 180)]
    return {
        "rgb.png": encoded(photo, "PNG", icc_profile=srgb()),
        "rgba.png": encoded(rgba, "PNG", exif=exif(3)),
        "palette.png": encoded(photo.quantize(32), "PNG", transparency=3),
        "grey-16.png": png(48, 36, 16, 0, rows),
        "bits.png": encoded(photo.convert("1"), "PNG"),
        "interlaced.png": _interlaced(),
        "animated.png": encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]),
    }


def _interlaced():
    """8x8 grey by Adam7: seven passes of (width, height)."""
    passes = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)]
    rows = b"".join(b"\0" + bytes(range(wide)) for wide, high in passes for _ in range(high))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + body


def _gifs(photo):
    frames = [photo.rotate(angle).quantize(32) for angle in (0, 90, 180)]
    return {
        "still.gif": encoded(frames[0], "GIF"),
        "animated.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "transparent.gif": encoded(frames[0], "GIF", transparency=5, comment=b"a comment"),
    }


def _tiffs(photo):
    ways = ("raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "tiff_adobe_deflate")
    found = {f"{way}.tif": encoded(photo, "TIFF", compression=way) for way in ways}
    return found | {
        "bits.tif": encoded(photo.convert("1"), "TIFF", compression="group4"),
        "fax.tif": encoded(photo.convert("1"), "TIFF", compression="group3"),
        "cmyk.tif": encoded(photo.convert("CMYK"), "TIFF", icc_profile=cmyk_profile()),
        "float.tif": encoded(photo.convert("F"), "TIFF"),
        "big.tif": encoded(photo, "TIFF", big_tiff=True),
        "pages.tif": encoded(photo, "TIFF", save_all=True, append_images=[photo.rotate(90)]),
        "lab.tif": encoded(Image.merge("LAB", photo.split()), "TIFF"),
    }


def _others(photo):
    rgba = photo.copy()
    rgba.putalpha(photo.getchannel(0))
    turned = [photo.rotate(90), photo.rotate(180)]
    return {
        "rgb.bmp": encoded(photo, "BMP"),
        "palette.bmp": encoded(photo.quantize(16), "BMP"),
        "bits.bmp": encoded(photo.convert("1"), "BMP"),
        "lossy.webp": encoded(photo, "WEBP", quality=70),
        "lossless.webp": encoded(rgba, "WEBP", lossless=True, exif=exif(8), icc_profile=srgb()),
        "animated.webp": encoded(photo, "WEBP", save_all=True, append_images=turned),
        "plain.avif": encoded(photo, "AVIF", speed=10),
        "alpha.avif": encoded(rgba, "AVIF", speed=10, icc_profile=srgb()),
        "animated.avif": _timeless(
            encoded(photo, "AVIF", speed=10, save_all=True, append_images=turned)
        ),
        "plain.heic": encoded(photo, "HEIF", quality=50),
        "alpha.heic": encoded(rgba, "HEIF", quality=50, exif=exif(6)),
        "tiles.heic": encoded(scene(128, 128), "HEIF", quality=40, tile_size=64),
        "grey.heic": encoded(photo.convert("L"), "HEIF", quality=50),
    }


def _timeless(film: bytes) -> bytes:
    """Without the second in which it was made (ISO/IEC 14496-12, 8.2.2), twice in each header."""
    return re.sub(
        rb"(mvhd|tkhd|mdhd)(\x01...)(.{16})", lambda m: m[1] + m[2] + bytes(16), film, flags=re.S
    )


def srgb() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + bytes(12) + profile[36:]  # without the hour in which it was made
