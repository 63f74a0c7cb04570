"""`python -m batch` against the least that answers take, and against a loop over Keras' predict.

    python -m benchmarks.batch --photos FOLDER --weights FILE [--ray]

Everything is measured in turns on the same photos, copied under as many names as there shall be:

- limit: as many threads as the service has runners read, decode, fit and infer; no rows, digests or
  names.
- threads: `python -m batch predict`, from the first row to the last; its start-up stated apart.
- Ray: the same with `--ray`.
- Keras: `load_img`, `preprocess_input` and `predict`, a photo at a time, as tutorials have it.
"""

import argparse
import contextlib
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import machine, networks, report
from benchmarks.limit import Limit
from settings import Settings

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("openvino", "pillow", "numpy", "pyarrow", "ray", "keras", "tensorflow-cpu")
_SAID = re.compile(
    r"ready in (?P<ready>[\d.]+) s.*?computed, (?P<rate>[\d.,]+) a second "
    r"once the first was there after (?P<first>[\d.]+) s",
    re.DOTALL,
)
_KERAS = """
import sys, time
import numpy as np, keras
name, file, *paths = sys.argv[1:]
module = getattr(keras.applications, "mobilenet_v2")
model = getattr(keras.applications, name)(weights=file)
def answer(path):
    photo = keras.utils.img_to_array(keras.utils.load_img(path, target_size=(224, 224)))
    pixels = module.preprocess_input(photo[None])
    return model.predict(pixels, verbose=0)[0].argsort()[::-1][:5]
answer(paths[0])
begun = time.monotonic()
for path in paths:
    answer(path)
print(len(paths) / (time.monotonic() - begun))
"""


@dataclass(frozen=True)
class Round:
    """Photos a second of one way in one round.

    Where known: milliseconds of processor time a photo (start-up and all), which others on the
    machine change little; seconds of start-up; peak MB.
    """

    way: str
    per_s: float
    cpu_ms: float | None = None
    start_s: float | None = None
    peak_mb: float | None = None


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table, write the result."""
    given = _parser().parse_args(arguments)
    command = " ".join(["python -m benchmarks.batch", *arguments])
    facts = machine.described(_PACKAGES) | {"command": f"`{command}`"}
    with tempfile.TemporaryDirectory(prefix="shiwu-batch-", dir=given.scratch) as folder:
        photos = _copied(given.photos, given.count, Path(folder) / "photos")
        found = list(_in_turns(given, photos, Path(folder)))
    text = f"Medians of the rounds:\n\n{_medians(found)}\nEvery round:\n\n{_every(found)}"
    title = f"{given.model}: {given.count:,} photos, one command"
    path = report.write(given.results, f"batch-{given.model}", title, facts, text)
    print(f"\n{text}\nWritten: {path}")


def _in_turns(given: argparse.Namespace, photos: Path, folder: Path) -> Iterator[Round]:
    paths = sorted(map(str, photos.iterdir()))
    for number in range(given.rounds):
        out = folder / f"answers-{number}"
        ways = [
            partial(_limit, given, paths),
            partial(_command, given, photos, out, "threads"),
            partial(_keras, given, paths[: given.keras]),
        ]
        if given.ray:
            ways.append(partial(_command, given, photos, out.with_suffix(".ray"), "Ray"))
        for way in ways:
            measured = way()
            print(f"round {number + 1}: {measured}", flush=True)
            yield measured


def _limit(given: argparse.Namespace, paths: Sequence[str]) -> Round:
    """The least that answers take, in this process."""
    subject = networks.subject(given.model, Settings(cache=given.cache), given.weights)
    with Limit(subject) as limit:

        def answer(path: str) -> None:
            limit.answer(Path(path).read_bytes())

        limit.through(answer, paths[:100])
        pace = limit.through(answer, paths)
    return Round("limit", pace.per_s, pace.cpu_ms)


def _command(given: argparse.Namespace, photos: Path, out: Path, way: str) -> Round:
    words = ["predict", str(photos), "--out", str(out), "--model", given.model]
    words += ["--weights", str(given.weights), "--cache", str(given.cache)]
    words += ["--ray"] * (way == "Ray")
    with subprocess.Popen(
        [sys.executable, "-m", "batch", *words], cwd=_ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        peak = _Peak(process.pid if way == "threads" else None)
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if (told := _SAID.search(said)) is None:
        sys.exit(f"Not measured: {said}")
    rate = float(told["rate"].replace(",", ""))
    start_s = float(told["ready"]) + float(told["first"])
    cpu_ms = 1000 * (used.ru_utime + used.ru_stime) / given.count if way == "threads" else None
    return Round(way, rate, cpu_ms, start_s, peak.stop())


class _Peak:
    """The most memory of a process, or of any of Ray's actors, as seen once a second."""

    def __init__(self, pid: int | None) -> None:
        self._pid, self._most, self._done = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> float:
        """MB."""
        self._done.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._done.wait(1.0):
            for pid in [self._pid] if self._pid else _actors():
                self._most = max(self._most, _resident_mb(pid))


def _actors() -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"ray::" in path.read_bytes() and b"_Actor" in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def _resident_mb(pid: int) -> float:
    """What is its own; not what it shares with others, as the cluster's store of photos."""
    with contextlib.suppress(OSError, ValueError):
        pages = Path(f"/proc/{pid}/statm").read_text().split()
        return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return 0.0


def _keras(given: argparse.Namespace, paths: Sequence[str]) -> Round:
    words = [given.model, str(given.weights), *paths]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", _KERAS, *words],
        capture_output=True,
        text=True,
        check=False,
        env=quiet,
    )
    if done.returncode:
        sys.exit(f"Not measured: {done.stderr}")
    return Round("Keras", float(done.stdout.split()[-1]))


def _copied(given: Path, count: int, to: Path) -> Path:
    """As many files as asked for, the given photos under several names."""
    suffixes = (".jpg", ".jpeg", ".png")
    found = sorted(path for path in given.rglob("*") if path.suffix.lower() in suffixes)
    if not found:
        sys.exit(f"Not measured: there are no photos in {given}")
    to.mkdir()
    for number, path in zip(range(count), itertools.cycle(found), strict=False):
        (to / f"{number:06} {path.name}").write_bytes(path.read_bytes())
    return to


_COLUMNS = ("way", "photos/s", "of the limit", "CPU ms a photo", "start-up s", "peak MB")


def _medians(found: Sequence[Round]) -> str:
    """A row for each way; its share of the limit is the median of the rounds' own."""
    of_way: dict[str, list[Round]] = {}
    for one in found:
        of_way.setdefault(one.way, []).append(one)
    limits = [one.per_s for one in of_way["limit"]]
    rows = []
    for way, rounds in of_way.items():
        share = statistics.median(
            one.per_s / limit for one, limit in zip(rounds, limits, strict=True)
        )
        figures = [_median([getattr(one, name) for one in rounds]) for name in _FIGURES]
        rows.append((way, figures[0], f"{share:.2f}", *figures[1:]))
    return report.table(_COLUMNS, rows)


_FIGURES = ("per_s", "cpu_ms", "start_s", "peak_mb")


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.1f}" if known else ""


def _every(found: Sequence[Round]) -> str:
    columns = [name for name in _COLUMNS if name != "of the limit"]
    rows = [(one.way, *(_median([getattr(one, name)]) for name in _FIGURES)) for one in found]
    return report.table(columns, rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photos")
    parser.add_argument("--weights", type=Path, required=True, help="the network's weights")
    parser.add_argument("--model", default="MobileNetV2", choices=["MobileNetV2"])
    parser.add_argument("--count", type=int, default=5000, help="photos (5000)")
    parser.add_argument("--keras", type=int, default=200, help="photos for Keras (200)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (3)")
    parser.add_argument("--ray", action="store_true", help="measure --ray as well")
    parser.add_argument("--scratch", type=Path, help="where photos are copied to")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shiwu" / "compiled"
    parser.add_argument("--cache", type=Path, default=cache, help="folder of compiled networks")
    results = _ROOT / "benchmarks" / "results"
    parser.add_argument("--results", type=Path, default=results, help="where the result goes")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
