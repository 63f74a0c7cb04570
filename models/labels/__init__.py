"""The names of classes: data files beside this reader, one a set and language.

A file (`imagenet1k.zh.tsv`) has one line a class: the class id (for ImageNet its WordNet id), a
tab, the label. The English file gives the order of the class index. Whoever adds a language adds
its file: the languages are the files that lie here. After the classes it may name groups and words
by their ids (`groups.tsv`, `words.tsv`); what a language doesn't name is said in English.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from errors import SettingsError
from models.card import Card

_HERE = Path(__file__).parent
_SET = "imagenet1k"
_FIRST = "en"


class Label(NamedTuple):
    """One class: its stable id, and its name for people."""

    id: str
    label: str


class BadLabels(SettingsError):
    """A set of labels is missing, broken, or not this network's."""


def languages(folder: Path = _HERE) -> tuple[str, ...]:
    """The languages that a folder of sets names ImageNet's classes in, English first."""
    found = {path.name.split(".")[1] for path in folder.glob(f"{_SET}.*.tsv")} - {"groups"}
    return (_FIRST, *sorted(found - {_FIRST}))


LANGUAGES = languages()


def read(network: Card | str, language: str = _FIRST) -> tuple[Label, ...]:
    """The labels of a network, or of a set in this folder by its name, by class index.

    A network in a folder is named by its own `labels.tsv`, whatever language that is in, unless
    `labels.<language>.tsv` lies beside it. In other languages than English the classes of
    ImageNet among its own, known by their ids, have ImageNet's names.

    Read once for each file.

    Args:
        language: one of `LANGUAGES`.

    Raises:
        BadLabels: there is no such file, a line isn't "id<TAB>label", an id occurs twice, or
            there are more or fewer labels than the network has classes; or no such language.
    """
    if language not in LANGUAGES:
        raise BadLabels(f"nothing is named in {language!r}; there are {', '.join(LANGUAGES)}")
    if isinstance(network, str):
        return _of_set(network, language)
    labels = _of_network(network, language)
    if len(labels) != network.classes:
        raise BadLabels(
            f"{network.name} has {network.classes} classes, but {_path(network)} "
            f"names {len(labels)}"
        )
    return labels


def table(name: str) -> tuple[tuple[str, str], ...]:
    """The rows of a file in this folder that has two columns, such as "imagenet1k.groups"."""
    return _read(_HERE / f"{name}.tsv")


def further(language: str) -> dict[str, str]:
    """What a language's file names besides classes: groups and words, by their ids."""
    path = _HERE / f"{_SET}.{language}.tsv"
    if not path.is_file():
        return {}
    classes = {one.id for one in _read(_HERE / f"{_SET}.{_FIRST}.tsv")}
    return {one.id: one.label for one in _read(path) if one.id not in classes}


def _of_network(card: Card, language: str) -> tuple[Label, ...]:
    if card.folder is None or not card.labels.endswith(".tsv"):
        return _of_set(card.labels, language)
    own = _read(_path(card))
    known = {} if language == _FIRST else dict(_of_set(_SET, language))
    beside = _path(card).with_suffix(f".{language}.tsv")
    if beside.is_file():
        known |= dict(_read(beside))
    return tuple(Label(one.id, known.get(one.id, one.label)) for one in own) if known else own


def _of_set(name: str, language: str) -> tuple[Label, ...]:
    english = _read(_HERE / f"{name}.{_FIRST}.tsv")
    if language == _FIRST:
        return english
    path = _HERE / f"{name}.{language}.tsv"
    if not path.is_file():
        return english
    return _in_order(english, path)


@lru_cache(maxsize=64)
def _in_order(english: tuple[Label, ...], path: Path) -> tuple[Label, ...]:
    """The same classes in the same order, named by another language's file."""
    named = dict(_read(path))
    if missing := [one.id for one in english if one.id not in named]:
        raise BadLabels(f"{path} has no name for {', '.join(missing[:5])}")
    return tuple(Label(one.id, named[one.id]) for one in english)


def _path(card: Card) -> Path:
    if card.folder is not None and card.labels.endswith(".tsv"):
        return card.folder / card.labels
    return _HERE / f"{card.labels}.{_FIRST}.tsv"


@lru_cache(maxsize=64)
def _read(path: Path) -> tuple[Label, ...]:
    try:
        lines = path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except FileNotFoundError as error:
        raise BadLabels(
            f"there are no labels at {path}; a class is a line there, in the order of the "
            "network's answers: an id, a tab and a name"
        ) from error
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
