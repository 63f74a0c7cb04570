"""A photo to the square that a network takes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Interpolation = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]

# Pillow first reduces by whole factors (cheap averages) while the picture stays this many times
# larger than the result, and only then interpolates.
_REDUCING_GAP = 2.0


@dataclass(frozen=True)
class Fit:
    """How a photo becomes a square of `size` pixels.

    `crop` brings the shorter side to `size / crop` and keeps the centre, so nothing is distorted
    and the margins are lost; `stretch` keeps everything and distorts it.
    """

    size: int
    mode: Literal["crop", "stretch"] = "crop"
    crop: float = 0.875
    interpolation: Interpolation = "lanczos"

    @property
    def shorter_side(self) -> int:
        """Pixels of the shorter side before the crop."""
        return round(self.size / self.crop) if self.mode == "crop" else self.size

    @property
    def decode_side(self) -> int:
        """Pixels of the shorter side under which a reduced decode may not go.

        A quarter more than is needed, so that it is always this filter that does the last
        reduction: without it, sideways photos whose reduced decode came out nearly at size
        moved a probability by 0.058, with it by 0.027.
        """
        return round(1.25 * self.shorter_side)


def fit(photo: Image.Image, how: Fit) -> NDArray[np.uint8]:
    """The photo as a square.

    A crop is never resized whole: only the central box that survives it is, straight to the
    square. A photo smaller than the square is enlarged.

    Args:
        photo: RGB, upright, of any size from 1x1.
    Returns:
        uint8 RGB, shape (size, size, 3), values 0-255, C-contiguous. It is a view of immutable
        bytes, so read-only: copy it to write on it.
    """
    square = photo.resize(
        (how.size, how.size),
        Image.Resampling[how.interpolation.upper()],
        box=seen(photo.size, how),
        reducing_gap=None if how.interpolation == "nearest" else _REDUCING_GAP,
    )
    return np.asarray(square, dtype=np.uint8)


def seen(size: tuple[int, int], how: Fit) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the part of a photo that becomes the square.

    Args:
        size: the photo's width and height; what is returned is in its pixels.
    """
    width, height = size
    if how.mode == "stretch":
        return (0.0, 0.0, width, height)
    side = min(width, height) * how.size / how.shorter_side
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)
