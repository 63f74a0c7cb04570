"""The photos that benchmarks send."""

import io

import pytest
from PIL import Image

from benchmarks import photos
from tests import small


def size(photo):
    return Image.open(io.BytesIO(photo)).size


def test_without_photos_the_drawn_ones_are_as_large_as_photos_and_the_same_every_time():
    """Noise drawn carelessly compresses far worse than a photo, and decoding costs by the byte."""
    drawn = photos.small(None)
    assert [size(photo) for photo in drawn] == [(500, 375)] * 8
    assert all(90_000 < len(photo) < 150_000 for photo in drawn)
    assert len(set(drawn)) == 8
    assert drawn == photos.small(None)


def test_small_photos_of_the_right_size_come_first_and_are_left_as_they_are(tmp_path):
    right = small.photo("red", size=(500, 375))
    (tmp_path / "a.jpg").write_bytes(small.photo("blue", size=(640, 640)))
    (tmp_path / "b.JPEG").write_bytes(right)
    (tmp_path / "labels.csv").write_text("no photo")
    first, second = photos.small(tmp_path)
    assert first == right
    assert size(second) == (500, 375)


@pytest.mark.parametrize("name", photos.SIZES)
def test_photos_come_in_every_size_by_its_name(name):
    (photo,) = photos.enlarged(photos.small(None)[:1], name)
    width, height = size(photo)
    assert f"{width}x{height}" == name


def test_a_folder_without_photos_is_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no \.jpg or \.jpeg"):
        photos.small(tmp_path)
