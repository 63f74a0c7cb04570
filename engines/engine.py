"""What every engine gives: pixels in, probabilities out, and what it says of itself."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.layers import Layers
from errors import EngineError, RequestError

Pixels = NDArray[np.uint8]
Probabilities = NDArray[np.float32]
Features = NDArray[np.float32]
Method = Literal["cam", "grad-cam"]


class Drifted(EngineError):
    """The engine's answers on the check pictures are not those of the reference."""


class CannotExplain(RequestError):
    """It can't be said where this network looks; the sentence says why."""


class CannotExtract(RequestError):
    """These features can't be had from this network here; the sentence says why."""


@dataclass(frozen=True)
class Description:
    """What runs the network, and how far its answers are from the reference's.

    `difference` is the largest absolute difference of any probability on the check pictures;
    0.0 for the reference itself.
    """

    engine: str
    precision: str
    difference: float


@dataclass(frozen=True)
class Grid:
    """Where the places of a feature map lie on the picture, in its pixels, as (y, x).

    `first` is the middle of what the first place looks at, `step` the way to the next one.
    """

    first: tuple[float, float]
    step: tuple[float, float]

    def area(self, shape: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of `shape` places (rows, columns) of one step each.

        It may reach over the picture's edges, or not reach them.
        """
        top, left = (first - step / 2 for first, step in zip(self.first, self.step, strict=True))
        return (left, top, left + self.step[1] * shape[1], top + self.step[0] * shape[0])


@dataclass(frozen=True)
class ClassMap:
    """What each place of the last feature map says for one class.

    `evidence`, float32 (rows, columns), is in the logits' unit: what is above 0 speaks for the
    class. By "cam" (Zhou et al. 2015, arXiv 1512.04150, equation 2) its mean is the class's
    logit but for a constant; by "grad-cam" (Selvaraju et al. 2016, arXiv 1610.02391, equation 2,
    before its ReLU) it is a first approximation, of any scale.
    """

    probabilities: Probabilities  # (classes,)
    index: int
    evidence: NDArray[np.float32]
    grid: Grid
    method: Method


class Explaining(Protocol):
    """A network in a form that also tells where it looked; for several threads at once.

    It outlives the engine that made it; its memory returns when it is let go of.
    """

    def run(self, pixels: Pixels, index: int | None = None) -> ClassMap:
        """The answer to one picture, and where on it the network found a class.

        Args:
            pixels: uint8 RGB, shape (size, size, 3).
            index: of the class; None for the most probable one.
        """


class Extracting(Protocol):
    """A network in a form that gives what one of its layers says; for several threads at once.

    It outlives the engine that made it; its memory returns when it is let go of.
    """

    @property
    def layer(self) -> str:
        """The layer's name."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the features of one picture: (features,), or (rows, columns, features)."""

    def run(self, batch: Pixels) -> Features:
        """Features, float32 (batch, *shape), of uint8 RGB pictures (batch, size, size, 3)."""

    def run_both(self, batch: Pixels) -> tuple[Features, Probabilities]:
        """Features and probabilities of one pass; only of the form that was made without a layer.

        Raises:
            CannotExtract: this is the form of one layer.
        """


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

    def explaining(self) -> Explaining:
        """The same network in a form that explains: slow to make, and as large once more.

        Raises:
            CannotExplain: the network is none whose answer comes from a feature map.
        """

    @property
    def layers(self) -> Layers:
        """What layers the network has."""

    def extracting(self, layer: str | None = None) -> Extracting:
        """The same network up to one layer: slow to make, and nearly as large once more.

        Args:
            layer: its name. None: what the classifying layer reads, as one row of numbers a
                picture; quicker to make.

        Raises:
            UnknownLayer: there is no such layer.
            CannotExtract: no layer was given, and there is no classifying layer at the end.
            SettingsError, EngineError: it has to be exported first, and can't be.
        """

    def close(self) -> None:
        """Give back what the engine holds; it can't be used afterwards."""
