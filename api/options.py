"""What a request may ask for, checked: from texts in a query or a form to values."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from errors import RequestError
from models.labels import LANGUAGES

MAX_TOP = 1000
MAX_WIDTH = 16384


class BadOption(RequestError):
    """An option is unknown, given twice, or has a value that is not allowed."""


@dataclass(frozen=True)
class Option:
    """A row of the table: how a text becomes a value, and what is allowed, in words."""

    parse: Callable[[str], Any]
    allowed: str
    meaning: str
    schema: Mapping[str, Any]


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise ValueError
        number = int(text)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def _probability(text: str) -> float:
    number = float(text) if text.isascii() and "_" not in text else math.nan
    if not 0 <= number <= 1:
        raise ValueError
    return number


def _choice(meaning: str, *words: str) -> Option:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return Option(parse, " or ".join(words), meaning, {"type": "string", "enum": list(words)})


OPTIONS = {
    "top": Option(
        _whole(1, MAX_TOP),
        f"a whole number from 1 to {MAX_TOP}",
        "how many names to return",
        {"type": "integer", "minimum": 1, "maximum": MAX_TOP, "default": 5},
    ),
    "threshold": Option(
        _probability,
        "a number from 0 to 1",
        "leave out names that are less probable",
        {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
    ),
    "model": Option(str, "a name", "which of the loaded networks answers", {"type": "string"}),
    "fit": _choice("how the photo becomes a square", "crop", "stretch"),
    "lang": _choice(
        "language of the labels; without it, the header Accept-Language decides", *LANGUAGES
    ),
    "width": Option(
        _whole(1, MAX_WIDTH),
        f"a whole number of pixels from 1 to {MAX_WIDTH}",
        "shrink the picture to this width; it is never enlarged, but for words to be read",
        {"type": "integer", "minimum": 1, "maximum": MAX_WIDTH},
    ),
    "draw": _choice("draw the answer on the picture", "labels", "heatmap"),
    "layer": Option(
        str,
        "a layer's name; /models/<name>/layers lists them",
        "whose features; without it, those that the classifying layer reads",
        {"type": "string"},
    ),
    "pooling": _choice(
        "make one row of numbers of a layer's places: their mean or their maximum",
        "none",
        "avg",
        "max",
    ),
    "class": Option(
        str,
        "a class id; /labels lists them",
        "explain this class; without it, the most probable one",
        {"type": "string"},
    ),
}

# What each address understands.
PREDICT = ("top", "threshold", "model", "fit", "lang")
IMAGE = ("width", "draw", "lang", "model", "fit", "top", "class")
LABELS = ("model", "lang")
FEATURES = ("layer", "pooling", "model", "fit")
EXPLAIN = ("class", "model", "fit", "lang")

# The options of /image that mean something only while it draws. (`lang` is understood everywhere:
# a client says it once for all it asks.)
_GO_WITH = {"labels": ("model", "fit", "top"), "heatmap": ("model", "fit", "class")}


def parse(given: Iterable[tuple[str, str]], known: Iterable[str]) -> dict[str, Any]:
    """The values of the options given.

    Args:
        given: names and texts, as they came.
        known: names of `OPTIONS` that this address understands.

    Raises:
        BadOption: a name that isn't known, one given twice, a value that isn't allowed; of /image,
            one that would change nothing, as it goes with another `draw` than the one asked for.
    """
    known = list(known)
    values: dict[str, Any] = {}
    for name, text in given:
        if name not in known:
            raise BadOption(_unknown(name, known))
        if name in values:
            raise BadOption(f"the option {name} is given twice; give it once")
        values[name] = _value(name, text)
    if "draw" in known:
        _check_drawing(values)
    return values


def _check_drawing(given: Mapping[str, Any]) -> None:
    understood = _GO_WITH.get(given.get("draw", ""), ())
    for name in given:
        wanted = [f"draw={draw}" for draw, names in _GO_WITH.items() if name in names]
        if wanted and name not in understood:
            raise BadOption(f"the option {name} goes with {' or '.join(wanted)}")


def _value(name: str, text: str) -> Any:
    try:
        return OPTIONS[name].parse(text)
    except ValueError:
        raise BadOption(f"{name}={_short(text)!r} is not {OPTIONS[name].allowed}") from None


def _unknown(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name[:64], known, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    understood = f"understood here: {', '.join(known)}" if known else "none is understood here"
    return f"there is no option {_short(name)!r}{hint} ({understood})"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
