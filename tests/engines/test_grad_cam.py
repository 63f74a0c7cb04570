"""Grad-CAM by Keras' own derivatives, and the fast engine's maps against it."""

import os
import threading
import warnings

import numpy as np
import openvino
import pytest

from engines.check import Checks, pictures
from engines.engine import CannotExplain
from engines.grad_cam import GradCam
from engines.keras_engine import KerasEngine
from engines.openvino_engine import OpenVinoEngine
from models.build import build
from models.card import Card

# TensorFlow and Keras, at import and when they save.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

SMALL = {"stem": 4, "widths": [4, 8], "features": 8}
CARDS = {
    "mean and dense": ("convnet", 48, SMALL),
    "convolutions with curves": ("keras:MobileNetV3Small", 64, {}),
    "flat, with curves, after a pool": ("keras:VGG16", 32, {}),
    "side by side": ("keras:DenseNet121", 64, {}),
}


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
    return keras


def card(builder: str, size: int, options: dict) -> Card:
    return Card(
        name="Tested",
        builder=builder,
        options=options,
        input_size=size,
        scaling="tf",
        classes=7,
        labels="labels.tsv",
        licence="Apache-2.0",
    )


def with_numbers(model):
    """Biases and statistics as a trained network has them: Keras leaves them all alike."""
    random = np.random.default_rng(2)
    for weight in model.weights:
        if weight.path.endswith(("beta", "bias", "moving_mean")):
            weight.assign(random.normal(0, 0.1, weight.shape))
        if weight.path.endswith(("gamma", "moving_variance", "layer_scale")):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


@pytest.fixture(scope="module", params=CARDS)
def both(request, keras, tmp_path_factory):
    """The same network in both engines: by name, (Keras engine, fast engine)."""
    described = card(*CARDS[request.param])
    place = tmp_path_factory.mktemp("network")
    model = with_numbers(build(described, None))
    model.save_weights(place / "numbers.weights.h5")
    shown = pictures(described.input_size)
    Checks(shown, np.asarray(model(shown, training=False))).save(place / "checks.npz")
    openvino.save_model(openvino.convert_model(model), place / "network.xml", False)
    reference = KerasEngine(described, place / "numbers.weights.h5")
    return request.param, reference, OpenVinoEngine("Tested", place, "f32", cores=1)


def test_both_engines_find_a_class_at_the_same_places(both):
    """One by a graph run backwards in numpy, the other by TensorFlow."""
    name, reference, fast = both
    by_keras, by_openvino = reference.explaining(), fast.explaining()
    assert isinstance(by_keras, GradCam)
    size = CARDS[name][1]
    for photo in np.random.default_rng(4).integers(0, 256, (2, size, size, 3), np.uint8):
        for index in (None, 3):
            expected, got = by_keras.run(photo, index), by_openvino.run(photo, index)
            assert got.index == expected.index
            np.testing.assert_allclose(got.probabilities, expected.probabilities, atol=1e-5)
            assert got.evidence.shape == expected.evidence.shape
            most = np.abs(expected.evidence).max()
            np.testing.assert_allclose(got.evidence, expected.evidence, atol=1e-4 * most)
            assert expected.grid.step == got.grid.step


def test_only_a_linear_head_is_taken_apart_exactly(both):
    name, _, fast = both
    photo = pictures(CARDS[name][1])[0]
    assert fast.explaining().run(photo).method == ("grad-cam" if "curves" in name else "cam")


def test_layers_within_a_layer_are_seen_through(keras):
    """ConvNeXt's strides are in layers of several."""
    pixels = keras.Input((32, 32, 3), dtype="uint8")
    stem = keras.Sequential([keras.layers.Conv2D(4, 4, strides=4), keras.layers.ReLU()])
    x = keras.layers.MaxPooling2D(2)(stem(keras.layers.Rescaling(1 / 255)(pixels)))
    x = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    model = keras.Model(pixels, keras.layers.Softmax()(x))
    said = GradCam("Nested", model, threading.Lock()).run(np.zeros((32, 32, 3), np.uint8), 0)
    assert said.evidence.shape == (8, 8)
    assert said.grid.area((8, 8)) == (0, 0, 32, 32)


def test_a_model_without_a_softmax_is_refused(keras):
    pixels = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(pixels))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(pixels, keras.layers.Dense(2, activation="sigmoid")(x))
    with pytest.raises(CannotExplain, match="Odd can't be explained: its last layer is no softmax"):
        GradCam("Odd", model, None)


def test_a_model_without_a_feature_map_is_refused(keras):
    pixels = keras.Input((1, 1, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(x))
    with pytest.raises(CannotExplain, match="Odd can't be explained: it has no feature map"):
        GradCam("Odd", model, None)


def test_on_another_backend_than_tensorflow_it_says_what_to_set(keras, monkeypatch):
    """Keras takes its backend at import, and the others are not installed here: it only says so."""
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    expected = "Net can't be explained by the keras engine on torch; set KERAS_BACKEND=tensorflow"
    with pytest.raises(CannotExplain, match=expected):
        GradCam("Net", None, None)
