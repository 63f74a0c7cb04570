"""Photos alike: the nearest by features, and groups of nearly the same photo.

Both compare every photo, exactly, a matrix at a time; likeness is the cosine of two photos'
features, from -1 to 1. Searching a million photos of 1280 numbers each takes reading 5 GB; finding
the groups among them takes comparing every pair, which is for thousands rather than millions.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from batch.answers import BadAnswers, parts
from batch.rows import NoFeatures

Floats = NDArray[np.float32]

# Above it two photos are taken for the same one: docs/batch.md says how often that is right.
SAME_FROM = 0.92
_AT_ONCE = 4096


@dataclass(frozen=True)
class Found:
    """A photo, how alike it is (-1 to 1) to the one it was compared with, and what is on it."""

    path: str
    likeness: float
    label: str


def nearest(folder: Path, features: Floats, count: int) -> list[Found]:
    """The photos most like one, the most alike first.

    Args:
        folder: of answers.
        features: of the photo, (features,).
        count: how many at most.

    Raises:
        NoFeatures: the answers have none, or another network's.
        BadAnswers: a part is damaged.
    """
    best: list[Found] = []
    asked = _units(features[None])[0]
    for paths, labels, units in _photos(folder):
        if units.shape[1] != len(asked):
            raise NoFeatures(f"{folder} has {units.shape[1]} features a photo, not {len(asked)}")
        likeness = units @ asked
        order = np.argsort(-likeness, kind="stable")[:count]
        best += [Found(paths[i], float(likeness[i]), labels[i]) for i in order]
        best = sorted(best, key=lambda found: -found.likeness)[:count]
    return best


def groups(folder: Path, same_from: float = SAME_FROM) -> list[list[Found]]:
    """Groups of at least two photos that are nearly the same, the largest first.

    Each photo joins the nearest photo that leads a group, if that is near enough, or leads one
    itself; so all in a group are like its first, and no chain joins photos that aren't alike.

    Args:
        folder: of answers.
        same_from: likeness, 0-1, from which two photos are the same.

    Raises:
        NoFeatures, BadAnswers: as of `nearest`.
    """
    found: list[list[Found]] = []
    with tempfile.TemporaryFile() as file:
        leaders = _Leaders(file)
        for paths, labels, units in _photos(folder):
            for i, (leader, likeness) in enumerate(leaders.join(units, same_from)):
                if leader == len(found):
                    found.append([])
                found[leader].append(Found(paths[i], likeness, labels[i]))
    return sorted((group for group in found if len(group) > 1), key=lambda group: -len(group))


class _Leaders:
    """The photos that lead groups; their features lie in a file, so that memory stays flat."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._count, self._width = file, 0, 0

    def join(self, units: Floats, same_from: float) -> list[tuple[int, float]]:
        """For each photo, in order: the number of its leader, and how alike they are."""
        leaders, likeness = self._nearest(units)
        alone = np.flatnonzero(likeness < same_from)
        among = units[alone] @ units[alone].T
        new: list[int] = []  # positions in `alone`
        for at, i in enumerate(alone):
            alike = among[at, new]
            if len(new) and alike.max() >= same_from:
                leaders[i], likeness[i] = self._count + int(alike.argmax()), alike.max()
            else:
                leaders[i], likeness[i] = self._count + len(new), 1.0
                new.append(at)
        self._append(units[alone[new]])
        return [
            (int(one), min(float(much), 1.0)) for one, much in zip(leaders, likeness, strict=True)
        ]

    def _nearest(self, units: Floats) -> tuple[NDArray[np.int64], Floats]:
        leaders = np.zeros(len(units), np.int64)
        likeness = np.full(len(units), -1, np.float32)
        for start, block in self._blocks():
            alike = units @ block.T
            at = alike.argmax(axis=1)
            much = alike[np.arange(len(units)), at]
            better = much > likeness
            leaders[better], likeness[better] = start + at[better], much[better]
        return leaders, likeness

    def _blocks(self) -> Iterator[tuple[int, Floats]]:
        self._file.seek(0)
        for start in range(0, self._count, _AT_ONCE):
            rows = min(_AT_ONCE, self._count - start)
            data = self._file.read(rows * self._width * 4)
            yield start, np.frombuffer(data, np.float32).reshape(rows, self._width)

    def _append(self, units: Floats) -> None:
        self._file.seek(0, 2)
        self._file.write(units.tobytes())
        self._count, self._width = self._count + len(units), units.shape[1]


def _photos(folder: Path) -> Iterator[tuple[list[str], list[str], Floats]]:
    """Of each part: paths, labels, and features of length 1; only of photos that have them."""
    try:
        for table in parts(folder, ("path", "answer", "features")):
            has = table.column("features").is_valid()
            table = table.filter(has)
            if table.num_rows:
                rows = table.column("features").combine_chunks()
                features = rows.flatten().to_numpy().reshape(table.num_rows, -1)
                labels = [answer["label"] for answer in table.column("answer").to_pylist()]
                yield table.column("path").to_pylist(), labels, _units(features)
    except BadAnswers as error:
        if isinstance(error.__cause__, pa.ArrowInvalid | KeyError) and "features" in str(error):
            raise NoFeatures(
                f"{folder} holds no features; `python -m batch features … --out` makes answers "
                "that do"
            ) from error
        raise


def _units(features: Floats) -> Floats:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)
