"""Pictures varied for training, by matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.augment import augment, mix


def _varied(pictures, flips, size, seed=0):
    return augment(pictures, np.array(flips), size, np.random.default_rng(seed))


@pytest.mark.parametrize("size", [32, 48, 64])
def test_any_size_comes_out_in_the_range_that_the_network_is_fed(size):
    """Training on another range than serving would make every figure a lie."""
    random = np.random.default_rng(1)
    pictures = random.integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
    varied = _varied(pictures, [False] * 16, size)
    assert varied.shape == (16, size, size, 3)
    assert varied.dtype == np.float32
    assert varied.min() >= -1.001
    assert varied.max() <= 1.001


@given(value=st.integers(0, 255), seed=st.integers(0, 2**32))
def test_a_picture_of_one_colour_keeps_it(value, seed):
    """The weights of every output pixel sum to 1, whatever was drawn."""
    pictures = np.full((3, 32, 32, 3), value, np.uint8)
    varied = _varied(pictures, [True, False, True], 48, seed)
    assert np.allclose(varied, value / 127.5 - 1, atol=1e-4)


def test_a_flip_mirrors_and_changes_nothing_else():
    """The mirrored picture must be as sharp and as large."""
    pictures = np.random.default_rng(2).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    left = _varied(pictures, [False] * 8, 32)
    right = _varied(pictures, [True] * 8, 32)
    assert np.allclose(left, right[:, :, ::-1], atol=1e-5)


def test_what_is_seen_lies_within_the_picture():
    """A crop shifts things, but never by more than what it cuts off."""
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None] * 4, (64, 64, 64, 3))
    rows = _varied(ramp, [False] * 64, 64)[:, :, 0, 0]
    assert (np.diff(rows, axis=1) >= -1e-5).all()
    assert len(np.unique(rows[:, 0])) > 8


def test_some_pictures_are_blurred_and_some_are_sharp():
    """Photos reduced with antialiasing look blurred, those without look sharp: both are served."""
    edge = np.zeros((400, 64, 64, 3), np.uint8)
    edge[:, :, 32:] = 255
    steepest = np.diff(_varied(edge, [False] * 400, 64)[:, 32, :, 0], axis=1).max(axis=1)
    assert 0.15 < (steepest < 1.0).mean() < 0.35  # a plain linear enlargement never is
    assert 0.15 < (steepest == 2.0).mean() < 0.35


@given(light=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_light_changes_from_picture_to_picture_and_stays_in_the_range(light, seed):
    """A picture that leaves the range is none that serving could ever show."""
    pictures = np.random.default_rng(3).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    random = np.random.default_rng(seed)
    varied = augment(pictures, np.zeros(4, bool), 32, random, smallest_crop=0.5, light=light)
    assert varied.min() >= -1.001
    assert varied.max() <= 1.001


def test_other_light_on_one_colour_is_another_colour():
    """Otherwise the setting would do nothing."""
    grey = np.full((64, 32, 32, 3), 128, np.uint8)
    varied = augment(grey, np.zeros(64, bool), 32, np.random.default_rng(0), light=0.25)
    assert 0.1 < varied[:, 0, 0, 0].std() < 0.2


def test_mixed_pictures_have_targets_in_the_same_shares():
    """A picture that is three parts cat must be said to be three parts cat."""
    pictures = np.repeat(np.eye(4, dtype=np.float32), 3, axis=1).reshape(4, 1, 4, 3)
    shown, targets = mix(pictures, np.eye(4, dtype=np.float32), 0.2, np.random.default_rng(1))
    assert np.allclose(shown[:, 0, :, 0], targets)
    assert np.allclose(targets.sum(axis=1), 1)
