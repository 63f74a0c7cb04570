"""The reference engine: Keras itself, on whichever backend the user has set up."""

import sys
import threading
from pathlib import Path

import numpy as np

from engines.engine import Description, Explaining, Pixels, Probabilities
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

    def close(self) -> None:
        """Let go of the model."""
        del self._model
