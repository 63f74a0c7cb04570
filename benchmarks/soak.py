"""`python -m benchmarks.soak`: half an hour of good and hostile photos at 80 % of what it can do.

What it can do is measured first, by clients that wait for their answers. Then requests are sent at
times that were drawn before, whether or not earlier ones are answered, and their time counts from
when they were due. Memory, threads and open files of every process are looked at all the while.
The verdict: memory that doesn't grow, no threads or files that stay, and a p99 of good photos in
the last fifth that is at most a fifth above the first one's. The exit status is 1 if any fails.
"""

import argparse
import http.client
import itertools
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import load, machine, photos, report, servers

SHARE = 0.8
HOSTILE_SHARE = 0.2
CLIENTS = 8
SENDERS = 64
FIFTHS = 5
_OWN = ("Anon", "Shmem")
# Beyond these it is called a leak or slower: what one run differs from the next by is less.
GROWTH_SHARE = 0.05
SLOWER_BY = 1.2
_ROOT = Path(__file__).resolve().parent.parent
_MOST_HOSTILE_BYTES = 2**20


@dataclass(frozen=True)
class Body:
    """A request's body, and whether a photo is in it that must get names."""

    content: bytes
    good: bool


@dataclass(frozen=True)
class Done:
    """One request: when it was due and answered, in seconds of the run; status 0 if it was lost."""

    due_s: float
    answered_s: float
    status: int
    good: bool

    @property
    def ms(self) -> float:
        """Milliseconds from when it was due to its answer."""
        return 1000 * (self.answered_s - self.due_s)


@dataclass(frozen=True)
class Sample:
    """What all processes of the service held at one moment of the run.

    `own_mb` is what isn't a file's (Pss_Anon and Pss_Shmem, proc(5)). A library's pages are left
    out: they count more as soon as another process of the machine, which has them too, ends.
    """

    at_s: float
    own_mb: float
    rss_mb: float
    threads: int
    files: int


def hostile(good: Sequence[bytes], folder: Path | None = None, seed: int = 18) -> list[bytes]:
    """Photos cut short, with flipped bits and wrong heads, what is none, and the folder's files."""
    draw = random.Random(seed)
    made = [b"", b"\xff\xd8\xff", b"GIF89a", b"<svg/>", bytes(5000), b"PK\x03\x04" + bytes(500)]
    for photo in good:
        made += [photo[: len(photo) * percent // 100] for percent in (1, 10, 50, 90, 99)]
        made += [b"\x89PNG\r\n\x1a\n" + photo, photo[::-1], photo + b"<?php ?>" * 1000]
        for _ in range(5):
            flipped = bytearray(photo)
            for _ in range(20):
                flipped[draw.randrange(len(photo))] ^= 1 << draw.randrange(8)
            made.append(bytes(flipped))
    found = sorted(one for one in folder.rglob("*") if one.is_file()) if folder else []
    made += [one.read_bytes() for one in found if one.stat().st_size < _MOST_HOSTILE_BYTES]
    return made


def bodies(good: Sequence[bytes], folder: Path | None = None, seed: int = 80) -> Iterator[Body]:
    """Good photos and hostile ones in a mixture without end, always the same."""
    draw, bad = random.Random(seed), hostile(good, folder)
    while True:
        is_good = draw.random() >= HOSTILE_SHARE
        yield Body(draw.choice(good if is_good else bad), is_good)


class Senders:
    """Threads that each send the next body when it is due; one connection a request."""

    def __init__(self, url: str, mixture: Iterator[Body], count: int) -> None:
        self._address = url.removeprefix("http://").split("/")[0]
        self._mixture, self._count = mixture, count
        self._turn = threading.Lock()
        self.done: list[Done] = []

    def send(self, due: Iterator[float]) -> list[Done]:
        """Send until there are no more times, seconds from now; what became of every request."""
        self.done = []
        self._begun = time.monotonic()
        threads = [threading.Thread(target=self._sender, args=[due]) for _ in range(self._count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.done

    def _sender(self, due: Iterator[float]) -> None:
        while True:
            with self._turn:
                at = next(due, None)
                body = next(self._mixture)
            if at is None:
                return
            now = time.monotonic() - self._begun
            if at > now:
                time.sleep(at - now)
            status = self._post(body.content)
            answered = time.monotonic() - self._begun
            self.done.append(Done(min(at, answered), answered, status, body.good))

    def _post(self, content: bytes) -> int:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            connection.request("POST", "/predict", content, {"Content-Type": "image/jpeg"})
            reply = connection.getresponse()
            reply.read()
        except (OSError, http.client.HTTPException):
            return 0
        else:
            return reply.status
        finally:
            connection.close()


def for_seconds(seconds: float) -> Iterator[float]:
    """Times for clients that wait for their answers: now, again and again."""
    end = time.monotonic() + seconds
    return itertools.takewhile(lambda _: time.monotonic() < end, itertools.repeat(0.0))


def at_rate(per_s: float, seconds: float, seed: int = 5) -> Iterator[float]:
    """Times of independent callers (a Poisson process)."""
    draw = random.Random(seed)
    at = 0.0
    while (at := at + draw.expovariate(per_s)) < seconds:
        yield at


def sample(server: servers.Server, begun: float) -> Sample:
    """What the service's processes hold now; of one that ends meanwhile, nothing."""
    own = rss = threads = files = 0
    for pid in server.pids():
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            own += sum(int(rollup.split(f"Pss_{kind}:")[1].split()[0]) for kind in _OWN)
            status = Path(f"/proc/{pid}/status").read_text()
            rss += int(status.split("VmRSS:")[1].split()[0])
            threads += int(status.split("Threads:")[1].split()[0])
            files += len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - only counted
        except (OSError, IndexError):
            continue
    at = time.monotonic() - begun
    return Sample(at, own * 1024 / 1e6, rss * 1024 / 1e6, threads, files)


def workers(server: servers.Server) -> set[int]:
    """The processes that gunicorn has forked."""
    first = server.process.pid
    return set(map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split()))


def watched(server: servers.Server, work: threading.Thread, every_s: float) -> list[Sample]:
    """Samples from the beginning of some work until its end."""
    begun = time.monotonic()
    work.start()
    found = []
    while work.is_alive():
        found.append(sample(server, begun))
        work.join(every_s)
    return found


@dataclass(frozen=True)
class Checked:
    """One line of the verdict."""

    what: str
    measured: str
    allowed: str
    holds: bool


def judge(done: Sequence[Done], samples: Sequence[Sample], replaced: int) -> list[Checked]:
    """What the run shows; the first fifth fills caches and pools, so leaks are sought after it."""
    seconds = max(one.answered_s for one in done)
    fifth = seconds / FIFTHS

    def of_fifth(number: int) -> list[Sample]:
        return [one for one in samples if number * fifth <= one.at_s < (number + 1) * fifth]

    later = [one for one in samples if one.at_s >= fifth]
    slope_mb_s = float(np.polyfit([s.at_s for s in later], [s.own_mb for s in later], 1)[0])
    growth, mean = slope_mb_s * (seconds - fifth), np.mean([one.own_mb for one in later])
    most = GROWTH_SHARE * float(mean)
    first, last = (p99_ms(done, number * fifth, (number + 1) * fifth) for number in (0, 4))
    found = [
        Checked(
            "memory of their own, trend from the second fifth to the end",
            f"{growth:+.1f} MB of {mean:.0f} MB ({slope_mb_s * 3600:+.0f} MB an hour)",
            f"at most {GROWTH_SHARE:.0%} ({most:.1f} MB) more",
            growth <= most,
        ),
        Checked(
            "p99 of good photos, first and last fifth",
            f"{first:.0f} ms, {last:.0f} ms",
            f"at most {SLOWER_BY:g} times",
            last <= SLOWER_BY * first,
        ),
    ]
    for what in ("threads", "files"):
        early, late = (min(getattr(s, what) for s in of_fifth(number)) for number in (1, 4))
        found.append(
            Checked(
                f"{what}, fewest in the second and in the last fifth",
                f"{early}, {late}",
                "at most 2 more",
                late <= early + 2,
            )
        )
    wrong = Counter(str(one.status or "lost") for one in done if not _is_right(one))
    found.append(
        Checked(
            "requests lost, answered 5xx other than 503, or good photos refused as bad",
            ", ".join(f"{count} with {status}" for status, count in wrong.items()) or "0",
            "0",
            not wrong,
        )
    )
    found.append(Checked("workers replaced", str(replaced), "0", replaced == 0))
    return found


def _is_right(one: Done) -> bool:
    if one.good:
        return one.status in (200, 503)
    return one.status == 503 or 200 <= one.status < 500


def p99_ms(done: Sequence[Done], from_s: float, to_s: float) -> float:
    """Of good photos that were due then and were answered with 200."""
    times = [
        one.ms for one in done if one.good and one.status == 200 and from_s <= one.due_s < to_s
    ]
    return float(np.percentile(times, 99)) if times else float("nan")


def fifths(done: Sequence[Done], samples: Sequence[Sample]) -> str:
    """A row for each fifth of the run."""
    fifth = max(one.answered_s for one in done) / FIFTHS
    rows = []
    for number in range(FIFTHS):
        begin, end = number * fifth, (number + 1) * fifth
        asked = [one for one in done if begin <= one.due_s < end]
        seen = [one for one in samples if begin <= one.at_s < end]
        good = [one.ms for one in asked if one.good and one.status == 200]
        rows.append(
            [
                f"{begin / 60:.1f}-{end / 60:.1f}",
                len(asked),
                sum(one.status == 503 for one in asked),
                report.figure(float(np.percentile(good, 50))),
                report.figure(p99_ms(done, begin, end)),
                report.figure(float(np.mean([one.own_mb for one in seen]))),
                report.figure(float(np.mean([one.rss_mb for one in seen]))),
                f"{min(s.threads for s in seen)}-{max(s.threads for s in seen)}",
                f"{min(s.files for s in seen)}-{max(s.files for s in seen)}",
            ]
        )
    head = ["minutes", "requests", "503", "p50, ms", "p99, ms", "own, MB", "RSS, MB"]
    return report.table([*head, "threads", "files"], rows)


def plot(done: Sequence[Done], samples: Sequence[Sample], path: Path) -> None:
    """Memory, threads and files, and the time of good photos, over the run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, 1, sharex=True, figsize=(9, 8), constrained_layout=True)
    minutes = [one.at_s / 60 for one in samples]
    axes[0].plot(minutes, [one.own_mb for one in samples], label="their own")
    axes[0].plot(minutes, [one.rss_mb for one in samples], label="RSS")
    axes[0].set_ylabel("memory, MB")
    axes[1].plot(minutes, [one.threads for one in samples], label="threads")
    axes[1].plot(minutes, [one.files for one in samples], label="open files")
    axes[1].set_ylabel("of all processes")
    step = max(one.answered_s for one in done) / 60
    at = np.arange(60) * step
    for share in (50, 99):
        times = [
            [d.ms for d in done if d.good and d.status == 200 and begin <= d.due_s < begin + step]
            for begin in at
        ]
        shown = [float(np.percentile(one, share)) if one else np.nan for one in times]
        axes[2].plot((at + step / 2) / 60, shown, label=f"p{share}")
    axes[2].set_ylabel("good photos, ms")
    axes[2].set_xlabel("minutes")
    for one in axes:
        one.set_ylim(bottom=0)
        one.legend(loc="lower right")
        one.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of load (default: 30)")
    parser.add_argument("--photos", type=Path, help="good photos; drawn ones if not given")
    parser.add_argument("--hostile", type=Path, metavar="FOLDER", help="more hostile files")
    parser.add_argument("--out", type=Path, default=_ROOT / "docs/soak.md", help="the page")
    given = parser.parse_args()
    good = photos.small(given.photos)
    facts = machine.described(["openvino", "pillow", "gunicorn"])
    with tempfile.TemporaryDirectory() as folder:
        sent = load.multipart(good[:1], Path(folder) / "bodies")
        with servers.running(servers.ours({}, "as it comes"), Path(folder), sent) as server:
            mixture = bodies(good, given.hostile)
            before = workers(server)
            warm = Senders(server.url, mixture, SENDERS).send(for_seconds(10))  # fills pools
            seconds = min(60.0, 12 * given.minutes)
            closed = Senders(server.url, mixture, CLIENTS).send(for_seconds(seconds))
            capacity = len(closed) / max(one.answered_s for one in closed)
            print(f"{len(warm)} requests to warm up; capacity {capacity:.0f} a second", flush=True)
            senders = Senders(server.url, mixture, SENDERS)
            due = at_rate(SHARE * capacity, 60 * given.minutes)
            work = threading.Thread(target=senders.send, args=[due])
            samples = watched(server, work, every_s=min(5.0, given.minutes))
            replaced = len(before - workers(server))
    done = senders.done
    checked = judge(done, samples, replaced)
    measured_min = max(one.answered_s for one in done) / 60
    options = f"--minutes {given.minutes:g}"
    for name in ("photos", "hostile"):
        if folder_given := getattr(given, name):
            options += f" --{name} {folder_given.name}"
    facts |= {
        "command": f"`python -m benchmarks.soak {options}`",
        "load": f"{SHARE * capacity:.0f} requests a second for {measured_min:.1f} minutes, "
        f"{SHARE:.0%} of {capacity:.0f} a second with {CLIENTS} clients; "
        f"{sum(not one.good for one in done):,} of {len(done):,} hostile",
    }
    rows = [[one.what, one.measured, one.allowed, "yes" if one.holds else "NO"] for one in checked]
    verdict = report.table(["", "measured", "allowed", "holds"], rows)
    picture = given.out.with_suffix(".png")
    told = "".join(f"- {what}: {value}\n" for what, value in facts.items())
    page = f"# Soak: {measured_min:.1f} minutes under load\n\n{told}\n{verdict}\n"
    page += f"{fifths(done, samples)}\n![over the run]({picture.name})\n"
    plot(done, samples, picture)
    given.out.write_text(page, encoding="utf-8")
    print(page)
    return 0 if all(one.holds for one in checked) else 1


if __name__ == "__main__":
    sys.exit(_main())
