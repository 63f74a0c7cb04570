"""Probabilities to an answer: ranked, named, grouped, honest about doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from models.card import Card
from models.labels import LANGUAGES, Label, groups, read, words

Level = Literal["class", "group", "unsure"]
UNLIKE = "unlike_taught"  # the hint that a photo is like nothing the network was taught
_Floats = NDArray[np.float32]
_Indexes = NDArray[np.int64]


@dataclass(frozen=True)
class Prediction:
    """One class: its label for people, its probability (0-1), its stable id."""

    label: str
    probability: float
    id: str


@dataclass(frozen=True)
class Verdict:
    """The most that can be said with confidence: a class, a group of classes, or nothing.

    `id` is the class's or group's; None where `level` is "unsure", and then `probability` (0-1)
    is that of the most probable class.
    """

    level: Level
    id: str | None
    label: str
    probability: float


@dataclass(frozen=True)
class Hint:
    """What may be wrong with a photo: a code for programs, a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True)
class Timings:
    """Seconds that one photo waited in the queue, was decoded and fitted, and was inferred."""

    wait_s: float
    decode_s: float
    infer_s: float


@dataclass(frozen=True)
class Answer:
    """What one network says of one photo, most probable class first."""

    model: str
    predictions: tuple[Prediction, ...]
    timings: Timings
    answer: Verdict
    hints: tuple[Hint, ...] = ()

    @property
    def certain(self) -> bool:
        """Whether a class or a group is named, or nothing can be said."""
        return self.answer.level != "unsure"


@dataclass(frozen=True)
class Naming:
    """What a network's classes, and the groups they form, are called.

    Args:
        labels: of each language, one a class, in class-index order.
        groups: of each language, one a group, a group before those that it is part of.
        order: int64, the indexes of all classes that are in groups, walking down the tree: those
            of any group stand side by side.
        starts: int64, where in `order` the classes of each group begin.
        ends: int64, where they end.
    """

    labels: Mapping[str, Sequence[Label]]
    groups: Mapping[str, Sequence[Label]]
    order: _Indexes
    starts: _Indexes
    ends: _Indexes

    @classmethod
    def of(cls, card: Card) -> Self:
        """The names of a network, with the groups that have at least one of its classes.

        Raises:
            BadLabels: its labels are missing or broken.
        """
        downwards = [path[::-1] for path in groups.of(card)]  # of each class: the nearest one last
        order = sorted((i for i, path in enumerate(downwards) if path), key=downwards.__getitem__)
        held: dict[str, list[int]] = {}  # where in `order` the classes of a group stand
        for place, class_index in enumerate(order):
            for group in downwards[class_index]:
                held.setdefault(group, []).append(place)
        inner_first = [group.id for group in reversed(groups.read()) if group.id in held]
        names = {one: {g.id: g.label for g in groups.read(one)} for one in LANGUAGES}
        return cls(
            {one: read(card, one) for one in LANGUAGES},
            {one: [Label(group, names[one][group]) for group in inner_first] for one in LANGUAGES},
            np.array(order, np.int64),
            np.array([held[group][0] for group in inner_first], np.int64),
            np.array([held[group][-1] + 1 for group in inner_first], np.int64),
        )

    def of_groups(self, probabilities: _Floats) -> NDArray[np.float64]:
        """The probability of each group: the sum over its classes.

        Args:
            probabilities: float32, shape (classes,).
        """
        so_far = np.zeros(len(self.order) + 1)
        np.cumsum(probabilities[self.order], dtype=np.float64, out=so_far[1:])
        sums: NDArray[np.float64] = so_far[self.ends] - so_far[self.starts]
        return sums


def calibrate(probabilities: _Floats, temperature: float) -> _Floats:
    """Probabilities as if the logits had been divided by the temperature (arXiv 1706.04599).

    Args:
        probabilities: float32, shape (classes,), sums to 1.
        temperature: over 0; above 1 makes the network less sure, 1 changes nothing.
    """
    if temperature == 1:
        return probabilities
    powers = probabilities ** np.float32(1 / temperature)
    calibrated: _Floats = powers / powers.sum()
    return calibrated


def rank(
    probabilities: _Floats, labels: Sequence[Label], top: int, threshold: float = 0.0
) -> tuple[Prediction, ...]:
    """The `top` most probable classes, of those that are at least as probable as `threshold`.

    Args:
        probabilities: float32, shape (classes,).
        labels: one a class, in class-index order.
        top: how many at most.
        threshold: a probability, 0-1.

    Returns:
        Highest probability first; equal ones by class index.
    """
    count = min(top, len(probabilities))
    # The smallest probability that can be among the first `count`; ties at it are ranked below.
    least = np.partition(probabilities, -count)[-count]
    likely = np.flatnonzero(probabilities >= max(least, np.float32(threshold)))
    order = likely[np.lexsort((likely, -probabilities[likely]))][:count]
    return tuple(
        Prediction(labels[i].label, float(probabilities[i]), labels[i].id) for i in order.tolist()
    )


def hint(code: str, language: str) -> Hint:
    """One of `imaging.hints.CODES`, or UNLIKE, in words."""
    return Hint(code, words.say(code, language))


def judge(
    probabilities: _Floats, naming: Naming, certain_at: float, language: str, alike: bool = True
) -> Verdict:
    """The most specific class or group that is at least as probable as `certain_at`.

    Args:
        probabilities: float32, shape (classes,), calibrated: a group's is the sum over its
            classes.
        certain_at: a probability, 0.5-1. Two classes or groups that both reach it then lie one
            in the other, or share the probability exactly; the first one is said.
        language: of the label; one of `LANGUAGES`.
        alike: whether the photo is like what the network was taught; else nothing can be said,
            however probable a class is.
    """
    best = int(probabilities.argmax())
    probability = float(probabilities[best])
    if alike and probability >= certain_at:
        return Verdict("class", *naming.labels[language][best], probability)
    sums = naming.of_groups(probabilities)
    (reached,) = np.nonzero(alike & (sums >= certain_at))
    if len(reached):
        group = int(reached[0])
        return Verdict("group", *naming.groups[language][group], min(float(sums[group]), 1.0))
    return Verdict("unsure", None, words.say("unsure", language), probability)
