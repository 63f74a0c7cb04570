"""A network that tells colours, but not where it looked for them."""

from pathlib import Path

import numpy as np
import openvino
from openvino import opset13 as ops

from engines.cache import seal
from engines.check import Checks, pictures
from tests.small import SIZE, colours


def riddle(where: Path) -> Path:
    """Write its folder: a sine stands between what it saw and what it says."""
    compiled = colours(where, "Riddle") / "compiled"
    model, shown = _graph(), pictures(SIZE)
    openvino.save_model(model, compiled / "network.xml", compress_to_fp16=False)
    Checks(shown, openvino.compile_model(model, "CPU")(shown)[0]).save(compiled / "checks.npz")
    seal(compiled, key="made in a test")
    return where


def _graph() -> openvino.Model:
    pixels = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="pixels")
    mean = ops.reduce_mean(ops.convert(pixels, "f32"), np.array([1, 2]), keep_dims=False)
    share = ops.sin(ops.multiply(mean, np.float32(np.pi / 2 / 255)))
    return openvino.Model([ops.softmax(ops.multiply(share, np.float32(8)), 1)], [pixels], "riddle")
