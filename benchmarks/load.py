"""Load on a server: clients that wait for their answers, or photos that come whenever they come.

In a closed loop each client sends a photo, waits for its answer, and sends the next. In an open
loop photos arrive at random times at a given rate, however slow the answers are, as a crowd's do;
each is timed from when it should have been sent. Either is wrk, which is written in C and takes
little of the cores that the server needs.
"""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIENTS = 8
_CLOSED, _OPEN = (Path(__file__).with_name(name) for name in ("post.lua", "arrivals.lua"))
_BOUNDARY = "a-boundary-that-no-photo-holds"
_LAST_ANSWERS_WITHIN_S = 120


class LoadFailed(Exception):
    """wrk is missing, or a request was not answered with 200."""


@dataclass(frozen=True)
class Round:
    """What one round of load measured; latencies are wrk's percentiles of all its requests."""

    answered: int
    elapsed_s: float
    p50_ms: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        """Requests a second, from the first one sent to the last one answered."""
        return self.answered / self.elapsed_s


@dataclass(frozen=True)
class Arrivals:
    """What one round of an open loop measured: milliseconds from when each should have been sent.

    `per_s` counts photos answered before the last one arrived; `unanswered` those that never were,
    `failed` answers other than 200 and, for photos, 503.
    `late_ms` is how late the 99th percentile was sent: that much of the times is our clients' own.
    """

    rate: float
    per_s: float
    p50_ms: float | None
    p99_ms: float | None
    refused: int
    refused_p99_ms: float | None
    refused_max_ms: float | None
    failed: int
    unanswered: int
    healthz_p99_ms: float | None
    healthz_max_ms: float | None
    late_ms: float | None


@dataclass(frozen=True)
class Bodies:
    """Request bodies, in files, as wrk's script reads them."""

    content_type: str
    files: tuple[Path, ...]


def multipart(photos: Sequence[bytes], folder: Path) -> Bodies:
    """Each photo as the field `image` of a form, in a file of its own in `folder`."""
    return _written(photos, folder, _form, f"multipart/form-data; boundary={_BOUNDARY}")


def raw(photos: Sequence[bytes], folder: Path) -> Bodies:
    """Each JPEG as it is, in a file of its own in `folder`."""
    return _written(photos, folder, bytes, "image/jpeg")


def in_json(photos: Sequence[bytes], folder: Path) -> Bodies:
    """Each photo in base64 in JSON, in a file of its own in `folder`."""
    return _written(photos, folder, _json, "application/json")


WAYS = {"multipart": multipart, "raw": raw, "base64": in_json}


def require_wrk() -> None:
    """Raise LoadFailed if wrk is not installed."""
    if shutil.which("wrk") is None:
        raise LoadFailed("wrk, which plays the clients, is not installed; Debian: apt install wrk")


def measure(url: str, bodies: Bodies, seconds: float, clients: int = CLIENTS) -> Round:
    """A closed loop: send the bodies in turn for some seconds, and wait for every answer.

    Raises:
        LoadFailed: a request got another status than 200, or no answer.
    """
    words = [str(clients), str(seconds), bodies.content_type, *map(str, bodies.files)]
    return _round(url, _wrk(_CLOSED, url, clients, seconds, words))


def measure_arrivals(
    url: str, bodies: Bodies, seconds: float, rate: float, seed: int, connections: int
) -> Arrivals:
    """An open loop: photos that arrive at random, `rate` a second, whatever becomes of them.

    The server must send back a request's X-Request-Id, and answer GET /healthz.

    Args:
        seed: of the times of arrival; the same seed, the same times.
        connections: how many photos may be on their way at once.

    Raises:
        LoadFailed: wrk itself failed.
    """
    words = [str(rate), str(seconds), str(seed), str(connections), bodies.content_type]
    said = _wrk(_OPEN, url, connections, seconds, [*words, *map(str, bodies.files)])
    return _arrivals(rate, seconds, said)


def _wrk(
    script: Path, url: str, connections: int, seconds: float, words: Sequence[str]
) -> dict[str, Any]:
    """What the script wrote in JSON."""
    require_wrk()
    guard_s = round(seconds) + _LAST_ANSWERS_WITHIN_S
    options = ["-t1", f"-c{connections}", f"-d{guard_s}s", f"--timeout={guard_s}s"]
    command = ["wrk", *options, "-s", str(script), url, "--", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0 or not ran.stdout.endswith("}\n"):
        raise LoadFailed(f"wrk ended with {ran.returncode}: {ran.stdout}{ran.stderr}")
    said: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return said


def _written(
    photos: Sequence[bytes], folder: Path, body: Callable[[bytes], bytes], content_type: str
) -> Bodies:
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(folder / f"{number}.body" for number in range(len(photos)))
    for file, photo in zip(files, photos, strict=True):
        file.write_bytes(body(photo))
    return Bodies(content_type, files)


def _json(photo: bytes) -> bytes:
    return json.dumps({"image": base64.b64encode(photo).decode()}).encode()


def _form(photo: bytes) -> bytes:
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + photo + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _round(url: str, said: dict[str, Any]) -> Round:
    refused, unanswered = said.pop("refused"), said.pop("unanswered")
    if refused or unanswered or not said["answered"]:
        statuses = ", ".join(f"{count} with {status}" for status, count in refused.items())
        raise LoadFailed(
            f"{url}: of {said['answered']} answers {statuses or 'none'} instead of 200; "
            f"{unanswered} requests got no answer"
        )
    return Round(**said)


def _arrivals(rate: float, seconds: float, said: dict[str, Any]) -> Arrivals:
    times: dict[tuple[str, int], list[float]] = {}
    in_time = 0  # a queue that fills meanwhile is emptied later: that is not what it can go on with
    for kind, status, at, ms in said["answers"]:
        times.setdefault((kind, status), []).append(ms)
        in_time += kind == "photo" and status == 200 and at <= seconds
    answered, refused = times.get(("photo", 200), []), times.get(("photo", 503), [])
    healthz = times.get(("healthz", 200), [])
    return Arrivals(
        rate=rate,
        per_s=in_time / seconds,
        p50_ms=percentile(answered, 50),
        p99_ms=percentile(answered, 99),
        refused=len(refused),
        refused_p99_ms=percentile(refused, 99),
        refused_max_ms=max(refused, default=None),
        failed=len(said["answers"]) - len(answered) - len(refused) - len(healthz),
        unanswered=said["arrived"] - len(said["answers"]),
        healthz_p99_ms=percentile(healthz, 99),
        healthz_max_ms=max(healthz, default=None),
        late_ms=percentile(said["late_ms"], 99),
    )


def percentile(values: Sequence[float], of: int) -> float | None:
    """The smallest of the values that `of` in a hundred don't exceed; None if there is none."""
    if not values:
        return None
    return sorted(values)[max(0, -(-len(values) * of // 100) - 1)]
