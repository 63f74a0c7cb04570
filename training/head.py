"""The head of a network: logistic regression on features, its settings chosen by cross-validation.

Only the photos to learn from decide: how strongly the weights are held small is what predicts
photos left out best (the log loss, which sees more than the share of right answers), and so is the
temperature. Features are divided by their root mean square length, so that the same strengths suit
every network; that is part of the kernel afterwards.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.answer import calibrate
from training.calibration import fit_temperature
from training.data import BadData

# scikit-learn's C, weakest last; at 10 to 30 cats and dogs are learned best.
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
FOLDS = 5
MOST_CLASSES = 1000
_STEPS = 500  # of L-BFGS, at most
_TOLERANCE = (
    1e-5  # ten times finer than scikit-learn's: else what stops early passes for what is weak
)
# From so many photos on, those left out say enough about a temperature; before it stays 1.
ENOUGH = 100
# Above so many numbers (photos x features x classes) one fold stands for all five.
_MUCH = 2e9
Floats = NDArray[np.float32]
Classes = NDArray[np.int64]


@dataclass(frozen=True)
class Head:
    """A dense layer over features, and what is known of it.

    Args:
        kernel: float32 (features, classes).
        bias: float32 (classes,).
        strength: scikit-learn's C that was chosen.
        temperature: divides the logits.
        right: share of the photos that were right when they were left out, 0-1.
        loss: their mean log loss.
    """

    kernel: Floats
    bias: Floats
    strength: float
    temperature: float = 1.0
    right: float = 0.0
    loss: float = 0.0

    def probabilities(self, features: Floats) -> Floats:
        """Not yet calibrated, float32 (photos, classes), of features (photos, features)."""
        logits = features @ self.kernel + self.bias
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    def calibrated(self, features: Floats) -> Floats:
        """Probabilities as the service gives them, float32 (photos, classes)."""
        given = self.probabilities(features)
        return np.stack([calibrate(row, self.temperature) for row in given])


def fit_head(
    features: Floats,
    classes: Classes,
    balanced: bool = False,
    seed: int = 0,
    groups: NDArray[np.int64] | None = None,
) -> Head:
    """The head that predicts photos left out best, fitted on all photos.

    Args:
        features: float32 (photos, features).
        classes: int64 (photos,), every class index from 0 on at least twice.
        balanced: weigh each class as if all had as many photos.
        seed: of the folds.
        groups: int64 (photos,): rows of one group (variations of a photo) are left out together.

    Raises:
        BadData: a class with fewer than two photos, or more classes than can be fitted.
    """
    check_classes(classes)
    scale = 1 / max(float(np.sqrt((features.astype(np.float64) ** 2).sum(axis=1).mean())), 1e-12)
    rotated, back = _rotated(features * np.float32(scale))
    groups = np.arange(len(classes)) if groups is None else groups
    folds = _folds(features, classes, groups, seed)
    tried, shown = _left_out(rotated, classes, folds, balanced)
    best = int(np.argmin([_log_loss(given, shown) for given in tried]))
    given = tried[best]
    (head,) = _fitted(rotated, classes, STRENGTHS[best : best + 1], balanced)
    kernel = head.kernel if back is None else back @ head.kernel
    return Head(
        np.asarray(kernel * scale, np.float32),
        head.bias,
        STRENGTHS[best],
        fit_temperature(given, shown) if len(shown) >= ENOUGH else 1.0,
        float((given.argmax(axis=1) == shown).mean()),
        _log_loss(given, shown),
    )


def check_classes(classes: Classes, names: Sequence[str] = (), least: int = 2) -> None:
    """Raise BadData unless every class has so many photos at least, and there are not too many."""
    counts = np.bincount(classes, minlength=len(names))
    if len(counts) > MOST_CLASSES:
        raise BadData(
            f"{len(counts):,} classes can't be learned on features, {MOST_CLASSES:,} can; join "
            "classes that need not be told apart, or teach parts of them to a network each"
        )
    few = np.flatnonzero(counts < least)
    if len(few):
        named = ", ".join(repr(names[i]) if i < len(names) else f"number {i}" for i in few[:5])
        raise BadData(
            f"too few photos to learn from in the class{'es' * (len(few) > 1)} {named}: at least "
            f"{least} that can be read are needed, besides those to measure on; add photos"
        )


def _folds(
    features: Floats, classes: Classes, groups: NDArray[np.int64], seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    count = int(min(FOLDS, np.bincount(classes).min()))
    alone = len(np.unique(groups)) == len(groups)
    if alone:
        cuts = StratifiedKFold(count, shuffle=True, random_state=seed).split(features, classes)
    else:
        kind = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        cuts = kind.split(features, classes, groups)
    folds = list(cuts)
    much = features.size * (int(classes.max()) + 1) > _MUCH
    return folds[:1] if much else folds


def _rotated(features: Floats) -> tuple[Floats, Floats | None]:
    """The features in as few numbers as there are photos, and the way back.

    Of a network's thousands of directions, a few photos span few; the weights lie among them.
    """
    if len(features) >= features.shape[1]:
        return features, None
    basis = np.linalg.qr(features.T).Q  # (features, photos)
    return features @ basis, basis


def _left_out(
    features: Floats,
    classes: Classes,
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    balanced: bool,
) -> tuple[list[Floats], Classes]:
    """For each strength the probabilities of every photo by the head that did not see it.

    And the photos' classes, in the same order.
    """
    given: list[list[Floats]] = [[] for _ in STRENGTHS]
    for seen, unseen in folds:
        heads = _fitted(features[seen], classes[seen], STRENGTHS, balanced)
        for of_one, head in zip(given, heads, strict=True):
            of_one.append(head.probabilities(features[unseen]))
    shown = np.concatenate([classes[unseen] for _, unseen in folds])
    return [np.concatenate(of_one) for of_one in given], shown


def _fitted(
    features: Floats, classes: Classes, strengths: Sequence[float], balanced: bool
) -> list[Head]:
    """A head for each strength; each fit goes on from the one before."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    weight = "balanced" if balanced else None
    regression = LogisticRegression(
        max_iter=_STEPS, class_weight=weight, warm_start=True, tol=_TOLERANCE
    )
    heads = []
    # Several threads wait for one another more than they compute on matrices of this size.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # then it is nearly there
        for strength in strengths:
            regression.set_params(C=strength).fit(features, classes)
            heads.append(_head(regression.coef_.T, regression.intercept_, strength))
    return heads


def _head(kernel: Any, bias: Any, strength: float) -> Head:
    if len(bias) == 1:  # of two classes: the second one's logit over the first one's
        kernel, bias = np.concatenate([-kernel, kernel], axis=1) / 2, np.array([-1, 1]) * bias / 2
    return Head(np.array(kernel, np.float32), np.array(bias, np.float32), strength)


def _log_loss(probabilities: Floats, classes: Classes) -> float:
    right = probabilities[np.arange(len(classes)), classes].astype(np.float64)
    return float(-np.log(np.maximum(right, 1e-12)).mean())
