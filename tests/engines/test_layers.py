"""Features: every layer by its name, the same from both engines, and what wrong names lead to."""

import os
import warnings

import numpy as np
import pytest

from engines import cache
from engines.engine import CannotExtract
from engines.keras_engine import KerasEngine
from engines.layers import UnknownLayer
from engines.load import load
from engines.openvino_engine import OpenVinoEngine
from models import folder, zoo
from models.card import Card
from tests.small import colours

# TensorFlow and Keras, at import and when they save.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

SMALL = {"stem": 4, "widths": [4, 8], "features": 8}


def never():
    raise AssertionError("the weights were asked for")


@pytest.fixture
def network(tmp_path):
    """A function: a network folder of random weights, as training leaves one; its card."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from models.build import build

    def make(builder: str, size: int, options: dict) -> Card:
        where = tmp_path / "network"
        where.mkdir()
        card = Card(
            name="Tested",
            builder=builder,
            options=options,
            input_size=size,
            scaling="tf",
            classes=7,
            labels=folder.LABELS,
            licence="Apache-2.0",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = build(card, None)
            random = np.random.default_rng(5)
            for weight in model.weights:  # statistics as a trained network has them, not 0 and 1
                if len(weight.shape) == 1:
                    weight.assign(random.uniform(0.5, 1.5, weight.shape))
            model.save_weights(where / folder.WEIGHTS)
        (where / folder.LABELS).write_text("".join(f"c{i}\tc{i}\n" for i in range(7)))
        folder.save(card, where)
        return folder.load(where)

    return make


@pytest.fixture
def box(tmp_path):
    """The network in the box, which brings every layer."""
    return load(zoo.card("ShiwuNet"), never, compiled=tmp_path / "unused", cores=1)


def pictures(size: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.mark.parametrize(
    ("builder", "size", "options"),
    [("convnet", 48, SMALL), ("keras:MobileNetV3Small", 64, {}), ("keras:MobileNet", 32, {})],
)
def test_every_layer_says_the_same_in_both_engines(builder, size, options, network, tmp_path):
    """In the fast one normalisations are folded away: not where each layer is an output."""
    tested = network(builder, size, options)
    file = tested.folder / folder.WEIGHTS
    reference = KerasEngine(tested, file)
    entry = cache.entry(tested, lambda: file, tmp_path, "layers")
    fast = OpenVinoEngine("Tested", entry, "f32", cores=1)
    batch = pictures(size)
    assert fast.layers == reference.layers
    names = [layer.name for layer in fast.layers.all]
    for name in names[:: max(1, len(names) // 12)]:
        expected, given = reference.extracting(name).run(batch), fast.extracting(name)
        np.testing.assert_allclose(
            given.run(batch), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max(), err_msg=name
        )
        assert given.shape == fast.layers.find(name).shape


@pytest.mark.parametrize(
    ("builder", "size", "options", "layer", "width"),
    [
        ("convnet", 48, SMALL, "global_average_pooling2d", 8),
        ("keras:MobileNetV3Small", 64, {}, "activation_18", 1024),
        ("keras:VGG16", 32, {}, "fc2", 4096),
    ],
)
def test_without_a_name_it_is_what_the_classifying_layer_reads(
    builder, size, options, layer, width, network, tmp_path
):
    tested = network(builder, size, options)
    file = tested.folder / folder.WEIGHTS
    reference = KerasEngine(tested, file)
    fast = load(tested, lambda: file, compiled=tmp_path, cores=1)
    batch = pictures(size)
    expected, given = reference.extracting(), fast.extracting()
    assert given.shape == expected.shape == (width,)
    assert given.layer == expected.layer == layer
    np.testing.assert_allclose(given.run(batch), expected.run(batch), rtol=1e-3, atol=1e-4)


def test_a_network_within_a_network_is_one_layer_of_it(tmp_path):
    """As transfer learning leaves them: a base that is called, and a head."""
    import keras

    base = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3, 8)], name="base")
    pixels = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D(name="mean")(base(pixels))
    answers = keras.layers.Dense(3, activation="softmax")(pooled)
    file = tmp_path / "mine.keras"
    keras.Model(pixels, answers).save(file)
    (tmp_path / "mine.card.json").write_text('{"scaling": "tf"}')
    (tmp_path / "mine.labels.tsv").write_text("a\ta\nb\tb\nc\tc\n")
    tested = zoo.card(str(file))
    fast = load(tested, lambda: file, compiled=tmp_path / "compiled", cores=1)
    assert [layer.name for layer in fast.layers.all if layer.name in ("base", "mean")] == [
        "base",
        "mean",
    ]
    maps = fast.extracting("base").run(pictures(32))
    assert maps.shape == (2, 4, 4, 4)
    np.testing.assert_allclose(fast.extracting().run(pictures(32)), maps.mean((1, 2)), rtol=1e-4)


def test_features_and_answers_come_of_one_pass(box):
    batch = pictures(64)
    features, probabilities = box.extracting().run_both(batch)
    np.testing.assert_array_equal(features, box.extracting().run(batch))
    np.testing.assert_allclose(probabilities, box.run(batch), atol=1e-6)
    with pytest.raises(CannotExtract, match="re_lu has no probabilities"):
        box.extracting("re_lu").run_both(batch)


def test_the_network_in_the_box_brings_every_layer(box):
    """So that none of them needs Keras."""
    for layer in box.layers.all:
        assert box.extracting(layer.name).run(pictures(64)).shape == (2, *layer.shape)


def test_what_was_read_from_a_form_stays_when_it_is_asked_again(box):
    form, batch = box.extracting(), pictures(64)
    first = form.run(batch[:1])
    kept = first.copy()
    form.run(batch[1:])
    np.testing.assert_array_equal(first, kept)


def test_an_unknown_layer_is_told_with_the_nearest_ones(box):
    with pytest.raises(UnknownLayer, match=r"layer='batchnorm' is no layer .* batch_normaliz"):
        box.extracting("batchnorm")


def test_a_network_without_a_classifying_layer_asks_for_a_name(tmp_path):
    small = folder.load(colours(tmp_path / "colours"))
    engine = load(small, never, compiled=tmp_path / "unused", cores=1)
    with pytest.raises(CannotExtract, match="layer="):
        engine.extracting()
