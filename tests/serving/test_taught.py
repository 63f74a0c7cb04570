"""A photo of something that was never taught."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import folder
from serving import taught
from serving.taught import BadTaught, Taught

RANDOM = np.random.default_rng(0)
WIDTH = 16


def photos(count: int, axis: int, spread: float = 0.2) -> np.ndarray:
    """Features of photos of one thing: near an axis of their own."""
    found = RANDOM.normal(0, spread, (count, WIDTH)).astype(np.float32)
    found[:, axis] += 1
    return found * RANDOM.uniform(0.5, 5, (count, 1)).astype(np.float32)


def two_things(each: int = 200) -> tuple[np.ndarray, np.ndarray]:
    features = np.concatenate([photos(each, 0), photos(each, 1)])
    return features, np.repeat([0, 1], each)


def test_other_things_are_turned_away_and_new_photos_of_the_taught_ones_kept():
    """The threshold comes from the taught photos alone."""
    known = Taught.of(*two_things())
    assert (known.similarity(photos(200, 0)) >= known.threshold).mean() > 0.9
    assert (known.similarity(photos(200, 5)) >= known.threshold).mean() < 0.02


def test_how_bright_the_features_are_says_nothing():
    """Only their direction does."""
    known = Taught.of(*two_things())
    some = photos(5, 0)
    assert np.allclose(known.similarity(some), known.similarity(some * 7), atol=1e-3)


def test_what_is_kept_is_bounded_and_of_every_class(monkeypatch):
    """A folder for a million photos must still start in a moment."""
    monkeypatch.setattr(taught, "MOST", 30)
    features = np.concatenate([photos(500, 0), photos(12, 1), photos(500, 2)])
    classes = np.repeat([0, 1, 2], [500, 12, 500])
    known = Taught.of(features, classes)
    assert known.features.shape == (30, WIDTH)
    nearest_axis = known.features[:, :3].argmax(axis=1)
    assert np.bincount(nearest_axis).tolist() == [10, 10, 10]
    assert (known.similarity(photos(200, 1)) >= known.threshold).mean() > 0.8


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**20))
def test_similarity_is_one_with_itself_and_never_more(count, seed):
    """Rounding to half precision must not lift it over 1."""
    features = np.random.default_rng(seed).normal(0, 1, (count, WIDTH)).astype(np.float32)
    known = Taught.of(features, np.zeros(count, np.int64))
    similarity = known.similarity(features)
    assert (similarity <= 1).all()
    assert np.allclose(similarity, 1, atol=2e-3)


def test_it_is_kept_in_the_folder_as_numbers(tmp_path):
    """And comes back as it was."""
    known = Taught.of(*two_things(20))
    known.save(tmp_path)
    again = Taught.load(tmp_path)
    assert np.array_equal(again.features, known.features)
    assert again.threshold == known.threshold


def test_a_folder_without_it_has_none(tmp_path):
    assert Taught.load(tmp_path) is None


def _pickled(path):
    np.savez(path, features=np.array([{"a": 1}], object), threshold=0.5)


def _cut(path):
    Taught.of(*two_things(20)).save(path.parent)
    path.write_bytes(path.read_bytes()[:500])


def _not_numbers(path):
    np.savez(path, features=np.full((2, 3), np.nan, np.float16), threshold=0.5)


def _no_threshold(path):
    np.savez(path, features=np.ones((2, 3), np.float16))


@pytest.mark.parametrize("spoil", [_pickled, _cut, _not_numbers, _no_threshold])
def test_a_damaged_file_is_refused_by_name(tmp_path, spoil):
    """Only numbers are read from a folder that somebody else may have made."""
    spoil(tmp_path / folder.TAUGHT)
    with pytest.raises(BadTaught, match=r"taught\.npz can't be used .*train it again"):
        Taught.load(tmp_path)
