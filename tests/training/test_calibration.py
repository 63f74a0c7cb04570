"""How much probabilities can be believed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.answer import calibrate
from training.calibration import expected_calibration_error, fit_temperature


def pictures(temperature: float, count: int = 4000):
    """What a network says that is wrong by a temperature, and what its pictures really show."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (count, 10))
    powers = np.exp(logits)
    true = powers / powers.sum(axis=1, keepdims=True)
    classes = (true.cumsum(axis=1) < random.random((count, 1))).sum(axis=1).clip(max=9)
    stated = np.exp(logits * temperature)
    return (stated / stated.sum(axis=1, keepdims=True)).astype(np.float32), classes


@settings(max_examples=10, deadline=None)
@given(st.floats(0.3, 4))
def test_the_temperature_that_a_network_is_wrong_by_is_found(temperature):
    """Too sure (over 1) or too shy (under 1)."""
    stated, classes = pictures(temperature)
    assert fit_temperature(stated, classes) == pytest.approx(temperature, rel=0.1)


def test_at_the_temperature_that_was_fitted_probabilities_can_be_believed():
    """That is what it is for."""
    stated, classes = pictures(2.5)
    temperature = fit_temperature(stated, classes)
    mended = np.stack([calibrate(one, temperature) for one in stated])

    def error(probabilities):
        right = probabilities.argmax(axis=1) == classes
        return expected_calibration_error(probabilities.max(axis=1).astype(float), right)

    assert error(mended) < 0.03 < 0.1 < error(stated)


def test_a_right_class_that_float32_rounded_to_nothing_ends_nothing():
    """One such picture would make every likelihood infinite."""
    stated = np.array([[1, 0], [0.9, 0.1], [0.2, 0.8]], np.float32)
    assert 0.1 <= fit_temperature(stated, np.array([1, 0, 1])) <= 10


def test_the_error_is_the_gap_between_what_is_said_and_what_is_so():
    """Two bins: 4 answers said to be right 9 times in 10 that all are, 4 of 0.3 that never are."""
    stated = np.array([0.9] * 4 + [0.3] * 4)
    right = np.array([True] * 4 + [False] * 4)
    assert expected_calibration_error(stated, right) == pytest.approx((0.1 + 0.3) / 2)


def test_no_answer_has_no_error():
    assert expected_calibration_error(np.empty(0), np.empty(0, bool)) == 0


def test_complete_certainty_has_its_place_in_the_last_bin():
    assert expected_calibration_error(np.ones(3), np.ones(3, bool)) == 0
