"""What the commands that measure speed have in common: options, facts, and what they write.

Each measures round after round and writes a table (`NAME.md`), all figures (`NAME.json`) and a
picture (`NAME.png`) into one folder. `--draw` makes table and picture anew from the figures.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine, networks, photos, report
from benchmarks.load import LoadFailed
from benchmarks.servers import ROOT, ServerFailed
from errors import EngineError, SettingsError
from settings import Settings

Json = dict[str, Any]
Measure = Callable[[argparse.Namespace, Settings, Path], Iterator[Json]]

PACKAGES = ("flask", "gunicorn", "openvino", "keras", "tensorflow-cpu", "pillow", "numpy")


def run(
    name: str,
    title: str,
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    measure: Measure,
    tables: Callable[[Json], str],
    draw: Callable[[Json, Path], None],
) -> None:
    """Measure, or read what was measured; print the tables, write and draw the result.

    Args:
        name: of the command and its result.
        title: of the result.
        arguments: None for those of the process.
        measure: gives rounds, and `{"fact": …, "is": …}` for what the result's head shall say;
            its folder is for files of the run, gone afterwards.
        tables: the result as Markdown.
        draw: the result as a picture in a file.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end, too
    given = parser.parse_args(arguments)
    kept = given.results / f"{name}.json"
    try:
        if given.draw:
            found = json.loads(kept.read_text(encoding="utf-8"))
        else:
            found = _found(parser.prog, given, arguments, measure)
    except (LoadFailed, ServerFailed, SettingsError, EngineError, OSError) as error:
        sys.exit(f"Not measured: {error}")
    text = tables(found)
    print(f"\n{text.partition('Every round')[0]}")
    given.results.mkdir(parents=True, exist_ok=True)
    kept.write_text(report.compact(found), encoding="utf-8")
    told = "".join(f"- {what}: {value}\n" for what, value in found["facts"].items())
    kept.with_suffix(".md").write_text(
        f"# {title}\n\n![{title}]({name}.png)\n\n{told}\n{text}", encoding="utf-8"
    )
    draw(found, kept.with_suffix(".png"))
    print(f"Written: {kept.with_suffix('.md')}, {kept.name}, {name}.png")


def _found(
    prog: str, given: argparse.Namespace, arguments: Sequence[str] | None, measure: Measure
) -> Json:
    words = sys.argv[1:] if arguments is None else arguments
    facts = machine.described(PACKAGES) | {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}, {given.rounds} rounds of {given.seconds:g} s, "
        f"in turns; photos {'given' if given.photos else 'drawn by rule'}",
        "command": f"`{' '.join([prog, *map(_without_folders, words)])}`",
    }
    rounds = []
    with tempfile.TemporaryDirectory(prefix="shiwu-benchmark-") as folder:
        for one in measure(given, Settings.from_environment(), Path(folder)):
            if "fact" in one:
                facts[one["fact"]] = one["is"]
            else:
                rounds.append(one)
            print(report.line(one), flush=True)
    return {"facts": facts, "rounds": rounds}


def _without_folders(word: str) -> str:
    """Of a path its last part: where it lies is another place for every reader."""
    option, equals, value = word.rpartition("=")
    return f"{option}{equals}{Path(value).name}" if "/" in value else word


def parser(name: str, says: str) -> argparse.ArgumentParser:
    """The parser of a command, with the options that all of them have."""
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=says,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    where = "a photo, or a folder of them; drawn by rule, if not given"
    made.add_argument("--photos", type=Path, help=where)
    where = "a file of weights, or a folder of files by Keras' names; looked for as the service "
    where += "does, if not given, and random ones taken where there are none"
    made.add_argument("--weights", type=Path, help=where)
    results = ROOT / "benchmarks" / "results"
    made.add_argument("--results", type=Path, default=results, help="where the result goes")
    told = "measure nothing; make table and picture of the figures that are there"
    made.add_argument("--draw", action="store_true", help=told)
    return made


def add_networks(made: argparse.ArgumentParser, default: Sequence[str] = networks.NAMES) -> None:
    """The option --models."""
    made.add_argument(
        "--models", nargs="+", metavar="NAME", default=list(default), help="the networks"
    )


def add_sizes(made: argparse.ArgumentParser, default: Sequence[str] = tuple(photos.SIZES)) -> None:
    """The option --sizes."""
    made.add_argument(
        "--sizes", nargs="+", choices=photos.SIZES, default=list(default), help="of the photos"
    )


def add_rounds(made: argparse.ArgumentParser, seconds: float, rounds: int = 5) -> None:
    """The options --rounds and --seconds."""
    made.add_argument("--rounds", type=int, default=rounds, help="of each, in turns")
    made.add_argument("--seconds", type=float, default=seconds, help="length of a round")
