"""How fast to learn, and at which size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.schedule import WARMUP, learning_rate, size_at


def test_one_cycle_rises_to_its_peak_and_ends_at_nothing():
    """The steps near nothing are those that settle the weights."""
    assert learning_rate(0) < 0.1
    assert learning_rate(WARMUP) == pytest.approx(1)
    assert learning_rate(1) == 0


@given(progress=st.floats(0, 1))
def test_the_rate_is_never_above_its_peak_nor_below_nothing(progress):
    """A rate outside would undo what was learned."""
    assert 0 <= learning_rate(progress) <= 1


def test_small_pictures_come_first_and_whole_ones_last():
    """The network is measured on whole ones."""
    assert [size_at(progress, 64) for progress in (0, 0.7, 0.9, 1)] == [48, 48, 64, 64]


@pytest.mark.parametrize("size", range(32, 161, 16))
def test_every_size_on_the_way_can_be_halved_four_times(size):
    """Odd sides in between would not meet again at the shortcuts."""
    assert size_at(0, size) % 16 == 0
    assert 32 <= size_at(0, size) <= size


@pytest.mark.parametrize("size", range(32, 161, 16))
def test_a_share_of_the_size_can_be_halved_four_times_as_well(size):
    """Three quarters of 112 pixels are 84, which can't."""
    for progress in (0, 0.9):
        assert size_at(progress, size, 0.75) % 16 == 0
        assert 32 <= size_at(progress, size, 0.75) <= size
