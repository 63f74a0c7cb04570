"""`python -m benchmarks.memory`: how much memory the service takes, at work and at its worst.

It starts the service on two cores and sends it photos from 34 clients at once, then the dearest
bodies that its limits allow. What is printed are megabytes (2**20) of all its processes together,
shared pages counted once (PSS, proc(5)); docs/operations.md tells them. About three minutes.
"""

import argparse
import io
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import requests
from PIL import Image

from settings import Settings
from tests.service import Service, running

CLIENTS = 34
CORES = 2
# 49.7 megapixels, just under SHIWU_MAX_PIXELS.
LARGE = (7000, 7100)


def megabytes(pid: int) -> float:
    """What a process and all below it hold now; those that end meanwhile hold nothing."""
    held = 0.0
    with suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        held = int(rollup.split("\nPss:")[1].split()[0]) / 1024
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):  # it has ended; the others go on
                children = (thread / "children").read_text()
                held += sum(megabytes(int(child)) for child in children.split())
    return held


@contextmanager
def highest(pid: int) -> Iterator[list[float]]:
    """The most that is held inside the block, as the list's only value after it."""
    seen = [megabytes(pid)]
    end = threading.Event()

    def watch() -> None:
        while not end.wait(0.02):
            seen[0] = max(seen[0], megabytes(pid))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        end.set()
        watching.join()


def burst(service: Service, body: bytes, path: str, times: int) -> tuple[float, Counter]:
    """Send a body so many times from all clients: the most held, and how often each status came."""

    def send(_: int) -> int:
        headers = {"Content-Type": "application/octet-stream"}
        return requests.post(
            service.address + path, data=body, headers=headers, timeout=120
        ).status_code

    with ThreadPoolExecutor(CLIENTS) as clients, highest(service.process.pid) as seen:
        statuses = Counter(clients.map(send, range(times)))
    return seen[0], statuses


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The picture's file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def bodies() -> Iterator[tuple[str, bytes, str, int]]:
    """What is sent: its name, the body, the path, how often."""
    noise = np.random.default_rng(1).integers(0, 256, (2300, 2300, 3), np.uint8)
    usual = encoded(Image.fromarray(noise).resize((500, 375)), "JPEG")
    yield "photos of 500x375", usual, "/predict", 200
    yield "heat maps", usual, "/explain", 40
    yield "PNG of 15 MB", encoded(Image.fromarray(noise), "PNG"), "/predict", 68
    large = encoded(Image.new("RGBA", LARGE, (0, 90, 0, 90)), "PNG")
    yield "RGBA of 50 megapixels", large, "/predict", 40
    packed = encoded(Image.new("RGB", LARGE, "green"), "TIFF", compression="tiff_lzw")
    yield "TIFF of 50 megapixels", packed, "/predict", 20
    yield "the same, to /image", large, "/image", 40


def main() -> None:
    """Print a line a load."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--model", default=Settings().model[0], help="a network's name")
    parser.add_argument("--weights", default="", help="as SHIWU_WEIGHTS")
    given = parser.parse_args()
    settings = {"model": given.model, "weights": given.weights, "cores": CORES}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **settings) as service:
        print(f"{given.model}, ready: {megabytes(service.process.pid):.0f} MB", flush=True)
        for name, body, path, times in bodies():
            most, statuses = burst(service, body, path, times)
            print(f"{name}: {most:.0f} MB at most; answers {dict(statuses)}", flush=True)


if __name__ == "__main__":
    main()
