"""A head fitted on features."""

import numpy as np
import pytest

from training.calibration import expected_calibration_error
from training.data import BadData
from training.head import MOST_CLASSES, check_classes, fit_head

WIDTH = 40


def photos(each: int, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of things that are told apart nearly always."""
    random = np.random.default_rng(seed)
    middles = np.random.default_rng(1).normal(0, 1, (classes, WIDTH))
    shown = np.repeat(np.arange(classes), each)
    features = middles[shown] + random.normal(0, 1.6, (len(shown), WIDTH))
    return features.astype(np.float32) * 30, shown


def test_what_is_learned_holds_for_other_photos():
    """And its probabilities can be believed."""
    head = fit_head(*photos(120))
    features, shown = photos(400, seed=5)
    given = head.calibrated(features)
    right = given.argmax(axis=1) == shown
    assert right.mean() > 0.9
    assert abs(right.mean() - head.right) < 0.05  # cross-validation foretold it
    assert expected_calibration_error(given.max(axis=1).astype(float), right) < 0.04


def test_two_classes_give_two_probabilities():
    """Of which the second is not the first one's mirror by accident."""
    features, shown = photos(30, classes=2)
    given = fit_head(features, shown).probabilities(features)
    assert given.shape == (60, 2)
    assert np.allclose(given.sum(axis=1), 1, atol=1e-5)
    assert (given.argmax(axis=1) == shown).mean() > 0.9


def test_a_few_photos_of_many_features_are_fitted_in_the_directions_they_span():
    """The same head as on all the features, in a fraction of the time."""
    features, shown = photos(5)
    head = fit_head(features, shown)
    spanned = np.linalg.lstsq(features.T, head.kernel, rcond=None)[0]
    assert np.allclose(features.T @ spanned, head.kernel, atol=1e-4)
    assert (head.probabilities(features).argmax(axis=1) == shown).all()


def test_the_scale_of_the_features_does_not_matter():
    """Networks differ in it by orders of magnitude."""
    features, shown = photos(40)
    one, other = fit_head(features, shown), fit_head(features * 1000, shown)
    assert one.strength == other.strength
    assert np.allclose(one.kernel, other.kernel * 1000, atol=1e-3)


def test_weighing_classes_alike_helps_the_rare_one():
    """Ninety photos of one thing must not drown ten of another."""
    features, shown = photos(90, classes=2)
    few = np.concatenate([np.flatnonzero(shown == 0), np.flatnonzero(shown == 1)[:6]])
    features = features + np.random.default_rng(3).normal(0, 60, features.shape)
    test, truth = photos(300, classes=2, seed=8)
    recalls = []
    for balanced in (False, True):
        head = fit_head(features[few].astype(np.float32), shown[few], balanced)
        called = head.probabilities(test).argmax(axis=1)
        recalls.append((called[truth == 1] == 1).mean())
    assert recalls[1] > recalls[0]


def test_variations_of_a_photo_are_left_out_together():
    """Else cross-validation would find each photo's twin among those it learned from."""
    random = np.random.default_rng(0)
    noise = random.normal(0, 1, (60, WIDTH)).astype(np.float32)
    shown = np.tile([0, 1], 30)
    twice, classes = np.concatenate([noise, noise + 0.01]), np.tile(shown, 2)
    groups = np.tile(np.arange(60), 2)
    assert fit_head(twice, classes, groups=groups).right < 0.7  # there is nothing to learn
    assert fit_head(twice, classes).right > 0.8


@pytest.mark.parametrize(
    ("classes", "names", "said"),
    [
        ([0, 0, 1], ("cats", "dogs"), "in the class 'dogs': at least 2"),
        ([0, 0], ("cats", "big dogs"), "in the class 'big dogs'"),
        ([0, 1], (), "in the classes number 0, number 1"),
        (range(MOST_CLASSES + 1), (), "1,001 classes can't be learned on features, 1,000 can"),
    ],
)
def test_classes_that_can_not_be_learned_are_named(classes, names, said):
    with pytest.raises(BadData, match=said):
        check_classes(np.array(classes), names)
