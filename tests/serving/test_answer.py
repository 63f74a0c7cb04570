"""Probabilities to names."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.labels import Label
from serving.answer import calibrate, rank

LABELS = [Label(f"id{i}", f"name {i}") for i in range(50)]
some_probabilities = arrays(
    np.float32, st.integers(1, 50), elements=st.floats(0, 1, width=32, allow_nan=False)
)


@given(some_probabilities, st.integers(1, 60), st.sampled_from([0.0, 0.2, 0.9]))
def test_ranking_is_a_sort_by_probability_and_then_by_class_index(probabilities, top, threshold):
    """The fast way (a partition) gives what the plain way gives, ties included."""
    likely = [i for i, p in enumerate(probabilities) if p >= np.float32(threshold)]
    plain = sorted(likely, key=lambda i: (-probabilities[i], i))[:top]
    assert [p.id for p in rank(probabilities, LABELS, top, threshold)] == [f"id{i}" for i in plain]


def test_a_temperature_divides_the_logits():
    logits = np.array([3.0, 1.0, 0.5], np.float32)
    softmax = lambda z: np.exp(z) / np.exp(z).sum()  # noqa: E731
    np.testing.assert_allclose(
        calibrate(softmax(logits), temperature=2), softmax(logits / 2), rtol=1e-5
    )


def test_a_prediction_carries_name_probability_and_id():
    (first,) = rank(np.array([0.25, 0.75], np.float32), LABELS, top=1)
    assert (first.label, first.probability, first.id) == ("name 1", 0.75, "id1")


def test_nothing_is_said_when_nothing_reaches_the_threshold():
    assert rank(np.array([0.5, 0.5], np.float32), LABELS, top=5, threshold=0.6) == ()
