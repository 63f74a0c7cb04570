"""What may be wrong with a photo itself."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageFilter

from imaging.fit import Fit, fit
from imaging.hints import BLURRED, CODES, TOO_BRIGHT, TOO_DARK, TOO_SMALL, check
from imaging.read import read

SIZES = [64, 224, 299]


def hints(photo: Image.Image, size: int = 224, mode: str = "crop") -> tuple[str, ...]:
    how = Fit(size, mode)
    return check(fit(photo, how), photo.size, how)


@pytest.fixture(scope="module")
def photo(shared) -> Image.Image:
    return read((shared / "data/photos/elephant.jpg").read_bytes())


@pytest.fixture(scope="module")
def photos(shared) -> list[Image.Image]:
    """All labelled photos, as the service decodes them for a network of 224 pixels."""
    found = []
    for folder in ("photos-val", "photos", "photos-200"):
        with (shared / "data" / folder / "labels.csv").open(newline="") as file:
            names = [row["file"] for row in csv.DictReader(file)]
        found += [(shared / "data" / folder / name).read_bytes() for name in names]
    return [read(data, at_least=Fit(224).decode_side) for data in found]


@pytest.mark.parametrize("size", SIZES)
def test_a_good_photo_gets_no_hint(photo, size):
    """For any network."""
    assert hints(photo, size) == ()


def test_of_a_hundred_good_photos_hardly_one_gets_a_hint(photos):
    """Hints that come for nothing are not read when they matter."""
    given = [code for photo in photos for code in hints(photo)]
    for code in CODES:
        assert given.count(code) <= 0.01 * len(photos), code


def test_a_photo_taken_in_the_dark_is_told(photo):
    assert hints(photo.point(lambda value: round(0.1 * value))) == (TOO_DARK,)


def test_a_washed_out_photo_is_told(photo):
    assert hints(photo.point(lambda value: round(255 - 0.3 * (255 - value)))) == (TOO_BRIGHT,)


@pytest.mark.parametrize("size", SIZES)
def test_a_photo_out_of_focus_is_told(photo, size):
    """Judged in the square, so that it is told to whichever network can't see it sharply."""
    radius = 3 * min(photo.size) / size
    assert hints(photo.filter(ImageFilter.GaussianBlur(radius)), size) == (BLURRED,)


@pytest.mark.parametrize("turn", [0, 90])
def test_a_photo_that_was_moved_is_told(photo, turn):
    """Across or along: only the edges in one direction are lost."""
    sums = np.asarray(photo.rotate(turn, expand=True), np.float64).cumsum(axis=1)
    moved = (sums[:, 24:] - sums[:, :-24]) / 24
    assert hints(Image.fromarray(moved.astype(np.uint8))) == (BLURRED,)


def test_a_blur_that_the_network_cannot_see_is_not_told(photo):
    """A twelve-megapixel photo may be soft at its own size and sharp at 224 pixels."""
    large = photo.resize((4 * photo.width, 4 * photo.height), Image.Resampling.BICUBIC)
    assert hints(large) == ()


def test_a_small_photo_is_told_to_be_small_and_not_to_be_blurred(photo):
    """Enlarging blurs; whoever sent it can only send a larger one."""
    assert hints(photo.resize((120, 80))) == (TOO_SMALL,)
    assert hints(photo.resize((240, 160))) == ()


def test_how_small_is_too_small_depends_on_the_network(photo):
    assert hints(photo.resize((96, 64)), size=64) == ()
    assert hints(photo.resize((45, 30)), size=64) == (TOO_SMALL,)


@pytest.mark.parametrize("colour", ["red", "green", "blue", "grey"])
def test_one_colour_is_neither_dark_nor_bright_nor_blurred(colour):
    """There is nothing on it to judge by; pure blue is dark only to a grey eye."""
    assert hints(Image.new("RGB", (400, 300), colour)) == ()


def test_a_small_thing_before_white_is_not_washed_out(photo):
    """As shops take their photos."""
    page = Image.new("RGB", (600, 600), "white")
    page.paste(photo.resize((180, 120)), (210, 240))
    assert TOO_BRIGHT not in hints(page)


@settings(deadline=None)
@given(arrays(np.uint8, (32, 32, 3)), st.integers(1, 500), st.integers(1, 500))
def test_any_pixels_get_known_codes_in_their_order(square, width, height):
    found = check(square, (width, height), Fit(32))
    assert list(found) == [code for code in CODES if code in found]
