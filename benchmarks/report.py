"""Results as Markdown: for the terminal, and for a file that names its machine."""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import machine


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
