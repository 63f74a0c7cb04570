"""`python -m training METHOD`: teach a network, or measure one."""

import argparse
import json
import logging
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, get_args

from engines.keras_engine import KerasMissing
from engines.load import load
from errors import SettingsError, ShiwuError
from models import backend, labels, weights
from models.card import Card
from models.zoo import card as find_card
from serving.cores import available
from training import data as pictures
from training import vary
from training.auto import NETWORKS, auto
from training.bottleneck import bottleneck
from training.evaluate import Figures, interval, measure
from training.export import REPORT
from training.finetune import finetune
from training.kfold import kfold
from training.preview import preview
from training.schedule import STRIDE
from training.scratch import scratch
from training.task import Asked

_PLACE = "folders of photos, one a class; a tar of them; or a .csv (all layouts: docs/training.md)"


def main() -> int:
    """Run the command line; the exit status."""
    given = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        _require_apart(given)
        backend.choose()
        given.run(given)
    except ShiwuError as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name not in ("keras", "tensorflow"):
            raise
        print(f"training: {KerasMissing(given.method)}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"training: {error}; nothing that was learned is lost", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("training: stopped; the same command goes on where it was", file=sys.stderr)
        return 130
    return 0


def _scratch(given: argparse.Namespace) -> None:
    """Train a small network from nothing."""
    card = scratch(_asked(given), given.size, given.epochs, given.minutes, given.checkpoint_s)
    _say(card, given)


def _bottleneck(given: argparse.Namespace) -> None:
    """Teach a published network other classes in seconds: its features stay, its head is new."""
    _say(bottleneck(_asked(given)), given)


def _finetune(given: argparse.Namespace) -> None:
    """Teach a published network other classes, its top layers with it: slower and better."""
    card = finetune(_asked(given), given.top, given.epochs, given.minutes, given.learning_rate)
    _say(card, given)


def _kfold(given: argparse.Namespace) -> None:
    """Cross-validate a network taught these classes: a mean and its spread, no network."""
    found = kfold(_asked(given), given.folds)
    shares = ", ".join(f"{share:.4f}" for share in found.shares)
    print(
        f"{given.model} on {found.photos:,} photos of {given.data.name}, {given.folds} folds: mean "
        f"{found.mean:.4f}, spread {found.spread:.4f} ({shares})"
    )


def _auto(given: argparse.Namespace) -> None:
    """The best there is time for: networks tried, the best one taught, its top layers with it."""
    _say(auto(_asked(given), given.networks.split(","), given.minutes), given)


def _preview(given: argparse.Namespace) -> None:
    """Show what varying does to some photos: a contact sheet as PNG."""
    rows = preview(given.data, given.out, _variation(given), given.photos, given.columns)
    print(f"{given.out} shows {rows} photos, each as it is and {given.columns} times varied")


def _evaluate(given: argparse.Namespace) -> None:
    """Print how often a network is right on labelled pictures."""
    card = find_card(given.model)
    ids = tuple(label.id for label in labels.read(card))
    compiled = given.cache / "compiled"
    with TemporaryDirectory() as spare:
        samples = pictures.find_to_measure(given.data, Path(spare) / "unpacked", ids)
        found = partial(weights.find, card, given=given.weights)
        engine = load(card, found, compiled=compiled, cores=available())
        try:
            figures = measure(card, engine, samples)
        finally:
            engine.close()
    if given.json:
        print(json.dumps({"model": card.name, **vars(figures)}))
    else:
        print(_sentence(card, figures, given.data))


def _asked(given: argparse.Namespace) -> Asked:
    known = {field.name for field in fields(Asked)} & vars(given).keys()
    limit = f" --minutes {given.minutes:g}" if getattr(given, "minutes", None) else ""
    command = (
        f"`python -m training {given.method} --data {given.data.name}{limit}` on "
        f"{available()} cores ({platform.machine()}), {time.strftime('%Y-%m-%d')}."
    )
    variation = _variation(given) if "fill_mode" in vars(given) else vary.USUAL
    chosen = {name: getattr(given, name) for name in known}
    return Asked(**{"model": "", "weights": None, **chosen}, variation=variation, command=command)


def _variation(given: argparse.Namespace) -> vary.Variation:
    names = [field.name for field in fields(vary.Variation)]
    return vary.Variation(**{name: getattr(given, name) for name in names})


def _say(card: Card, given: argparse.Namespace) -> None:
    """The figure, and what to do next."""
    if card.top1 is not None and card.calibration:
        count = card.calibration.pictures
        print(_sentence(card, Figures(count, card.top1, card.top5 or 0.0), given.data))
    served = shlex.quote(str(given.out))
    print(f"Look at {given.out / REPORT}; serve it with: make run MODEL={served}")


def _sentence(card: Card, figures: Figures, data: Path) -> str:
    shares = {"top-1": figures.top1, "top-5": figures.top5}
    parts = []
    for name, share in shares.items():
        low, high = interval(share, figures.pictures)
        parts.append(f"{name} {share:.4f} (95 % interval {low:.3f} to {high:.3f})")
    return f"{card.name} on {figures.pictures:,} pictures of {data.name}: {', '.join(parts)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    doors = parser.add_subparsers(required=True, dest="method", metavar="METHOD")
    door = _door(doors, "scratch", _scratch)
    _add_out(door)
    door.add_argument("--size", type=_size, default=128, help="side of its pictures, pixels (128)")
    door.add_argument("--epochs", type=_positive, help="rounds over all pictures (by their number)")
    door.add_argument("--minutes", type=float, help="end after about so long, if sooner")
    door.add_argument(
        "--checkpoint-s", type=float, default=60, help="seconds between checkpoints (60)"
    )
    door = _door(doors, "bottleneck", _bottleneck)
    _add_out(door)
    _add_network(door)
    _add_variation(door, passes=0)
    door = _door(doors, "finetune", _finetune)
    _add_out(door)
    _add_network(door)
    _add_variation(door, passes=3)
    door.add_argument(
        "--top", help="layers to train: how many, or the name of the one before (a quarter)"
    )
    door.add_argument("--epochs", type=_positive, default=8, help="rounds over all photos (8)")
    door.add_argument("--minutes", type=float, help="end after about so long, if sooner")
    door.add_argument("--learning-rate", type=float, default=1e-4, help="at its highest (1e-4)")
    door = _door(doors, "kfold", _kfold)
    _add_out(door)
    _add_network(door)
    door.add_argument("--folds", type=_folds, default=5, help="parts, each left out once (5)")
    door = _door(doors, "auto", _auto)
    _add_out(door)
    _add_network(door, chosen=True)
    _add_variation(door, passes=2)
    door.add_argument("--minutes", type=float, default=10, help="for all of it, about (10)")
    door.add_argument(
        "--networks", default=",".join(NETWORKS), help=f"to be tried ({','.join(NETWORKS)})"
    )
    door = _door(doors, "preview", _preview)
    door.add_argument("--out", type=Path, required=True, help="where the PNG goes")
    door.add_argument("--seed", type=int, default=0, help="of everything that is drawn (0)")
    door.add_argument("--photos", type=_positive, default=6, help="how many (6)")
    door.add_argument("--columns", type=_positive, default=6, help="how often each is varied (6)")
    _add_variation(door)
    door = _door(doors, "evaluate", _evaluate)
    door.add_argument("--model", required=True, help="a network's name, or its folder")
    door.add_argument("--weights", type=Path, help="its weights file, or a folder of such files")
    door.add_argument("--json", action="store_true", help="print it as JSON")
    return parser


def _door(doors: Any, name: str, run: Callable[[argparse.Namespace], None]) -> Any:
    """A method's own parser, with what all methods take."""
    door = doors.add_parser(name, help=run.__doc__, description=run.__doc__)
    door.set_defaults(run=run)
    door.add_argument("--data", type=Path, required=True, help=_PLACE)
    door.add_argument(
        "--cache",
        type=Path,
        default=_cache_home() / "shiwu",
        help="where compiled networks and features are kept (~/.cache/shiwu)",
    )
    return door


def _add_out(door: Any) -> None:
    door.add_argument("--out", type=Path, required=True, help="where the network folder goes")
    door.add_argument("--name", type=_name, help="what the network is called; else as its folder")
    door.add_argument("--seed", type=int, default=0, help="of everything that is drawn (0)")


def _add_network(door: Any, chosen: bool = False) -> None:
    """The network to stand on; `chosen` if it is the method that chooses it."""
    if chosen:
        hidden = argparse.SUPPRESS
        door.add_argument("--model", type=_not_chosen, default=hidden, help=hidden)
    else:
        told = "the network to stand on (MobileNetV2), or a folder"
        door.add_argument("--model", default="MobileNetV2", help=told)
    door.add_argument("--weights", type=Path, help="its weights file, or a folder of such files")
    door.add_argument(
        "--fit", choices=["crop", "stretch"], help="how photos become squares (as its card says)"
    )
    door.add_argument("--balanced", action="store_true", help="weigh all classes alike")


def _add_variation(door: Any, passes: int | None = None) -> None:
    """How photos are varied: Keras' names."""
    if passes is not None:
        told = f"how often varied photos are seen ({passes})"
        door.add_argument("--passes", type=_not_negative, default=passes, help=told)
    group = door.add_argument_group("how photos are varied")
    for setting in fields(vary.Variation):
        if setting.name == "seed":
            continue
        usual = getattr(vary.USUAL, setting.name)
        option = f"--{setting.name.replace('_', '-')}"
        if isinstance(usual, bool):
            group.add_argument(option, action=argparse.BooleanOptionalAction, default=usual)
        elif isinstance(usual, str):
            group.add_argument(option, choices=get_args(vary.FillMode), default=usual)
        else:
            most = 180 if setting.name == "rotation" else 0.95
            told = f"({usual:g}; at most {most})"
            group.add_argument(option, type=_from_nought(most), default=usual, help=told)


def _from_nought(most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = -1.0
        if not 0 <= found <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {most}")
        return found

    return number


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _name(text: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name: letters, digits, _ - and . only")
    return text


def _not_chosen(_: str) -> NoReturn:
    raise argparse.ArgumentTypeError("auto chooses among several networks; name them in --networks")


def _require_apart(given: argparse.Namespace) -> None:
    """What is written must not lie among the photos: it would be a class of theirs next time."""
    data, out = (getattr(given, name, None) for name in ("data", "out"))
    if data and out and data.resolve() in (out.resolve(), *out.resolve().parents):
        raise SettingsError(f"--out {out} lies in the photos' own folder; give another --out")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _not_negative(text: str) -> int:
    return _positive(str(int(text) + 1)) - 1


def _folds(text: str) -> int:
    return _positive(str(int(text) - 1)) + 1


def _size(text: str) -> int:
    number = _positive(text)
    if number % STRIDE or number < 2 * STRIDE:
        raise argparse.ArgumentTypeError(f"{text} is no multiple of {STRIDE} from {2 * STRIDE} on")
    return number


if __name__ == "__main__":
    sys.exit(main())
