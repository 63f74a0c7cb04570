"""The reference engine: Keras itself, on whichever backend the user has set up."""

import sys
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.engine import (
    CannotExtract,
    Description,
    Explaining,
    Features,
    Pixels,
    Probabilities,
)
from engines.layers import Layers, output_of
from errors import SettingsError
from models import backend
from models.card import Card


class KerasMissing(SettingsError):
    """Keras is needed and not installed."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} needs Keras and TensorFlow, which are not installed here; run: "
            f"{sys.executable} -m pip install -r requirements.txt"
        )


class KerasEngine:
    """A Keras model, asked by one thread at a time (backends differ in what they allow)."""

    description = Description("keras", "f32", 0.0)

    def __init__(self, card: Card, weights: Path) -> None:
        """Build the network, load its weights and trace it with one picture."""
        from models.build import build

        backend.choose()
        self._name = card.name
        try:
            self._model = build(card, weights)
        except ModuleNotFoundError as error:
            raise KerasMissing(card.name) from error
        self._one_at_a_time = threading.Lock()
        self.run(np.zeros((1, card.input_size, card.input_size, 3), np.uint8))

    def run(self, batch: Pixels) -> Probabilities:
        """Probabilities, float32 (batch, classes), of uint8 RGB pictures (batch, size, size, 3)."""
        with self._one_at_a_time:
            return np.asarray(self._model.predict_on_batch(batch), dtype=np.float32)

    def explaining(self) -> Explaining:
        """The same network with more outputs; it shares the weights.

        Raises:
            CannotExplain: Keras doesn't run on TensorFlow, or the network has no feature map or
                no softmax at its end.
        """
        from engines.grad_cam import GradCam

        return GradCam(self._name, self._model, self._one_at_a_time)

    @cached_property
    def layers(self) -> Layers:
        """What layers the network has."""
        return Layers.of(self._model)

    def extracting(self, layer: str | None = None) -> "KerasExtracting":
        """The same network up to one layer; it shares the weights.

        Raises:
            UnknownLayer: there is no such layer.
        """
        found = self.layers.find(layer or self.layers.penultimate)
        shape = found.shape if layer else (-1,)
        return KerasExtracting(found.name, shape, self._model, self._one_at_a_time, layer is None)

    def close(self) -> None:
        """Let go of the model."""
        del self._model


class KerasExtracting:
    """A Keras model that ends in one of its layers."""

    def __init__(
        self,
        layer: str,
        shape: tuple[int, ...],
        model: Any,
        one_at_a_time: threading.Lock,
        answers: bool,
    ) -> None:
        """Trace it with one picture.

        Args:
            layer: its name.
            shape: of what it gives for one picture; (-1,) for one row of numbers.
            model: a Keras model from pixels to probabilities.
            one_at_a_time: held while the model is asked.
            answers: give its probabilities, too.
        """
        import keras

        self.layer, self.shape = layer, shape
        outputs = [output_of(model.get_layer(layer)), *([model.output] if answers else [])]
        self._model = keras.Model(model.input, outputs)
        self._one_at_a_time = one_at_a_time
        self.shape = self.run(np.zeros((1, *model.input.shape[1:]), np.uint8)).shape[1:]

    def run(self, batch: Pixels) -> Features:
        """Features, float32 (batch, *shape), of uint8 RGB pictures (batch, size, size, 3)."""
        return self._run(batch)[0].reshape(len(batch), *self.shape)

    def run_both(self, batch: Pixels) -> tuple[Features, Probabilities]:
        """Features and probabilities of one pass; only of the form that was made without a layer.

        Raises:
            CannotExtract: this is the form of one layer.
        """
        found = self._run(batch)
        if len(found) == 1:
            raise CannotExtract(f"the form that ends in {self.layer} has no probabilities")
        return found[0].reshape(len(batch), *self.shape), found[1]

    def _run(self, batch: Pixels) -> list[NDArray[np.float32]]:
        with self._one_at_a_time:
            found = self._model.predict_on_batch(batch)
        return [np.asarray(one, np.float32) for one in (found if type(found) is list else [found])]
