"""Clients that keep asking while something goes wrong, and what became of every request."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import requests
from urllib3.exceptions import NewConnectionError

from tests.service import Service


@dataclass
class Asked:
    """What became of each request, and when: a status, "refused" or "lost"."""

    outcomes: list[tuple[float, int | str]] = field(default_factory=list)

    @property
    def counted(self) -> Counter:
        return Counter(outcome for _, outcome in self.outcomes)

    def count(self, outcome: int | str) -> int:
        return self.counted[outcome]

    def first_after(self, when: float, outcome: int | str) -> float:
        """Seconds from a moment until the first such outcome."""
        return min(at for at, what in self.outcomes if what == outcome and at > when) - when


@contextlib.contextmanager
def asking(service: Service, photo: bytes, clients: int) -> Iterator[Asked]:
    """So many clients, each with one request at a time on a connection of its own, inside the block."""
    asked, stop = Asked(), threading.Event()

    def client() -> None:
        while not stop.is_set():
            asked.outcomes.append((time.monotonic(), _outcome(service, photo)))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield asked
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _outcome(service: Service, photo: bytes) -> int | str:
    try:
        return service.predict(photo).status_code
    except requests.ConnectionError as error:
        reason = getattr(error.args[0], "reason", None) if error.args else None
        return "refused" if isinstance(reason, NewConnectionError) else "lost"
    except requests.RequestException:  # in the middle of the answer
        return "lost"


def wait_until(
    happens: Callable[[], object], what: str, within_s: float = 60, every_s: float = 0.02
) -> None:
    """Ask again and again until it is so."""
    end = time.monotonic() + within_s
    while not happens():
        assert time.monotonic() < end, f"not within {within_s:g} s: {what}"
        time.sleep(every_s)
