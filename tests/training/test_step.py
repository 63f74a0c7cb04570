"""One step of gradient descent."""

import numpy as np

from training.step import split


def test_both_halves_of_a_sorted_batch_hold_every_class():
    """Else batch normalisation gives away the half of the classes that a picture is of."""
    classes = np.repeat(np.arange(5), 4).astype(np.float32)
    for half in split(classes):
        assert set(half) == set(range(5))


def test_nothing_of_a_batch_is_lost():
    """Also of one with an odd number of pictures."""
    batch = np.arange(7, dtype=np.float32)
    assert sorted(np.concatenate(split(batch))) == list(range(7))
