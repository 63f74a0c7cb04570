"""How often a network is right on labelled pictures, read and fitted as the service does."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.engine import Engine
from imaging.fit import Fit
from models.card import Card
from training.data import Sample
from training.pack import decode

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Figures:
    """Top-1 and top-5 accuracy, 0 to 1, on so many pictures."""

    pictures: int
    top1: float
    top5: float


def measure(card: Card, engine: Engine, samples: Iterable[Sample]) -> Figures:
    """Ask the engine about every sample; files that are no picture are named and left out.

    Of equal probabilities the smaller class index comes first.
    """
    shown, probabilities = ask(card, engine, samples)
    classes = np.array([sample.class_index for sample in shown], np.int64)
    return Figures(len(shown), *(top_k(probabilities, classes, k) for k in (1, 5)))


def ask(card: Card, engine: Engine, samples: Iterable[Sample]) -> tuple[tuple[Sample, ...], Floats]:
    """The samples that can be read, and the engine's probabilities, float32 (samples, classes).

    The pictures are read and fitted as the card says; what is no picture is named in the log.
    """
    how = Fit(card.input_size, card.mode, card.crop, card.interpolation)
    found = list(decode(samples, how, lambda pixels: engine.run(pixels[None])[0]))
    rows = [answer for _, answer in found]
    probabilities = np.array(rows, np.float32).reshape(len(rows), card.classes)
    return tuple(sample for sample, _ in found), probabilities


def top_k(probabilities: Floats, classes: NDArray[np.int64] | Sequence[int], k: int) -> float:
    """Share of the pictures whose class is among the k most probable; ties by class index."""
    if not len(classes):
        return 0.0
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == np.asarray(classes)[:, None]).any(axis=1).mean())


def interval(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share counted on `count` pictures.

    E. B. Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    if not count:
        return 0.0, 1.0
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    half = z * spread / (1 + z * z / count)
    return middle - half, middle + half
