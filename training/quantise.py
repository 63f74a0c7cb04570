"""`python -m training.quantise`: a network in int8, calibrated and tried on photos of yours.

Up to `MOST` photos, half of all at most, calibrate; all others are held back for the trial: f32,
bf16 and int8 answer each of them, and are timed in turns. What was found is kept with the form, and
decides what `SHIWU_PRECISION=auto` takes. Needs requirements-quantise.txt; serving doesn't.
"""

import argparse
import hashlib
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines import cache
from engines.engine import Pixels, Probabilities
from engines.openvino_engine import OpenVinoEngine, has_bf16
from engines.quantise import check, is_depthwise, quantise, quantiser
from engines.quantised import SURE, VERDICT, Bounds, Figures, Verdict, kept, processor
from errors import SettingsError, ShiwuError
from models import labels, weights, zoo
from models.card import Card
from serving.answer import calibrate
from serving.cores import available
from serving.predictor import square
from serving.taught import Telling
from training.data import Sample, find_to_measure
from training.pack import decode
from version import VERSION

MOST = 300  # photos that calibrate; NNCF's own number
_UNLABELLED = -1
_ROUNDS = 5
_ROUND_S = 0.5

# A picture to its probabilities, and whether it is like what the network was taught.
See = Callable[[Pixels], tuple[Probabilities, bool]]

_log = logging.getLogger(__name__)


class TooFewPhotos(SettingsError):
    """There is nothing to calibrate on, or nothing to try it on."""


@dataclass(frozen=True)
class Photos:
    """Photos to calibrate on, and others to try what came of it; class index -1 where unknown."""

    calibrating: tuple[Sample, ...]
    held_back: tuple[Sample, ...]


def share_out(found: Iterable[Path], labelled: Sequence[Sample]) -> Photos:
    """Photos shared out: those without a label calibrate first, and the same one does once.

    Args:
        found: photos of any kind; some may be among the labelled ones.
        labelled: photos whose class is known.

    Raises:
        TooFewPhotos: fewer than two that differ.
    """
    by_content = {_digest(path): Sample(path, _UNLABELLED) for path in found}
    of_class = {_digest(sample.path): sample for sample in labelled}
    every = sorted(by_content | of_class)  # a digest draws as well as a die
    count = min(MOST, len(every) // 2)
    if not count or not by_content:
        raise TooFewPhotos(
            f"{len(every)} different photos were found; it takes some to calibrate on, and others "
            "for the trial"
        )
    able = sorted(by_content, key=lambda digest: (digest in of_class, digest))
    calibrating = set(able[:count])
    every_sample = by_content | of_class
    return Photos(
        tuple(by_content[digest] for digest in sorted(calibrating)),
        tuple(every_sample[digest] for digest in every if digest not in calibrating),
    )


def make(card: Card, entry: Path, compiled: Path, photos: Photos, bounds: Bounds) -> Verdict:
    """Quantise a network, try it, and keep form and verdict in the folder of compiled networks.

    What has convolutions of single channels and isn't trusted wholly in int8 gets another trial
    with these in f32; the second form is kept then.

    Raises:
        QuantiserMissing: NNCF is not installed.
        TooFewPhotos: none of one kind can be read.
        CacheUnusable: `compiled` can't be written.
    """
    quantiser()
    how = square(card, None)
    shown = [pixels for _, pixels in decode(photos.calibrating, how, lambda pixels: pixels)]
    if not shown:
        raise TooFewPhotos("none of the photos to calibrate on can be read")
    with kept(card, entry, compiled) as out:
        tried = partial(_tried, card, entry, out, photos.held_back, shown, bounds)
        verdict = tried(depthwise_in_f32=False)
        if not verdict.trusts("int8") and _can_be_said(verdict) and is_depthwise(entry):
            _log.info("not trusted: %s", "; ".join(verdict.complaints("int8")))
            verdict = tried(depthwise_in_f32=True)
        (out / VERDICT).write_text(verdict.to_json())
    return verdict


def _tried(
    card: Card,
    entry: Path,
    out: Path,
    samples: Sequence[Sample],
    shown: Sequence[Pixels],
    bounds: Bounds,
    *,
    depthwise_in_f32: bool,
) -> Verdict:
    left = ", depthwise convolutions left in f32" * depthwise_in_f32
    _log.info("calibrating on %d photos%s", len(shown), left)
    quantise(entry, shown, out, depthwise_in_f32)
    check(entry, out)
    _log.info("trying %d held-back photos", len(samples))
    figures = trial(card, entry, out, samples, shown)
    versions = {"shiwu": VERSION} | {name: version(name) for name in ("openvino", "nncf")}
    return Verdict(
        figures,
        bounds,
        len(shown),
        depthwise_in_f32,
        processor(),
        available(),
        versions,
        f"{datetime.now(UTC):%Y-%m-%d}",
    )


def trial(
    card: Card, entry: Path, form: Path, samples: Sequence[Sample], shown: Sequence[Pixels]
) -> dict[str, Figures]:
    """What each precision answers to the samples, and how fast.

    Args:
        card: the network's.
        entry: the folder of its compiled form.
        form: the folder of it in int8.
        samples: photos that it was not calibrated on.
        shown: pictures, to take the time with.

    Raises:
        TooFewPhotos: none can be read.
    """
    with seeing(card, entry, {"int8": form}) as ways:
        answers = ask(card, ways, samples)
        return counted(answers, rates(ways, shown))


@contextmanager
def seeing(card: Card, entry: Path, forms: Mapping[str, Path]) -> Iterator[dict[str, See]]:
    """A network in f32, in bf16 where the processor has it, and in the int8 forms, by name.

    Args:
        card: the network's.
        entry: the folder of its compiled form.
        forms: folders of it in int8.

    Raises:
        Drifted: one of them doesn't compute what it did when it was made.
    """
    given = {"f32": None, **({"bf16": None} if has_bf16() else {}), **forms}
    with ExitStack() as opened:
        found = {}
        for name, form in given.items():
            precision = "int8" if form else name
            engine = OpenVinoEngine(card.name, entry, precision, available(), quantised=form)
            opened.callback(engine.close)
            found[name] = _see(card, engine)
        yield found


@dataclass(frozen=True)
class Answers:
    """First answers to the photos that could be read.

    Args:
        classes: int64 (photos,), the true ones, -1 where unknown.
        first: by precision, int64 (photos,): class index, its complement where the photo is like
            nothing that was taught.
        stated: float64 (photos,): the probability of f32's.
    """

    classes: NDArray[np.int64]
    first: Mapping[str, NDArray[np.int64]]
    stated: NDArray[np.float64]


def ask(card: Card, ways: Mapping[str, See], samples: Sequence[Sample]) -> Answers:
    """The first answers of every precision, "f32" among them, to each sample.

    Raises:
        TooFewPhotos: none can be read.
    """

    def answers(pixels: Pixels) -> tuple[float, dict[str, int]]:
        found = {precision: see(pixels) for precision, see in ways.items()}
        stated = float(calibrate(found["f32"][0], card.temperature).max())
        return stated, {precision: _first(*one) for precision, one in found.items()}

    told = list(decode(samples, square(card, None), answers))
    if not told:
        raise TooFewPhotos("none of the held-back photos can be read")
    return Answers(
        np.array([sample.class_index for sample, _ in told]),
        {name: np.array([first[name] for _, (_, first) in told]) for name in ways},
        np.array([stated for _, (stated, _) in told]),
    )


def counted(answers: Answers, photos_per_s: Mapping[str, float]) -> dict[str, Figures]:
    """The figures of each precision."""
    sure, labelled = answers.stated >= SURE, answers.classes != _UNLABELLED
    figures = {}
    for precision, first in answers.first.items():
        same = first == answers.first["f32"]
        right = np.where(first < 0, ~first, first) == answers.classes
        figures[precision] = Figures(
            photos=len(same),
            same=int(same.sum()),
            sure=int(sure.sum()),
            same_where_sure=int((same & sure).sum()),
            labelled=int(labelled.sum()),
            right=int((right & labelled).sum()),
            photos_per_s=photos_per_s[precision],
        )
    return figures


def rates(
    ways: Mapping[str, See],
    shown: Sequence[Pixels],
    rounds: int = _ROUNDS,
    seconds: float = _ROUND_S,
) -> dict[str, float]:
    """Photos/s of each way on all cores: medians of rounds in turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, see in ways.items():
            found[name].append(_rate(see, shown, seconds))
    return {name: statistics.median(each) for name, each in found.items()}


def _rate(see: See, shown: Sequence[Pixels], seconds: float) -> float:
    def count(until: float) -> int:
        for number, pixels in enumerate(cycle(shown)):
            if time.monotonic() >= until:
                return number
            see(pixels)
        return 0

    with ThreadPoolExecutor(available()) as threads:
        begun = time.monotonic()
        done = sum(threads.map(count, [begun + seconds] * available()))
        return done / (time.monotonic() - begun)


def _see(card: Card, engine: OpenVinoEngine) -> See:
    telling = Telling.of(card, engine)
    return telling.run if telling else lambda pixels: (engine.run(pixels[None])[0], True)


def _first(probabilities: Probabilities, alike: bool) -> int:
    index = int(probabilities.argmax())
    return index if alike else ~index


def _can_be_said(verdict: Verdict) -> bool:
    """Whether there were photos enough, so that another form may be trusted."""
    found = verdict.figures["int8"]
    return found.sure >= verdict.bounds.photos and found.labelled >= verdict.bounds.labelled


def _digest(path: Path) -> str:
    """Of a file's bytes; of its name, where it can't be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return hashlib.sha256(bytes(path)).hexdigest()


def told(name: str, verdict: Verdict) -> str:
    """What a trial found, in sentences."""
    figures = verdict.figures
    f32 = figures["f32"]
    lines = [
        f"{name} on {verdict.processor}, {verdict.cores} cores; calibrated on "
        f"{verdict.calibrated_on:,} photos, tried on {f32.photos:,} others",
        f"f32: {f32.photos_per_s:.0f} photos/s{_top1(f32)}",
    ]
    for precision in [one for one in figures if one != "f32"]:
        one = figures[precision]
        kind = " (depthwise convolutions in f32)" * (
            precision == "int8" and verdict.depthwise_in_f32
        )
        trusted = "; ".join(verdict.complaints(precision))
        lines.append(
            f"{precision}{kind}: {one.photos_per_s:.0f} photos/s, "
            f"{one.photos_per_s / f32.photos_per_s:.2f} times f32's; the same first answer as f32 "
            f"on {one.same:,} photos, and on {one.same_where_sure:,} of the {one.sure:,} that f32 "
            f"gives at least {SURE}{_top1(one)}. "
            + (f"Not trusted: {trusted}" if trusted else "Trusted")
        )
    lines.append(f"SHIWU_PRECISION=auto takes {verdict.fastest()} on this kind of processor")
    return "\n".join(lines)


def _top1(figures: Figures) -> str:
    return f"; {figures.right:,} of {figures.labelled:,} labelled right" * bool(figures.labelled)


def files(places: Sequence[Path]) -> list[Path]:
    """The files in folders, those of folders in them too, hidden ones and lists left out.

    Raises:
        TooFewPhotos: a folder isn't there.
    """
    for place in places:
        if not place.is_dir():
            raise TooFewPhotos(f"there is no folder {place}")
    return [
        path
        for place in places
        for path in sorted(place.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and path.suffix.lower() not in (".csv", ".md", ".txt")
    ]


def _run(given: argparse.Namespace) -> None:
    card = zoo.card(given.model, given.input_size)
    quantiser()
    labelled: list[Sample] = []
    with tempfile.TemporaryDirectory() as spare:
        if given.labelled:
            ids = tuple(label.id for label in labels.read(card))
            labelled += find_to_measure(given.labelled, Path(spare) / "unpacked", ids)
        photos = share_out(files(given.photos), labelled)
        entry = cache.entry(card, partial(weights.find, card, given=given.weights), given.cache)
        bounds = Bounds(given.same, given.lower / 100)
        verdict = make(card, entry, given.cache, photos, bounds)
    sys.stdout.write(told(card.name, verdict) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.quantise", description=__doc__)
    parser.add_argument("--model", required=True, help="a network's name, folder or file")
    parser.add_argument(
        "--input-size", type=int, help="side in pixels; the network's own if absent"
    )
    parser.add_argument(
        "--weights", type=Path, help="its weights: a file, or a folder of files by Keras' names"
    )
    parser.add_argument(
        "--photos", type=Path, nargs="+", required=True, help="folders of photos like those served"
    )
    parser.add_argument(
        "--labelled",
        type=Path,
        help="photos whose class is known: class folders, a tar of them, or a list (.csv)",
    )
    parser.add_argument(
        "--same",
        type=_between(0.5, 0.9999),
        default=Bounds.same,
        help="least share with the same first answer, where f32 gives at least 0.5 (%(default)s)",
    )
    parser.add_argument(
        "--lower",
        type=_between(0.01, 100),
        default=100 * Bounds.lower,
        help="points that top-1 may be lower (%(default)s)",
    )
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shiwu" / "compiled"
    parser.add_argument(
        "--cache", type=Path, default=home, help="folder of compiled networks, as SHIWU_CACHE"
    )
    return parser


def _between(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least:g} to {most:g}")
        return value

    return number


def main() -> int:
    """Run the command line; the exit status."""
    given = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        _run(given)
    except ShiwuError as error:
        sys.stderr.write(f"{given.model} can't be quantised: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped; nothing was kept\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
