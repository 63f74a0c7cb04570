"""The head of a network run backwards: exact where it is linear, the true slope where it isn't."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from engines.engine import CannotExplain
from engines.openvino_engine import OpenVinoEngine
from tests.engines.heads import CHANNELS, CLASSES, dense, mean, network, numbers, photos
from tests.small import SIZE, answer, colours


def layer_normalized(x):
    """As Keras' LayerNormalization comes out of the conversion."""
    middle = ops.reduce_mean(x, np.array([1]), keep_dims=True)
    variance = ops.reduce_mean(ops.squared_difference(x, middle), np.array([1]), keep_dims=True)
    inverse = ops.power(ops.add(variance, np.float32([[1e-3]])), np.float32([[-0.5]]))
    scale = ops.multiply(inverse, 1 + numbers(1, CHANNELS, seed=2))
    shift = ops.multiply(ops.multiply(middle, np.float32([[-1]])), scale)
    return ops.add(ops.multiply(x, scale), ops.add(shift, numbers(1, CHANNELS, seed=3)))


def as_convolutions(x):
    """MobileNet's head: the mean keeps its axes, and the dense layer is a 1x1 convolution."""
    middle = ops.reduce_mean(x, np.array([2, 3]), keep_dims=True)
    kernel = numbers(CLASSES, CHANNELS, 1, 1, seed=1)
    ones = [1, 1]
    made = ops.convolution(middle, kernel, ones, [0, 0], [0, 0], ones)
    return ops.reshape(ops.add(made, numbers(1, CLASSES, 1, 1)), np.array([-1, CLASSES]), False)


def normalized_before_the_mean(x):
    scaled = ops.multiply(x, 1 + numbers(1, CHANNELS, 1, 1, seed=4))
    return dense(mean(ops.add(scaled, numbers(1, CHANNELS, 1, 1, seed=5))))


def maps_of_classes(x):
    """No dense layer at all: a 1x1 convolution gives each class its map (arXiv 1312.4400)."""
    return mean(
        ops.convolution(x, numbers(CLASSES, CHANNELS, 1, 1), [1, 1], [0, 0], [0, 0], [1, 1])
    )


def flat(x):
    return dense(ops.reshape(x, np.array([-1, CHANNELS * 256]), False))


LINEAR = {
    "mean and dense": lambda x: dense(mean(x)),
    "two dense layers": lambda x: dense(dense(mean(x), 5, seed=7)),
    "layer normalisation": lambda x: dense(layer_normalized(mean(x))),
    "convolutions": as_convolutions,
    "normalised before the mean": normalized_before_the_mean,
    "maps of classes": maps_of_classes,
    "flat": flat,
}


def pooled(x):
    """VGG's head: a max pool, then everything flat through two layers with a curve between."""
    ones, none = [1, 1], [0, 0]
    small = ops.max_pool(x, [2, 2], ones, none, none, [2, 2]).output(0)
    turned = ops.transpose(small, np.array([0, 2, 3, 1]))
    flat_features = ops.reshape(turned, np.array([-1, CHANNELS * 64]), False)
    return dense(ops.relu(dense(flat_features, 9, seed=7)))


CURVED = {
    "relu": lambda x: dense(ops.relu(dense(mean(x), 9, seed=7))),
    "relu6": lambda x: dense(ops.clamp(dense(mean(x), 9, seed=7), 0.0, 6.0)),
    "hard swish": lambda x: dense(ops.hswish(dense(mean(x), 9, seed=7))),
    "sigmoid": lambda x: dense(ops.sigmoid(dense(mean(x), 9, seed=7))),
    "tanh": lambda x: dense(ops.tanh(dense(mean(x), 9, seed=7))),
    "elu": lambda x: dense(ops.elu(dense(mean(x), 9, seed=7), 1.0)),
    "a gate": lambda x: dense(ops.multiply(dense(mean(x), 9, seed=7), dense(mean(x), 9, seed=8))),
}


@pytest.mark.parametrize("head", LINEAR.values(), ids=LINEAR)
def test_what_the_places_say_sums_up_to_the_answer(head, tmp_path):
    """The identity that class activation maps rest on: their mean is the logit, but for a bias
    that no photo changes."""
    made = network(tmp_path, head)
    biases, logits = [], []
    for photo in photos():
        said = [made.explaining.run(photo, index) for index in range(CLASSES)]
        assert {one.method for one in said} == {"cam"}
        logits.append(made.logits(photo))
        biases.append(logits[-1] - [one.evidence.mean() for one in said])
    assert np.ptp(biases, axis=0).max() < 1e-5 * np.abs(logits).max()
    assert np.ptp(logits, axis=0).min() > 0.01  # while the answers are not the same at all


def test_the_map_is_the_features_weighted_by_the_class_s_row_of_the_dense_layer(tmp_path):
    """Zhou et al. 2015, equation 2, in plain numpy."""
    made = network(tmp_path, lambda x: dense(mean(x)))
    (photo,) = photos(1)
    row = numbers(CLASSES, CHANNELS, seed=1)[2]
    expected = np.tensordot(row, made.features(photo), 1)
    np.testing.assert_allclose(made.explaining.run(photo, 2).evidence, expected, atol=1e-5)


def test_a_flat_head_weighs_each_place_by_itself(tmp_path):
    made = network(tmp_path, flat)
    (photo,) = photos(1)
    kernel = numbers(CLASSES, CHANNELS * 256, seed=1)[3].reshape(CHANNELS, 16, 16)
    expected = (kernel * made.features(photo)).sum(0) * 256
    np.testing.assert_allclose(
        made.explaining.run(photo, 3).evidence, expected, rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("head", CURVED.values(), ids=CURVED)
def test_where_the_head_is_curved_features_are_weighed_by_their_slope(head, tmp_path):
    """Grad-CAM, checked by moving each feature a little and looking what the logit does."""
    made = network(tmp_path, head)
    (photo,) = photos(1)
    said = made.explaining.run(photo, 1)
    assert said.method == "grad-cam"

    by_hand = openvino.opset13.parameter([1, CHANNELS, 16, 16], np.float32)
    alone = openvino.Core().compile_model(
        openvino.Model([head(by_hand)], [by_hand]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    features, step = made.features(photo), 0.01
    weights = []
    for channel in range(CHANNELS):
        moved = np.zeros_like(features)
        moved[channel] = step
        up, down = (np.array(alone([(features + m)[None]])[0])[0, 1] for m in (moved, -moved))
        weights.append((up - down) / (2 * step))
    expected = np.tensordot(weights, features, 1)
    np.testing.assert_allclose(said.evidence, expected, rtol=0.02, atol=0.02 * np.ptp(expected))


def test_a_pool_before_the_head_is_looked_through(tmp_path):
    """The map before VGG's last pool has four times the places, and the same weights."""
    made = network(tmp_path, pooled)
    (photo,) = photos(1)
    said = made.explaining.run(photo, 0)
    assert said.evidence.shape == (16, 16)
    assert said.method == "grad-cam"

    kernels = numbers(9, CHANNELS * 64, seed=7), numbers(CLASSES, 9, seed=1)
    features = made.features(photo)
    small = features.reshape(CHANNELS, 8, 2, 8, 2).max((2, 4)).transpose(1, 2, 0).reshape(-1)
    hidden = kernels[0] @ small + numbers(1, 9, seed=7)[0]
    slopes = (kernels[1][0] * (hidden > 0)) @ kernels[0]
    expected = np.tensordot(slopes.reshape(64, CHANNELS).sum(0), features, 1)
    np.testing.assert_allclose(said.evidence, expected, rtol=1e-3, atol=1e-3)


def test_its_probabilities_are_the_engine_s_and_the_likeliest_class_is_taken(tmp_path):
    made = network(tmp_path, lambda x: dense(mean(x)))
    for photo in photos():
        said = made.explaining.run(photo)
        np.testing.assert_allclose(said.probabilities, made.engine.run(photo[None])[0], atol=1e-6)
        assert said.index == said.probabilities.argmax()


def test_a_network_stored_in_half_precision_is_explained_the_same(tmp_path):
    """The one in the box is stored so."""
    made = network(tmp_path, lambda x: dense(mean(x)))
    file = tmp_path / "entry/network.xml"
    whole = openvino.Core().read_model(file)
    openvino.save_model(whole, tmp_path / "half.xml", compress_to_fp16=True)
    for kind in ("xml", "bin"):
        (tmp_path / f"half.{kind}").replace(tmp_path / f"entry/network.{kind}")
    half = OpenVinoEngine("Small", tmp_path / "entry", "f32", cores=1).explaining()
    (photo,) = photos(1)
    expected = made.explaining.run(photo, 0).evidence
    np.testing.assert_allclose(half.run(photo, 0).evidence, expected, atol=0.01)


def test_the_smallest_network_s_map_is_the_photo_in_its_colour(tmp_path):
    """It has no convolution at all: its feature map is the picture itself."""
    explaining = OpenVinoEngine(
        "Colours", colours(tmp_path / "network") / "compiled", "f32", cores=1
    ).explaining()
    (photo,) = np.random.default_rng(3).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    for index in range(3):
        said = explaining.run(photo, index)
        np.testing.assert_allclose(said.evidence, photo[..., index] / 32, atol=1e-5)
        assert said.grid.area(said.evidence.shape) == (0, 0, SIZE, SIZE)
        powers = np.exp(photo.mean((0, 1)) / 32)
        assert said.probabilities[index] == pytest.approx(powers[index] / powers.sum(), abs=1e-5)
    np.testing.assert_allclose(said.probabilities, answer(photo[None])[0], atol=1e-5)


def test_threads_get_their_own_maps(tmp_path):
    """A shared inference request would hand one thread another's features."""
    made = network(tmp_path, lambda x: dense(mean(x)))
    shown = photos(7)
    expected = [made.explaining.run(photo, 1).evidence for photo in shown]
    with ThreadPoolExecutor(4) as pool:
        rows = [i % 7 for i in range(200)]
        for row, got in zip(rows, pool.map(lambda i: made.explaining.run(shown[i], 1), rows)):
            np.testing.assert_allclose(got.evidence, expected[row], atol=1e-5)


def test_it_outlives_the_engine_that_made_it(tmp_path):
    made = network(tmp_path, lambda x: dense(mean(x)))
    (photo,) = photos(1)
    before = made.explaining.run(photo, 0).evidence
    made.engine.close()
    np.testing.assert_array_equal(made.explaining.run(photo, 0).evidence, before)


def without_softmax(tmp_path):
    x = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="pixels")
    middle = ops.reduce_mean(ops.convert(x, "f32"), np.array([1, 2]), keep_dims=False)
    return openvino.Model([ops.sigmoid(middle)], [x])


REFUSED = {
    "several maps": (
        lambda x: dense(ops.concat([mean(x), mean(ops.relu(ops.negative(x)))], 1)),
        "comes from 2 feature maps; it takes exactly one",
    ),
    "a sine": (
        lambda x: dense(ops.sin(mean(x))),
        "there is Sin between .* which can't be followed backwards here; SHIWU_ENGINE=keras can",
    ),
}


@pytest.mark.parametrize(("head", "why"), REFUSED.values(), ids=REFUSED)
def test_what_can_t_be_explained_is_refused_with_the_reason(head, why, tmp_path):
    with pytest.raises(CannotExplain, match=f"^Small can't be explained: .*{why}"):
        network(tmp_path, head)


def test_an_answer_without_a_softmax_is_refused(tmp_path):
    entry = colours(tmp_path / "network") / "compiled"
    engine = OpenVinoEngine("Colours", entry, "f32", cores=1)
    openvino.save_model(without_softmax(tmp_path), entry / "network.xml")
    with pytest.raises(CannotExplain, match="its answer comes from a Sigmoid and not a softmax"):
        engine.explaining()
