"""Our server under load, against what the machine could do without HTTP.

    python -m benchmarks.serve [--models …] [--sizes …] [--photos FOLDER] [--weights PATH]

The real service under gunicorn, with its own defaults but a queue that holds 64 clients. A closed
loop of 1, 8 and 64 clients who send multipart, and of 8 who send raw bodies and base64; then an
open loop, in which photos arrive at random at 50, 80 and 120 % of what the closed loop reached.
The limit (`benchmarks.limit`) is measured in the same rounds, in turns, and shares are of the same
round's limit. Overhead is what a request takes beyond decoding and inference: of one client's
time, and of processor time when all cores are busy.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import bars, command, load, networks, photos, report
from benchmarks.command import Json
from benchmarks.limit import Alone, Limit, Pace
from benchmarks.load import Bodies
from benchmarks.servers import Server, ours, running
from settings import Settings

CLIENTS = (1, 8, 64)
_CLOSED = (*(("multipart", clients) for clients in CLIENTS), ("raw", 8), ("base64", 8))
LOADS = (0.5, 0.8, 1.2)
_OPEN_LONGER = 2  # times as long as other rounds: a 99th percentile needs many photos
_WARM_UP_S = 1.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, write the result; any answer but 200 ends a closed loop."""
    title = "Our server under load"
    command.run("serve", title, _parser(), arguments, _measured, tables, _draw)


def _measured(given: argparse.Namespace, settings: Settings, folder: Path) -> Iterator[Json]:
    load.require_wrk()
    settings = settings.model_copy(update={"queue": max(settings.queue, CLIENTS[-1])})
    small = photos.small(given.photos)
    encoded = {size: photos.enlarged(small, size) for size in given.sizes}
    bodies = {
        (size, way): write(sent, folder / size / way)
        for size, sent in encoded.items()
        for way, write in load.WAYS.items()
    }
    for name in given.models:
        one = networks.subject(name, settings, given.weights)
        yield {"fact": name, "is": f"{one.said}; {settings.engine}, {settings.precision}"}
        environment = one.environment(queue=settings.queue, log_level="warning")
        peer = ours(environment, name)
        first = bodies[given.sizes[0], "multipart"]
        with Limit(one) as limit, running(peer, folder, first) as server:
            for every in bodies.values():
                server.require_names(every)
                load.measure(server.url, every, _WARM_UP_S)
            head = {"network": name}
            closed = []
            for _ in range(given.rounds):
                for row in _closed(given, limit, server, encoded, bodies):
                    closed.append(head | row)
                    yield closed[-1]
            connections = settings.queue + networks.threads(settings) + 32
            for number in range(given.rounds):
                for size in given.sizes:
                    best = _best(closed, size)
                    sent = bodies[size, "multipart"]
                    for row in _open(given, server, sent, best, number, connections):
                        yield head | {"photo": size} | row


def _closed(
    given: argparse.Namespace,
    limit: Limit,
    server: Server,
    encoded: Mapping[str, Sequence[bytes]],
    bodies: Mapping[tuple[str, str], Bodies],
) -> Iterator[Json]:
    """One round of every closed loop, with that of the limit."""
    for size, sent in encoded.items():
        whole = limit.whole(sent, given.seconds)
        alone = limit.alone(sent, given.seconds / 2)
        yield {"photo": size, "sent": "limit", **asdict(whole), **asdict(alone)}
        for way, clients in _CLOSED:
            measured = _one(server, bodies[size, way], clients, given.seconds, whole, alone)
            yield {"photo": size, "sent": way, "clients": clients, **measured}


def _one(
    server: Server, sent: Bodies, clients: int, seconds: float, whole: Pace, alone: Alone
) -> Json:
    used = server.cpu_s()
    found = load.measure(server.url, sent, seconds, clients)
    cpu_ms = 1000 * (server.cpu_s() - used) / found.answered
    figures: Json = {"per_s": found.per_s, "p50_ms": found.p50_ms, "p99_ms": found.p99_ms}
    figures |= {"cpu_ms": cpu_ms, "overhead_cpu_ms": cpu_ms - whole.cpu_ms}
    figures |= {"of_limit": found.per_s / whole.per_s, "of_limit_cpu": whole.cpu_ms / cpu_ms}
    if clients == 1:
        figures["overhead_ms"] = found.p50_ms - alone.both_ms
        figures["times_alone"] = found.p50_ms / alone.both_ms
    return figures


def _best(closed: Sequence[Json], size: str) -> float:
    """Photos a second of the best closed loop with that size, sent as the open loop sends them."""
    ours = [row for row in closed if (row["photo"], row["sent"]) == (size, "multipart")]
    return max(
        report.median(rounds, "per_s") or 0.0 for _, rounds in report.grouped(ours, ["clients"])
    )


def _open(
    given: argparse.Namespace,
    server: Server,
    sent: Bodies,
    best: float,
    number: int,
    connections: int,
) -> Iterator[Json]:
    """One round of every open loop; `number` is the seed of its arrivals."""
    seconds = given.seconds * _OPEN_LONGER
    for share in LOADS:
        found = load.measure_arrivals(
            server.url, sent, seconds, share * best, number + 1, connections
        )
        row = {"load": f"{share:.0%}", **asdict(found), "of_best": found.per_s / best}
        if found.p50_ms and found.p99_ms:
            row["p99_times_p50"] = found.p99_ms / found.p50_ms
        yield row


_CLOSED_KEY = {"network": "network", "photo": "photo", "sent as": "sent", "clients": "clients"}
_CLOSED_FIGURES = {
    "requests/s": "per_s",
    "of the limit": "of_limit",
    "p50 ms": "p50_ms",
    "p99 ms": "p99_ms",
    "p50 / alone": "times_alone",
    "overhead ms": "overhead_ms",
    "CPU ms": "cpu_ms",
    "overhead CPU ms": "overhead_cpu_ms",
    "of the limit by CPU": "of_limit_cpu",
}
_OPEN_KEY = {"network": "network", "photo": "photo", "load": "load"}
_OPEN_FIGURES = {
    "arrivals/s": "rate",
    "answered/s": "per_s",
    "of the best": "of_best",
    "p50 ms": "p50_ms",
    "p99 ms": "p99_ms",
    "p99 / p50": "p99_times_p50",
    "503s": "refused",
    "their p99 ms": "refused_p99_ms",
    "their slowest": "refused_max_ms",
    "other answers": "failed",
    "no answer": "unanswered",
    "/healthz p99 ms": "healthz_p99_ms",
    "its slowest": "healthz_max_ms",
    "sent late, p99 ms": "late_ms",
}
_ALONE_FIGURES = {"photos/s": "per_s", "CPU ms": "cpu_ms"}
_ALONE_FIGURES |= {"alone: decode ms": "decode_ms", "infer ms": "infer_ms"}


def tables(found: Json) -> str:
    """Medians of the rounds, and every round."""
    alone = [row for row in found["rounds"] if row.get("sent") == "limit"]
    closed = [row for row in found["rounds"] if "clients" in row]
    opened = [row for row in found["rounds"] if "load" in row]
    return (
        "Medians of the rounds. Clients that wait for their answers:\n\n"
        + report.medians(closed, _CLOSED_KEY, _CLOSED_FIGURES)
        + "\nPhotos that arrive at random, timed from when each should have been sent:\n\n"
        + report.medians(opened, _OPEN_KEY, _OPEN_FIGURES)
        + "\nThe limit in the same rounds:\n\n"
        + report.medians(alone, {"network": "network", "photo": "photo"}, _ALONE_FIGURES)
        + "\nEvery round, closed loops:\n\n"
        + report.every(closed, _CLOSED_KEY, _CLOSED_FIGURES)
        + "\nEvery round, open loops:\n\n"
        + report.every(opened, _OPEN_KEY, _OPEN_FIGURES)
    )


def _draw(found: Json, path: Path) -> None:
    """Requests a second of each closed loop, with the limit marked."""
    limits = {
        key: report.median(rounds, "per_s")
        for key, rounds in report.grouped(
            [row for row in found["rounds"] if row.get("sent") == "limit"], ("network", "photo")
        )
    }
    closed = [row for row in found["rounds"] if "clients" in row]
    rows = [
        _bar(network, photo, f"{sent}, {clients} client{'s' * (clients > 1)}", rounds, limits)
        for (network, photo, sent, clients), rounds in report.grouped(
            closed, list(_CLOSED_KEY.values())
        )
    ]
    bars.draw(rows, path, "requests a second", found["facts"], "the limit without HTTP")


def _bar(
    network: str,
    photo: str,
    name: str,
    rounds: Sequence[report.Row],
    limits: Mapping[tuple[str, str], float | None],
) -> bars.Bar:
    speed = report.median(rounds, "per_s") or 0.0
    said = f"{report.figure(speed)}/s, {report.median(rounds, 'of_limit') or 0.0:.0%}"
    title = f"{network}, {photo}"
    return bars.Bar(title, name, speed, name.partition(",")[0], limits[network, photo], said)


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("serve", "Our server under load, against the limit without HTTP.")
    command.add_networks(parser)
    command.add_sizes(parser)
    command.add_rounds(parser, seconds=2.0)
    return parser


if __name__ == "__main__":
    main()
