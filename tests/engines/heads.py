"""Small networks with heads of every kind, made without Keras.

Each has the same backbone, a convolution with a stride, and a head that a test gives. Numbers are
random, but always the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino
from openvino import opset13 as ops

from engines.check import Checks, pictures
from engines.openvino_engine import OpenVinoEngine, OpenVinoExplaining

SIZE, CHANNELS, CLASSES = 32, 6, 4


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(0, 0.4, shape).astype(np.float32)


def photos(count: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


@dataclass
class Network:
    """A network of which everything can be looked at."""

    explaining: OpenVinoExplaining
    engine: OpenVinoEngine
    inside: openvino.CompiledModel

    def features(self, photo: np.ndarray) -> np.ndarray:
        """The feature map, float32 (channels, rows, columns)."""
        return np.array(self.inside([photo[None]])[self.inside.output("features")][0])

    def logits(self, photo: np.ndarray) -> np.ndarray:
        """Float32 (classes,)."""
        return np.array(self.inside([photo[None]])[self.inside.output("logits")][0])


def network(folder: Path, head: Callable[[openvino.Output], openvino.Output]) -> Network:
    """A network whose logits are `head` of its feature map, (1, CHANNELS, 16, 16)."""
    entry = folder / "entry"
    entry.mkdir()
    pixels, features, logits = _graph(head)
    probabilities = ops.softmax(logits, 1)
    whole = openvino.Model([probabilities], [pixels], "whole")
    openvino.save_model(whole, entry / "network.xml", compress_to_fp16=False)
    shown = pictures(SIZE)
    run = openvino.Core().compile_model(whole, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    Checks(shown, np.array(run([shown])[0])).save(entry / "checks.npz")

    pixels, features, logits = _graph(head)
    features.output(0).tensor.add_names({"features"})
    logits.output(0).tensor.add_names({"logits"})
    inside = openvino.Model([features, logits], [pixels], "inside")
    compiled = openvino.Core().compile_model(inside, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    engine = OpenVinoEngine("Small", entry, "f32", cores=1)
    return Network(engine.explaining(), engine, compiled)


def dense(features: openvino.Output, width: int = CLASSES, seed: int = 1) -> openvino.Output:
    """A dense layer with a bias; features are (batch, n)."""
    n = features.output(0).get_partial_shape()[1].get_length()
    kernel, bias = numbers(width, n, seed=seed), numbers(1, width, seed=seed)
    return ops.add(ops.matmul(features, kernel, False, True), bias)


def mean(features: openvino.Output) -> openvino.Output:
    """Global average pooling."""
    return ops.reduce_mean(features, np.array([2, 3]), keep_dims=False)


def _graph(head):
    pixels = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="pixels")
    upright = ops.transpose(ops.convert(pixels, "f32"), np.array([0, 3, 1, 2]))
    scaled = ops.multiply(upright, np.float32(1 / 64))
    kernel = numbers(CHANNELS, 3, 3, 3)
    features = ops.relu(ops.convolution(scaled, kernel, [2, 2], [0, 0], [1, 1], [1, 1]))
    return pixels, features, head(features)
