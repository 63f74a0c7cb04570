"""A photo back to bytes."""

import io

from PIL import Image

QUALITY = 90


def jpeg(photo: Image.Image, width: int | None = None) -> bytes:
    """The photo as JPEG, without EXIF or any other metadata, so without its place of taking.

    Args:
        photo: RGB, upright, sRGB, as `read` gives it: with its metadata taken off.
        width: as of `shrunk`.
    """
    encoded = io.BytesIO()
    shrunk(photo, width).save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()


def shrunk(photo: Image.Image, width: int | None) -> Image.Image:
    """The photo with a width of so many pixels, proportions kept; it is never enlarged."""
    if width is None or width >= photo.width:
        return photo
    height = max(1, round(photo.height * width / photo.width))
    return photo.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def png(photo: Image.Image) -> bytes:
    """The photo as PNG, without metadata: every pixel as it is, in several times the bytes.

    Args:
        photo: as of `jpeg`.
    """
    encoded = io.BytesIO()
    photo.save(encoded, "PNG", compress_level=1)  # 7 times as fast as 6, and no larger for photos
    return encoded.getvalue()
