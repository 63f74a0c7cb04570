"""Our server against others: the same network and weights, the same photos, the same clients.

    python -m benchmarks.peers [--only SERVER …] [--models …] [--photos FOLDER] [--weights PATH]

The tutorial's server under Flask's own server, the same under gunicorn, LitServe, BentoML and Ray
Serve, each as its documentation recommends for these cores: once with the natural Keras code, and
once with our engine inside, so that one sees what the engine gives and what the server gives. All
are started, and measured in turns; whoever isn't being measured stands still (SIGSTOP). The limit
(`benchmarks.limit`) takes its turn, too. Ours takes its settings from SHIWU_… as ever.

The others run in an environment of their own (`--python`), which
benchmarks/requirements-peers.txt says how to make; those not installed there are left out.
"""

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import bars, command, load, networks, photos, report
from benchmarks.command import Json
from benchmarks.limit import Limit
from benchmarks.load import Bodies, Round
from benchmarks.networks import Subject
from benchmarks.others.answers import variables
from benchmarks.servers import ROOT, Peer, Server, ours, running
from serving import cores
from settings import Settings

NETWORKS = ("MobileNetV2", "ResNet50")
SIZES = (photos.SMALL, photos.BIG)
OURS, LIMIT, TUTORIAL = "Shiwu", "limit, no HTTP", "Flask's own"
KERAS, ENGINE = "Keras", "our engine"
_WARM_UP_S = 1.0

_WORKERS = 2 * cores.available() + 1  # as gunicorn's documentation recommends
# For each of the others: its name, what it needs, and what starts it after the Python to run it.
OTHERS = {
    "flask": (TUTORIAL, "flask", "-m benchmarks.others.on_flask {port}"),
    "gunicorn": (
        f"gunicorn, {_WORKERS} workers",
        "gunicorn",
        # Without a file of settings it would take ours, which lies in this folder; and with a
        # timeout it would end its workers, who stand still while others are measured.
        f"-m gunicorn -c /dev/null -t 0 -w {_WORKERS} -b 127.0.0.1:{{port}} "
        "benchmarks.others.on_gunicorn:app",
    ),
    "litserve": ("LitServe", "litserve", "-m benchmarks.others.on_litserve {port}"),
    "bentoml": (
        "BentoML",
        "bentoml",
        "-m bentoml serve benchmarks.others.on_bentoml:Photos --host 127.0.0.1 --port {port}",
    ),
    "ray": ("Ray Serve", "ray.serve", "-m benchmarks.others.on_ray {port}"),
}
_QUIET = {
    "PYTHONPATH": str(ROOT),
    "BENTOML_DO_NOT_TRACK": "True",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the result; any answer but 200 ends the run."""
    title = "Our server and others"
    command.run("peers", title, _parser(), arguments, _measured, tables, _draw)


def _measured(given: argparse.Namespace, settings: Settings, folder: Path) -> Iterator[Json]:
    load.require_wrk()
    small = photos.small(given.photos)
    encoded = {size: photos.enlarged(small, size) for size in given.sizes}
    bodies = {size: load.multipart(sent, folder / size) for size, sent in encoded.items()}
    installed = _installed(given.python, given.only)
    yield {"fact": "versions of the others", "is": ", ".join(installed.values()) or "none"}
    if missing := [name for name in given.only if name not in installed]:
        yield {"fact": "not measured", "is": f"{', '.join(missing)}: not installed"}
    for name in given.models:
        one = networks.subject(name, settings, given.weights)
        yield {"fact": name, "is": one.said}
        with contextlib.ExitStack() as started:
            limits = {
                precision: started.enter_context(Limit(one, precision))
                for precision in given.precisions or [settings.precision]
            }
            peers = [_ours(one, precision) for precision in limits]
            peers += _others(one, given.python, installed)
            servers = [_waiting(started, peer, folder, bodies) for peer in peers]
            for _ in range(given.rounds):
                for row in _round(given, servers, limits, encoded, bodies):
                    yield {"network": name} | row


def _installed(python: Path, names: Sequence[str]) -> dict[str, str]:
    """Which of the others are there, each with its version."""
    found = {}
    for name in names:
        module = OTHERS[name][1]
        ask = (
            f"import {module}, importlib.metadata as m; print(m.version({module.split('.')[0]!r}))"
        )
        ran = subprocess.run(
            [python, "-c", ask], capture_output=True, text=True, check=False, env=_QUIET
        )
        if ran.returncode == 0:
            found[name] = f"{name} {ran.stdout.split()[-1]}"
    return found


def _ours(one: Subject, precision: str) -> Peer:
    environment = one.environment(precision=precision, log_level="warning")
    return replace(ours(environment, precision), name=OURS)


def _others(one: Subject, python: Path, names: Mapping[str, str]) -> list[Peer]:
    peers = []
    for name in names:
        server, _, words = OTHERS[name]
        for inside in (KERAS, ENGINE):
            if (server, inside) == (TUTORIAL, ENGINE):
                continue  # what a Flask server makes of the engine is seen under gunicorn
            told = variables(one.card.name, one.file, "keras" if inside == KERAS else "engine")
            peers.append(Peer(server, [str(python), *words.split()], inside, _QUIET | told))
    return peers


def _waiting(
    started: contextlib.ExitStack, peer: Peer, folder: Path, bodies: Mapping[str, Bodies]
) -> Server:
    """The server, started, having named every photo, warm, and then standing still."""
    print(f"Starting: {peer.name} with {peer.said}", flush=True)
    server = started.enter_context(running(peer, folder, next(iter(bodies.values()))))
    for every in bodies.values():
        server.require_names(every)
        load.measure(server.url, every, _WARM_UP_S)
    server.pause()
    return server


def _round(
    given: argparse.Namespace,
    servers: Sequence[Server],
    limits: Mapping[str, Limit],
    encoded: Mapping[str, Sequence[bytes]],
    bodies: Mapping[str, Bodies],
) -> list[Json]:
    """The limit and every server once, with photos of every size."""
    rows: list[Json] = []
    for precision, limit in limits.items():
        for size, sent in encoded.items():
            pace = limit.whole(sent, given.seconds)
            rows.append({"photo": size, "server": LIMIT, "inside": precision, "per_s": pace.per_s})
    for server in servers:
        server.resume()
        for size, sent in bodies.items():
            found = load.measure(server.url, sent, given.seconds)
            rows.append({"photo": size, **_row(server.peer, found)})
        server.pause()
    reference = {row["photo"]: row["per_s"] for row in rows if row["server"] == TUTORIAL}
    for row in rows:
        if row["photo"] in reference:
            row["times_tutorial"] = row["per_s"] / reference[row["photo"]]
        if row["server"] == OURS:
            row |= _against_others(row, rows)
    return sorted(rows, key=lambda row: given.sizes.index(row["photo"]))


def _against_others(row: Json, rows: Sequence[Json]) -> Json:
    """How many times the best of the other servers in this round ours is, with the same photo.

    Flask's own is left out: it is no server for work, and has a column of its own.
    """
    times: Json = {}
    for name, inside in (("times_keras", KERAS), ("times_engine", ENGINE)):
        others = [
            other["per_s"]
            for other in rows
            if (other["photo"], other["inside"]) == (row["photo"], inside)
            and other["server"] not in (OURS, LIMIT, TUTORIAL)
        ]
        if others:
            times[name] = row["per_s"] / max(others)
    return times


def _row(peer: Peer, found: Round) -> Json:
    latencies = {"p50_ms": found.p50_ms, "p99_ms": found.p99_ms}
    return {"server": peer.name, "inside": peer.said, "per_s": found.per_s, **latencies}


_KEY = {"network": "network", "photo": "photo", "server": "server", "computes with": "inside"}
_FIGURES = {
    "requests/s": "per_s",
    "times the tutorial's": "times_tutorial",
    "times the best other with Keras": "times_keras",
    "with our engine": "times_engine",
    "p50 ms": "p50_ms",
    "p99 ms": "p99_ms",
}


def tables(found: Json) -> str:
    """Medians of the rounds, and every round."""
    clients = f"{load.CLIENTS} clients, each sends a photo as multipart when its last was answered"
    return (
        f"Medians of the rounds; {clients}:\n\n{report.medians(found['rounds'], _KEY, _FIGURES)}"
        f"\nEvery round:\n\n{report.every(found['rounds'], _KEY, _FIGURES)}"
    )


def _draw(found: Json, path: Path) -> None:
    rows = []
    for (network, photo, server, inside), rounds in report.grouped(
        found["rounds"], list(_KEY.values())
    ):
        kind = inside if inside in (KERAS, ENGINE) else server
        speed, times = (report.median(rounds, name) for name in ("per_s", "times_tutorial"))
        said = f"{report.figure(speed)}/s" + (f", {times:.1f} times the tutorial" if times else "")
        name = f"{server}, {inside}"
        rows.append(bars.Bar(f"{network}, {photo}", name, speed or 0.0, kind, said=said))
    bars.draw(rows, path, "requests a second, 8 clients", found["facts"])


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("peers", "Requests a second of our server and of others, in turns.")
    parser.add_argument(
        "--only", nargs="*", choices=OTHERS, default=list(OTHERS), help="of the others"
    )
    parser.add_argument(
        "--precisions", nargs="+", help="of ours, each a server; as SHIWU_PRECISION, if not given"
    )
    apart = ROOT / ".venv-peers" / "bin" / "python"
    default = apart if apart.exists() else Path(sys.executable)
    parser.add_argument("--python", type=Path, default=default, help="what runs the others")
    command.add_networks(parser, NETWORKS)
    command.add_sizes(parser, SIZES)
    command.add_rounds(parser, seconds=3.0)
    return parser


if __name__ == "__main__":
    main()
