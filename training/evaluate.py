"""How often a network is right on labelled pictures, read and fitted as the service does."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engines.engine import Engine
from imaging.fit import Fit
from models.card import Card
from training.data import Sample
from training.pack import decode

BATCH = 64
_Answered = tuple[int, NDArray[np.uint8]]  # class index, pixels


@dataclass(frozen=True)
class Figures:
    """Top-1 and top-5 accuracy, 0 to 1, on so many pictures."""

    pictures: int
    top1: float
    top5: float


def measure(card: Card, engine: Engine, samples: Iterable[Sample]) -> Figures:
    """Ask the engine about every sample; files that are no picture are named and left out.

    The picture is read and fitted as the card says. Of equal probabilities the smaller class
    index comes first.
    """
    how = Fit(card.input_size, card.mode, card.crop, card.interpolation)
    ranks: list[int] = []
    for some in _batches(decode(samples, how)):
        classes = np.array([class_index for class_index, _ in some])
        probabilities = engine.run(np.stack([pixels for _, pixels in some]))
        best = np.argsort(-probabilities, axis=1, kind="stable")
        ranks += (best == classes[:, None]).argmax(axis=1).tolist()
    count = len(ranks)
    top1, top5 = (sum(rank < k for rank in ranks) / max(count, 1) for k in (1, 5))
    return Figures(count, top1, top5)


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


def _batches(items: Iterator[_Answered]) -> Iterator[list[_Answered]]:
    while some := list(islice(items, BATCH)):
        yield some
