"""Where the places of a feature map lie on the picture.

A place looks at a part of the picture, and the middle of what it looks at is not where an even
division of the picture would put it: networks that pad their strides on one side only look a
little past it. How far is a matter of their weights, so each convolution is taken to look where
most of its kernel's energy is (elsewhere the rule is that of Araujo et al. 2019, "Computing
Receptive Fields of Convolutional Neural Networks", Distill). Where branches are added, the one
with the narrowest view counts: a residual network sees mostly through its shortcuts (Veit et al.
2016, arXiv 1605.06431). Where they are laid side by side, their mean does.

Measured by hiding small patches of photos, in pixels of the first place's middle:

    network                    measured   so       evenly   by receptive fields alone
    MobileNetV2                25.3       25.2     16       31.5
    MobileNet, alpha 0.25      19.5       22.0     16       31.5
    ShiwuNet, of 64 pixels     8.5        8.5      8        8.5
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.engine import Grid

Pair = tuple[float, float]

_CONVOLUTIONS = ("Convolution", "GroupConvolution")
_POOLS = ("MaxPool", "AvgPool")


@dataclass(frozen=True)
class Layout:
    """How a feature map lies on the picture; pairs are of rows and of columns.

    Args:
        axes: which axes of the map are rows and columns.
        first: index of the pixel in the middle of what the first place looks at.
        step: pixels from one place to the next.
        view: pixels that a place could see.
    """

    axes: tuple[int, int]
    first: Pair = (0.0, 0.0)
    step: Pair = (1.0, 1.0)
    view: Pair = (1.0, 1.0)

    @property
    def grid(self) -> Grid:
        """The same in coordinates: the middle of pixel 0 is at 0.5."""
        return Grid((self.first[0] + 0.5, self.first[1] + 0.5), self.step)

    def moved(self, places: Sequence[float]) -> "Layout":
        """After so many places were cut off at the top and left, or added where below 0."""
        down, right = (a + s * n for a, s, n in zip(self.first, self.step, places, strict=True))
        return replace(self, first=(down, right))

    def slid(self, size: Sequence[int], stride: Sequence[int]) -> "Layout":
        """After a window of so many places moved by `stride`."""
        down, right = (s * n for s, n in zip(self.step, stride, strict=True))
        rows, columns = (
            v + s * (n - 1) for v, s, n in zip(self.view, self.step, size, strict=True)
        )
        return replace(self, step=(down, right), view=(rows, columns))


def evenly(places: tuple[int, int], step: Pair, size: int) -> Grid:
    """So many places (rows, columns) in the middle of a square of `size` pixels."""
    top, left = ((size - s * (n - 1)) / 2 for n, s in zip(places, step, strict=True))
    return Grid((top, left), step)


def layouts(network: Any) -> dict[str, Layout]:
    """The layout of every feature map of more than one place, by the friendly name of its node.

    Args:
        network: an `openvino.Model` of one input, NHWC pixels.
    """
    found: dict[str, Layout] = {}
    for node in network.get_ordered_ops():
        layout = _layout(node, found)
        if layout is not None and _has_places(node, layout):
            found[node.get_friendly_name()] = layout
    return found


def constant(node: Any) -> NDArray[Any] | None:
    """The numbers of a constant, which may be stored in half precision; None for other nodes."""
    if node.get_type_name() == "Convert":
        return constant(node.input_value(0).get_node())
    numbers: NDArray[Any] | None = node.data if node.get_type_name() == "Constant" else None
    return numbers


def _layout(node: Any, found: dict[str, Layout]) -> Layout | None:
    if node.get_type_name() == "Parameter":
        return Layout((1, 2))
    sources = (value.get_node().get_friendly_name() for value in node.input_values())
    met = [found[source] for source in sources if source in found]
    if not met:
        return None
    narrowest = min(met, key=lambda layout: layout.view)
    if node.get_type_name() == "Concat":
        down, right = np.mean([layout.first for layout in met], axis=0).tolist()
        return replace(narrowest, first=(down, right))
    return _after(node, narrowest)


def _after(node: Any, before: Layout) -> Layout:
    kind = node.get_type_name()
    if kind in _CONVOLUTIONS or kind in _POOLS:
        said = node.get_attributes()
        size, middle = _pool(said) if kind in _POOLS else _kernel(node)
        moved = [m - p for m, p in zip(middle, said["pads_begin"], strict=True)]
        return before.moved(moved).slid(size, said["strides"])
    if kind == "Transpose":
        order = node.input_value(1).get_node().data.tolist()
        return replace(before, axes=(order.index(before.axes[0]), order.index(before.axes[1])))
    if kind in ("Pad", "StridedSlice"):
        begins = node.input_value(1).get_node().data[list(before.axes)]
        return before.moved((-begins if kind == "Pad" else begins).tolist())
    return before


def _pool(said: Any) -> tuple[list[int], list[float]]:
    """How many places a pool looks at, and the middle of them, as rows and columns."""
    return list(said["kernel"]), [(n - 1) / 2 for n in said["kernel"]]


def _kernel(node: Any) -> tuple[list[int], list[float]]:
    """How many places a convolution looks at, and the middle of its kernel's energy."""
    apart = node.get_attributes()["dilations"]
    shape = node.input_value(1).get_shape()[-2:]
    numbers = constant(node.input_value(1).get_node())
    energy = np.ones(shape)
    if numbers is not None and max(shape) > 1 and np.any(numbers):
        energy = np.square(numbers, dtype=np.float32).reshape(-1, *shape).sum(0, dtype=np.float64)
    sums = energy.sum(1), energy.sum(0)
    middle = [float(np.arange(len(s)) @ s / s.sum()) * d for s, d in zip(sums, apart, strict=True)]
    return [(n - 1) * d + 1 for n, d in zip(shape, apart, strict=True)], middle


def _has_places(node: Any, layout: Layout) -> bool:
    shape = node.get_output_partial_shape(0)
    if shape.rank.is_dynamic or len(shape) != 4:
        return False
    return all(shape[axis].is_static and shape[axis].get_length() > 1 for axis in layout.axes)
