"""From a card to a graph, with Keras itself as the judge."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.check import pictures
from models import convnet, folder, labels, zoo
from models.build import CannotBuild, NotItsWeights, build, scale
from models.card import Card
from tests.models import drawn

# Keras 3.15 on NumPy 2.4, when it saves weights.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MOBILENET_V2 = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"
QUARTER_MOBILENET = "mobilenet_2_5_224_tf.h5"


@pytest.fixture(scope="module")
def tiny(keras, tmp_path_factory) -> Card:
    """A network folder as training writes it, with numbers that tell pictures apart."""
    place = tmp_path_factory.mktemp("tiny")
    network = convnet.build({"stem": 4, "widths": [4, 8], "features": 8}, 32, 5)
    numbers = np.random.default_rng(1)
    network.set_weights(
        [
            numbers.uniform(0.5, 1, w.shape) if w.ndim == 1 else numbers.normal(0, 0.3, w.shape)
            for w in network.get_weights()
        ]
    )
    network.save_weights(place / folder.WEIGHTS)
    card = replace(
        zoo.card("MobileNet"),  # also scaled "tf"
        name="tiny",
        builder="convnet",
        options={"stem": 4, "widths": [4, 8], "features": 8},
        input_size=32,
        classes=5,
        weights=None,
    )
    folder.save(card, place)
    return folder.load(place)


@pytest.fixture(scope="module")
def elephant(shared) -> np.ndarray:
    """The photo as the networks want it: shorter side 256, centre 224; (1, 224, 224, 3)."""
    with Image.open(shared / "data" / "photos" / "elephant.jpg") as photo:
        width, height = photo.size
        factor = 256 / min(width, height)
        small = photo.resize((round(width * factor), round(height * factor)), Image.BICUBIC)
    left, top = (small.width - 224) // 2, (small.height - 224) // 2
    return np.asarray(small.crop((left, top, left + 224, top + 224)))[np.newaxis]


@pytest.mark.parametrize("scaling", ["tf", "torch", "caffe"])
def test_scaling_words_mean_what_they_mean_to_keras(scaling, keras):
    """Also those that no row uses yet; users' own cards may."""
    modes = keras.applications.imagenet_utils

    assert_scaled_alike(keras, scaling, lambda x: modes.preprocess_input(x, mode=scaling))


def test_unit_scaling_is_from_nought_to_one(keras):
    """Keras has no word for this one."""
    assert_scaled_alike(keras, "unit", lambda pixels: pixels / 255)


@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")  # the converter's way
def test_a_network_may_be_called_by_a_chinese_name(keras, tiny):
    """As its folder is; TensorFlow takes Latin letters only."""
    import openvino

    graph = build(replace(tiny, name="我的 网络"), tiny.folder / folder.WEIGHTS)
    openvino.convert_model(graph)


@pytest.mark.parametrize("scaling", ["tf", "torch", "caffe", "unit", "none"])
def test_scaling_survives_conversion_to_openvino(scaling, keras):
    """The fast engine gets its graph by this conversion and no other."""
    openvino = pytest.importorskip("openvino")
    pixels = keras.Input((16, 16, 3), dtype="uint8")
    # A network comes after it in real life; one layer stands for it.
    graph = keras.Model(pixels, keras.layers.ReLU(None, 1.0)(scale(pixels, scaling)))
    with pytest.warns(UserWarning, match="structure of `inputs`"):  # it passes a tuple of one
        converted = openvino.convert_model(graph)
    compiled = openvino.compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    assert np.abs(compiled(every_byte())[0] - np.asarray(graph(every_byte()))).max() < 1e-4


def test_a_users_keras_json_makes_no_difference(keras):
    """Some have channels_first or half precision there from other work."""
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float16")
    try:
        graph = build(zoo.card("MobileNetV2"), None)
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")

    assert graph.input.shape == (None, 224, 224, 3)
    assert graph.get_layer("block_1_expand").output.shape == (None, 112, 112, 96)
    assert {weight.dtype for weight in graph.weights} == {"float32"}


def test_the_elephant_is_an_elephant(keras, shared, elephant):
    """Real weights, loaded as Keras publishes them, on a real photo."""
    card = zoo.card("MobileNetV2")

    best = five_best(card, build(card, shared / "data" / "weights" / MOBILENET_V2), elephant)

    assert best[0] == "African_elephant"
    assert "tusker" in best


def test_options_reach_the_builder(keras, shared, elephant):
    """A quarter of MobileNet's width, as published, is an option of the same builder."""
    card = replace(zoo.card("MobileNet"), options={"alpha": 0.25})
    graph = build(card, shared / "data" / "weights" / QUARTER_MOBILENET)

    assert graph.count_params() == 475_544
    assert five_best(card, graph, elephant)[0] == "African_elephant"


def test_loading_by_us_and_by_keras_gives_the_same(keras, shared, elephant):
    """Keras' own way: `weights=<path>` and its `preprocess_input`."""
    path = shared / "data" / "weights" / MOBILENET_V2
    theirs = keras.applications.MobileNetV2(weights=str(path))
    scaled = keras.applications.mobilenet_v2.preprocess_input(elephant.astype("float32"))

    ours = build(zoo.card("MobileNetV2"), path)

    assert np.abs(np.asarray(ours(elephant)) - np.asarray(theirs(scaled))).max() < 1e-5


def test_efficientnet_computes_what_keras_computes_with_published_weights(
    keras, tmp_path, monkeypatch
):
    """Keras adds a layer only when it downloads by itself; without it the answers are worse."""
    path = tmp_path / "efficientnetb0.weights.h5"
    card = zoo.card("EfficientNetB0")
    drawn.write(card, path)
    monkeypatch.setattr(
        "keras.src.applications.efficientnet.file_utils.get_file", lambda *_, **__: str(path)
    )
    pixels = pictures(224)[:1]

    theirs = keras.applications.EfficientNetB0()(pixels.astype("float32"))
    ours = build(card, path)(pixels)
    without = build(replace(card, folder=tmp_path), path)(pixels)  # a folder's weights are its own

    assert np.abs(np.asarray(ours) - np.asarray(theirs)).max() < 1e-4
    assert np.abs(np.asarray(without) - np.asarray(theirs)).max() > 1e-2


def test_a_network_folder_computes_what_training_saved(keras, tiny):
    """Weights are those of the bare network; scaling comes in front of it here."""
    pixels = np.random.default_rng(2).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    bare = convnet.build(tiny.options, 32, 5)
    bare.load_weights(tiny.folder / folder.WEIGHTS)

    graph = build(tiny, tiny.folder / folder.WEIGHTS)

    expected = np.asarray(bare(pixels / np.float32(127.5) - 1))
    assert np.abs(np.asarray(graph(pixels)) - expected).max() < 1e-6
    assert expected.std(axis=0).max() > 1e-4  # else anything would be equal


def test_every_layer_can_be_had_by_its_name(keras, tiny):
    """Features of any layer: a graph up to there, from the same pixels."""
    for graph in (build(tiny, None), build(zoo.card("MobileNet"), None)):
        names = [layer.name for layer in graph.layers]
        middle = graph.get_layer(names[len(names) // 2]).output

        up_to_there = keras.Model(graph.input, middle)

        assert up_to_there.layers[0].name == "pixels"
        assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["MobileNet", "ResNet50"])
def test_another_networks_weights_are_refused(keras, shared, name):
    """A quarter of the width, or another architecture: both names are in the sentence."""
    path = shared / "data" / "weights" / QUARTER_MOBILENET

    with pytest.raises(NotItsWeights, match=rf"{QUARTER_MOBILENET} can't be .* of {name}: "):
        build(zoo.card(name), path)


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5", ".keras"])
def test_a_file_that_holds_no_weights_is_refused(keras, tmp_path, suffix, tiny):
    """A web page, a text, half a download."""
    path = tmp_path / f"net{suffix}"
    path.write_text("<html>please log in</html>")

    with pytest.raises(NotItsWeights, match=rf"net{suffix} can't be loaded as the weights of tiny"):
        build(tiny, path)


def test_half_a_file_is_refused(keras, tmp_path, tiny):
    """An upload that was cut short."""
    path = tmp_path / "half.weights.h5"
    whole = (tiny.folder / folder.WEIGHTS).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(NotItsWeights, match=r"half\.weights\.h5"):
        build(tiny, path)


def test_other_kinds_of_files_are_refused_by_name(keras, tmp_path, tiny):
    """PyTorch's files are pickles, which run code: never opened."""
    path = shutil.copy(tiny.folder / folder.WEIGHTS, tmp_path / "net.pth")

    with pytest.raises(NotItsWeights, match=r"net\.pth is no file of weights"):
        build(tiny, Path(path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"builder": "keras:NoSuchNet"}, "keras.applications has no 'NoSuchNet'"),
        ({"builder": "somewhere"}, "there is no builder 'somewhere'"),
        ({"options": {"alhpa": 0.5}}, "unexpected keyword argument 'alhpa'"),
        ({"options": {"weights": "imagenet"}}, "multiple values for keyword argument 'weights'"),
        ({"input_size": 16}, "gives no network"),
    ],
)
def test_a_card_that_gives_no_network_is_told(keras, change, words):
    """Cards come from users too."""
    with pytest.raises(CannotBuild, match=words):
        build(replace(zoo.card("MobileNet"), **change), None)


def every_byte() -> np.ndarray:
    """All 256 values in each channel, in another order in each; (1, 16, 16, 3) uint8."""
    ramp = np.arange(256, dtype=np.uint8)
    return np.stack([ramp, ramp[::-1], np.roll(ramp, 100)], -1).reshape(1, 16, 16, 3)


def assert_scaled_alike(keras, scaling, theirs) -> None:
    pixels = keras.Input((16, 16, 3), dtype="uint8")
    ours = keras.Model(pixels, scale(pixels, scaling))

    expected = theirs(every_byte().astype(np.float32))
    assert np.abs(np.asarray(ours(every_byte())) - np.asarray(expected)).max() < 1e-6


def five_best(card, graph, pixels) -> list[str]:
    probabilities = np.asarray(graph(pixels))[0]
    names = labels.read(card)
    return [names[number].label for number in probabilities.argsort()[::-1][:5]]
