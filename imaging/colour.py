"""Whatever a decoder gave, as 8-bit RGB in sRGB on a white ground."""

import io
from functools import lru_cache
from itertools import chain, product
from typing import cast

import numpy as np
from PIL import Image, ImageChops, ImageCms

# The largest profiles in use, of CMYK presses, have about 3 MB.
_MAX_PROFILE_BYTES = 4 * 2**20
# Two 8-bit transforms of the same colours differ by rounding; nobody sees a difference of 2.
_ROUNDING = 2
_STRIP_PIXELS = 500_000
_BITS_PER_SAMPLE = 258  # a tag of TIFF; Pillow unpacks 12 bits but doesn't scale them
_AVERAGED = {"1": "L", "P": "RGB"}


def plain(picture: Image.Image, at_least: int | None) -> Image.Image:
    """A loaded picture without transparency, palette and more than 8 bits.

    Transparent parts show white, 16 bits become 8 by their high byte, and values without a
    declared white (32-bit integers, floats) are spread from the darkest to the brightest.

    Args:
        picture: as decoded, its `info` still there.
        at_least: a picture over twice this on its shorter side is reduced by a whole factor,
            strip by strip: beside 49 megapixels of RGBA (196 MB) there would otherwise stand up
            to three more of them. None keeps every pixel.
    Returns:
        One of Pillow's modes L, RGB, CMYK, YCbCr and LAB.
    """
    bits = 12 if getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE) in (12, (12,)) else 16
    factor = min(picture.size) // (2 * at_least) if at_least else 1
    if factor <= 1:
        return _spread(_without_extras(picture, bits))
    width, height = picture.size
    rows = factor * max(1, _STRIP_PIXELS // (factor * width))
    strips = [
        _without_extras(picture.crop((0, top, width, min(top + rows, height))), bits).reduce(factor)
        for top in range(0, height, rows)
    ]
    reduced = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    top = 0
    for strip in strips:
        reduced.paste(strip, (0, top))
        top += strip.height
    return _spread(reduced)


def to_srgb(picture: Image.Image, profile: object) -> Image.Image:
    """A plain picture as RGB in sRGB.

    Args:
        profile: the bytes of the ICC profile that came with it. Anything else, as well as a
            broken profile or one of another kind of picture, is ignored.
    """
    if isinstance(profile, bytes) and picture.mode in ("RGB", "L", "CMYK"):
        transform = _transform(profile, picture.mode)
        if transform is not None:
            return transform.apply(picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _without_extras(picture: Image.Image, bits: int) -> Image.Image:
    """In a mode that can be averaged, so that strips of it can be reduced."""
    if picture.mode.startswith("I;16"):
        return _high_bytes(picture, bits)
    if picture.has_transparency_data:
        return _on_white(picture)
    return picture.convert(_AVERAGED[picture.mode]) if picture.mode in _AVERAGED else picture


def _high_bytes(picture: Image.Image, bits: int) -> Image.Image:
    """16-bit grey as 8-bit grey; Pillow's own conversion cuts off everything above 255."""
    values = np.asarray(picture)
    grey = (values >> (bits - 8)).astype(np.uint8)
    if "transparency" in picture.info:  # a PNG's one transparent grey, in 16 bits (tRNS)
        grey[values == picture.info["transparency"]] = 255
    return Image.fromarray(grey)


def _on_white(picture: Image.Image) -> Image.Image:
    mode = "L" if picture.mode in ("1", "L", "LA", "La") else "RGB"
    if picture.mode != f"{mode}A":
        picture = picture.convert(f"{mode}A")
    ground = Image.new(mode, picture.size, "white")
    ground.paste(picture, mask=picture)
    return ground


def _spread(picture: Image.Image) -> Image.Image:
    """Integers or floats of unknown range as grey from 0 to 255; other modes as they are."""
    if picture.mode not in ("I", "F"):
        return picture
    low, high = cast("tuple[float, float]", picture.getextrema())
    scale = 255 / (high - low) if high > low else 0.0
    return picture.convert("F").point(lambda value: value * scale - low * scale).convert("L")


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None if it is broken, too large, or sRGB under another name.

    Building one takes up to 50 ms, using one about 10 ms a megapixel, and most profiles met are
    sRGB: worth remembering, and worth leaving out.
    """
    # mpet: chains of any length of float stages, evaluated for 36,000 colours to begin with.
    if len(profile) > _MAX_PROFILE_BYTES or b"mpet" in profile:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.ImageCmsTransform(source, _srgb_profile(), mode, "RGB")
    except Exception:  # the profile is the sender's, and what its parser raises isn't documented
        return None
    return None if mode == "RGB" and _changes_nothing(transform) else transform


@lru_cache(maxsize=1)
def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    colours = list(product(range(0, 256, 15), repeat=3))
    sample = Image.frombytes("RGB", (len(colours), 1), bytes(chain.from_iterable(colours)))
    difference = ImageChops.difference(sample, transform.apply(sample))
    return int(np.asarray(difference).max()) <= _ROUNDING
