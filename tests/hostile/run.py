"""Send many hostile pictures to the real service, and say how it took them.

    python -m tests.hostile.run --cases 20000

Several clients send at once, to several addresses, in every way a photo can be sent; between the
hostile ones each sends a good photo, which must get the same answer as before. On a machine that
is shared, a clock judges the neighbours: what took longer than HANG_S is sent once more, alone,
and judged by the processor time that the service spends on it, its decoders' included.
"""

import argparse
import base64
import http.client
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.drawn import good_jpeg
from tests.hostile.pictures import Case, cases
from tests.service import Service, running

ALLOWED = {200, 400, 413, 415, 422}
HANG_S = 2.0
GOOD_EVERY = 20
KEPT_S = 5.0  # a connection that stands still longer may have been closed by the server
# Of resident memory: the worker, where each of its three runners may hold a photo of 50 megapixels
# (JPEG, PNG or WebP; 16 bytes a pixel for a moment), and one decoder, with one photo.
WORKER_MB, DECODER_MB = 2500, 900
BOUNDARY = "a-boundary"
NAMES = (
    "photo.jpg",
    "../../etc/passwd",
    "x" * 300,
    "a\\b.png",
    "%2e%2e",
    "图.jpg",
    "",
    "photo.jpg.exe",
)
# An eighth goes to /image, which decodes every pixel.
WAYS = ("multipart",) * 9 + ("crop", "image", "raw", "image", "json", "stretch", "raw")


@dataclass
class Run:
    """What came of it."""

    statuses: Counter = field(default_factory=Counter)
    good: int = 0
    busy: int = 0
    wrong: list[str] = field(default_factory=list)
    late: list[tuple[Case, str, float]] = field(default_factory=list)
    processor_s: list[tuple[float, str]] = field(default_factory=list)
    worker_mb: float = 0.0
    decoder_mb: float = 0.0
    took_s: float = 0.0

    def problems(self) -> list[str]:
        """Everything that should not be; empty if all is well."""
        found = list(self.wrong)
        found += [
            f"{name}: {spent:.1f} s of a processor"
            for spent, name in self.processor_s
            if spent > HANG_S
        ]
        for who, held, bound in (
            ("worker", self.worker_mb, WORKER_MB),
            ("decoder", self.decoder_mb, DECODER_MB),
        ):
            if held > bound:
                found.append(f"a {who} held {held:.0f} MB, over {bound}")
        return found

    def __str__(self) -> str:
        statuses = ", ".join(
            f"{count:,} × {status}" for status, count in sorted(self.statuses.items())
        )
        longest = max(self.processor_s, default=(0.0, "none"))
        return (
            f"{self.statuses.total():,} hostile files in {self.took_s:.0f} s: {statuses}\n"
            f"{self.good:,} good photos between them; busy and sent again: {self.busy:,}\n"
            f"over {HANG_S:g} s by the clock: {len(self.late)}; alone, the longest of those took "
            f"{longest[0]:.2f} s of a processor ({longest[1]})\n"
            f"most resident memory: worker {self.worker_mb:.0f} MB (bound {WORKER_MB}), "
            f"a decoder {self.decoder_mb:.0f} MB (bound {DECODER_MB})"
        )


def send_all(service: Service, hostile: Iterable[Case], clients: int) -> Run:
    """Send each case once; the service has one worker and is ready."""
    run, source, lock = Run(), iter(enumerate(hostile)), threading.Lock()
    (pid,) = service.worker_pids()
    with Client(service, run) as client:
        expected = client.good()
        if expected[0] != 200:
            run.wrong.append(f"the good photo is refused: {expected}")
        begun = time.monotonic()
        arguments = (service, run, source, lock, expected)
        threads = [threading.Thread(target=_send_some, args=arguments) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in itertools.cycle(threads):
            thread.join(0.2)
            _note_memory(run, pid)
            if not any(thread.is_alive() for thread in threads):
                break
        run.took_s = time.monotonic() - begun
        _send_late_ones_alone(run, client, pid)
        if client.good() != expected:
            run.wrong.append("at the end the good photo got another answer")
    if service.worker_pids() != [pid]:
        run.wrong.append(f"worker {pid} is gone, and there is {service.worker_pids()}")
    return run


def _send_late_ones_alone(run: Run, client: "Client", pid: int) -> None:
    for case, way, _ in list(run.late):
        before = processor_s(pid)
        client.send(case, way)
        run.processor_s.append((processor_s(pid) - before, f"{case.name} by {way}"))


def _send_some(
    service: Service, run: Run, source: Iterator, lock: threading.Lock, expected: object
) -> None:
    with Client(service, run) as client:
        while True:
            with lock:
                number, case = next(source, (0, None))
            if case is None:
                return
            way = WAYS[number % len(WAYS)]
            took = client.send(case, way)
            if took > HANG_S:
                run.late.append((case, way, took))
            if number % GOOD_EVERY == 0 and (got := client.good()) != expected:
                run.wrong.append(f"{case.name}: the good photo behind it got {got}")


class Client:
    """One client with one connection, which notes what it sees in `run`."""

    def __init__(self, service: Service, run: Run) -> None:
        self._run = run
        self._connection = http.client.HTTPConnection(
            service.address.removeprefix("http://"), timeout=60
        )
        self._last = 0.0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def good(self) -> tuple[int, object]:
        """Status and predictions of the good photo."""
        status, _, body = self._ask("/predict", "image/jpeg", good_jpeg())
        self._run.good += 1
        return status, json.loads(body).get("predictions")

    def send(self, case: Case, way: str) -> float:
        """Send a case, judge the reply, and give the seconds that it took."""
        begun = time.monotonic()
        try:
            status, kind, reply = self._ask(*_request(case, way))
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._run.wrong.append(f"{case.name} by {way}: {error!r}")
            return time.monotonic() - begun
        self._run.statuses[status] += 1
        if problem := _problem(status, kind, reply):
            self._run.wrong.append(f"{case.name} by {way}: {problem}")
        return time.monotonic() - begun

    def _ask(self, path: str, kind: str, body: bytes) -> tuple[int, str, bytes]:
        if time.monotonic() - self._last > KEPT_S:
            self._connection.close()
        while True:
            self._connection.request("POST", path, body, {"Content-Type": kind})
            reply = self._connection.getresponse()
            content = reply.read()
            self._last = time.monotonic()
            if reply.status != 503:
                return reply.status, reply.headers["Content-Type"], content
            self._run.busy += 1
            time.sleep(0.05)


def _request(case: Case, way: str) -> tuple[str, str, bytes]:
    """Path, content type and body."""
    if way == "raw":
        return "/predict?top=1", "image/jpeg", case.data
    if way == "json":
        photo = base64.b64encode(case.data).decode()
        return "/predict", "application/json", json.dumps({"image": photo}).encode()
    name = NAMES[len(case.data) % len(NAMES)]
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    )
    body = head.encode() + case.data + f"\r\n--{BOUNDARY}--\r\n".encode()
    path = {"image": "/image", "multipart": "/predict"}.get(way, f"/predict?fit={way}")
    return path, f"multipart/form-data; boundary={BOUNDARY}", body


def _problem(status: int, kind: str, reply: bytes) -> str | None:
    if status not in ALLOWED:
        return f"status {status}: {reply[:200]!r}"
    if status == 200:
        return (
            None if reply[:3] == b"\xff\xd8\xff" or json.loads(reply)["success"] else "no success"
        )
    if kind != "application/json":
        return f"a refusal as {kind}"
    said = json.loads(reply)
    if said["success"] is not False or not {"code", "message", "request_id"} <= set(said["error"]):
        return f"not our error: {reply[:200]!r}"
    return None


def processor_s(pid: int) -> float:
    """Processor time of a worker and of its decoders, those gone included."""
    total = _ticks(pid, gone=True) + sum(_ticks(child, gone=False) for child in decoders(pid))
    return total / os.sysconf("SC_CLK_TCK")


def decoders(pid: int) -> list[int]:
    """The processes that a worker started, from any of its threads."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in children.read_text().split()]
        except FileNotFoundError:  # the thread has ended
            continue
    return found


def _ticks(pid: int, gone: bool) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0
    return sum(map(int, fields[11 : 15 if gone else 13]))


def peak_mb(pid: int) -> float:
    """The most memory that a process ever held; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    _, found, rest = status.partition("VmHWM:")
    return int(rest.split()[0]) / 1024 if found else 0.0


def _note_memory(run: Run, pid: int) -> None:
    run.worker_mb = max(run.worker_mb, peak_mb(pid))
    run.decoder_mb = max([run.decoder_mb, *map(peak_mb, decoders(pid))])


def files_in(folders: Iterable[Path]) -> Iterator[Case]:
    """Every file in the folders, as a case."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield Case(path.name, path.read_bytes())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.run", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="made by our own rules")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--apart", choices=("none", "rare", "all"), default="rare")
    parser.add_argument("folders", nargs="*", type=Path, help="of hostile files, sent as well")
    given = parser.parse_args()
    hostile = itertools.chain(files_in(given.folders), cases(given.cases, given.seed))
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), apart=given.apart) as service,
    ):
        run = send_all(service, hostile, given.clients)
    print(run)
    problems = run.problems()
    print("\n".join(problems[:50]) or "no problem")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
