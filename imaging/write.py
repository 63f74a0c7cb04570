"""A photo back to bytes."""

import io

from PIL import Image

QUALITY = 90


def jpeg(photo: Image.Image, width: int | None = None) -> bytes:
    """The photo as JPEG, without EXIF or any other metadata, so without its place of taking.

    Args:
        photo: RGB, upright, sRGB, as `read` gives it: with its metadata taken off.
        width: pixels to shrink it to, proportions kept; it is never enlarged.
    """
    if width is not None and width < photo.width:
        height = max(1, round(photo.height * width / photo.width))
        photo = photo.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    encoded = io.BytesIO()
    photo.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()
