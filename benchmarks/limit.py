"""What this machine can do without HTTP: the ceiling that a server is measured against.

    python -m benchmarks.limit [--models …] [--sizes …] [--photos FOLDER] [--weights PATH]

As many threads as the service has runners decode, fit and infer photos in a loop, by the same
functions as the service and with one inference request each; and the same threads infer alone,
photos already decoded. In every precision that can be had here, all in turns. The time of one photo
alone, on one thread with nothing else running, is what a single client could be answered in at
best.
"""

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, get_args

import numpy as np

from benchmarks import bars, command, networks, photos, report
from benchmarks.command import Json
from benchmarks.networks import Subject
from engines.engine import Engine, Pixels
from errors import EngineError, SettingsError
from imaging.fit import fit
from imaging.read import read
from settings import Settings

_ALONE = 20  # photos, at least, of the one thread


@dataclass(frozen=True)
class Pace:
    """What all threads did in one round; `cpu_ms` is processor time for a photo."""

    per_s: float
    cpu_ms: float


@dataclass(frozen=True)
class Alone:
    """Medians of one photo after the other on one thread, milliseconds."""

    decode_ms: float
    infer_ms: float

    @property
    def both_ms(self) -> float:
        """Decode, fit and infer."""
        return self.decode_ms + self.infer_ms


class Limit:
    """A network and the threads that answer photos with it; to be closed."""

    def __init__(self, subject: Subject, precision: str | None = None) -> None:
        """Load it.

        Raises:
            SettingsError, EngineError: it can't be had in this precision.
        """
        self._how = subject.how
        self._engine: Engine = subject.engine(precision)
        self._threads = networks.threads(subject.settings)
        self._pool = ThreadPoolExecutor(self._threads)
        size = self._how.size
        # Each thread's request is made now, and not within a round.
        list(self._pool.map(self.infer, [np.zeros((size, size, 3), np.uint8)] * self._threads))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        self._engine.close()

    def decode(self, photo: bytes) -> Pixels:
        """A JPEG as the network's square, uint8 RGB (size, size, 3)."""
        return fit(read(photo, at_least=self._how.decode_side), self._how)

    def infer(self, pixels: Pixels) -> None:
        """The network's answer."""
        self._engine.run(pixels[None])

    def answer(self, photo: bytes) -> None:
        """All that a photo's answer takes."""
        self.infer(self.decode(photo))

    def whole(self, encoded: Sequence[bytes], seconds: float) -> Pace:
        """Decode, fit and infer on all threads."""
        return self.pace(self.answer, encoded, seconds)

    def inference(self, encoded: Sequence[bytes], seconds: float) -> Pace:
        """Infer alone on all threads."""
        return self.pace(self.infer, [self.decode(photo) for photo in encoded], seconds)

    def alone(self, encoded: Sequence[bytes], seconds: float) -> Alone:
        """One thread, one photo after the other, nothing else running."""
        return self._pool.submit(self._one_by_one, encoded, seconds).result()

    def pace(self, work: Callable[[Any], object], on: Sequence[Any], seconds: float) -> Pace:
        """Do some work with each of `on` in turn on all threads, for some seconds."""
        used = time.process_time()
        loop = partial(_loop, work, on, time.monotonic() + seconds)
        done = list(self._pool.map(loop, range(self._threads)))
        used = time.process_time() - used
        # Each thread's own speed: the last one ends a little later than the first.
        return Pace(
            sum(count / took for count, took in done), 1000 * used / sum(count for count, _ in done)
        )

    def through(self, work: Callable[[Any], object], on: Sequence[Any]) -> Pace:
        """Do some work once with each of `on`, shared out among all threads."""
        shares = [on[i :: self._threads] for i in range(self._threads)]
        begun, used = time.monotonic(), time.process_time()
        list(self._pool.map(lambda share: [work(one) for one in share], shares))
        used, seconds = time.process_time() - used, time.monotonic() - begun
        return Pace(len(on) / seconds, 1000 * used / len(on))

    def _one_by_one(self, encoded: Sequence[bytes], seconds: float) -> Alone:
        decoding, inferring = [], []
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(decoding) < _ALONE:
            begun = time.perf_counter()
            pixels = self.decode(encoded[len(decoding) % len(encoded)])
            decoded = time.perf_counter()
            self.infer(pixels)
            inferring.append(1000 * (time.perf_counter() - decoded))
            decoding.append(1000 * (decoded - begun))
        return Alone(statistics.median(decoding), statistics.median(inferring))


def _loop(
    work: Callable[[Any], object], on: Sequence[Any], end: float, first: int
) -> tuple[int, float]:
    """How often the work was done by this thread, and in how many seconds."""
    begun, count = time.monotonic(), 0
    while (now := time.monotonic()) < end or not count:
        work(on[(first + count) % len(on)])
        count += 1
    return count, now - begun


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the result."""
    title = "What this machine can do without HTTP"
    command.run("limit", title, _parser(), arguments, _measured, tables, _draw)


def precisions() -> list[str]:
    """Every precision that the service has."""
    every = get_args(Settings.model_fields["precision"].annotation)
    return [name for name in every if name != "auto"]


def _measured(given: argparse.Namespace, settings: Settings, _: Path) -> Iterator[Json]:
    small = photos.small(given.photos)
    encoded = {size: photos.enlarged(small, size) for size in given.sizes}
    for name in given.models:
        one = networks.subject(name, settings, given.weights)
        yield {"fact": name, "is": one.said}
        with contextlib.ExitStack() as opened:
            limits = {}
            for precision in precisions():
                try:
                    limits[precision] = opened.enter_context(Limit(one, precision))
                except (SettingsError, EngineError) as error:
                    why = str(error).replace(str(settings.cache), "SHIWU_CACHE")
                    yield {"fact": f"{name} in {precision}", "is": f"not measured: {why}"}
            yield from _rounds(given, name, limits, encoded)


def _rounds(
    given: argparse.Namespace,
    name: str,
    limits: Mapping[str, Limit],
    encoded: Mapping[str, Sequence[bytes]],
) -> Iterator[Json]:
    for _ in range(given.rounds):
        for precision, limit in limits.items():
            head = {"network": name, "precision": precision}
            infer = limit.inference(encoded[given.sizes[0]], given.seconds)
            yield head | {"photo": "already decoded", **asdict(infer)}
            for size, sent in encoded.items():
                whole = asdict(limit.whole(sent, given.seconds))
                alone = asdict(limit.alone(sent, given.seconds / 2))
                yield head | {"photo": size, **whole, **alone}


_KEY = {"network": "network", "precision": "precision", "photo": "photo"}
_FIGURES = {
    "photos/s": "per_s",
    "CPU ms": "cpu_ms",
    "alone: decode ms": "decode_ms",
    "infer ms": "infer_ms",
}


def tables(found: Json) -> str:
    """Medians of the rounds, and every round."""
    medians = report.medians(found["rounds"], _KEY, _FIGURES)
    every = report.every(found["rounds"], _KEY, _FIGURES)
    return f"Medians of the rounds:\n\n{medians}\nEvery round:\n\n{every}"


def _draw(found: Json, path: Path) -> None:
    rows = [
        bars.Bar(network, f"{photo}, {precision}", report.median(rounds, "per_s") or 0.0, precision)
        for (network, precision, photo), rounds in report.grouped(found["rounds"], list(_KEY))
    ]
    bars.draw(rows, path, "photos a second", found["facts"])


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("limit", "What this machine can do without HTTP.")
    command.add_networks(parser)
    command.add_sizes(parser)
    command.add_rounds(parser, seconds=2.0)
    return parser


if __name__ == "__main__":
    main()
