"""`python -m benchmarks.teach`: how well cats and dogs are taught, by the committed commands.

On the photos of the published tutorials (docs/training.md says which): each method is run as people
run it, few photos are drawn ten times, and the network that comes out is asked over HTTP about the
photos kept apart and about photos of other things.
"""

import argparse
import csv
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import requests

from models import zoo
from models.labels import groups, read
from serving.cores import available
from training.data import find
from training.evaluate import top_k
from training.features import Backbone, Seen
from training.head import fit_head

HOME = Path(__file__).resolve().parent.parent
METHODS = ("bottleneck", "finetune", "scratch", "kfold")
FEW = (5, 20)
DRAWS = 10
_READY_WITHIN_S = 120


def main() -> None:
    """Run what has not been run yet, and print the table."""
    given = _parser().parse_args()
    rows: list[tuple[str, str]] = []
    given.out.mkdir(parents=True, exist_ok=True)
    for method in given.methods.split(","):
        rows += _run(method, given)
        if method in ("bottleneck", "finetune"):
            rows += _served(given.out / method, given)
    rows += _few(given)
    width = max(len(name) for name, _ in rows)
    for name, said in rows:
        print(f"{name:{width}}  {said}")


def _run(method: str, given: argparse.Namespace) -> list[tuple[str, str]]:
    """A method's own figures, from a run of its command (or an earlier one)."""
    out = given.out / method
    made = out / ("kfold.json" if method == "kfold" else "figures.json")
    seconds = ""
    if not made.exists():
        command = [sys.executable, "-m", "training", method, "--data", given.data, "--out", out]
        command += ["--cache", given.cache]
        if method != "scratch":
            command += ["--model", given.model]
            command += ["--weights", given.weights] if given.weights else []
        begun = time.monotonic()
        subprocess.run([str(part) for part in command], cwd=HOME, check=True)
        seconds = f", {time.monotonic() - begun:.0f} s"
    figures = json.loads(made.read_text())
    if method == "kfold":
        said = f"mean {figures['mean']:.4f}, spread {figures['spread']:.4f}{seconds}"
        return [("kfold", said)]
    said = (
        f"{figures['top1']:.4f} of {figures['measured_on']} right{seconds or ', run before'}, "
        f"calibration error {figures['calibration_error']:.3f}"
    )
    return [(method, said)]


def _served(folder: Path, given: argparse.Namespace) -> list[tuple[str, str]]:
    """What the service says of the photos kept apart, and of photos of other things."""
    with TemporaryDirectory() as spare, _service(folder, Path(spare)) as address:
        data = find(given.data, Path(spare) / "unpacked")
        replies = _asked(address, [sample.path for sample in data.validation])
        right = [
            reply["predictions"][0]["id"] == data.ids[sample.class_index]
            for sample, reply in zip(data.validation, replies, strict=True)
        ]
        kept = [not _turned_away(reply) for reply in replies]
        others = _strangers(given.others)
        away = [_turned_away(reply) for reply in _asked(address, others)]
    name = f"{folder.name}, over HTTP"
    return [
        (name, f"{np.mean(right):.4f} right, {np.mean(kept):.4f} like what was taught"),
        (f"{name}: other things", f"{np.mean(away):.4f} of {len(others)} turned away"),
    ]


def _turned_away(reply: dict) -> bool:
    unlike = any(hint["code"] == "unlike_taught" for hint in reply["hints"])
    return unlike and not reply["certain"]


def _strangers(folder: Path) -> list[Path]:
    """Labelled photos (file, wnid) of what is neither a cat nor a dog, wild ones included."""
    of_class = dict(
        zip(
            [label.id for label in read("imagenet1k")],
            groups.of(zoo.card("MobileNetV2")),
            strict=True,
        )
    )
    near = {"dog", "wild_dog", "cat", "wild_cat"}
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [folder / row["file"] for row in rows if not near & set(of_class[row["wnid"]])]


def _few(given: argparse.Namespace) -> list[tuple[str, str]]:
    """Heads fitted on a few photos of each class, drawn ten times."""
    with TemporaryDirectory() as spare:
        data = find(given.data, Path(spare) / "unpacked")
        backbone = Backbone(zoo.card(given.model), given.weights, given.cache, None)
        train = backbone.look(data.train, "photos to learn from")
        validation = backbone.look(data.validation, "photos to measure on")
    rows = []
    for count in FEW:
        shares = [_with_few(train, validation, count, seed) for seed in range(DRAWS)]
        said = f"mean {np.mean(shares):.4f}, worst {min(shares):.4f} of {DRAWS} draws"
        rows.append((f"bottleneck, {count} photos a class", said))
    return rows


def _with_few(train: Seen, validation: Seen, count: int, seed: int) -> float:
    random = np.random.default_rng(seed)
    of_each = [np.flatnonzero(train.classes == one) for one in np.unique(train.classes)]
    chosen = np.concatenate([random.choice(one, count, replace=False) for one in of_each])
    head = fit_head(train.features[chosen], train.classes[chosen], seed=seed)
    return top_k(head.probabilities(validation.features), validation.classes, 1)


def _asked(address: str, photos: Sequence[Path]) -> list[dict]:
    def one(path: Path) -> dict:
        head = {"Content-Type": "image/jpeg"}
        reply = requests.post(
            f"{address}/predict", data=path.read_bytes(), headers=head, timeout=60
        )
        reply.raise_for_status()
        return reply.json()

    with ThreadPoolExecutor(2 * available()) as threads:
        return list(threads.map(one, photos))


@contextmanager
def _service(folder: Path, spare: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (spare / "service.log").open("wb")
    command = [sys.executable, str(HOME / "app.py"), "--port", str(port), "--model", str(folder)]
    environment = {**os.environ, "SHIWU_DEADLINE_S": "60", "SHIWU_DRAIN_S": "0"}
    process = subprocess.Popen(command, cwd=HOME, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()


def _wait(address: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"{address}/readyz", timeout=10).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise SystemExit("the service did not become ready")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.teach", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="photos of cats and dogs")
    parser.add_argument("--others", type=Path, required=True, help="photos with labels.csv")
    parser.add_argument("--weights", type=Path, help="the network's weights, or a folder of such")
    parser.add_argument("--model", default="MobileNetV2", help="(MobileNetV2)")
    parser.add_argument("--out", type=Path, required=True, help="where the networks go")
    parser.add_argument("--cache", type=Path, required=True, help="where features are kept")
    parser.add_argument("--methods", default=",".join(METHODS), help=f"({','.join(METHODS)})")
    return parser


if __name__ == "__main__":
    main()
