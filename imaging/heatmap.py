"""A heat map laid on its photo: the colour covers where it is hot, the photo shows where it is not.

The colours are computed, in OKLab (Ottosson 2020, "A perceptual color space for image
processing"): equal steps of heat look like equal steps of lightness, from a dark violet over red
to a bright yellow, so that the map also reads in grey and without telling red from green.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[float, float, float, float]

# Cold and hot: lightness, and hue in degrees; between them both change evenly.
_LIGHTNESS = (0.32, 0.94)
_HUE = (-60.0, 108.0)
# As much colour as sRGB can show at every lightness and hue on that way.
_CHROMA = 0.158
# How much the hottest place hides of the photo: enough to be seen, and not what is under it.
_MOST_COVER = 0.7
# How much light is left where the network didn't look: the edge of the map is meant to be seen.
_UNSEEN = 0.6

# OKLab to linear sRGB, as the page gives them: a step to cone responses, their cubes, a step back.
_TO_CONES = np.array(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ]
)
_TO_RED_GREEN_BLUE = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def overlay(
    photo: Image.Image, heat: NDArray[np.float32], area: Box | None = None, seen: Box | None = None
) -> Image.Image:
    """The photo with the map on it, smooth between the map's places.

    Args:
        photo: RGB, upright; it is drawn on.
        heat: shape (rows, columns), 0 (cold) to 1.
        area: left, top, right and bottom of the map on the photo, in the photo's pixels; each
            place lies in the middle of its cell. It may reach over the photo. None: all of it.
        seen: the part of the photo that the map speaks of; the rest is darkened. None: all of it.

    Returns:
        The same picture.
    """
    whole = (0.0, 0.0, float(photo.width), float(photo.height))
    left, top = (math.floor(side) for side in (seen or whole)[:2])
    right, bottom = (math.ceil(side) for side in (seen or whole)[2:])
    strength = enlarged(heat, area or whole, (left, top, right, bottom))
    strength.putpalette(_palette(), "RGBA")
    colour = strength.convert("RGBA")
    photo.paste(colour, (left, top), mask=colour)
    for part in (
        (0, 0, photo.width, top),
        (0, bottom, photo.width, photo.height),
        (0, top, left, bottom),
        (right, top, photo.width, bottom),
    ):
        _darken(photo, part)
    return photo


def _darken(photo: Image.Image, part: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = part
    if left < right and top < bottom:
        lit = photo.crop(part)
        photo.paste(Image.blend(Image.new("RGB", lit.size), lit, _UNSEEN), part)


def colours(heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The colour of each heat, 0 to 1: uint8 sRGB in a new last axis."""
    lightness = np.interp(heat, (0, 1), _LIGHTNESS)
    hue = np.radians(np.interp(heat, (0, 1), _HUE))
    lab = np.stack([lightness, _CHROMA * np.cos(hue), _CHROMA * np.sin(hue)], axis=-1)
    linear = ((lab @ _TO_CONES.T) ** 3 @ _TO_RED_GREEN_BLUE.T).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    levels: NDArray[np.uint8] = np.round(255 * encoded).astype(np.uint8)
    return levels


def enlarged(heat: NDArray[np.float32], area: Box, seen: tuple[int, int, int, int]) -> Image.Image:
    """The map, smooth, over the part of the photo that it speaks of.

    Args:
        heat, area: as of `overlay`.
        seen: as of `overlay`, in whole pixels.

    Returns:
        8-bit grey, 255 is hot; as many pixels as `seen` has.
    """
    rows, columns = heat.shape
    left, top, right, bottom = area
    across, down = (right - left) / columns, (bottom - top) / rows  # a place's pixels
    box = np.subtract(seen, (left, top, left, top)) / (across, down, across, down)  # in places
    over = max(0.0, *-box[:2], box[2] - columns, box[3] - rows)
    margin = 1 + math.ceil(over)  # places that repeat the edge, where the map ends before the photo
    grey = np.pad(np.round(255 * heat.clip(0, 1)).astype(np.uint8), margin, mode="edge")
    size = (seen[2] - seen[0], seen[3] - seen[1])
    enlarging = tuple((box + margin).tolist())
    return Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC, box=enlarging)


@cache
def _palette() -> bytes:
    """Red, green, blue and cover of each of 256 heats."""
    heat = np.linspace(0, 1, 256)
    cover = np.round(255 * _MOST_COVER * heat).astype(np.uint8)
    return np.column_stack([colours(heat), cover]).tobytes()
