"""Servers under test, each in a process of its own on a free port of the loopback address."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
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
# gunicorn's workers give one every second.
_SIGN_OF_LIFE_S = 1.5
# In the environment of every process of a server: its address. A number may be another's by then.
_MARK = "BENCHMARKED_AS"


class ServerFailed(Exception):
    """A server ended, was not ready in time, or gave no names for a photo."""


@dataclass(frozen=True)
class Peer:
    """A server to compare.

    Args:
        name: in the tables.
        command: what starts it; "{port}" in it becomes the port.
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
            self.require_running()
            with contextlib.suppress(requests.ConnectionError):
                if self._ask(bodies.files[0], bodies.content_type).status_code == 200:
                    return
            time.sleep(0.1)
        raise ServerFailed(f"{self.peer.name} was not ready in time:\n{self._last_lines()}")

    def require_running(self) -> None:
        """Raise ServerFailed, with the end of its log, if it has ended."""
        if self.process.poll() is not None:
            raise ServerFailed(f"{self.peer.name} ended:\n{self._last_lines()}")

    def cpu_s(self) -> float:
        """Seconds of processor time that it has used so far, with all its processes."""
        return sum(_cpu_s(pid) for pid in self.pids())

    def memory_mb(self) -> float:
        """MB of memory of all its processes; what they share counts once (PSS)."""
        return sum(_memory_mb(pid) for pid in self.pids())

    def pids(self) -> list[int]:
        """Its processes, the first one first."""
        found = [self.process.pid]
        for pid in found:  # grows meanwhile
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    found += map(int, (task / "children").read_text().split())
        return found

    def pause(self) -> None:
        """Stand still, so that nothing of it runs while another is measured."""
        self._signal(self.pids(), signal.SIGSTOP)

    def resume(self) -> None:
        """Go on where it stood.

        Its first process last: gunicorn's would find its workers silent for too long, and end them.
        """
        first, *others = self.pids()
        self._signal(others, signal.SIGCONT)
        time.sleep(_SIGN_OF_LIFE_S)
        self._signal([first], signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and end by force whatever is left of it."""
        pids = self.pids()
        self._signal(pids, signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_STOPPED_WITHIN_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        while left := [pid for pid in pids if _is_of(pid, self.url)]:
            self._signal(left, signal.SIGKILL)
            time.sleep(0.01)

    def _signal(self, pids: Sequence[int], which: signal.Signals) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, which)

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
    with started(peer, folder) as server:
        server.wait_until_it_answers(bodies)
        yield server


@contextlib.contextmanager
def started(peer: Peer, folder: Path) -> Iterator[Server]:
    """The server, just started; stopped at the end whatever happens."""
    server = _start(peer, folder)
    try:
        yield server
    finally:
        server.stop()


def ours(environment: Mapping[str, str], said: str) -> Peer:
    """Our own server, as `make run` starts it."""
    command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port", "{port}"]
    return Peer("Shiwu", command, said, environment)


def _is_of(pid: int, url: str) -> bool:
    """Whether the process is still the one that was started for the server at that address."""
    with contextlib.suppress(OSError):
        return f"{_MARK}={url}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError):
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        # utime, stime, and those of children that have ended: proc(5), fields 14 to 17.
        return sum(map(int, after_name[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _memory_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _start(peer: Peer, folder: Path) -> Server:
    port = _free_port()
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [word.replace("{port}", str(port)) for word in peer.command],
            cwd=ROOT,
            env={**os.environ, **peer.environment, _MARK: f"http://127.0.0.1:{port}/predict"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Server(peer, process, f"http://127.0.0.1:{port}/predict", log)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
