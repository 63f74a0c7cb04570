"""Pictures made for the tests of the page."""

import io

import numpy as np
from PIL import Image
from pillow_heif import register_heif_opener

from tests.small import photo

register_heif_opener()
_ORIENTATION = 0x0112


def sent(name: str, content: bytes, kind: str = "image/jpeg") -> dict:
    """A file as a person chooses it."""
    return {"name": name, "mimeType": kind, "buffer": content}


def red(name: str = "red.jpg") -> dict:
    return sent(name, photo("red"))


def blue(name: str = "blue.jpg") -> dict:
    return sent(name, photo("blue"))


def sideways(size: tuple[int, int]) -> bytes:
    """A photo that lies on its side, as phones store them: red above, blue below once upright."""
    width, height = size
    stored = Image.new("RGB", (height, width), "blue")
    stored.paste("red", (0, 0, height // 2, width))
    exif = Image.Exif()
    exif[_ORIENTATION] = 6  # "turn right to see"
    return encoded(stored, "JPEG", exif=exif)


def noise(size: tuple[int, int], kind: str = "JPEG") -> bytes:
    """A photo that can't be compressed much."""
    width, height = size
    pixels = np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)
    return encoded(Image.fromarray(pixels), kind)


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()


def camera_film(colour: str) -> bytes:
    """What Chromium's fake camera shows: JPEGs one after the other."""
    return photo(colour, (640, 480)) * 5
