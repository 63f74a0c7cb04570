"""Check pictures: what the reference answered on them, and whether an engine still does.

The pictures are made, not taken: smooth colour fields with noise and edges, in which every layer
of a network has something to do. They are stored with the reference's answers, so that a later
start compares with what was computed when the network was exported, on whatever machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.engine import Drifted, Pixels, Probabilities

COUNT = 4
# Summing in another order moves a probability by some 1e-6 in f32; 1e-3 is a changed network.
TOLERANCE = 1e-3
_EXPORT_ANEW = (
    "have it exported anew (empty SHIWU_CACHE, or pack the network folder again), and "
    "if this comes back, use SHIWU_PRECISION=f32 or SHIWU_ENGINE=keras and report it"
)


@dataclass(frozen=True)
class Checks:
    """Check pictures, uint8 (COUNT, size, size, 3), and the reference's probabilities on them."""

    pictures: Pixels
    answers: Probabilities

    def save(self, path: Path) -> None:
        """Write both as one .npz file."""
        np.savez_compressed(path, pictures=self.pictures, answers=self.answers)

    @classmethod
    def load(cls, path: Path) -> "Checks":
        """Read what `save` wrote; pickled objects are refused."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["pictures"], stored["answers"])

    def difference(self, run: Callable[[Pixels], Probabilities], count: int = COUNT) -> float:
        """The largest absolute difference of any probability on the first `count` pictures."""
        pairs = ((run(self.pictures[i : i + 1]), self.answers[i : i + 1]) for i in range(count))
        return max(float(np.abs(answer - expected).max()) for answer, expected in pairs)

    def require(
        self,
        run: Callable[[Pixels], Probabilities],
        name: str,
        allowed: float,
        count: int = COUNT,
        otherwise: str = _EXPORT_ANEW,
    ) -> float:
        """The `difference`, when it is at most `allowed`; if it isn't, what to do `otherwise`.

        Raises:
            Drifted: it is more, or not a number.
        """
        difference = self.difference(run, count)
        if not difference <= allowed:
            raise Drifted(
                f"{name} answers differently than its reference: a probability on the check "
                f"pictures moved by {difference:.2g}, and at most {allowed:.2g} is allowed; "
                f"{otherwise}"
            )
        return difference


def pictures(size: int) -> Pixels:
    """COUNT made pictures, uint8 RGB, shape (COUNT, size, size, 3); always the same ones."""
    random = np.random.default_rng(20260101)
    return np.stack([_picture(size, random) for _ in range(COUNT)])


def _picture(size: int, random: np.random.Generator) -> Pixels:
    y, x = np.mgrid[0:size, 0:size] / size
    waves = random.uniform(1, 9, (3, 2))
    phases = random.uniform(0, 6.28, 3)
    fields = [np.sin(6.28 * (a * x + b * y) + p) for (a, b), p in zip(waves, phases, strict=True)]
    disc = (x - random.uniform(0.3, 0.7)) ** 2 + (y - random.uniform(0.3, 0.7)) ** 2 < 0.06
    picture = 127 + 90 * np.stack(fields, axis=-1) + random.normal(0, 12, (size, size, 3))
    picture[disc] = random.uniform(0, 255, 3)
    return picture.clip(0, 255).astype(np.uint8)
