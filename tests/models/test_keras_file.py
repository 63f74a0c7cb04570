"""A network in somebody's .keras file: read, refused, and computed as Keras computes it."""

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models import keras_file, labels, zoo
from models.build import CannotBuild, build
from models.folder import BadCard
from models.keras_file import BadFile
from models.weights import WeightsMissing, find

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def saved(keras, tmp_path):
    """Save a row of layers after a 16-pixel input as pets.keras."""

    def save(*row, side: int | None = 16, name: str = "pets.keras") -> Path:
        network = keras.Sequential([keras.Input((side, side, 3)), *row])
        network.save(tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture
def body(keras):
    """Layers that tell pictures apart, to be followed by a head."""
    layers = keras.layers
    return [
        layers.Rescaling(1 / 127.5, -1),
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(),
    ]


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3), np.uint8)


def beside(path: Path, **card) -> None:
    path.with_name("pets.card.json").write_text(json.dumps(card))


def rewritten(path: Path, change=lambda config: None, **files: bytes) -> Path:
    """The file with another description, or with more in it."""
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(held["config.json"])
    change(config)
    held["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (held | files).items():
            archive.writestr(name, content)
    return path


def last_layer(config):
    return config["config"]["layers"][-1]


def test_what_the_file_says_is_on_the_card(keras, saved, body):
    """Whoever has a file and labels needs no more."""
    path = saved(*body, keras.layers.Dense(5, activation="softmax"))

    card = zoo.card(str(path))

    assert (card.name, card.builder, card.scaling) == ("pets", "file", "none")
    assert (card.input_size, card.min_size, card.classes) == (16, None, 5)
    assert (card.labels, card.file, card.folder) == ("pets.labels.tsv", path, path.parent)
    assert card.bytes == path.stat().st_size


def test_the_card_beside_it_has_the_last_word(keras, saved, body):
    """All but the input size, which is built into it."""
    path = saved(*body, keras.layers.Dense(1000))
    beside(path, name="Animals", licence="MIT", labels="imagenet1k", mode="stretch", top1=0.5)

    card = zoo.card(str(path))

    assert (card.name, card.licence, card.mode, card.top1) == ("Animals", "MIT", "stretch", 0.5)
    assert labels.read(card)[0].id == "n01440764"


def test_labels_lie_beside_it(keras, saved, body):
    path = saved(*body, keras.layers.Dense(2))
    path.with_name("pets.labels.tsv").write_text("c\tcat\nd\tdog\n")

    assert [label.label for label in labels.read(zoo.card(str(path)))] == ["cat", "dog"]


def test_a_wrong_field_beside_it_is_named(keras, saved, body):
    path = saved(*body, keras.layers.Dense(2))
    beside(path, temprature=2.0, folder="/etc")

    with pytest.raises(BadCard, match=r"pets\.card\.json can't be used: folder has .*temprature"):
        zoo.card(str(path))


def test_a_network_that_does_not_scale_must_say_what_it_wants(keras, saved, body, pixels):
    """A guess would answer, wrongly, and nobody would see why."""
    path = saved(*body[1:], keras.layers.Dense(2, activation="softmax"))
    with pytest.raises(BadFile, match=r"say what it was trained on .* pets\.card\.json"):
        zoo.card(str(path))

    beside(path, scaling="tf")

    graph = build(zoo.card(str(path)), path)
    expected = keras.saving.load_model(path)(pixels / np.float32(127.5) - 1)
    np.testing.assert_allclose(np.asarray(graph(pixels)), np.asarray(expected), atol=1e-6)


def test_an_open_input_size_must_be_said(keras, saved, body):
    path = saved(*body, keras.layers.Dense(2), side=None)
    with pytest.raises(BadFile, match=r"leaves its input size open: .* into pets\.card\.json"):
        zoo.card(str(path))

    beside(path, input_size=48)

    assert zoo.card(str(path)).input_size == 48
    assert zoo.card(str(path), 64).input_size == 64


@pytest.mark.parametrize("ending", ["softmax", "linear"])
def test_it_computes_what_keras_computes(keras, saved, body, pixels, ending):
    """Logits get the softmax that they lack."""
    path = saved(*body, keras.layers.Dense(3, activation=ending))
    network = keras.saving.load_model(path)
    expected = np.asarray(network(pixels.astype(np.float32)))
    if ending == "linear":
        expected = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)

    graph = build(zoo.card(str(path)), path)

    np.testing.assert_allclose(np.asarray(graph(pixels)), expected, atol=1e-6)
    assert "Conv2D" in [type(layer).__name__ for layer in graph.layers]  # flat: none is hidden


@pytest.mark.parametrize("ending", ["sigmoid", "linear"])
def test_one_number_is_the_second_of_two_classes(keras, saved, body, pixels, ending):
    """As Keras' own tutorial on cats and dogs ends; the first class has what is left."""
    path = saved(*body, keras.layers.Dense(1, activation=ending))
    second = np.asarray(keras.saving.load_model(path)(pixels.astype(np.float32)))[:, 0]
    second = second if ending == "sigmoid" else 1 / (1 + np.exp(-second))

    card = zoo.card(str(path))

    assert card.classes == 2
    expected = np.stack([1 - second, second], 1)
    np.testing.assert_allclose(np.asarray(build(card, path)(pixels)), expected, atol=1e-6)


def test_a_network_within_a_network_with_augmentation_is_read(keras, tmp_path):
    """Transfer learning as in every tutorial; what is random in training stays out of answers."""
    layers = keras.layers
    base = keras.applications.MobileNet(
        weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.25
    )
    base.compile("adam", "mse")  # the file tells of its optimizer, too
    photo = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 127.5, -1)(layers.RandomFlip()(photo))
    x = layers.GlobalAveragePooling2D()(base(x, training=False))
    answer = layers.Dense(3, activation="softmax")(layers.Dropout(0.5)(x))
    network = keras.Model(photo, answer)
    network.save(tmp_path / "pets.keras")
    pixels = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), np.uint8)
    expected = np.asarray(network(pixels.astype(np.float32), training=False))

    card = zoo.card(str(tmp_path / "pets.keras"))
    graph = build(card, tmp_path / "pets.keras")

    assert (card.input_size, card.classes, card.scaling) == (32, 3, "none")
    for _ in range(3):
        np.testing.assert_allclose(np.asarray(graph(pixels)), expected, atol=1e-6)


def test_half_precision_in_training_is_single_precision_here(keras, saved, body, pixels):
    """The file's numbers are single anyway; probabilities in halves would not sum to 1."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        path = saved(
            *(
                type(layer).from_config(layer.get_config() | {"dtype": "mixed_bfloat16"})
                for layer in body
            ),
            keras.layers.Dense(3, activation="softmax"),
        )
    finally:
        keras.config.set_dtype_policy("float32")

    graph = build(zoo.card(str(path)), path)

    assert {layer.compute_dtype for layer in graph.layers[1:]} == {"float32"}
    np.testing.assert_allclose(np.asarray(graph(pixels)).sum(1), 1, atol=1e-6)


def test_a_normalization_that_was_adapted_keeps_what_it_learnt(keras, saved, pixels):
    layers = keras.layers
    adapted = layers.Normalization()
    adapted.adapt(pixels.astype(np.float32))
    path = saved(adapted, layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax"))
    expected = np.asarray(keras.saving.load_model(path)(pixels.astype(np.float32)))

    graph = build(zoo.card(str(path)), path)

    np.testing.assert_allclose(np.asarray(graph(pixels)), expected, atol=1e-6)


def test_a_published_architecture_takes_the_numbers_alone(keras, tmp_path):
    """Its description is not read: a card beside it says which network it is."""
    network = keras.applications.MobileNet(
        weights=None, classes=3, alpha=0.25, input_shape=(32, 32, 3)
    )
    path = tmp_path / "pets.keras"
    network.save(path)
    rewritten(path, lambda config: config.update(class_name="Anything"))
    beside(
        path, builder="keras:MobileNet", options={"alpha": 0.25}, input_size=32, classes=3,
        scaling="tf",
    )  # fmt: skip
    pixels = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3), np.uint8)

    graph = build(zoo.card(str(path)), path)

    expected = np.asarray(network(pixels / np.float32(127.5) - 1))
    np.testing.assert_allclose(np.asarray(graph(pixels)), expected, atol=1e-6)


def test_a_lambda_layer_is_refused_and_never_run(keras, saved, tmp_path):
    """It brings bytes of Python's own machine code, to be run when the file is opened."""
    layers = keras.layers
    path = saved(layers.Lambda(lambda x: x * 2), layers.GlobalAveragePooling2D(), layers.Dense(2))

    with pytest.raises(BadFile, match=r"pets\.keras is not opened: .*a Lambda layer"):
        zoo.card(str(path))


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ({"module": "os", "class_name": "system", "config": {}}, r"os\.system"),
        ({"module": "keras.layers", "class_name": "TFSMLayer", "config": {}}, "TFSMLayer"),
        ({"module": "keras.layers", "class_name": "StringLookup", "config": {}}, "StringLookup"),
        ({"module": "builtins", "class_name": "function", "config": "eval"}, "builtins.function"),
        ({"module": "keras.src.ops.core", "class_name": "Map", "config": {}}, "ops.core.Map"),
        ({"class_name": "__lambda__", "config": {"value": "gA=="}}, "a Lambda layer"),
        ({"module": ["keras"], "class_name": {"a": 1}, "config": {}}, "isn't Keras' own layers"),
    ],
)
def test_whatever_could_be_code_is_refused_wherever_it_stands(keras, saved, body, place, named):
    """Classes are let through by name: what isn't known isn't opened."""
    path = saved(*body, keras.layers.Dense(2))
    rewritten(path, lambda config: last_layer(config)["config"].update(kernel_regularizer=[place]))

    with pytest.raises(BadFile, match=rf"is not opened: .*{named}"):
        zoo.card(str(path))


def test_somebodys_own_layer_is_refused_by_name(keras, saved, body):
    @keras.saving.register_keras_serializable(package="pets")
    class Paw(keras.layers.Layer):
        def call(self, x):
            return x

    path = saved(*body, Paw(), keras.layers.Dense(2))

    with pytest.raises(BadFile, match=r"code that isn't Keras' own layers \(.*Paw\)"):
        zoo.card(str(path))


def test_more_files_in_the_zip_are_refused(keras, saved, body):
    """Vocabularies and the like are files that layers read, from where they like."""
    path = rewritten(saved(*body, keras.layers.Dense(2)), **{"assets/words.txt": b"cat"})

    with pytest.raises(BadFile, match=r"pets\.keras brings assets/words\.txt"):
        zoo.card(str(path))


def test_a_pickle_by_another_name_is_refused(tmp_path):
    (tmp_path / "pets.keras").write_bytes(pickle.dumps({"weights": [1, 2]}))

    with pytest.raises(BadFile, match=r"pets\.keras is no \.keras file"):
        zoo.card(str(tmp_path / "pets.keras"))


@pytest.mark.parametrize("name", ["pets.pt", "pets.pkl", "pets.h5", "pets"])
def test_other_kinds_of_files_are_refused_unread(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps({}))

    with pytest.raises(BadFile, match="can run code when they are opened"):
        zoo.card(str(tmp_path / name))


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(BadFile, match=r"there is no file /.*/pets\.keras"):
        zoo.card("pets.keras")


@pytest.mark.parametrize(
    ("units", "activation", "words"),
    [(4, "sigmoid", "each of its 4 classes may be there or not"), (3, "tanh", "ends in 'tanh'")],
)
def test_answers_that_are_no_choice_of_one_class_are_refused(
    keras, saved, body, units, activation, words
):
    path = saved(*body, keras.layers.Dense(units, activation=activation))

    with pytest.raises(BadFile, match=words):
        zoo.card(str(path))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((16, 16, 1), "takes 16 x 16 x 1; a square of 3 channels"),
        ((16, 20, 3), "takes 16 x 20 x 3"),
        ((3, 16, 16), "takes 3 x 16 x 16"),
    ],
)
def test_what_takes_no_square_photo_is_refused(keras, tmp_path, shape, words):
    layers = keras.layers
    row = [keras.Input(shape), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)]
    keras.Sequential(row).save(tmp_path / "pets.keras")

    with pytest.raises(BadFile, match=words):
        zoo.card(str(tmp_path / "pets.keras"))


def test_several_inputs_or_answers_are_refused(keras, tmp_path):
    layers = keras.layers
    one, other = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    flat = layers.Flatten()(layers.Rescaling(1 / 255)(one))
    keras.Model(one, [layers.Dense(2)(flat), layers.Dense(3)(flat)]).save(tmp_path / "a.keras")
    both = layers.Flatten()(layers.Add()([one, other]))
    keras.Model([one, other], layers.Dense(2)(both)).save(tmp_path / "b.keras")

    with pytest.raises(BadFile, match="gives 2 answers"):
        zoo.card(str(tmp_path / "a.keras"))
    with pytest.raises(BadFile, match="takes 2 inputs"):
        zoo.card(str(tmp_path / "b.keras"))


def test_a_description_that_keras_can_not_follow_is_told(keras, saved, body):
    """Cut by hand, or from another version of Keras."""
    path = saved(*body, keras.layers.Dense(2))
    rewritten(path, lambda config: config["config"]["layers"][2]["config"].update(filters=-1))

    with pytest.raises(CannotBuild, match=r"pets\.keras at 16 pixels gives no network"):
        build(zoo.card(str(path)), path)


def test_it_brings_its_own_weights(keras, saved, body, tmp_path):
    path = saved(*body, keras.layers.Dense(2))
    card = zoo.card(str(path))
    (tmp_path / "other.h5").write_bytes(b"")

    assert find(card) == path
    assert find(card, given=tmp_path) == path  # a folder for the other networks
    with pytest.raises(WeightsMissing, match="brings its own weights; leave it out"):
        find(card, given=tmp_path / "other.h5")


def test_every_layer_that_is_let_through_is_one_of_keras(keras):
    """A name that Keras doesn't know, or a layer that it calls otherwise, would be dead here."""
    assert {name for name in keras_file._LAYERS if not hasattr(keras.layers, name)} == set()
