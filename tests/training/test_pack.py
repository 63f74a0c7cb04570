"""Pictures decoded once into one file."""

import logging

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import COLOURS, class_folders
from training.data import BadData, find
from training.pack import pack


def test_pictures_of_the_right_size_are_packed_unchanged(folders, tmp_path):
    """Tiny ImageNet's pictures must reach the network as they are."""
    found = find(folders, tmp_path / "unpacked")
    packed = pack(found, 32, tmp_path / "work")
    assert packed.pictures.shape == (30, 32, 32, 3)
    for index in (0, 20):
        with Image.open(found.train[index].path) as picture:
            assert np.array_equal(packed.pictures[index], np.asarray(picture))
        assert packed.classes[index] == found.train[index].class_index


def test_a_file_that_is_no_picture_is_named_and_left_out(folders, tmp_path, caplog):
    """One stray file among 100,000 must not end a run, nor go unseen."""
    (folders / "red" / "notes.txt").write_text("remember the milk")
    with caplog.at_level(logging.WARNING):
        found = find(folders, tmp_path / "unpacked")
        packed = pack(found, 32, tmp_path / "work")
    assert len(packed.classes) == len(found.train) - 1
    assert "notes.txt is left out" in caplog.text


def test_a_class_without_any_readable_picture_stops_the_run(folders, tmp_path):
    """The network would have a class that it can never answer."""
    for path in (folders / "red").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(BadData, match="no file of the class 'red'"):
        pack(find(folders, tmp_path / "unpacked"), 32, tmp_path / "work")


def test_pictures_are_decoded_once(folders, tmp_path):
    """Going on after a stop must not begin with an hour of decoding."""
    found = find(folders, tmp_path / "unpacked")
    pack(found, 32, tmp_path / "work")
    before = (tmp_path / "work" / "pictures.bin").stat().st_mtime_ns
    pack(found, 32, tmp_path / "work")
    assert (tmp_path / "work" / "pictures.bin").stat().st_mtime_ns == before


def test_other_pictures_are_not_mixed_into_a_run_that_was_begun(folders, tmp_path):
    """Half a run on one data set and half on another is a network of neither."""
    pack(find(folders, tmp_path / "unpacked"), 32, tmp_path / "work")
    more = class_folders(tmp_path / "more", len(COLOURS))
    with pytest.raises(BadData, match="begun with other pictures"):
        pack(find(more, tmp_path / "unpacked"), 32, tmp_path / "work")
