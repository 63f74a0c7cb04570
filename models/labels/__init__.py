"""The names of classes: data files beside this reader, one a set and language.

A file has one line a class, in the order of the class index: the class id (for ImageNet its
WordNet id), a tab, the label. `imagenet1k.en.tsv` spells labels as Keras' `decode_predictions`
does; several classes may share a label (ImageNet has two *cranes*), none shares an id.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from errors import SettingsError
from models.card import Card

_HERE = Path(__file__).parent


class Label(NamedTuple):
    """One class: its stable id, and its name for people."""

    id: str
    label: str


class BadLabels(SettingsError):
    """A set of labels is missing, broken, or not this network's."""


def read(network: Card | str) -> tuple[Label, ...]:
    """The labels of a network, or of a set in this folder by its name, by class index.

    Read once for each file.

    Raises:
        BadLabels: there is no such file, a line isn't "id<TAB>label", an id occurs twice, or
            there are more or fewer labels than the network has classes.
    """
    if isinstance(network, str):
        return _read(_HERE / f"{network}.en.tsv")
    labels = _read(_path(network))
    if len(labels) != network.classes:
        raise BadLabels(
            f"{network.name} has {network.classes} classes, but {_path(network)} "
            f"names {len(labels)}"
        )
    return labels


def _path(card: Card) -> Path:
    if card.folder is not None and card.labels.endswith(".tsv"):
        return card.folder / card.labels
    return _HERE / f"{card.labels}.en.tsv"


@lru_cache(maxsize=64)
def _read(path: Path) -> tuple[Label, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except FileNotFoundError as error:
        raise BadLabels(f"there are no labels at {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadLabels(f"the labels at {path} can't be read: {error}") from error
    labels = tuple(_label(path, number, line) for number, line in enumerate(lines, start=1))
    _refuse_repeated_ids(path, labels)
    return labels


def _label(path: Path, number: int, line: str) -> Label:
    parts = [part.strip() for part in line.split("\t")]
    if len(parts) != 2 or not all(parts):
        raise BadLabels(f"{path}, line {number}: {line!r} is not an id, a tab and a label")
    return Label(*parts)


def _refuse_repeated_ids(path: Path, labels: tuple[Label, ...]) -> None:
    seen: dict[str, int] = {}
    for number, label in enumerate(labels, start=1):
        if label.id in seen:
            raise BadLabels(
                f"{path}: the id {label.id} stands on lines {seen[label.id]} and {number}"
            )
        seen[label.id] = number
