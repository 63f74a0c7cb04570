"""Figures as bars on white, which is readable on a light page and on a dark one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DOTS_PER_INCH = 130
_WIDTH_INCHES, _BAR_INCHES, _FRAME_INCHES = 9.0, 0.26, 1.1
_COLOURS = ("#005f73", "#c44900", "#7b2cbf", "#2e7d32", "#757575", "#1565c0", "#dd8800")


@dataclass(frozen=True)
class Bar:
    """A bar in a panel; bars of one `kind` have one colour. `mark` is drawn across it."""

    panel: str
    name: str
    value: float
    kind: str
    mark: float | None = None
    said: str = ""


def draw(
    rows: Sequence[Bar], path: Path, unit: str, facts: Mapping[str, str], marks: str = ""
) -> None:
    """Draw a panel under the other, each with a scale of its own.

    Args:
        path: its ending says in which format.
        unit: of the values.
        facts: what they were measured on.
        marks: what the marks are, if there are any.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = list(dict.fromkeys(row.panel for row in rows))
    counts = [sum(row.panel == panel for row in rows) for panel in panels]
    height = sum(counts) * _BAR_INCHES + len(panels) * 0.75 + _FRAME_INCHES
    figure, every = pyplot.subplots(
        len(panels), 1, figsize=(_WIDTH_INCHES, height), dpi=_DOTS_PER_INCH, layout="constrained",
        height_ratios=[count + 1 for count in counts], squeeze=False,
    )  # fmt: skip
    kinds = list(dict.fromkeys(row.kind for row in rows))
    for axes, panel in zip(every[:, 0], panels, strict=True):
        _panel(axes, panel, [row for row in rows if row.panel == panel], kinds)
    every[-1, 0].set_xlabel(f"{unit}; black lines: {marks}" if marks else unit)
    processor = facts["processor"].split(",")[0]
    figure.suptitle(
        f"{processor}; {facts['measured']}\n{facts['versions']}", fontsize=7, color="#555555"
    )
    figure.savefig(path, facecolor="white")
    pyplot.close(figure)


def _panel(axes: Any, panel: str, rows: Sequence[Bar], kinds: Sequence[str]) -> None:
    places = range(len(rows))
    colours = [_COLOURS[kinds.index(row.kind) % len(_COLOURS)] for row in rows]
    axes.barh(places, [row.value for row in rows], height=0.72, color=colours)
    most = max([row.value for row in rows] + [row.mark or 0.0 for row in rows]) or 1.0
    for place, row in zip(places, rows, strict=True):
        said = row.said or (f"{row.value:.0f}" if row.value >= 20 else f"{row.value:.1f}")
        beyond = max(row.value, row.mark or 0.0)
        axes.text(beyond + most * 0.008, place, said, va="center", fontsize=8, color="#333333")
        if row.mark is not None:
            axes.plot([row.mark] * 2, [place - 0.4, place + 0.4], color="#111111", linewidth=1.6)
    axes.set_yticks(places, [row.name for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, most * 1.25)
    axes.set_title(panel, loc="left", fontsize=10)
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
