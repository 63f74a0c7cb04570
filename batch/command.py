"""The command line of `python -m batch`: what is said there, done and told."""

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from PIL import Image
from tqdm import tqdm

from batch import alike, answers, on_ray, photos, sheet, threads
from batch.answers import Answers
from batch.rows import Asked, Namer, Row
from errors import ShiwuError
from imaging.read import Limits, read
from models.labels import LANGUAGES
from serving import cores

_MOST_OF_A_GROUP = 12  # photos of one group that are on the sheet


class Ending:
    """What SIGINT and SIGTERM do: before the run begins they end it, then it comes to its end."""

    _NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.begun = False
        self.by: int | None = None
        self._before = {number: signal.getsignal(number) for number in self._NUMBERS}
        self.listen()

    def listen(self) -> None:
        """Hear the signals from now on; once more after a library has taken them."""
        if self.by is None:
            for number in self._NUMBERS:
                signal.signal(number, self._end)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self.by = number
        signal.signal(number, signal.SIG_DFL)  # a second one ends it at once
        if not self.begun:
            sys.exit(128 + number)

    def undo(self) -> None:
        """Let signals do what they did before."""
        for number, before in self._before.items():
            signal.signal(number, before)


class Telling:
    """A line that tells how far a run is."""

    def __init__(self, sources: Sequence[str], ending: Ending) -> None:
        """Begin to count the photos, on the side."""
        seldom = 0.5 if sys.stderr.isatty() else 10.0  # seconds between two lines of a log
        self._bar = tqdm(unit=" photos", smoothing=0.1, mininterval=seldom, dynamic_ncols=True)
        self._ending = ending
        self.made: Counter[str] = Counter()
        self.had = 0
        self._begun = time.monotonic()
        self._first: float | None = None
        threading.Thread(target=self._count, args=[sources], daemon=True).start()

    def __call__(self, row: Row | None) -> bool:
        """Count a row (None: it was there already) and say whether to go on."""
        if row is None:
            self.had += 1
        else:
            self._first = self._first or time.monotonic()
            self.made[row.get("error_code") or ""] += 1
        self._bar.update()
        return self._ending.by is None

    def summary(self) -> str:
        """What was done."""
        self._bar.close()
        first = self._first or time.monotonic()
        seconds = max(time.monotonic() - first, 1e-9)
        count = self.made.total()
        errors = {code: number for code, number in self.made.items() if code}
        told = ", ".join(f"{code} {number:,}" for code, number in sorted(errors.items()))
        return (
            f"{count:,} photos computed, {count / seconds:.1f} a second once the first was there "
            f"after {first - self._begun:.1f} s; "
            f"{sum(errors.values()):,} of them can't be answered{f' ({told})' if told else ''}; "
            f"{self.had:,} had a row before"
        )

    def _count(self, sources: Sequence[str]) -> None:
        total = 0
        try:
            for piece in photos.pieces(sources):
                total += piece.count()
                if self._ending.by is not None:
                    return
        except (ShiwuError, OSError):
            return  # the run itself says it
        self._bar.total = total


def main(arguments: Sequence[str] | None = None, help_text: str | None = None) -> int:
    """Do what the command line says; the exit status."""
    given = _parser(help_text).parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        status: int = given.do(given)
    except (ShiwuError, OSError) as error:
        print(f"batch: {error}", file=sys.stderr)
        return 1
    return status


def _predict(given: argparse.Namespace) -> int:
    """A row a photo."""
    ending = Ending()
    try:
        _run(given, _asked(given), ending)
    finally:
        ending.undo()
    return 128 + ending.by if ending.by else 0


def _run(given: argparse.Namespace, asked: Asked, ending: Ending) -> None:
    photos.require_some(given.sources)
    begun = time.monotonic()
    count = given.cores or cores.available()
    namer = Namer(asked, count)
    kept = Answers(given.out, asked.described(), namer.feature_count)
    cluster = on_ray.connected(given.ray, count) if given.ray else contextlib.nullcontext(0)
    with contextlib.closing(kept), cluster as actors:
        ending.listen()
        ending.begun = True
        print(f"{asked.model} ready in {time.monotonic() - begun:.1f} s", file=sys.stderr)
        telling = Telling(given.sources, ending)
        try:
            if given.ray:
                namer.close()  # each actor has its own
                on_ray.run(photos.pieces(given.sources), asked, kept, actors, telling)
            else:
                found = photos.find(given.sources)
                threads.run(found, namer, kept, asked.limits, cores.runners(count), telling)
        finally:
            print(telling.summary(), file=sys.stderr)


def _features(given: argparse.Namespace) -> int:
    """A row a photo, with its features."""
    given.features = True
    return _predict(given)


def _search(given: argparse.Namespace) -> int:
    """The photos most like one, and a contact sheet of them."""
    data = photos.read_again(str(given.photo.absolute()), Limits().max_bytes)
    namer = Namer(_again(given), 1)
    found = alike.nearest(given.answers, namer.features(data), given.count)
    for one in found:
        print(f"{one.likeness:.4f}\t{one.label}\t{one.path}")
    asked = sheet.Cell(str(given.photo.absolute()), "asked for", given.photo.name)
    strips = [sheet.Strip("The photo", [asked]), sheet.Strip("Most like it", _cells(found))]
    _write_sheet(given, f"{len(found)} photos most like {given.photo.name}", strips)
    return 0


def _duplicates(given: argparse.Namespace) -> int:
    """Groups of nearly the same photo, and a contact sheet of the largest."""
    answers.begun_with(given.answers)
    found = alike.groups(given.answers, given.same_from)
    for number, group in enumerate(found, 1):
        for one in group:
            print(f"{number}\t{one.likeness:.4f}\t{one.path}")
    more = sum(map(len, found)) - len(found)
    title = f"{_several(len(found), 'group')}, {_several(more, 'photo')} more than one of each"
    print(title, file=sys.stderr)
    strips = [
        sheet.Strip(f"Group {number}: {len(group)} photos", _cells(group[:_MOST_OF_A_GROUP]))
        for number, group in enumerate(found[: given.count], 1)
    ]
    if strips:
        _write_sheet(given, title, strips)
    return 0


def _several(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _cells(found: Sequence[alike.Found]) -> list[sheet.Cell]:
    return [
        sheet.Cell(one.path, f"{one.likeness:.3f} {one.label}", one.path.rpartition("/")[2])
        for one in found
    ]


def _write_sheet(given: argparse.Namespace, title: str, strips: Sequence[sheet.Strip]) -> None:
    png, page = sheet.write(given.sheet, title, strips, _photo)
    print(f"look at {png} or {page}", file=sys.stderr)


def _photo(path: str) -> Image.Image | None:
    try:
        return read(photos.read_again(path, 2**28), at_least=sheet.SIDE)
    except (ShiwuError, OSError):
        return None


def _again(given: argparse.Namespace) -> Asked:
    """What a folder of answers was asked for."""
    begun = answers.begun_with(given.answers)
    weights = Path(begun["weights"]) if begun["weights"] else None
    return Asked(begun["network"], given.cache, weights, fit=begun["fit"], features=True)


def _asked(given: argparse.Namespace) -> Asked:
    limits = Limits(given.max_bytes, given.max_pixels)
    names = ("model", "weights", "top", "lang", "fit", "features")
    chosen = {name: getattr(given, name) for name in names}
    return Asked(**chosen, compiled=given.cache, limits=limits)


def _parser(help_text: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m batch",
        description=help_text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ways = parser.add_subparsers(required=True, metavar="predict|features|search|duplicates")
    for do in (_predict, _features):
        way = ways.add_parser(do.__name__.strip("_"), help=do.__doc__, description=do.__doc__)
        _add_sources(way)
        way.set_defaults(do=do)
    way = ways.add_parser("search", help=_search.__doc__, description=_search.__doc__)
    _add_answers(way, "search", 24, "how many photos")
    way.add_argument("photo", type=Path, help="the photo: a file, or a path in the answers")
    _add_cache(way)
    way.set_defaults(do=_search)
    way = ways.add_parser("duplicates", help=_duplicates.__doc__, description=_duplicates.__doc__)
    _add_answers(way, "duplicates", 50, "how many groups the sheet shows")
    way.add_argument(
        "--same-from",
        type=float,
        default=alike.SAME_FROM,
        help=f"how alike two photos must be, 0 to 1 ({alike.SAME_FROM})",
    )
    way.set_defaults(do=_duplicates)
    return parser


def _add_answers(way: argparse.ArgumentParser, name: str, count: int, meaning: str) -> None:
    way.add_argument("answers", type=Path, help="a folder that `features` made")
    way.add_argument("--count", type=_positive, default=count, help=f"{meaning} ({count})")
    way.add_argument(
        "--sheet",
        type=Path,
        default=Path(name),
        help=f"where the sheet goes, without an ending ({name}: {name}.png and {name}.html)",
    )


def _add_sources(way: argparse.ArgumentParser) -> None:
    limits = Limits()
    way.add_argument("sources", nargs="+", metavar="SOURCE", help="where photos are")
    way.add_argument("--out", required=True, type=Path, help="the folder of answers")
    way.add_argument("--model", default="ShiwuNet", help="a network's name, folder or file")
    way.add_argument("--weights", type=Path, help="its weights: a file, or a folder of files")
    way.add_argument("--top", type=_positive, default=5, help="how many names (5)")
    way.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the names (en)")
    way.add_argument("--fit", choices=("crop", "stretch"), help="how a photo becomes a square")
    way.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="by Ray's actors: on this machine, or on the cluster at ADDRESS (host:port, or auto)",
    )
    way.add_argument("--features", action="store_true", help="features in each row")
    way.add_argument("--cores", type=_positive, help="as many as may be used, if absent")
    way.add_argument(
        "--max-bytes", type=_positive, default=limits.max_bytes, help="of one photo's file"
    )
    way.add_argument("--max-pixels", type=_positive, default=limits.max_pixels, help="of one photo")
    _add_cache(way)


def _add_cache(way: argparse.ArgumentParser) -> None:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = home / "shiwu" / "compiled"
    way.add_argument("--cache", type=Path, default=cache, help="folder of compiled networks")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return number
