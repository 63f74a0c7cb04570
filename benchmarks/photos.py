"""The photos that are sent: as web pages, screens and phones have them.

All sizes are the same pictures, and the same in every run.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from imaging.read import read

# Names of sizes, as people write them: width and height in pixels.
SMALL, MEDIUM, BIG = "500x375", "1280x960", "4032x3024"
SIZES = {SMALL: (500, 375), MEDIUM: (1280, 960), BIG: (4032, 3024)}
COUNT = 8
# Gives some 2 MB at 12 megapixels.
_QUALITY = 95
# Amplitude falls with spatial frequency about like this in pictures of the world; the exponent
# is chosen for the size of a usual small photo, some 120 KB.
_FALL = 1.25


def small(given: Path | None) -> list[bytes]:
    """Up to 8 JPEGs of 500x375.

    Args:
        given: a photo, or a folder of them (names that end in .jpg or .jpeg). Those that are
            500x375 come first and are left as they are; others are cut to 4:3 and resized.
            None: pictures drawn by rule, of noise with the spectrum of photos.
    Raises:
        FileNotFoundError: there is no photo.
    """
    if given is None:
        return [_jpeg(_drawn(seed)) for seed in range(COUNT)]
    chosen = sorted(_files(given), key=lambda file: (not _is_small(file), file.name))[:COUNT]
    return [file.read_bytes() if _is_small(file) else _resized(file) for file in chosen]


def enlarged(photos: list[bytes], size: str) -> list[bytes]:
    """Photos of 500x375 in another size of that name; as they are, if it is theirs."""
    if size == SMALL:
        return photos
    return [_jpeg(read(photo).resize(SIZES[size], Image.Resampling.BICUBIC)) for photo in photos]


def _files(given: Path) -> list[Path]:
    if given.is_file():
        return [given]
    found = [file for file in given.glob("*") if file.suffix.lower() in (".jpg", ".jpeg")]
    if not found:
        raise FileNotFoundError(f"--photos {given}: there is no .jpg or .jpeg")
    return found


def _is_small(file: Path) -> bool:
    with Image.open(file) as photo:
        return photo.format == "JPEG" and photo.size == SIZES[SMALL]


def _resized(file: Path) -> bytes:
    return _jpeg(ImageOps.fit(read(file.read_bytes()), SIZES[SMALL], Image.Resampling.BICUBIC))


def _jpeg(photo: Image.Image) -> bytes:
    encoded = io.BytesIO()
    photo.save(encoded, "JPEG", quality=_QUALITY)
    return encoded.getvalue()


def _drawn(seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    light, warm, green = (_noise(random) for _ in range(3))
    red_green_blue = [20 * warm, 10 * green - 10 * warm, -20 * green]
    pixels = 128 + 55 * light[..., None] + np.stack(red_green_blue, axis=-1)
    return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))


def _noise(random: np.random.Generator) -> np.ndarray:
    """Float64 (375, 500), mean 0, standard deviation 1."""
    width, height = SIZES[SMALL]
    rows, columns = np.fft.fftfreq(height, 1 / height), np.fft.rfftfreq(width, 1 / width)
    frequency = np.hypot(rows[:, None], columns)
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(random.standard_normal((height, width)))
    noise = np.fft.irfft2(white / frequency**_FALL, s=(height, width))
    return noise / noise.std()
