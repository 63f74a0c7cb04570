"""`python -m training`: train a network, or measure one."""

import argparse
import json
import logging
import os
import platform
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from errors import SettingsError, ShiwuError
from models import folder, labels, weights
from models.card import Card
from models.zoo import card as find_card
from training import data as pictures
from training.evaluate import Figures, interval, measure
from training.export import write_card, write_network
from training.pack import pack
from training.schedule import STRIDE
from training.scratch import Plan, train


def main() -> int:
    """Run the command line; the exit status."""
    given = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        given.run(given)
    except ShiwuError as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"training: {error}; nothing that was learned is lost", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("training: stopped; the same command goes on where it was", file=sys.stderr)
        return 130
    return 0


def scratch(given: argparse.Namespace) -> None:
    """Train a small network from nothing, and leave a network folder."""
    out: Path = given.out
    if (out / folder.CARD).exists():
        raise SettingsError(f"{out} already holds a network; give another --out")
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    found = pictures.find(given.data, work / "unpacked")
    packed = pack(found, given.size, work)
    logging.info("%d pictures in %d classes", len(packed.classes), len(found.ids))
    plan = Plan(epochs=given.epochs, minutes=given.minutes)
    averaged = train(packed, len(found.ids), plan, work / "checkpoint.npz", given.checkpoint_s)
    card = write_network(given.name or out.resolve().name, found, given.size, averaged, out)
    figures = _measured(card, found.validation)
    write_card(card, figures, found, _how(given), out)
    shutil.rmtree(work)
    print(_sentence(card, figures, given.data))


def evaluate(given: argparse.Namespace) -> None:
    """Print how often a network is right on the validation pictures of a data set."""
    card = find_card(given.model)
    ids = tuple(label.id for label in labels.read(card))
    with TemporaryDirectory() as spare:
        samples = pictures.find_to_measure(given.data, Path(spare) / "unpacked", ids)
        figures = _measured(card, samples)
    if given.json:
        print(json.dumps({"model": card.name, **vars(figures)}))
    else:
        print(_sentence(card, figures, given.data))


def _measured(card: Card, samples: tuple[pictures.Sample, ...]) -> Figures:
    from engines.keras_engine import KerasEngine

    engine = KerasEngine(card, weights.find(card))
    try:
        return measure(card, engine, samples)
    finally:
        engine.close()


def _sentence(card: Card, figures: Figures, data: Path) -> str:
    shares = {"top-1": figures.top1, "top-5": figures.top5}
    parts = []
    for name, share in shares.items():
        low, high = interval(share, figures.pictures)
        parts.append(f"{name} {share:.4f} (95 % interval {low:.3f} to {high:.3f})")
    return f"{card.name} on {figures.pictures:,} pictures of {data.name}: {', '.join(parts)}"


def _how(given: argparse.Namespace) -> str:
    limit = f" --minutes {given.minutes:g}" if given.minutes else ""
    return (
        f"`python -m training scratch --data {given.data.name} --epochs {given.epochs}{limit}` on "
        f"{os.cpu_count()} cores ({platform.machine()}), {time.strftime('%Y-%m-%d')}."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    doors = parser.add_subparsers(required=True)
    door = doors.add_parser("scratch", help=scratch.__doc__, description=scratch.__doc__)
    door.set_defaults(run=scratch)
    place = "a folder of class folders, or a tar of it (the layouts: training/data.py)"
    door.add_argument("--data", type=Path, required=True, help=place)
    door.add_argument("--out", type=Path, required=True, help="where the network folder goes")
    door.add_argument("--name", help="what the network is called; else as its folder is")
    door.add_argument("--size", type=_size, default=64, help="side of its pictures, pixels (64)")
    door.add_argument("--epochs", type=_positive, default=10, help="rounds over all pictures (10)")
    door.add_argument("--minutes", type=float, help="end after about so long, if sooner")
    door.add_argument(
        "--checkpoint-s", type=float, default=60, help="seconds between checkpoints (60)"
    )
    door = doors.add_parser("evaluate", help=evaluate.__doc__, description=evaluate.__doc__)
    door.set_defaults(run=evaluate)
    door.add_argument("--model", required=True, help="a network's name, or its folder")
    door.add_argument("--data", type=Path, required=True, help=f"{place}, or photos and labels.csv")
    door.add_argument("--json", action="store_true", help="print it as JSON")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _size(text: str) -> int:
    number = _positive(text)
    if number % STRIDE or number < 2 * STRIDE:
        raise argparse.ArgumentTypeError(f"{text} is no multiple of {STRIDE} from {2 * STRIDE} on")
    return number


if __name__ == "__main__":
    sys.exit(main())
