"""How much a network's probabilities can be believed, and the one number that mends most of it.

C. Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599. Whatever is
fitted here must be fitted on pictures that the network was not trained on.
"""

import numpy as np
from numpy.typing import NDArray

# Temperatures looked at; what lies outside is a broken network, not a doubtful one.
_COLDEST, _HOTTEST = 0.1, 10.0
_STEPS = 30  # each narrows what is left to 0.618 of it: to a millionth of it in all
_GOLDEN = (5**0.5 - 1) / 2
_LEAST = 1e-30  # for the logarithm of a probability that float32 rounded to nothing


def fit_temperature(probabilities: NDArray[np.float32], classes: NDArray[np.int64]) -> float:
    """The temperature with the lowest negative log-likelihood (section 4.2), 0.1 to 10.

    Args:
        probabilities: float32 (pictures, classes), as the network gives them.
        classes: int64 (pictures,), the class index of what each picture shows.
    """
    logs = np.log(np.maximum(probabilities.astype(np.float64), _LEAST))
    # In the inverse temperature it is convex (a log-sum-exp): a golden-section search finds it.
    low, high = 1 / _HOTTEST, 1 / _COLDEST
    for _ in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if _log_loss(logs, classes, left) < _log_loss(logs, classes, right):
            high = right
        else:
            low = left
    return 2 / (low + high)


def expected_calibration_error(
    stated: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15
) -> float:
    """How far, on average, what is said of an answer's probability is from how often it is right.

    Section 2 of the paper: bins of equal width, weighted by how many answers are in each.

    Args:
        stated: probabilities, 0-1, shape (answers,).
        right: whether each answer was, shape (answers,).

    Returns:
        0 (as good as can be) to 1; 0 if there is no answer.
    """
    which = np.minimum((stated * bins).astype(int), bins - 1)
    gaps = np.bincount(which, stated - right, minlength=bins)  # of each bin: the sum of both
    return float(np.abs(gaps).sum() / max(len(stated), 1))


def _log_loss(logs: NDArray[np.float64], classes: NDArray[np.int64], inverse: float) -> float:
    """The mean negative log-likelihood when the logits are multiplied by `inverse`."""
    logits = logs * inverse
    largest = logits.max(axis=1, keepdims=True)
    totals = largest[:, 0] + np.log(np.exp(logits - largest).sum(axis=1))
    return float((totals - logits[np.arange(len(classes)), classes]).mean())
