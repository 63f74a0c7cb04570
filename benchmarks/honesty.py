"""How honest a network's answers are: how often it is right when it says something.

    python -m benchmarks.honesty --model MobileNetV2 --data LABELLED

Fits the network's temperature on labelled pictures, which it must not have been trained on, and
answers them as the service does. Everything that is printed is cross-validated: each picture is
answered at the temperature that fits the others best. `--write` stores what was found in the card
of a network folder. Settings (SHIWU_WEIGHTS, SHIWU_CACHE, …) are the service's.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import table
from engines.engine import Engine
from engines.load import load
from errors import SettingsError, ShiwuError
from models import folder, labels, weights, zoo
from models.card import Calibration, Card
from models.labels import groups
from serving.answer import Naming, calibrate, judge
from serving.predictor import CERTAIN_AT
from settings import Settings
from training import data
from training.calibration import expected_calibration_error, fit_temperature
from training.evaluate import ask, interval

FOLDS = 10
WANTED = 0.95
GRID = tuple(percent / 100 for percent in range(50, 100))  # thresholds that are tried
SHOWN = (0.5, 0.6, 0.7, 0.8, 0.85, 0.88, 0.9, 0.92, 0.95)


@dataclass(frozen=True)
class Measured:
    """A network's raw probabilities (pictures, classes) and what each picture shows (pictures,)."""

    card: Card
    probabilities: NDArray[np.float32]
    classes: NDArray[np.int64]


@dataclass(frozen=True)
class Said:
    """What the network's answers, one a picture, come to.

    Args:
        stated: their probabilities.
        right: whether what was said is so; False where nothing was.
        depth: of a top group 1, of a group in it 2, and so on to classes; 0 for "not sure".
        by_class: whether a class was said.
    """

    stated: NDArray[np.float64]
    right: NDArray[np.bool_]
    depth: NDArray[np.int64]
    by_class: NDArray[np.bool_]

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Whether anything was said."""
        return self.depth > 0

    def accuracy(self) -> float:
        """The share of answers that are right."""
        return float(self.right[self.answered].mean()) if self.answered.any() else 1.0

    def of(self, pictures: NDArray[np.int64]) -> "Said":
        """The answers to some of the pictures."""
        parts = (self.stated, self.right, self.depth, self.by_class)
        return Said(*(part[pictures] for part in parts))


def main(arguments: Sequence[str]) -> None:
    """Measure, print, and store the result in the card if asked to."""
    given = _parser().parse_args(arguments)
    try:
        card = zoo.card(given.model)
        if given.write and card.folder is None:
            raise SettingsError(f"--write: {card.name} is a row of models/zoo.py; write it there")
        measured = measure(card, given.data, Settings.from_environment())
        temperature = fit_temperature(measured.probabilities, measured.classes)
        unseen = cross_validated(measured)
        found = _calibration(measured, unseen, given.data)
        print(_report(measured, unseen, temperature, found))
        if given.write and card.folder:
            folder.save(
                replace(card, temperature=round(temperature, 3), calibration=found), card.folder
            )
    except ShiwuError as error:
        sys.exit(f"Not measured: {error}")


def measure(card: Card, place: Path, settings: Settings) -> Measured:
    """Ask the network about every picture of a data set (the layouts: training/data.py).

    Raises:
        ShiwuError: no pictures, no weights.
    """
    ids = tuple(label.id for label in labels.read(card))
    with TemporaryDirectory() as spare, loaded(card, settings) as engine:
        samples = data.find_to_measure(place, Path(spare) / "unpacked", ids)
        return _asked(card, engine, samples)


@contextmanager
def loaded(card: Card, settings: Settings) -> Iterator[Engine]:
    """The network as the service runs it.

    Raises:
        ShiwuError: it can't be served.
    """
    find = partial(
        weights.find,
        card,
        given=settings.weights,
        mirror=settings.mirror,
        offline=settings.offline,
    )
    engine = load(card, find, compiled=settings.cache, cores=1)
    try:
        yield engine
    finally:
        engine.close()


def cross_validated(measured: Measured) -> NDArray[np.float32]:
    """Each picture's probabilities, calibrated at the temperature that fits the other folds."""
    unseen = np.empty_like(measured.probabilities)
    for rest, kept in folds(len(measured.classes)):
        temperature = fit_temperature(measured.probabilities[rest], measured.classes[rest])
        for picture in kept:
            unseen[picture] = calibrate(measured.probabilities[picture], temperature)
    return unseen


def folds(count: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The pictures to fit on and those kept apart, so that each is kept apart once."""
    shuffled = np.random.default_rng(0).permutation(count)
    for kept in np.array_split(shuffled, min(FOLDS, count)):
        yield np.setdiff1d(shuffled, kept), kept


def answers(
    card: Card,
    probabilities: NDArray[np.float32],
    classes: NDArray[np.int64],
    certain_at: float,
) -> Said:
    """What the service would say of each picture, and whether it is so."""
    naming, paths = Naming.of(card), groups.of(card)
    verdicts = [judge(one, naming, certain_at, "en") for one in probabilities]
    levels = {group: len(path) - i for path in paths for i, group in enumerate(path)}
    levels |= {one.id: len(path) + 1 for one, path in zip(naming.labels["en"], paths, strict=True)}
    true = [(naming.labels["en"][index].id, *paths[index]) for index in classes]
    return Said(
        np.array([verdict.probability for verdict in verdicts]),
        np.array([verdict.id in ids for verdict, ids in zip(verdicts, true, strict=True)]),
        np.array([levels[verdict.id] if verdict.id else 0 for verdict in verdicts]),
        np.array([verdict.level == "class" for verdict in verdicts]),
    )


def least_threshold(said: Mapping[float, Said]) -> float:
    """The least threshold from which on answers are right often enough; 1 if there is none."""
    least = 1.0
    for threshold in sorted(said, reverse=True):
        if said[threshold].accuracy() < WANTED:
            break
        least = threshold
    return least


def at_thresholds_of_others(said: Mapping[float, Said]) -> tuple[float, float]:
    """Shares answered, and right when answered, each fold at the threshold the others ask for."""
    answered, right = 0, 0
    count = len(said[GRID[0]].right)
    for rest, kept in folds(count):
        threshold = least_threshold({one: these.of(rest) for one, these in said.items()})
        if threshold < 1:
            these = said[threshold].of(kept)
            answered += int(these.answered.sum())
            right += int(these.right[these.answered].sum())
    return answered / count, right / max(answered, 1)


def _asked(card: Card, engine: Engine, samples: Sequence[data.Sample]) -> Measured:
    shown, probabilities = ask(card, engine, samples)
    return Measured(card, probabilities, np.array([sample.class_index for sample in shown]))


def _calibration(measured: Measured, unseen: NDArray[np.float32], place: Path) -> Calibration:
    said = answers(measured.card, unseen, measured.classes, CERTAIN_AT)
    return Calibration(
        data=place.resolve().name,
        pictures=len(measured.classes),
        error_before=round(_error(measured.probabilities, measured.classes), 3),
        error=round(_error(unseen, measured.classes), 3),
        certain_at=CERTAIN_AT,
        answered=round(float(said.answered.mean()), 3),
        right=round(said.accuracy(), 3),
    )


def _error(probabilities: NDArray[np.float32], classes: NDArray[np.int64]) -> float:
    first = probabilities.argmax(axis=1)
    stated = probabilities.max(axis=1).astype(np.float64)
    return expected_calibration_error(stated, first == classes)


def _report(
    measured: Measured, unseen: NDArray[np.float32], temperature: float, found: Calibration
) -> str:
    card, classes = measured.card, measured.classes
    first = int((measured.probabilities.argmax(axis=1) == classes).sum()) / len(classes)
    low, high = interval(first, len(classes))
    said = {one: answers(card, unseen, classes, one) for one in GRID}
    answered, right = at_thresholds_of_others(said)
    heads = ("threshold", "answered", "right when answered", "95 % interval", "by a class")
    rows = [_row(one, said[one]) for one in SHOWN]
    return f"""{card.name} on {len(classes):,} pictures of {found.data}

- first answers right: {first:.4f} (95 % interval {low:.3f} to {high:.3f})
- temperature {temperature:.3f}; what follows is of {FOLDS}-fold cross-validation
- expected calibration error of the first answer: {found.error_before:.3f} before, \
{found.error:.3f} after
- answers are right {WANTED:.0%} of the time from the threshold {least_threshold(said):.2f} on; \
chosen on the other folds, too, the threshold gives {right:.3f} right of {answered:.3f} answered

{table((*heads, "by a top group", "mean depth"), rows)}"""


def _row(threshold: float, said: Said) -> tuple[str, ...]:
    count = int(said.answered.sum())
    low, high = interval(said.accuracy(), count)
    depth = said.depth[said.answered].mean() if count else 0.0
    return (
        f"{threshold:.2f}",
        f"{said.answered.mean():.3f}",
        f"{said.accuracy():.3f}",
        f"{low:.3f} to {high:.3f}",
        f"{said.by_class.mean():.3f}",
        f"{(said.depth == 1).mean():.3f}",
        f"{depth:.2f}",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.honesty",
        description="How often a network is right when it says something.",
    )
    parser.add_argument("--model", default=zoo.DEFAULT, help="a network's name or folder")
    where = "labelled pictures that it was not trained on: the layouts are in training/data.py"
    parser.add_argument("--data", type=Path, required=True, help=where)
    kept = "store the temperature and the figures in the card of a network folder"
    parser.add_argument("--write", action="store_true", help=kept)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
