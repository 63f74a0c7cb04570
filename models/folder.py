"""A network kept in a folder: what training writes, and what is in the box.

card.json            the card (without `weights` and `folder`, which the place itself says)
weights.weights.h5   Keras' own format, loaded as numbers only
labels.tsv           "id<TAB>label" a line, in the order of the class index
README.md            the model card, for people
taught.npz           where it was taught from photos: their features, to know what is none of them
"""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from errors import SettingsError
from models.card import Calibration, Card

CARD = "card.json"
WEIGHTS = "weights.weights.h5"
LABELS = "labels.tsv"
TAUGHT = "taught.npz"

# Said by where the card lies, never by what is written in it.
_NOT_WRITTEN = ("weights", "folder", "file")


class BadCard(SettingsError):
    """A folder has no card, or its card can't be used; the sentence names each field."""


def load(folder: Path) -> Card:
    """The card of the network in `folder`, with its absolute path as `folder`.

    Raises:
        BadCard: there is no card.json, it isn't JSON, or fields are missing, unknown or not as
            `Card` says; all of them are named at once.
    """
    return replace(checked(read(folder / CARD), folder / CARD), folder=folder.absolute())


def checked(given: dict[str, Any], path: Path) -> Card:
    """The card that the fields `given` make; `path` is the file to be named if they make none.

    Raises:
        BadCard: as `load`.
    """
    wrong = [f"{name} has no place in a file" for name in _NOT_WRITTEN if name in given]
    wrong += _problems({k: v for k, v in given.items() if k not in _NOT_WRITTEN})
    if wrong:
        raise BadCard(f"{path} can't be used: {'; '.join(wrong)}")
    if given.get("calibration"):
        given = given | {"calibration": Calibration(**given["calibration"])}
    return Card(**given)


def save(card: Card, folder: Path) -> Path:
    """Write `card` as card.json into `folder`, which must exist, and return the file's path.

    What is written appears whole or not at all.
    """
    path = folder / CARD
    fresh = path.with_suffix(".json.part")
    fresh.write_text(to_json(card), encoding="utf-8")
    return fresh.replace(path)


def to_json(card: Card) -> str:
    """The card as the text of card.json: every field, one a line."""
    written = {k: v for k, v in asdict(card).items() if k not in _NOT_WRITTEN}
    return json.dumps(written, ensure_ascii=False, indent=2) + "\n"


def is_packed(card: Card) -> bool:
    """Whether it lies in a folder that brings its compiled form alone, without the weights."""
    return bool(card.folder and not card.file and not (card.folder / WEIGHTS).is_file())


def read(path: Path) -> dict[str, Any]:
    """The JSON object in the file `path`.

    Raises:
        BadCard: there is no such file, or it holds none.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise BadCard(f"{path.parent} holds no network: there is no {CARD} in it") from error
    except (OSError, ValueError) as error:  # ValueError: neither UTF-8 nor JSON
        raise BadCard(f"{path} can't be read: {error}") from error
    if not isinstance(given, dict):
        raise BadCard(f"{path} must hold one JSON object, not {type(given).__name__}")
    return given


def _problems(given: dict[str, Any]) -> list[str]:
    """A few words for every field that is missing, unknown or wrong."""
    try:
        # As JSON: strict about the types inside, but a Card may come as an object.
        TypeAdapter(Card).validate_json(json.dumps(given))
    except ValidationError as error:
        return [_in_words(problem["loc"], problem) for problem in error.errors()]
    return []


def _in_words(where: tuple[int | str, ...], problem: Any) -> str:
    name = ".".join(str(part) for part in where)
    if problem["type"] in ("missing", "missing_keyword_only_argument"):
        return f"{name} is missing"
    if problem["type"].startswith("unexpected"):
        known = sorted(f.name for f in fields(Card) if f.name not in _NOT_WRITTEN)
        return f"{name} is unknown (known: {', '.join(known)})"
    return f"{name}={problem['input']!r}: {problem['msg']}"
