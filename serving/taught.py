"""What a network was taught, so that it can say that a photo is like none of it.

A network taught a few classes gives a photo of anything else one of their names, and is often sure
of it. Its features tell more: the photo is compared with the photos that were taught, and when even
the nearest one is less alike than taught photos are to one another, it is none of these. (Nearest
neighbours in feature space: Sun et al. 2022, arXiv 2204.06507.)
"""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.engine import Engine, Extracting, Pixels
from errors import SettingsError
from models.card import Card
from models.folder import TAUGHT

MOST = 4000  # photos kept: at 1280 features 10 MB, and 2 ms an answer
# Share of the taught photos that would be turned away if they came as new ones; what it rests on
# is in docs/training.md.
TURNED_AWAY = 0.02
_SHARE = 1024  # photos compared at once
Floats = NDArray[np.float32]


class BadTaught(SettingsError):
    """A folder's file of taught photos can't be used."""


@dataclass(frozen=True)
class Taught:
    """The features of taught photos, and how alike a photo must be to one of them.

    Args:
        features: float16 (photos, features), each row of length 1.
        threshold: cosine similarity, -1 to 1.
    """

    features: NDArray[np.float16]
    threshold: float

    @classmethod
    def of(
        cls,
        features: Floats,
        classes: NDArray[np.int64],
        seed: int = 0,
        kept_out: Floats | None = None,
        turned_away: float = TURNED_AWAY,
    ) -> "Taught":
        """Keep photos of every class, and find the threshold.

        Args:
            features: float32 (photos, features), at least two photos.
            classes: int64 (photos,).
            seed: draws which photos are kept when there are more than MOST.
            kept_out: features of further photos of the same classes, by which the threshold is
                found: a network that learned the others by heart finds them all too alike. None:
                each photo is left out in turn.
            turned_away: share of those photos that are under the threshold, 0-1.
        """
        units = _units(features)
        kept = _drawn(classes, seed)
        bank = units[kept].astype(np.float16)
        columns = bank.astype(np.float32).T
        if kept_out is not None:
            nearest = _nearest(columns, _units(kept_out))
        else:
            own = np.full(len(units), -1)
            own[kept] = np.arange(len(kept))
            nearest = _nearest(columns, units, own)
        return cls(bank, float(np.quantile(nearest, turned_away)))

    def similarity(self, features: Floats) -> Floats:
        """Cosine similarity to the nearest taught photo, float32 (photos,)."""
        return _nearest(self._columns, _units(features))

    @cached_property
    def _columns(self) -> Floats:
        return np.ascontiguousarray(self.features.astype(np.float32).T)  # (features, photos)

    def save(self, folder: Path) -> None:
        """Write it as one file into a network's folder."""
        np.savez(folder / TAUGHT, features=self.features, threshold=np.float64(self.threshold))

    @classmethod
    def load(cls, folder: Path) -> "Taught | None":
        """What `save` wrote, None where a network's folder has no such file.

        Only numbers are read; a file with anything else in it is refused.

        Raises:
            BadTaught: the file is damaged.
        """
        path = folder / TAUGHT
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                features, threshold = stored["features"], float(stored["threshold"])
            if features.dtype != np.float16 or features.ndim != 2 or not len(features):
                raise ValueError(f"features are {features.dtype} {features.shape}")
            if not np.isfinite(features).all() or not -1 <= threshold <= 1:
                raise ValueError(f"numbers out of range, threshold {threshold}")
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise BadTaught(
                f"{path} can't be used ({error}); remove it, and the network answers without "
                "knowing what it was not taught, or train it again"
            ) from error
        return cls(features, threshold)


class Telling:
    """A taught network that also tells whether a photo is like what it was taught."""

    def __init__(self, taught: Taught, network: Extracting) -> None:
        """The network is in the form that ends in the features that `taught` holds."""
        self._taught, self._network = taught, network

    @classmethod
    def of(cls, card: Card, engine: Engine) -> "Telling | None":
        """The network in this form; None if its folder has no taught photos.

        Raises:
            BadTaught: they are damaged, or not this network's.
        """
        taught = Taught.load(card.folder) if card.folder and not card.file else None
        if taught is None:
            return None
        network = engine.extracting()
        if network.shape != taught.features.shape[1:]:
            raise BadTaught(
                f"{card.name}'s {TAUGHT} has {taught.features.shape[1]} features a photo and the "
                f"network gives {network.shape}: it is another network's; train it again"
            )
        return cls(taught, network)

    def run(self, pixels: Pixels) -> tuple[Floats, bool]:
        """Probabilities, float32 (classes,), and whether the photo is like a taught one.

        Args:
            pixels: uint8 RGB, (size, size, 3).
        """
        _, probabilities, alike = self.run_both(pixels)
        return probabilities, alike

    def run_both(self, pixels: Pixels) -> tuple[Floats, Floats, bool]:
        """As `run`, and before it the features by which the photo is compared: (features,)."""
        features, probabilities = self._network.run_both(pixels[None])
        alike = bool(self._taught.similarity(features)[0] >= self._taught.threshold)
        return features[0], probabilities[0], alike


def _units(features: Floats) -> Floats:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)


def _nearest(columns: Floats, units: Floats, own: NDArray[np.int64] | None = None) -> Floats:
    """Similarity of each photo to the nearest of the columns, other than its `own` one."""
    found = []
    for start in range(0, len(units), _SHARE):
        alike = units[start : start + _SHARE] @ columns
        if own is not None:
            mine = own[start : start + _SHARE]
            (there,) = np.nonzero(mine >= 0)
            alike[there, mine[there]] = -1
        found.append(alike.max(axis=1))
    return np.concatenate(found).clip(-1, 1)


def _drawn(classes: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Which photos to keep: all, or as many of each class as there is room for."""
    if len(classes) <= MOST:
        return np.arange(len(classes))
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(classes))
    turn = np.empty(len(classes), np.int64)  # the how manieth of its class each photo is
    for one in np.unique(classes):
        of_one = shuffled[classes[shuffled] == one]
        turn[of_one] = np.arange(len(of_one))
    return np.sort(np.lexsort((shuffled, turn))[:MOST])
