"""What a run came to: figures on photos that it did not learn from, as numbers for JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.answer import calibrate
from training.audit import Oddity
from training.calibration import expected_calibration_error
from training.data import Sample
from training.evaluate import interval, top_k

BINS = 10  # of the reliability diagram
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Outcome:
    """What a network says of the photos kept apart, and how it came to be.

    Args:
        method: "bottleneck", "finetune", "scratch".
        settings: what decided, as name and value for people.
        labels: of the classes, by class index.
        samples: the photos, with what they show.
        probabilities: float32 (photos, classes), at temperature 1.
        temperature: as in the card.
        temperature_from: the photos that it was found on, in words.
        similarity: float32 (photos,) to the nearest taught photo; None: not known.
        threshold: the similarity under which a photo is none of these.
        oddities: what may be wrong with the data.
        history: how learning went: of each epoch its number and its figures by name.
        counts: photos to learn from by class index.
        seconds: that the run took.
    """

    method: str
    settings: dict[str, Any]
    labels: Sequence[str]
    samples: Sequence[Sample]
    probabilities: Floats
    temperature: float = 1.0
    temperature_from: str = "photos to learn from, each left out in turn"
    similarity: Floats | None = None
    threshold: float = -1.0
    oddities: Sequence[Oddity] = ()
    history: Sequence[dict[str, float]] = ()
    counts: Sequence[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def classes(self) -> NDArray[np.int64]:
        """What each photo shows, int64 (photos,)."""
        return np.array([sample.class_index for sample in self.samples], np.int64)

    @property
    def calibrated(self) -> Floats:
        """Probabilities as the service gives them."""
        rows = [calibrate(row, self.temperature) for row in self.probabilities]
        return np.array(rows, np.float32).reshape(self.probabilities.shape)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each photo's most probable class is what it shows."""
        found: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.classes
        return found

    @property
    def kept(self) -> float | None:
        """Share of the photos that are like what was taught; None: not known."""
        if self.similarity is None or not len(self.similarity):
            return None
        return float((self.similarity >= self.threshold).mean())

    def figures(self) -> dict[str, Any]:
        """Everything that was measured, ready for JSON."""
        stated = self.calibrated.max(axis=1, initial=0).astype(np.float64)
        before = self.probabilities.max(axis=1, initial=0).astype(np.float64)
        count = len(self.samples)
        top1 = float(self.right.mean()) if count else 0.0
        low, high = interval(top1, count)
        return {
            "method": self.method,
            "settings": self.settings,
            "seconds": round(self.seconds, 1),
            "learned_from": int(sum(self.counts)),
            "measured_on": count,
            "top1": top1,
            "interval": [low, high],
            "top5": top_k(self.probabilities, self.classes, 5),
            "temperature": self.temperature,
            "temperature_from": self.temperature_from,
            "calibration_error": expected_calibration_error(stated, self.right),
            "calibration_error_before": expected_calibration_error(before, self.right),
            "kept": self.kept,
            "classes": self.by_class(),
            "confusion": self.confusion().tolist(),
            "reliability": self.reliability(),
            "warnings": [{"code": odd.code, "text": odd.text} for odd in self.oddities],
            "history": list(self.history),
        }

    def confusion(self) -> NDArray[np.int64]:
        """How many photos of each class (rows) were called what (columns)."""
        size = len(self.labels)
        pairs = self.classes * size + self.probabilities.argmax(axis=1)
        return np.bincount(pairs, minlength=size * size).reshape(size, size)

    def by_class(self) -> list[dict[str, Any]]:
        """Precision and recall of each class, with Wilson's 95 % intervals."""
        table = self.confusion()
        rows = []
        for index, label in enumerate(self.labels):
            hits, shown, called = table[index, index], table[index].sum(), table[:, index].sum()
            recall, precision = hits / max(shown, 1), hits / max(called, 1)
            learned = self.counts[index] if len(self.counts) else 0
            rows.append(
                {
                    "label": label,
                    "learned_from": int(learned),
                    "measured_on": int(shown),
                    "recall": float(recall),
                    "recall_interval": list(interval(float(recall), int(shown))),
                    "precision": float(precision),
                    "precision_interval": list(interval(float(precision), int(called))),
                }
            )
        return rows

    def reliability(self) -> list[dict[str, Any]]:
        """Of answers said to be so probable, how many were right; bins without answers left out."""
        stated = self.calibrated.max(axis=1, initial=0).astype(np.float64)
        which = np.minimum((stated * BINS).astype(int), BINS - 1)
        found = []
        for number in np.unique(which):
            inside = which == number
            right = float(self.right[inside].mean())
            found.append(
                {
                    "stated": float(stated[inside].mean()),
                    "right": right,
                    "interval": list(interval(right, int(inside.sum()))),
                    "photos": int(inside.sum()),
                }
            )
        return found

    def worst(self, count: int) -> list[int]:
        """The photos whose wrong answer was the surest, surest first."""
        stated = self.calibrated.max(axis=1, initial=0)
        wrong = np.flatnonzero(~self.right)
        ordered: list[int] = wrong[np.argsort(-stated[wrong], kind="stable")].tolist()
        return ordered[:count]
