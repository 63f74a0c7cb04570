"""A real network, small enough to be made in a test: it says whether a photo is red, green or blue.

It is a network folder like any other, made without Keras, so that a test that only needs *a*
network starts in a moment. Probabilities are softmax(mean colour / 32).
"""

import io
from pathlib import Path

import numpy as np
import openvino
from openvino import opset13 as ops
from PIL import Image

from engines.cache import seal
from engines.check import Checks, pictures
from engines.layers import Layer, Layers
from models import folder
from models.card import Card

SIZE = 32
CLASSES = (("c0", "red"), ("c1", "green"), ("c2", "blue"))
LAYERS = Layers("mean", (Layer("mean", "Mean", (3,)), Layer("probabilities", "Softmax", (3,))))


def answer(batch: np.ndarray) -> np.ndarray:
    """What the network computes, in numpy: uint8 (n, size, size, 3) to float32 (n, 3)."""
    logits = batch.astype(np.float32).mean(axis=(1, 2)) / 32
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def colours(where: Path, name: str = "Colours") -> Path:
    """Write the network folder at `where`."""
    compiled = where / "compiled"
    compiled.mkdir(parents=True)
    folder.save(_card(name), where)
    lines = [f"{class_id}\t{label}\n" for class_id, label in CLASSES]
    (where / folder.LABELS).write_text("".join(lines), encoding="utf-8")
    openvino.save_model(_graph(), compiled / "network.xml", compress_to_fp16=False)
    shown = pictures(SIZE)
    Checks(shown, answer(shown)).save(compiled / "checks.npz")
    LAYERS.save(compiled / "layers.json")
    seal(compiled, key="made in a test")
    return where


def photo(colour: str, size: tuple[int, int] = (64, 48), kind: str = "JPEG") -> bytes:
    """An encoded picture of one colour."""
    encoded = io.BytesIO()
    Image.new("RGB", size, colour).save(encoded, kind)
    return encoded.getvalue()


def _card(name: str) -> Card:
    return Card(
        name=name,
        builder="convnet",
        input_size=SIZE,
        scaling="none",
        classes=len(CLASSES),
        labels=folder.LABELS,
        parameters=3,
        licence="Apache-2.0",
    )


def _graph() -> openvino.Model:
    pixels = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="pixels")
    mean = ops.reduce_mean(ops.convert(pixels, "f32"), np.array([1, 2]), keep_dims=False)
    logits = ops.divide(mean, np.float32(32))
    return openvino.Model([ops.softmax(logits, 1)], [pixels], "colours")
