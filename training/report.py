"""The report of a run: one HTML file that needs nothing beside it."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from errors import RequestError
from imaging.read import read
from models.card import Card
from training.outcome import Outcome

_HERE = Path(__file__).resolve().parent
WORST = 12  # mistakes shown
_THUMBNAIL = 160  # pixels, the longer side
_TABLE = 24  # up to so many classes there is a whole confusion matrix; beyond, its worst cells


def report(card: Card, outcome: Outcome) -> str:
    """The page, as text in UTF-8; pictures and drawings are part of it."""
    room = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = outcome.figures()
    return room.get_template("report.html").render(
        card=card,
        figures=figures,
        labels=outcome.labels,
        mistakes=_mistakes(outcome),
        odd=_odd(outcome),
        curves=_curves(outcome),
        whole=len(outcome.labels) <= _TABLE,
        confused=_confused(outcome),
        most=max((max(row) for row in figures["confusion"]), default=1) or 1,
    )


def _mistakes(outcome: Outcome) -> list[dict[str, Any]]:
    """The surest wrong answers, with their photos."""
    stated = outcome.calibrated
    rows = []
    for place in outcome.worst(WORST):
        called = int(stated[place].argmax())
        alike = None if outcome.similarity is None else float(outcome.similarity[place])
        rows.append(
            {
                "picture": _thumbnail(outcome.samples[place].path),
                "file": outcome.samples[place].path.name,
                "shows": outcome.labels[outcome.samples[place].class_index],
                "called": outcome.labels[called],
                "probability": float(stated[place, called]),
                "doubted": alike is not None and alike < outcome.threshold,
            }
        )
    return rows


def _odd(outcome: Outcome) -> list[dict[str, Any]]:
    """The data's warnings, with a few photos where they can be shown."""
    return [
        {
            "code": odd.code,
            "text": odd.text,
            "pictures": [found for path in odd.files[:6] if (found := _thumbnail(path))],
        }
        for odd in outcome.oddities
    ]


def _thumbnail(path: Path) -> str:
    """The photo, small, as a data address; "" if it can't be read."""
    try:
        photo = read(path.read_bytes(), at_least=_THUMBNAIL)
    except (RequestError, OSError):
        return ""
    photo.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    photo.save(encoded, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()


def _curves(outcome: Outcome) -> list[dict[str, Any]]:
    """Each figure of the history as a line in a square of 100: the share right, and the loss."""
    drawn = []
    for title, wanted in (("share right", "right"), ("loss", "loss")):
        names = [name for one in outcome.history for name in one if wanted in name]
        lines = {name: _values(outcome, name) for name in dict.fromkeys(names)}
        values = [value for line in lines.values() for _, value in line]
        if len(outcome.history) < 2 or not values:
            continue
        low, high = min(values), max(values)
        if low == high:  # a line needs something to be compared with
            low, high = 0.0, high or 1.0
        first, last = (int(outcome.history[i]["epoch"]) for i in (0, -1))
        drawn.append(
            {
                "title": title,
                "low": low,
                "high": high,
                "first": first,
                "last": last,
                "lines": {
                    name: _points(line, first, last, low, high) for name, line in lines.items()
                },
            }
        )
    return drawn


def _values(outcome: Outcome, name: str) -> list[tuple[int, float]]:
    return [(int(one["epoch"]), one[name]) for one in outcome.history if name in one]


def _points(
    line: Sequence[tuple[int, float]], first: int, last: int, low: float, high: float
) -> str:
    """Coordinates for an SVG polyline, 0-300 to the right and 0-150 downwards."""
    wide, tall = max(last - first, 1), max(high - low, 1e-9)
    places = ((300 * (x - first) / wide, 150 * (1 - (y - low) / tall)) for x, y in line)
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _confused(outcome: Outcome) -> list[dict[str, Any]]:
    """The pairs of classes that are mixed up most often."""
    table = outcome.confusion()
    pairs = [
        (int(table[i, j]), outcome.labels[i], outcome.labels[j])
        for i in range(len(table))
        for j in table[i].nonzero()[0]
        if i != j
    ]
    pairs.sort(key=lambda pair: -pair[0])
    return [{"photos": n, "shows": shown, "called": said} for n, shown, said in pairs[:20]]
