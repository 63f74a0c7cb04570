"""The real service, started as a user would, on a free port of the loopback address."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN_S = 120


@dataclass
class Service:
    """A running `python app.py`."""

    process: subprocess.Popen
    address: str
    log: Path

    def get(self, path: str, **options) -> requests.Response:
        return requests.get(self.address + path, timeout=60, **options)

    def post(self, path: str, **options) -> requests.Response:
        return requests.post(self.address + path, timeout=60, **options)

    def predict(self, photo: bytes, **options) -> requests.Response:
        return self.post("/predict", files={"image": photo}, params=options)

    def wait_until_ready(self) -> None:
        """The only place in the tests that waits by asking again and again."""
        end = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the service ended:\n{self.log.read_text()}")
            with contextlib.suppress(requests.ConnectionError):
                if self.get("/readyz").status_code == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"the service was not ready in time:\n{self.log.read_text()}")

    def wait_until_all_are_ready(self, workers: int) -> None:
        """/readyz speaks for the one worker that answers it; the metrics count them."""
        end = time.monotonic() + READY_WITHIN_S
        while f"shiwu_ready {workers:.1f}" not in self.get("/metrics").text:
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def worker_pids(self) -> list[int]:
        """The processes that gunicorn forked."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def begin(folder: Path, cwd: Path = ROOT, under: Sequence[str] = (), **settings: object) -> Service:
    """Start `python app.py` in the folder `cwd`, `under` another program's rule; return at once."""
    port = free_port()
    log = folder / f"service-{port}.log"
    given = {"drain_s": 0, "cache": folder / "compiled", "images": folder / "images", **settings}
    variables = {f"SHIWU_{name.upper()}": str(value) for name, value in given.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*under, sys.executable, str(ROOT / "app.py"), "--port", str(port)],
            cwd=cwd,
            env=os.environ | variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Service(process, f"http://127.0.0.1:{port}", log)


@contextlib.contextmanager
def running(
    folder: Path, cwd: Path = ROOT, under: Sequence[str] = (), **settings: object
) -> Iterator[Service]:
    """The service, ready; stopped at the end whatever happens."""
    service = begin(folder, cwd, under, **settings)
    try:
        service.wait_until_ready()
        yield service
    finally:
        try:
            service.stop()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(service.process.pid, signal.SIGKILL)
