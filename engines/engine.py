"""What every engine gives: pixels in, probabilities out, and what it says of itself."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from errors import EngineError

Pixels = NDArray[np.uint8]
Probabilities = NDArray[np.float32]


class Drifted(EngineError):
    """The engine's answers on the check pictures are not those of the reference."""


@dataclass(frozen=True)
class Description:
    """What runs the network, and how far its answers are from the reference's.

    `difference` is the largest absolute difference of any probability on the check pictures;
    0.0 for the reference itself.
    """

    engine: str
    precision: str
    difference: float


class Engine(Protocol):
    """A loaded network. `run` may be called by several threads at once after `warm_up`."""

    @property
    def description(self) -> Description:
        """What runs the network, in which precision, how near to the reference."""

    def run(self, batch: Pixels) -> Probabilities:
        """Probabilities of each class.

        Args:
            batch: uint8 RGB, NHWC, shape (batch, size, size, 3), values 0-255.

        Returns:
            float32, shape (batch, classes), rows sum to 1.
        """

    def close(self) -> None:
        """Give back what the engine holds; it can't be used afterwards."""
