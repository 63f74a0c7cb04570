"""Servers measured in turns, so that a machine that slows down slows all of them down."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks import load, report
from benchmarks.load import Bodies, Round
from benchmarks.servers import Server

_WARM_UP_S = 1.0


@dataclass(frozen=True)
class Kind:
    """Photos of one size, ready to be sent."""

    name: str
    bodies: Bodies


@dataclass(frozen=True)
class Measured:
    """One round of one server with photos of one kind."""

    kind: str
    server: str
    round: Round


def in_turns(
    servers: Sequence[Server], kinds: Sequence[Kind], rounds: int, seconds: float
) -> Iterator[Measured]:
    """For each kind of photos every server a round, then every server the next.

    A short first turn warms up and doesn't count.

    Raises:
        LoadFailed: a request got another status than 200, or no answer.
    """
    for kind in kinds:
        for server in servers:
            load.measure(server.url, kind.bodies, _WARM_UP_S)
        for number in range(1, rounds + 1):
            for server in servers:
                measured = load.measure(server.url, kind.bodies, seconds)
                told = f"round {number} of {rounds}, {server.peer.name}: {measured.per_s:.1f}/s"
                print(f"{kind.name}: {told}", flush=True)
                yield Measured(kind.name, server.peer.name, measured)


def medians(found: Sequence[Measured], reference: str) -> str:
    """A table with a row for each kind and server; speeds also as multiples of `reference`'s."""
    columns = ("photo", "server", "requests/s", f"times {reference}", "p50 ms", "p99 ms")
    rows = []
    for kind, server in dict.fromkeys((one.kind, one.server) for one in found):
        rounds = _rounds(found, kind, server)
        speed = _median(rounds, "per_s")
        times = speed / _median(_rounds(found, kind, reference), "per_s")
        p50_ms, p99_ms = _median(rounds, "p50_ms"), _median(rounds, "p99_ms")
        rows.append(
            (kind, server, f"{speed:.1f}", f"{times:.2f}", f"{p50_ms:.0f}", f"{p99_ms:.0f}")
        )
    return report.table(columns, rows)


def every(found: Sequence[Measured]) -> str:
    """A table with a row for each round, in the order of measuring."""
    columns = ("photo", "server", "requests/s", "answered", "seconds", "p50 ms", "p99 ms")
    return report.table(columns, [(one.kind, one.server, *_figures(one.round)) for one in found])


def _figures(one: Round) -> tuple[str, ...]:
    latencies = f"{one.p50_ms:.0f}", f"{one.p99_ms:.0f}"
    return f"{one.per_s:.1f}", str(one.answered), f"{one.elapsed_s:.2f}", *latencies


def _rounds(found: Sequence[Measured], kind: str, server: str) -> list[Round]:
    return [one.round for one in found if (one.kind, one.server) == (kind, server)]


def _median(rounds: Sequence[Round], figure: str) -> float:
    return statistics.median(float(getattr(one, figure)) for one in rounds)
