"""Grad-CAM (Selvaraju et al. 2016, arXiv 1610.02391) by TensorFlow's own derivatives.

Slower than what `head.py` does, and for any head: it is how the keras engine explains, and what
the fast engine's explanations are tested against.
"""

import threading
from typing import Any

import numpy as np

from engines.engine import CannotExplain, ClassMap, Pixels
from engines.grid import evenly


class GradCam:
    """A Keras model with its last feature map and logits as further outputs."""

    def __init__(self, name: str, model: Any, one_at_a_time: threading.Lock) -> None:
        """Find the last feature map and the logits. Errors are those of `KerasEngine.explaining`.

        Args:
            name: what to call the network in messages.
            model: a Keras model from pixels to probabilities, channels last.
            one_at_a_time: held while the model is asked.
        """
        import keras

        if keras.config.backend() != "tensorflow":
            raise CannotExplain(
                f"{name} can't be explained by the keras engine on {keras.config.backend()}; "
                "set KERAS_BACKEND=tensorflow, or SHIWU_ENGINE=openvino"
            )
        features, self._step = _last_feature_map(name, model)
        before, self._last = _before_softmax(name, model)
        self._model = keras.Model(model.input, [features, before, model.output])
        self._one_at_a_time = one_at_a_time
        self.run(np.zeros(model.input.shape[1:], np.uint8))

    def run(self, pixels: Pixels, index: int | None = None) -> ClassMap:
        """The answer to one picture, uint8 RGB (size, size, 3), and where a class was found."""
        import tensorflow as tf

        with self._one_at_a_time, tf.GradientTape() as tape:
            features, before, probabilities = self._model(pixels[None], training=False)
            index = int(np.argmax(probabilities[0])) if index is None else index
            logit = _logits(self._last, before)[0, index]
        gradient = tape.gradient(logit, features)
        if gradient is None:
            raise CannotExplain("this network can't be explained: its answer has no derivative")
        weights = tf.reduce_sum(gradient, (1, 2), keepdims=True)
        evidence = np.asarray(tf.reduce_sum(features * weights, -1)[0], np.float32)
        where = evenly(evidence.shape, self._step, len(pixels))
        return ClassMap(np.asarray(probabilities[0]), index, evidence, where, "grad-cam")


def _last_feature_map(name: str, model: Any) -> tuple[Any, tuple[float, float]]:
    """The last output of more than one place that is no pool of another, and its step, pixels."""
    import keras

    pools = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
    found, steps = None, {id(model.input): (1.0, 1.0)}
    for one in model.operations[1:]:  # the first is the input
        followed = (value for value in keras.tree.flatten(one.input) if id(value) in steps)
        before, after = next(followed, None), one.output
        if before is None or not _has_places(before) or not _has_places(after):
            continue
        (down, right), strides = steps[id(before)], getattr(one, "strides", None)
        rows, columns = strides or (_fewer(before, after, 1), _fewer(before, after, 2))
        steps[id(after)] = (down * rows, right * columns)
        found = found if isinstance(one, pools) else after
    if found is None:
        raise CannotExplain(f"{name} can't be explained: it has no feature map")
    return found, steps[id(found)]


def _has_places(value: Any) -> bool:
    return len(value.shape) == 4 and min(value.shape[1:3]) > 1


def _fewer(before: Any, after: Any, axis: int) -> int:
    """The stride of layers within a layer, by how many places they leave."""
    return max(1, round(int(before.shape[axis]) / int(after.shape[axis])))


def _before_softmax(name: str, model: Any) -> tuple[Any, Any]:
    """What goes into the last layer, and that layer: a softmax, alone or after a dense layer."""
    import keras

    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    if not isinstance(last, keras.layers.Softmax) and activation is not keras.activations.softmax:
        raise CannotExplain(f"{name} can't be explained: its last layer is no softmax")
    return last.input, last


def _logits(last: Any, before: Any) -> Any:
    """The last layer without its softmax."""
    import keras

    if isinstance(last, keras.layers.Dense):
        return before @ last.kernel + (last.bias if last.use_bias else 0.0)
    return before
