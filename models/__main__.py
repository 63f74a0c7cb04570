"""`python -m models`: the networks, as a table or one by one, and their weights.

python -m models list                    every network, one a line
python -m models show MobileNetV2        all that is known of one
python -m models fetch MobileNetV2 ...   download weights into Keras' cache, checked
python -m models verify                  check every weights file in Keras' cache

`list --markdown` writes docs/networks.md. TensorFlow is not needed for any of it.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from errors import SettingsError
from models import weights, zoo
from models.card import Card

_COLUMNS = ("name", "input", "classes", "parameters", "top-1", "top-5", "MB", "here", "licence")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return its exit status."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level="INFO", format="%(message)s")
    try:
        done: int = given.do(given)
        sys.stdout.flush()
        return done
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at its end
        return 0


def page() -> str:
    """docs/networks.md: what is published, as a table."""
    lines = [
        "# Networks",
        "",
        "Each is served by its name alone: `make run MODEL=ResNet50`. Sizes are those of the",
        "weights; *least* is the smallest input that `SHIWU_INPUT_SIZE` may ask for. Where a cell",
        "is empty, nothing is published. `python -m models show NAME` tells more.",
        "",
        "![Accuracy against milliseconds, the area of a dot is the size of its weights]"
        "(networks.png)",
        "",
        "The picture for your own machine: `python -m benchmarks.zoo`.",
        "",
        "| name | input | least | parameters | top-1 | top-5 | depth | MB | licence | paper |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for card in _published():
        cells = [card.name, card.input_size, card.min_size or card.input_size]
        cells += [f"{card.parameters:,}", _share(card.top1), _share(card.top5), card.depth or ""]
        cells += [
            _megabytes(card),
            card.licence,
            f"[{card.paper.rsplit('/', 1)[-1]}]({card.paper})",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, "", *_SOURCES]) + "\n"


_SOURCES = (
    "Accuracies are shares of ImageNet's 50,000 validation photos, as published by Keras; those of",
    "MobileNets in other widths and sizes by the authors of the weights that Keras converted.",
    "Base, Large and XLarge of ConvNeXt saw more than ImageNet's 1000 classes in training.",
    "This page is made by `python -m models list --markdown > docs/networks.md`.",
)


def _list(given: argparse.Namespace) -> int:
    cards = [zoo.card(name) for name in zoo.names()]
    if given.json:
        print(json.dumps([_facts(card) for card in cards], indent=2))
    elif given.markdown:
        print(page(), end="")
    else:
        _print_table([_COLUMNS, *map(_cells, cards)])
    return 0


def _show(given: argparse.Namespace) -> int:
    facts = _facts(zoo.card(given.name))
    if given.json:
        print(json.dumps(facts, indent=2))
    else:
        _print_table([(name, _words(value)) for name, value in facts.items() if value is not None])
    return 0


def _fetch(given: argparse.Namespace) -> int:
    cards = [zoo.card(name) for name in given.names]  # a wrong name ends it before any download
    return _each(cards, lambda card: str(weights.find(card, mirror=given.mirror)))


def _verify(given: argparse.Namespace) -> int:
    cards = [zoo.card(name) for name in given.names] or [c for c in _published() if _here(c)]
    if not cards:
        print(f"there are no weights in {weights.keras_cache()}; python -m models fetch NAME")
    return _each(cards, _verified)


def _verified(card: Card) -> str:
    if card.weights is None:
        return f"{weights.find(card, offline=True)}; no checksum is published"
    if complaint := weights.checked(card):
        raise weights.WeightsMissing(f"{_place(card)}: {complaint}")
    known = card.weights.md5 or card.weights.sha256
    return f"{_place(card)}: {'right' if known else 'there; Keras lists no checksum for it'}"


def _each(cards: Sequence[Card], do: Callable[[Card], str]) -> int:
    """Do it for each, say how it went, and return 1 if any failed."""
    failed = 0
    for card in cards:
        try:
            print(f"{card.name}: {do(card)}", flush=True)
        except SettingsError as error:
            print(f"{card.name}: {error}", file=sys.stderr, flush=True)
            failed = 1
    return failed


def _published() -> list[Card]:
    return [card for card in map(zoo.card, zoo.names()) if card.weights]


def _place(card: Card) -> Path | None:
    if card.weights:
        return weights.keras_cache() / card.weights.file
    return card.file or card.folder


def _here(card: Card) -> bool:
    place = _place(card)
    return place is not None and place.exists()


def _facts(card: Card) -> dict[str, Any]:
    """What is known of a network, by the names of `Card`'s fields, for programs."""
    facts = asdict(card)
    for name in ("weights", "folder", "file"):
        del facts[name]
    if card.weights:
        facts |= asdict(card.weights)
    return facts | {"place": str(_place(card)), "here": _here(card)}


def _cells(card: Card) -> tuple[str, ...]:
    here = "yes" if _here(card) else ""
    counts = (str(card.input_size), str(card.classes), f"{card.parameters:,}")
    figures = (_share(card.top1), _share(card.top5), _megabytes(card))
    return (card.name, *counts, *figures, here, card.licence)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _megabytes(card: Card) -> str:
    return "" if card.bytes is None else f"{card.bytes / 1e6:.0f}"


def _words(value: object) -> str:
    return f"{value:,}" if type(value) is int else str(value)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="The networks.")
    commands = parser.add_subparsers(required=True)
    listing = commands.add_parser("list", help="every network, one a line")
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--markdown", action="store_true", help="the page docs/networks.md")
    listing.set_defaults(do=_list)
    showing = commands.add_parser("show", help="all that is known of one")
    showing.add_argument("name", help="a network's name, folder or file")
    showing.add_argument("--json", action="store_true", help="for programs")
    showing.set_defaults(do=_show)
    fetching = commands.add_parser("fetch", help="download weights into Keras' cache, checked")
    fetching.add_argument("names", nargs="+", metavar="name")
    fetching.add_argument("--mirror", help="address of a folder to fetch from first")
    fetching.set_defaults(do=_fetch)
    verifying = commands.add_parser("verify", help="check weights files in Keras' cache")
    verifying.add_argument("names", nargs="*", metavar="name", help="all that are there, if none")
    verifying.set_defaults(do=_verify)
    return parser


if __name__ == "__main__":
    sys.exit(main())
