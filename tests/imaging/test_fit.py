"""A photo to the square that a network takes."""

import numpy as np
import pytest
from PIL import Image

from imaging.fit import Fit, fit
from tests.imaging.pictures import distance, pixels, scene

INTERPOLATIONS = ["nearest", "box", "bilinear", "bicubic", "lanczos"]


def whole_then_crop(photo, how):
    """What a crop is by definition: the whole photo resized, then its centre cut out."""
    scale = how.shorter_side / min(photo.size)
    size = tuple(round(side * scale) for side in photo.size)
    resized = photo.resize(size, Image.Resampling[how.interpolation.upper()])
    left, top = (size[0] - how.size) // 2, (size[1] - how.size) // 2
    return resized.crop((left, top, left + how.size, top + how.size))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(500, 375), (375, 500), (640, 640), (800, 600), (1040, 1100)])
def test_a_crop_is_the_centre_of_the_resized_photo(size, interpolation):
    """Only the surviving box is resized, for speed; the square must be the textbook's."""
    how = Fit(224, interpolation=interpolation)
    photo = scene(*size)
    difference = np.abs(pixels(fit(photo, how)) - pixels(whole_then_crop(photo, how)))
    assert difference.mean() < 1.0
    assert difference.max() <= 4


def test_a_stretch_keeps_the_whole_photo():
    """It is what the tutorial does: all of the photo, out of proportion."""
    photo = scene(500, 375)
    stretched = fit(photo, Fit(224, mode="stretch"))
    assert distance(stretched, photo.resize((224, 224), Image.Resampling.BICUBIC)) < 0.5


def test_the_crop_lies_in_the_middle():
    """A photo that mirrors itself must still do so after the crop."""
    half = pixels(scene(250, 375))
    photo = Image.fromarray(np.hstack([half, half[:, ::-1]]).astype(np.uint8))
    square = pixels(fit(photo, Fit(225)))
    assert np.abs(square - square[:, ::-1]).max() <= 1


@pytest.mark.parametrize("mode", ["crop", "stretch"])
@pytest.mark.parametrize("size", [(1, 1), (10, 7), (223, 300), (1, 50_000), (50_000, 1), (3, 900)])
def test_photos_of_any_shape_fill_the_square(size, mode):
    """Small ones are enlarged; one pixel across must not make a giant in between."""
    square = fit(Image.new("RGB", size, (10, 200, 90)), Fit(224, mode=mode))
    assert square.shape == (224, 224, 3)
    assert (square == (10, 200, 90)).all()


def test_the_square_is_ready_for_a_network():
    """Engines take C-contiguous uint8; the docstring says that it can't be written on."""
    square = fit(scene(), Fit(64))
    assert square.dtype == np.uint8
    assert square.flags.c_contiguous
    assert not square.flags.writeable


@pytest.mark.parametrize(
    ("how", "side"),
    [
        (Fit(224), 256),
        (Fit(64), 73),
        (Fit(299), 342),
        (Fit(224, crop=1.0), 224),
        (Fit(224, mode="stretch"), 224),
    ],
)
def test_the_shorter_side_says_how_far_a_decode_may_reduce(how, side):
    """Below it a reduced decode would be enlarged again and lose detail."""
    assert how.shorter_side == side
