"""Servers under test, each in a process of its own on a free port of the loopback address."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from benchmarks.load import Bodies

ROOT = Path(__file__).resolve().parent.parent
# Weights may be fetched and the network compiled at the first start.
_READY_WITHIN_S = 600
_STOPPED_WITHIN_S = 30
_LINES_TOLD = 20


class ServerFailed(Exception):
    """A server ended, was not ready in time, or gave no names for a photo."""


@dataclass(frozen=True)
class Peer:
    """A server to compare.

    Args:
        name: in the tables.
        command: what starts it; the port is appended as the last word.
        said: how it computes, in a line.
        environment: variables besides those of the run.
    """

    name: str
    command: Sequence[str]
    said: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """A peer that runs."""

    peer: Peer
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def require_names(self, bodies: Bodies) -> None:
        """Send every photo once.

        Raises:
            ServerFailed: a reply is not 200, or has no predictions.
        """
        for body in bodies.files:
            reply = self._ask(body, bodies.content_type)
            if reply.status_code != 200 or not reply.json().get("predictions"):
                raise ServerFailed(f"{self.peer.name}: {reply.status_code} {reply.text[:500]}")

    def wait_until_it_answers(self, bodies: Bodies) -> None:
        """Ask with a photo again and again until the answer is 200: its warm-up, too."""
        end = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise ServerFailed(f"{self.peer.name} ended:\n{self._last_lines()}")
            with contextlib.suppress(requests.ConnectionError):
                if self._ask(bodies.files[0], bodies.content_type).status_code == 200:
                    return
            time.sleep(0.1)
        raise ServerFailed(f"{self.peer.name} was not ready in time:\n{self._last_lines()}")

    def stop(self) -> None:
        """Ask it to end, and end by force whatever is left of it."""
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_STOPPED_WITHIN_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _ask(self, body: Path, content_type: str) -> requests.Response:
        headers = {"Content-Type": content_type}
        return requests.post(self.url, data=body.read_bytes(), headers=headers, timeout=120)

    def _last_lines(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LINES_TOLD:])


@contextlib.contextmanager
def running(peer: Peer, folder: Path, bodies: Bodies) -> Iterator[Server]:
    """The server, answering; its log is kept in `folder`; stopped at the end whatever happens.

    Raises:
        ServerFailed: it ended, or did not answer in time; with the end of its log.
    """
    server = _start(peer, folder)
    try:
        server.wait_until_it_answers(bodies)
        yield server
    finally:
        server.stop()


def _start(peer: Peer, folder: Path) -> Server:
    port = _free_port()
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*peer.command, str(port)],
            cwd=ROOT,
            env={**os.environ, **peer.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Server(peer, process, f"http://127.0.0.1:{port}/predict", log)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
