"""Where a feature map's places lie on the picture."""

import numpy as np
import openvino
import pytest
from openvino import opset1
from openvino import opset13 as ops

from engines.grid import evenly, layouts

SIZE = 32


def grid_of(layers, size: int = SIZE):
    """The grid, as (first, step), of the last node that `layers` makes of (1, 1, size, size)."""
    pixels = ops.parameter([-1, size, size, 1], np.float32, name="pixels")
    last = layers(ops.transpose(pixels, np.array([0, 3, 1, 2])))
    found = layouts(openvino.Model([last], [pixels]))[last.get_friendly_name()].grid
    return found.first, found.step


def convolve(x, kernel, stride: int = 1, before: int = 0, after: int = 0):
    weights = np.asarray(kernel, np.float32)[None, None]
    both = [stride, stride], [before, before], [after, after], [1, 1]
    return ops.convolution(x, weights, *both)


def pool(x):
    return opset1.max_pool(x, [2, 2], [0, 0], [0, 0], [2, 2])


def test_pixels_lie_where_they_are():
    assert grid_of(lambda x: x) == ((0.5, 0.5), (1, 1))


def test_a_pool_by_two_looks_between_two_pixels():
    assert grid_of(pool) == ((1.0, 1.0), (2, 2))


def test_steps_multiply():
    assert grid_of(lambda x: pool(pool(pool(x)))) == ((4.0, 4.0), (8, 8))


def test_a_stride_that_is_padded_at_the_end_only_looks_further_in():
    """As Keras pads "same" where the size is even."""
    even = np.ones((3, 3))
    assert grid_of(lambda x: convolve(x, even, 2, 0, 1)) == ((1.5, 1.5), (2, 2))
    assert grid_of(lambda x: convolve(x, even, 2, 1, 0)) == ((0.5, 0.5), (2, 2))


def test_a_kernel_looks_where_its_numbers_are():
    """This one only takes the pixel in its first row and last column."""
    kernel = np.zeros((3, 3))
    kernel[0, 2] = -5
    assert grid_of(lambda x: convolve(x, kernel, 1, 1, 1)) == ((-0.5, 1.5), (1, 1))


def test_a_kernel_of_zeros_looks_in_its_middle():
    assert grid_of(lambda x: convolve(x, np.zeros((3, 3)), 1, 1, 1)) == ((0.5, 0.5), (1, 1))


def test_padding_as_a_layer_of_its_own_counts_the_same():
    """ResNet pads so before its first convolution."""

    def layers(x):
        pads = np.array([0, 0, 1, 1])
        return convolve(ops.pad(x, pads, pads, "constant"), np.ones((3, 3)), 2)

    assert grid_of(layers) == ((0.5, 0.5), (2, 2))


def test_rows_and_columns_cut_off_count_in_either_order_of_axes():
    """NASNet cuts the first row and column off, with the channels last."""

    def layers(x):
        last = ops.transpose(x, np.array([0, 2, 3, 1]))
        none = [0, 0, 0, 0]
        cut = ops.strided_slice(last, [0, 3, 1, 0], none, [1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1])
        return ops.transpose(cut, np.array([0, 3, 1, 2]))

    assert grid_of(layers) == ((3.5, 1.5), (1, 1))


def test_of_branches_that_are_added_the_shortcut_counts():
    def layers(x):
        return ops.add(convolve(x, np.ones((3, 3)), 2, 0, 1), pool(x))

    assert grid_of(layers) == ((1.0, 1.0), (2, 2))


def test_of_branches_side_by_side_the_middle_counts():
    def layers(x):
        return ops.concat([convolve(x, np.ones((3, 3)), 2, 0, 1), pool(x)], 1)

    assert grid_of(layers) == ((1.25, 1.25), (2, 2))


def test_a_map_of_one_place_is_no_map():
    pixels = ops.parameter([-1, 2, 2, 1], np.float32, name="pixels")
    one = pool(ops.transpose(pixels, np.array([0, 3, 1, 2])))
    assert one.get_friendly_name() not in layouts(openvino.Model([one], [pixels]))


@pytest.mark.parametrize(
    ("places", "step", "size", "area"),
    [
        ((7, 7), (32, 32), 224, (0, 0, 224, 224)),
        ((8, 8), (32, 32), 299, (21.5, 21.5, 277.5, 277.5)),  # Inception pads little
        ((10, 10), (32, 32), 299, (-10.5, -10.5, 309.5, 309.5)),
        ((2, 4), (16, 8), 32, (0, 0, 32, 32)),
    ],
)
def test_an_even_grid_lies_in_the_middle_of_the_picture(places, step, size, area):
    assert evenly(places, step, size).area(places) == area
