"""The networks in one picture: accuracy against time, the area of a dot is the size of its weights.

Families have a colour each. Every network is named but the MobileNets in other widths and sizes,
which are the unnamed dots in their family's colour.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from math import cos, hypot, pi, sin
from pathlib import Path
from typing import Any

import numpy as np

from models import zoo
from models.card import Card

_SIZE_INCHES, _DOTS_PER_INCH = (13.0, 9.0), 130
_POINTS2_PER_MB = 1.4  # area of a dot
_COLOURS = {
    "MobileNetV3": "#7a7a00", "MobileNetV2": "#c44900", "MobileNet": "#dd8800",
    "EfficientNetV2": "#005f73", "EfficientNet": "#0a9396", "ConvNeXt": "#7b2cbf",
    "NASNet": "#c2185b", "DenseNet": "#2e7d32", "Inception": "#1565c0", "Xception": "#5c6bc0",
    "ResNeXt": "#8d6e63", "ResNet": "#6d4c41", "VGG": "#757575",
}  # fmt: skip
# Where a label may go: directions, and how far from its dot in points.
_DIRECTIONS = [i * pi / 8 for i in (0, 8, 4, 12, 2, 14, 6, 10, 1, 15, 7, 9, 3, 13, 5, 11)]
_DISTANCES = (2, 8, 16, 26, 38, 52, 68, 86, 106, 130)

Box = tuple[float, float, float, float]


def draw(found: Mapping[str, Any], path: Path) -> dict[str, Box]:
    """Draw a result of `benchmarks.zoo` into the file `path`.

    Args:
        found: "networks": for each name its "ms"; "facts": what they were measured on.
        path: its ending says in which format: .png, .svg, .pdf.

    Returns:
        For each name that is written where it stands: left, bottom, right and top in pixels.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    cards = [zoo.card(name) for name in found["networks"]]
    ms = {name: figures["ms"] for name, figures in found["networks"].items()}
    figure, axes = pyplot.subplots(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    _dots(axes, cards, ms)
    _frame(axes, found["facts"])
    figure.canvas.draw()  # fixes where everything lies, in pixels
    where = _labels(axes, cards, ms)
    figure.savefig(path)
    pyplot.close(figure)
    return where


def family(card: Card) -> str:
    """Of which family a network is: the first name in the table of colours that it begins with."""
    return next(name for name in _COLOURS if card.name.startswith(name))


def is_variant(card: Card) -> bool:
    """Whether it is one of many widths and sizes of the same network."""
    return "_" in card.name


def _dots(axes: Any, cards: Sequence[Card], ms: Mapping[str, float]) -> None:
    for card in sorted(cards, key=lambda one: -(one.bytes or 0)):  # the small ones in front
        colour, area = _COLOURS[family(card)], _area(card)
        where = (ms[card.name], (card.top1 or 0) * 100)
        axes.scatter(*where, s=area, color=colour, alpha=0.45, linewidths=0.8, edgecolors=colour)


def _area(card: Card) -> float:
    return max(10.0, (card.bytes or 0) / 1e6 * _POINTS2_PER_MB)


def _frame(axes: Any, facts: Mapping[str, str]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("milliseconds of one core for one photo (logarithmic)")
    # Even steps for even factors of the error: the best ones would lie on top of each other else.
    axes.set_yscale("function", functions=(lambda y: -np.log(100 - y), lambda y: 100 - np.exp(-y)))
    axes.set_yticks([40, 50, 60, 65, 70, 75, 80, 85])
    axes.set_ylim(40, 88.5)
    axes.set_ylabel("top-1 accuracy on ImageNet as published, % (logarithmic in the error)")
    axes.grid(which="major", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    processor = facts["processor"].split(",")[0]
    axes.set_title(f"{processor}; {facts['how']}\n{facts['versions']}", fontsize=8, color="#555555")
    for megabytes in (10, 100, 1000):
        axes.scatter(
            [], [], s=megabytes * _POINTS2_PER_MB, color="#999999", label=f"{megabytes} MB"
        )
    axes.legend(
        loc="lower right", title="area: size of the weights", frameon=False, labelspacing=1.8,
        borderpad=1.6, handletextpad=1.8,
    )  # fmt: skip


def _labels(axes: Any, cards: Sequence[Card], ms: Mapping[str, float]) -> dict[str, Box]:
    """Put each name as near to its dot as is free; a thin line leads to those that are far."""
    named = [card for card in cards if not is_variant(card)]
    points = {card.name: _pixels(axes, card, ms) for card in cards}
    # A label may cover the rim of a large dot, but no small one.
    taken = [_box_around(points[card.name], min(_radius(card), 12)) for card in cards]
    taken += [_legend_box(axes)]
    where = {}
    for card in sorted(named, key=lambda one: -(one.top1 or 0)):
        where[card.name] = _label(axes, card, points[card.name], taken)
        taken.append(where[card.name])
    return where


def _label(axes: Any, card: Card, point: tuple[float, float], taken: Sequence[Box]) -> Box:
    text = axes.annotate(
        card.name, point, xycoords="figure pixels", fontsize=8.5, ha="center", va="center",
        color=_COLOURS[family(card)],
    )  # fmt: skip
    width, height = _size_of(axes, text)
    frame = axes.get_window_extent()
    for distance, direction in product(_DISTANCES, _DIRECTIONS):
        away = _radius(card) + distance * _DOTS_PER_INCH / 72
        x = point[0] + cos(direction) * (away + width / 2)
        y = point[1] + sin(direction) * (away + height / 2)
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        inside = frame.x0 < box[0] and box[2] < frame.x1 and frame.y0 < box[1] and box[3] < frame.y1
        if inside and not any(_overlap(box, other) for other in taken):
            break
    text.set_position((x, y))
    if distance > _DISTANCES[0]:
        _lead(axes, card, point, box)
    return box


def _lead(axes: Any, card: Card, point: tuple[float, float], box: Box) -> None:
    nearest = (min(max(point[0], box[0]), box[2]), min(max(point[1], box[1]), box[3]))
    if hypot(nearest[0] - point[0], nearest[1] - point[1]) < 4:
        return
    axes.annotate(
        "", nearest, point, xycoords="figure pixels", textcoords="figure pixels",
        arrowprops={"arrowstyle": "-", "color": _COLOURS[family(card)], "linewidth": 0.6},
    )  # fmt: skip


def _radius(card: Card) -> float:
    """Of a dot, in pixels."""
    radius: float = (_area(card) / pi) ** 0.5 * _DOTS_PER_INCH / 72
    return radius


def _pixels(axes: Any, card: Card, ms: Mapping[str, float]) -> tuple[float, float]:
    x, y = axes.transData.transform((ms[card.name], (card.top1 or 0) * 100))
    return float(x), float(y)


def _size_of(axes: Any, text: Any) -> tuple[float, float]:
    extent = text.get_window_extent(axes.figure.canvas.get_renderer())
    return extent.width + 4, extent.height + 2


def _legend_box(axes: Any) -> Box:
    extent = axes.get_legend().get_window_extent()
    return extent.x0, extent.y0, extent.x1, extent.y1


def _box_around(point: tuple[float, float], radius: float) -> Box:
    return point[0] - radius, point[1] - radius, point[0] + radius, point[1] + radius


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
