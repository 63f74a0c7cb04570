"""Real networks that go wrong on red photos, in the engine itself, and answer all others.

They are `tests.small`'s network with one more step, whose work depends on the photo.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

from engines.cache import seal
from tests import small

_Step = Callable[[Any, Any], Any]


def that_hangs(where: Path) -> Path:
    """On a red photo a loop goes round two thousand million times, which takes hours."""

    def step(means, is_red):
        rounds = ops.convert(ops.select(is_red, np.int32(2_000_000_000), np.int32(1)), "i32")
        state = ops.parameter([-1, 3], np.float32)
        on = ops.constant(np.array([True]))
        body = openvino.Model([ops.sin(state), on], [state], "round")
        loop = ops.loop(rounds, ops.constant(np.array(True)))
        loop.set_function(body)
        loop.set_special_body_ports([-1, 1])
        loop.set_merged_input(state, means.output(0), body.results[0].input_value(0))
        return ops.multiply(loop.get_iter_value(body.results[0].input_value(0), -1), np.float32(0))

    return _made(where, step)


def that_throws(where: Path) -> Path:
    """On a red photo three numbers would have to become seven, which the engine refuses."""

    def step(means, is_red):
        count = ops.select(is_red, np.int64(7), np.int64(3))
        shape = ops.concat([np.array([-1]), ops.reshape(count, np.array([1]), False)], 0)
        zeros = ops.multiply(ops.reshape(means, shape, False), np.float32(0))
        return ops.reduce_sum(zeros, np.array([1]), keep_dims=True)

    return _made(where, step)


def that_gives_no_numbers(where: Path) -> Path:
    """On a red photo every probability is NaN."""

    def step(_, is_red):
        return ops.select(is_red, np.float32("nan"), np.float32(0))

    return _made(where, step)


def _made(where: Path, step: _Step) -> Path:
    """The network folder, its graph exchanged."""
    small.colours(where, "Moody")
    pixels = ops.parameter([-1, small.SIZE, small.SIZE, 3], np.uint8, name="pixels")
    means = ops.reduce_mean(ops.convert(pixels, "f32"), np.array([1, 2]), keep_dims=False)
    mean = ops.reduce_mean(means, np.array([0]), keep_dims=False)
    is_red = ops.reduce_logical_and(
        ops.logical_and(
            ops.greater(mean, np.array([200, -1, -1], np.float32)),
            ops.less(mean, np.array([256, 9, 9], np.float32)),
        ),
        np.array([0]),
        keep_dims=False,
    )
    logits = ops.add(ops.divide(means, np.float32(32)), step(means, is_red))
    graph = openvino.Model([ops.softmax(logits, 1)], [pixels], "moody")
    compiled = where / "compiled"
    openvino.save_model(graph, compiled / "network.xml", compress_to_fp16=False)
    seal(compiled, key="made in a test")
    return where
