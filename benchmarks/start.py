"""How soon our server is ready, and how much memory it takes, then and after many requests.

    python -m benchmarks.start [--models …] [--requests 10000] [--photos FOLDER] [--weights PATH]

Cold is the first start of all: the network has yet to be converted from Keras. Warm is every other
one. Ready is when /readyz says so, counted from the command. Memory is that of gunicorn's own
process and its worker; what they share counts once (PSS). Requests are photos of all sizes, sent
in every way by 8 clients.
"""

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import requests

from benchmarks import bars, command, load, networks, photos, report
from benchmarks.command import Json
from benchmarks.load import Bodies
from benchmarks.networks import Subject
from benchmarks.servers import Server, ServerFailed, ours, started
from settings import Settings

COLD_STARTS = 3
SETTLED = 500  # requests after which every buffer has been needed once
_READY_WITHIN_S = 600
_LOOK_EVERY_S = 0.01
_BURST_S = 0.5


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, write the result."""
    title = "Time to ready, and memory"
    command.run("start", title, _parser(), arguments, _measured, tables, _draw)


def _measured(given: argparse.Namespace, settings: Settings, folder: Path) -> Iterator[Json]:
    load.require_wrk()
    small = photos.small(given.photos)
    bodies = [
        write(photos.enlarged(small, size), folder / size / way)
        for size in given.sizes
        for way, write in load.WAYS.items()
    ]
    for name in given.models:
        one = networks.subject(name, settings, given.weights)
        yield {"fact": name, "is": f"{one.said}; {settings.engine}, {settings.precision}"}
        for row in _of(one, given, folder, bodies):
            yield {"network": name} | row


def _of(
    one: Subject, given: argparse.Namespace, folder: Path, bodies: Sequence[Bodies]
) -> Iterator[Json]:
    for number in range(COLD_STARTS):
        cache = folder / f"{one.card.name}-{number}"
        yield {"state": "ready, cold", **_start(one, folder, cache)}
    for _ in range(given.rounds):
        yield {"state": "ready, warm", **_start(one, folder, cache)}
    peer = ours(one.environment(cache=cache, log_level="warning"), "")
    with started(peer, folder) as server:
        _ready(server)
        yield from _after(server, bodies, given.requests, given.seconds)


def _start(one: Subject, folder: Path, cache: Path) -> Json:
    """One start: seconds until it is ready, and MB then."""
    with started(ours(one.environment(cache=cache, log_level="warning"), ""), folder) as server:
        return {"ready_s": _ready(server), "memory_mb": server.memory_mb()}


def _ready(server: Server) -> float:
    begun = time.monotonic()
    address = server.url.replace("/predict", "/readyz")
    with requests.Session() as session:
        while (now := time.monotonic()) < begun + _READY_WITHIN_S:
            server.require_running()
            try:
                if session.get(address, timeout=10).status_code == 200:
                    return now - begun
            except requests.ConnectionError:
                pass
            time.sleep(_LOOK_EVERY_S)
    raise ServerFailed(f"not ready within {_READY_WITHIN_S} s")


def _after(server: Server, bodies: Sequence[Bodies], most: int, seconds: float) -> Iterator[Json]:
    """MB after some requests of every kind, and after many; each kind for some seconds in turn."""
    answered, settled = 0, 0.0
    for number, sent in enumerate(itertools.cycle(bodies), start=1):
        answered += load.measure(server.url, sent, seconds).answered
        if not settled and answered >= min(SETTLED, most) and number >= len(bodies):
            settled = server.memory_mb()
            yield {"state": f"after {SETTLED}", "requests": answered, "memory_mb": settled}
        if settled and answered >= most:
            memory_mb = server.memory_mb()
            row = {"state": f"after {most:,}", "requests": answered, "memory_mb": memory_mb}
            yield row | {"of_settled": memory_mb / settled}
            return


_KEY = {"network": "network", "state": "state"}
_FIGURES = {
    "ready after s": "ready_s",
    "memory MB": "memory_mb",
    "requests": "requests",
    f"of that after {SETTLED}": "of_settled",
}


def tables(found: Json) -> str:
    """Medians of the rounds, and every round."""
    return (
        f"Medians of the starts:\n\n{report.medians(found['rounds'], _KEY, _FIGURES)}"
        f"\nEvery round:\n\n{report.every(found['rounds'], _KEY, _FIGURES)}"
    )


def _draw(found: Json, path: Path) -> None:
    groups = list(report.grouped(found["rounds"], list(_KEY.values())))
    times = [
        bars.Bar(f"{network}: seconds until ready", state, ready_s, "time")
        for (network, state), rounds in groups
        if (ready_s := report.median(rounds, "ready_s")) is not None
    ]
    memory = [
        bars.Bar(f"{network}: MB", state, report.median(rounds, "memory_mb") or 0.0, "memory")
        for (network, state), rounds in groups
    ]
    bars.draw([*times, *memory], path, "", found["facts"])


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("start", "Time to ready and memory of our server.")
    parser.add_argument("--requests", type=int, default=10_000, help="until memory is looked at")
    command.add_networks(parser, ("MobileNetV2",))
    command.add_sizes(parser)
    command.add_rounds(parser, seconds=_BURST_S)
    return parser


if __name__ == "__main__":
    main()
