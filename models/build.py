"""From a card and its weights to a graph: uint8 pixels in, float32 probabilities out.

The network's own scaling is part of the graph, so nobody outside can get it wrong. The graph is
flat: every layer of the network can be had by its name (`graph.get_layer("block4_pool")`).
A file of weights is data: only numbers are read from it, never a graph or code. Keras is
imported when a graph is built, not before.
"""

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import SettingsError
from models import keras_file
from models.card import Card, Scaling

if TYPE_CHECKING:
    import keras

# ImageNet's statistics, RGB: of 0..1 for "torch", of 0..255 for "caffe".
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)

_PLAIN = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.-]*")
_FORMATS = (".h5", ".hdf5", ".keras")


class CannotBuild(SettingsError):
    """A card names a builder, or options, that give no network."""


class NotItsWeights(SettingsError):
    """A file is not the weights of the network it was given for."""


def build(card: Card, weights: Path | None) -> "keras.Model":
    """The network as one flat Keras model.

    Input: uint8 RGB, NHWC, (batch, size, size, 3). Output: float32 probabilities,
    (batch, classes), rows sum to 1; `card.temperature` is not applied.

    Sets Keras' image data format to "channels_last" and its float type to "float32" for the
    process, whatever the user's keras.json says.

    Args:
        weights: a file, as `models.weights.find` gives; None leaves random numbers, for tests.

    Raises:
        CannotBuild: there is no such builder, or it doesn't take the card's options.
        NotItsWeights: the file can't be read, or holds another network's weights.
    """
    import keras
    from keras.src.utils.naming import reset_uids  # Keras has no public way

    reset_uids()  # else a layer's name depends on which networks were built before in this process
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    pixels = keras.Input((card.input_size, card.input_size, 3), dtype="uint8", name="pixels")
    scaled = scale(pixels, card.scaling)
    if card.builder == "file":
        return _anew(keras.Model(pixels, _from_file(card, scaled, weights), name=_ascii(card.name)))
    graph = keras.Model(pixels, _network(card, scaled), name=_ascii(card.name))
    if card.builder == "convnet":
        graph = _anew(graph)
    if weights is not None:
        _load(graph, card, weights)
    return graph


def scale(pixels: Any, scaling: Scaling) -> Any:
    """Pixels 0..255, RGB in the last axis, as float32 in the range that `scaling` names.

    The same function as Keras' `preprocess_input` in the mode of that name, written as layers.
    """
    from keras import layers, ops

    x = ops.cast(pixels, "float32")
    if scaling == "tf":
        return layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(x)
    if scaling == "torch":
        scales = [1 / (255 * deviation) for deviation in _DEVIATION]
        offsets = [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)]
        return layers.Rescaling(scales, offset=offsets, name="scaling")(x)
    if scaling == "caffe":
        offsets = [-mean for mean in _CAFFE_MEAN_BGR]
        return layers.Rescaling(1.0, offset=offsets, name="scaling")(ops.flip(x, axis=-1))
    if scaling == "unit":
        return layers.Rescaling(1 / 255, name="scaling")(x)
    return x


def _network(card: Card, scaled: Any) -> Any:
    """The probabilities that the card's builder makes of scaled pixels."""
    maker, _, name = card.builder.partition(":")
    try:
        if maker == "keras":
            return _from_keras(name, card, scaled)
        if card.builder == "convnet":
            return _from_convnet(card, scaled)
        if card.builder == "resnext":
            return _from_resnext(card, scaled)
    except (TypeError, ValueError) as error:
        raise CannotBuild(
            f"{card.name}: {card.builder} with {card.options} at {card.input_size} pixels "
            f"gives no network: {_first_line(error)}"
        ) from error
    raise CannotBuild(f"{card.name}: there is no builder {card.builder!r}")


def _from_keras(name: str, card: Card, scaled: Any) -> Any:
    from keras import applications

    maker = getattr(applications, name, None)
    if not callable(maker):
        raise CannotBuild(f"{card.name}: keras.applications has no {name!r}")
    return maker(
        include_top=True,
        weights=None,
        input_tensor=scaled,
        input_shape=(card.input_size, card.input_size, 3),
        classes=card.classes,
        classifier_activation="softmax",
        **card.options,
    ).output


def _from_convnet(card: Card, scaled: Any) -> Any:
    from models import convnet

    # `call`, not the model itself: layer by layer, so that the graph stays flat.
    return convnet.build(card.options, card.input_size, card.classes).call(scaled)


def _from_resnext(card: Card, scaled: Any) -> Any:
    from models import resnext

    return resnext.build(card.options, scaled, card.classes)


def _from_file(card: Card, scaled: Any, weights: Path | None) -> Any:
    """The probabilities that the network in the card's .keras file makes of scaled pixels.

    Its description was checked (`models.keras_file`), and Keras reads it in safe mode.
    """
    import keras
    from keras import layers, ops

    if card.file is None:
        raise CannotBuild(f"{card.name}: the builder 'file' is for .keras files only")
    whole = keras_file.description(card.file)
    last, ending, width = keras_file.ending(whole)
    if ending == "sigmoid":
        last["config"]["activation"] = "linear"
    try:
        network = keras.saving.deserialize_keras_object(whole, safe_mode=True)
        if weights is not None:
            _load(network, card, weights)
        x = network.call(scaled, training=False)
        if ending == "softmax":
            return x
        if width == 1:  # the second class's logit; the first one's is nought
            x = ops.matmul(x, ops.convert_to_tensor([[0.0, 1.0]]))
        return layers.Softmax(name="probabilities")(x)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CannotBuild(
            f"{card.file} at {card.input_size} pixels gives no network: {_first_line(error)}"
        ) from error


def _anew(graph: "keras.Model") -> "keras.Model":
    """The same graph of new layers, as its own were part of another graph before."""
    import keras

    fresh = keras.models.clone_model(graph)
    fresh.set_weights(graph.get_weights())
    for layer in fresh.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return fresh


def _load(graph: "keras.Model", card: Card, weights: Path) -> None:
    if weights.suffix not in _FORMATS:
        raise NotItsWeights(f"{weights} is no file of weights: one ends in {', '.join(_FORMATS)}")
    try:
        graph.load_weights(str(weights))
    except (OSError, LookupError, AttributeError, TypeError, ValueError, zipfile.BadZipFile) as e:
        raise NotItsWeights(
            f"{weights} can't be loaded as the weights of {card.name}: {_first_line(e)}"
        ) from e
    if card.folder is None and card.builder.startswith("keras:EfficientNetB"):
        _rescale_efficientnet(graph)


def _rescale_efficientnet(graph: "keras.Model") -> None:
    """Divide the normalized input once more by the square root of ImageNet's deviation.

    The published weights of B0 to B7 need it; Keras adds a layer for it, but only when it
    downloads the weights itself (keras/src/applications/efficientnet.py, `weights ==
    "imagenet"`). Here it goes into the variance that the normalization divides by.
    """
    from keras import layers, ops

    (normalization,) = (one for one in graph.layers if isinstance(one, layers.Normalization))
    variance = normalization.adapt_variance
    variance.assign(variance * ops.convert_to_tensor(_DEVIATION))
    normalization.finalize_state()


def _ascii(name: str) -> str:
    """A name as TensorFlow takes it: it knows Latin letters only."""
    return (
        "network_" + re.sub(r"[^A-Za-z0-9_.-]", "_", name) if not _PLAIN.fullmatch(name) else name
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
