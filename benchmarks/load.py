"""Load on a server: clients that each send a photo, wait for its answer, and send the next.

The clients are wrk, which is written in C and takes little of the cores that the server needs.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIENTS = 8
_SCRIPT = Path(__file__).with_name("post.lua")
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
class Bodies:
    """Request bodies, in files, as wrk's script reads them."""

    content_type: str
    files: tuple[Path, ...]


def multipart(photos: Sequence[bytes], folder: Path) -> Bodies:
    """Each photo as the field `image` of a form, in a file of its own in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(folder / f"{number}.body" for number in range(len(photos)))
    for file, photo in zip(files, photos, strict=True):
        file.write_bytes(_form(photo))
    return Bodies(f"multipart/form-data; boundary={_BOUNDARY}", files)


def require_wrk() -> None:
    """Raise LoadFailed if wrk is not installed."""
    if shutil.which("wrk") is None:
        raise LoadFailed("wrk, which plays the clients, is not installed; Debian: apt install wrk")


def measure(url: str, bodies: Bodies, seconds: float, clients: int = CLIENTS) -> Round:
    """Send the bodies in turn for some seconds, and wait for every answer.

    Raises:
        LoadFailed: a request got another status than 200, or no answer.
    """
    require_wrk()
    guard_s = round(seconds) + _LAST_ANSWERS_WITHIN_S
    options = ["-t1", f"-c{clients}", f"-d{guard_s}s", f"--timeout={guard_s}s", "-s", str(_SCRIPT)]
    words = [str(clients), str(seconds), bodies.content_type, *map(str, bodies.files)]
    ran = subprocess.run(
        ["wrk", *options, url, "--", *words], capture_output=True, text=True, check=False
    )
    if ran.returncode != 0 or not ran.stdout.endswith("}\n"):
        raise LoadFailed(f"wrk ended with {ran.returncode}: {ran.stdout}{ran.stderr}")
    return _round(url, json.loads(ran.stdout.splitlines()[-1]))


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
