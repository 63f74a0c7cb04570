"""Results as Markdown and JSON: for the terminal, and for files that name their machine."""

import datetime
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine

Row = Mapping[str, Any]


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, padded so that it reads well as text, too."""
    cells = [[str(cell) for cell in row] for row in [columns, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def write(folder: Path, subject: str, title: str, facts: Mapping[str, str], body: str) -> Path:
    """The result as `<subject>-<processor>-<date>.md` in `folder`; a second one of a day wins."""
    today = datetime.datetime.now(datetime.UTC).date()
    path = folder / f"{subject}-{machine.name()}-{today}.md"
    told = "".join(f"- {what}: {value}\n" for what, value in facts.items())
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# {title}, {today}\n\n{told}\n{body}", encoding="utf-8")
    return path


def grouped(
    rounds: Sequence[Row], key: Sequence[str]
) -> Iterator[tuple[tuple[Any, ...], list[Row]]]:
    """The rounds of each combination of what `key` names, in the order they first came."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for one in rounds:
        groups.setdefault(tuple(one.get(name, "") for name in key), []).append(one)
    yield from groups.items()


def median(rounds: Sequence[Row], name: str) -> float | None:
    """Of one figure in the rounds that have it; None if none has."""
    known = [one[name] for one in rounds if one.get(name) is not None]
    return statistics.median(known) if known else None


def medians(rounds: Sequence[Row], key: Mapping[str, str], figures: Mapping[str, str]) -> str:
    """A table of medians: a row for each combination of what `key` names.

    Args:
        key: for each heading a name in the rounds, of what tells rows apart.
        figures: for each heading a name in the rounds, of a figure.
    """
    rows = [
        [*values, *(figure(median(ones, name)) for name in figures.values())]
        for values, ones in grouped(rounds, list(key.values()))
    ]
    return table([*key, *figures], rows)


def every(rounds: Sequence[Row], key: Mapping[str, str], figures: Mapping[str, str]) -> str:
    """The same table with a row for each round, in the order of measuring."""
    rows = [
        [
            *(one.get(name, "") for name in key.values()),
            *(figure(one.get(name)) for name in figures.values()),
        ]
        for one in rounds
    ]
    return table([*key, *figures], rows)


def figure(value: float | None, digits: int = 3) -> str:
    """A figure with three digits that count, and nothing for None."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"


def line(one: Row) -> str:
    """A round in one line, for who watches."""
    return ", ".join(
        figure(value) + f" {name}" if isinstance(value, float) else f"{value}"
        for name, value in one.items()
        if value not in (None, {}, [])
    )


def compact(found: Mapping[str, Any]) -> str:
    """JSON with a line for each fact and each round."""
    facts = json.dumps(found["facts"], indent=1, ensure_ascii=False)
    rounds = ",\n".join(json.dumps(one, ensure_ascii=False) for one in found["rounds"])
    return f'{{"facts": {facts},\n"rounds": [\n{rounds}\n]}}\n'
