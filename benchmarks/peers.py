"""Our server against others: the same network and weights, the same photos, the same clients.

    python -m benchmarks.peers [--photos FOLDER] [--weights FILE]

All servers run for the whole time and are measured in turns. Ours takes its settings from
SHIWU_… as ever; the result names those that matter.
"""

import argparse
import contextlib
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import load, machine, photos, report, turns
from benchmarks.load import LoadFailed
from benchmarks.servers import ROOT, Peer, Server, ServerFailed, running
from benchmarks.turns import Kind
from errors import SettingsError
from models import weights, zoo
from models.card import Card
from serving import cores
from settings import Settings

NETWORKS = ("MobileNetV2", "ResNet50")
PACKAGES = ("flask", "gunicorn", "openvino", "keras", "tensorflow-cpu", "pillow", "numpy")
OURS, TUTORIAL = "Shiwu", "tutorial server"


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table, write the result; any answer but 200 ends the run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end, too
    options = _parser().parse_args(arguments)
    options.command = " ".join(["python -m benchmarks.peers", *arguments])
    try:
        load.require_wrk()
        settings = Settings.from_environment()
        with tempfile.TemporaryDirectory(prefix="shiwu-benchmark-") as folder:
            _run(options, settings, Path(folder))
    except (LoadFailed, ServerFailed, SettingsError, OSError) as error:
        sys.exit(f"Not measured: {error}")


def _run(options: argparse.Namespace, settings: Settings, folder: Path) -> None:
    peers = _peers(zoo.card(options.model), settings, options.weights or settings.weights)
    kinds = _kinds(options.photos, folder)
    facts = machine.described(PACKAGES) | {peer.name: peer.said for peer in peers}
    facts |= _load(options)
    with _all_running(peers, folder, kinds) as servers:
        found = list(turns.in_turns(servers, kinds, options.rounds, options.seconds))
    medians = turns.medians(found, reference=TUTORIAL)
    text = f"Medians of the rounds:\n\n{medians}\nEvery round:\n\n{turns.every(found)}"
    title = f"{options.model}: our server and others"
    path = report.write(options.results, f"peers-{options.model}", title, facts, text)
    print(f"\n{medians}\nWritten: {path}")


def _peers(card: Card, settings: Settings, given: Path | None) -> list[Peer]:
    file = weights.find(card, given=given, mirror=settings.mirror, offline=settings.offline)
    return [_ours(card, file, settings), _tutorial(card, file)]


def _ours(card: Card, file: Path, settings: Settings) -> Peer:
    chosen = settings.model_copy(update={"model": (card.name,), "weights": file})
    runners = settings.cores or cores.available()
    said = (
        f"{settings.engine}, {settings.precision}, {settings.workers} gunicorn worker(s) "
        f"with {runners} runner threads, fit {settings.fit or card.mode}"
    )
    command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port"]
    return Peer(OURS, command, said, chosen.as_environment())


def _tutorial(card: Card, file: Path) -> Peer:
    command = [sys.executable, "-m", "benchmarks.tutorial_server"]
    command += ["--model", card.name, "--weights", str(file), "--scaling", card.scaling]
    command += ["--labels", str(ROOT / "models" / "labels" / f"{card.labels}.en.tsv"), "--port"]
    said = (
        "Flask's own server with a thread a request, Keras' model.predict on TensorFlow, f32, "
        "with as many threads as TensorFlow takes, fit stretch"
    )
    return Peer(TUTORIAL, command, said)


def _kinds(given: Path | None, folder: Path) -> list[Kind]:
    small = photos.small(given)
    sized = {photos.SMALL: small, photos.BIG: photos.big(small)}
    return [_kind(size, encoded, folder) for size, encoded in sized.items()]


def _kind(size: tuple[int, int], encoded: list[bytes], folder: Path) -> Kind:
    width, height = size
    kilobytes = statistics.mean(map(len, encoded)) / 1000
    bodies = load.multipart(encoded, folder / f"{width}x{height}")
    return Kind(f"{width}x{height}, {kilobytes:.0f} KB", bodies)


def _load(options: argparse.Namespace) -> dict[str, str]:
    photos_said = "given" if options.photos else "drawn by rule"
    shape = f"{load.CLIENTS} clients, each sends a photo as multipart when its last was answered"
    rounds = f"{options.rounds} rounds of {options.seconds:g} s of each server, in turns"
    return {"load": f"{shape}; {rounds}; photos {photos_said}", "command": f"`{options.command}`"}


@contextlib.contextmanager
def _all_running(
    peers: Sequence[Peer], folder: Path, kinds: Sequence[Kind]
) -> Iterator[list[Server]]:
    """Every server, started one after the other, having named every photo once."""
    with contextlib.ExitStack() as started:
        servers = []
        for peer in peers:
            print(f"Starting: {peer.name}", flush=True)
            servers.append(started.enter_context(running(peer, folder, kinds[0].bodies)))
            for kind in kinds:
                servers[-1].require_names(kind.bodies)
        yield servers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description="Requests a second of our server and of others, in turns.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    where = "a photo, or a folder of them; drawn by rule, if not given"
    parser.add_argument("--photos", type=Path, help=where)
    where = "the network's weights, a file; looked for as the service does, if not given"
    parser.add_argument("--weights", type=Path, help=where)
    parser.add_argument("--model", choices=NETWORKS, default=NETWORKS[0], help="the network")
    parser.add_argument("--rounds", type=int, default=5, help="of each server and size of photo")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a round")
    results = ROOT / "benchmarks" / "results"
    parser.add_argument("--results", type=Path, default=results, help="where the result goes")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
