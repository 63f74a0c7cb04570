"""Probabilities to an answer: ranked and named."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.labels import Label


@dataclass(frozen=True)
class Prediction:
    """One class: its label for people, its probability (0-1), its stable id."""

    label: str
    probability: float
    id: str


@dataclass(frozen=True)
class Timings:
    """Seconds that one photo waited in the queue, was decoded and fitted, and was inferred."""

    wait_s: float
    decode_s: float
    infer_s: float


@dataclass(frozen=True)
class Answer:
    """What one network says of one photo, most probable class first."""

    model: str
    predictions: tuple[Prediction, ...]
    timings: Timings


def calibrate(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities as if the logits had been divided by the temperature (arXiv 1706.04599).

    Args:
        probabilities: float32, shape (classes,), sums to 1.
        temperature: over 0; above 1 makes the network less sure, 1 changes nothing.
    """
    if temperature == 1:
        return probabilities
    powers = probabilities ** np.float32(1 / temperature)
    calibrated: NDArray[np.float32] = powers / powers.sum()
    return calibrated


def rank(
    probabilities: NDArray[np.float32], labels: Sequence[Label], top: int, threshold: float = 0.0
) -> tuple[Prediction, ...]:
    """The `top` most probable classes, of those that are at least as probable as `threshold`.

    Args:
        probabilities: float32, shape (classes,).
        labels: one a class, in class-index order.
        top: how many at most.
        threshold: a probability, 0-1.

    Returns:
        Highest probability first; equal ones by class index.
    """
    count = min(top, len(probabilities))
    # The smallest probability that can be among the first `count`; ties at it are ranked below.
    least = np.partition(probabilities, -count)[-count]
    likely = np.flatnonzero(probabilities >= max(least, np.float32(threshold)))
    order = likely[np.lexsort((likely, -probabilities[likely]))][:count]
    return tuple(
        Prediction(labels[i].label, float(probabilities[i]), labels[i].id) for i in order.tolist()
    )
