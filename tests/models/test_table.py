"""The whole table of networks, each row built, with Keras itself as the judge.

Building costs nothing here but time: in a `StatelessScope` no numbers are made. The answers of
both engines are compared on random weights: of a few networks always, of all others when asked
for: `make test TESTS="-m slow tests/models/test_table.py"`.
"""

import importlib
import shutil
from dataclasses import replace

import numpy as np
import pytest

from engines import cache
from engines.check import pictures
from engines.keras_engine import KerasEngine
from engines.openvino_engine import OpenVinoEngine
from models import zoo
from models.build import build, scale
from tests.models import drawn

pytestmark = [
    # Keras 3.15 on NumPy 2.4, when it saves weights.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    # Keras, of the old kind of file that the published weights are in, too.
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]

TOLERANCE = 1e-4  # of a probability, in f32
PUBLISHED = [name for name in zoo.names() if name != zoo.DEFAULT]
A_FEW = [
    *("Xception", "ResNet50", "ResNet50V2", "ResNeXt50", "InceptionV3", "MobileNet_0.25_128"),
    *("MobileNetV2_0.35_96", "MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0"),
    "ConvNeXtTiny",
]
OTHERS = [name for name in PUBLISHED if name not in A_FEW]
# One of each family: width and depth change nothing in it.
ONE_OF_EACH_FAMILY = [*A_FEW, "VGG16", "InceptionResNetV2", "DenseNet121", "NASNetMobile"]


@pytest.fixture
def folder(tmp_path):
    """A folder that is gone after the test: all tests of a run together would fill 20 GB."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def bare(keras, card):
    """The graph of a network, of variables that have a shape and no numbers."""
    with keras.StatelessScope(initialize_variables=False):
        return build(card, None)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_is_what_its_row_says(name, keras):
    """Parameters as published: the only sign that the architecture is the right one."""
    card = zoo.card(name)

    graph = bare(keras, card)

    assert graph.count_params() == card.parameters
    assert graph.input.shape == (None, card.input_size, card.input_size, 3)
    assert graph.input.dtype == "uint8"
    assert graph.output.shape == (None, card.classes)
    assert "softmax" in str(graph.layers[-1].get_config().get("activation"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_is_scaled_as_keras_scales_it(name, keras):
    """To a millionth, for every byte in every channel."""
    card = zoo.card(name)
    ramp = np.arange(256, dtype=np.uint8)
    every_byte = np.stack([ramp, ramp[::-1], np.roll(ramp, 100)], -1).reshape(1, 16, 16, 3)
    pixels = keras.Input((16, 16, 3), dtype="uint8")

    ours = keras.Model(pixels, scale(pixels, card.scaling))(every_byte)

    expected = theirs(keras, card)(every_byte.astype(np.float32))
    assert np.abs(np.asarray(ours) - np.asarray(expected)).max() < 1e-6


def theirs(keras, card):
    """Keras' own scaling for a network; it has no module for ResNeXt, only the mode."""
    if card.builder == "resnext":
        modes = keras.applications.imagenet_utils
        return lambda pixels: modes.preprocess_input(pixels, mode="torch")
    maker = getattr(keras.applications, card.builder.removeprefix("keras:"))
    return importlib.import_module(maker.__module__).preprocess_input


@pytest.mark.parametrize("name", ONE_OF_EACH_FAMILY)
def test_a_network_can_be_built_for_the_smallest_size_of_its_row(name, keras):
    """What `SHIWU_INPUT_SIZE` is told to be allowed is allowed."""
    card = zoo.card(name)
    least = card.min_size or card.input_size

    graph = bare(keras, replace(card, input_size=least))

    assert graph.count_params() == card.parameters
    assert graph.output.shape == (None, 1000)


@pytest.mark.parametrize("name", ["VGG16", "VGG19"])
def test_a_network_without_other_sizes_would_be_another_network(name, keras):
    """Its dense layers see the flattened map: the published weights would not fit."""
    card = zoo.card(name)

    graph = bare(keras, replace(card, input_size=256))

    assert graph.count_params() != card.parameters


@pytest.mark.parametrize("name", A_FEW)
def test_both_engines_give_the_same_answers(name, keras, folder):
    """The way from Keras to the fast engine, walked as a first start walks it."""
    assert_same_answers(zoo.card(name), keras, folder)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", OTHERS)
def test_both_engines_give_the_same_answers_for_every_other_network_too(name, keras, folder):
    """Half a gigabyte of numbers and more, some of them; an hour in all."""
    assert_same_answers(zoo.card(name), keras, folder)


@pytest.mark.parametrize("name", ["MobileNetV2_0.35_96", "ConvNeXtTiny"])
def test_an_error_in_one_layer_would_be_seen(name, keras, folder):
    """A twentieth in one kernel: else a comparison to 1e-4 would say nothing of what is deep in."""
    card, weights = zoo.card(name), folder / "random.weights.h5"
    drawn.write(card, weights)
    graph = build(card, weights)
    shown = pictures(card.input_size)[:1]
    expected = np.asarray(graph(shown))
    *kernels, _head = [layer for layer in graph._flatten_layers() if hasattr(layer, "kernel")]

    for layer in (kernels[0], kernels[len(kernels) // 2], kernels[-1]):
        kernel = np.asarray(layer.kernel)
        layer.kernel.assign(1.05 * kernel)
        assert np.abs(np.asarray(graph(shown)) - expected).max() > TOLERANCE, layer.name
        layer.kernel.assign(kernel)


def assert_same_answers(card, keras, folder) -> None:
    shown = pictures(card.input_size)
    weights = folder / "random.weights.h5"
    drawn.write(card, weights)
    keras.backend.clear_session()
    reference = KerasEngine(card, weights)
    expected = reference.run(shown[:1])
    reference.close()
    keras.backend.clear_session()

    entry = cache.entry(card, lambda: weights, folder / "compiled")
    engine = OpenVinoEngine(card.name, entry, "f32", cores=2)

    assert expected.std() > TOLERANCE  # else anything would be equal
    assert expected.sum() == pytest.approx(1, abs=1e-5)
    assert np.abs(engine.run(shown[:1]) - expected).max() < TOLERANCE
    engine.close()
