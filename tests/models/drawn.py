"""Random weights for which 1e-4 in a probability means something.

As Keras makes them, deep networks have signals that shrink or grow from layer to layer, by powers
of ten that depend on the draw: then curves saturate and the last digit of a sum becomes a tenth of
a probability, or blocks add nothing that anyone could miss. Trained networks are not like that, as
their batch normalisation has seen data. So it sees some here.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.check import pictures
from models.build import build
from models.card import Card

SPREAD = 2.0  # standard deviation of the logits: so probabilities have a shape
SEEN = 3  # pictures


def write(card: Card, path: Path, seed: int = 0) -> None:
    """Write a file of weights drawn by `seed`, with signals of one size through all layers.

    Kernels keep the size of what they are shown (He et al. 2015, arXiv 1502.01852); every gain,
    offset and bias has something to say; batch normalisation's statistics are those of pictures;
    and logits are spread.

    Args:
        card: of a network with softmax at its end.
        path: of the file, ending in .weights.h5.
        seed: of all that is drawn.
    """
    from keras import layers

    random = np.random.default_rng(seed)
    fresh = build(card, None)
    for weight in fresh.trainable_weights:
        weight.assign(_drawn(weight, random))
    inputs = [one for one in fresh.layers if isinstance(one, layers.Normalization) and one.weights]
    for layer in inputs:
        mean, variance = random.uniform(0.4, 0.6, 3), random.uniform(0.05, 0.3, 3)
        layer.set_weights([mean, variance, np.array(1)])
    fresh.save_weights(path)
    graph = build(card, path)  # as it is served: loading may change what the input is divided by
    _see(graph, pictures(card.input_size)[:SEEN])
    for layer in inputs:
        graph.get_layer(layer.name).set_weights(layer.get_weights())
    graph.save_weights(path)


def _drawn(weight: Any, random: np.random.Generator) -> NDArray[np.float32]:
    shape = tuple(weight.shape)
    if len(shape) == 1:
        middle = float("gamma" in weight.path or "scale" in weight.path)
        return random.uniform(middle - 0.3, middle + 0.3, shape).astype(np.float32)
    one_by_one = shape[-1] == 1 or "depthwise" in weight.path  # channels don't see each other
    seen = np.prod(shape[:2] if one_by_one else shape[:-1])
    return random.normal(0, np.sqrt(2 / seen), shape).astype(np.float32)


def _see(graph: Any, shown: NDArray[np.uint8]) -> None:
    """Fit the statistics of batch normalisation, and the head, to one pass of pictures."""
    import keras

    for layer in graph.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
        elif isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    graph(shown, training=True)
    head = next(layer for layer in reversed(graph.layers) if hasattr(layer, "kernel"))
    features = np.asarray(keras.Model(graph.input, head.input)(shown), np.float64)
    kernel, *bias = head.get_weights()
    logits = features.reshape(len(shown), -1) @ kernel.reshape(-1, kernel.shape[-1])
    head.set_weights([kernel * (SPREAD / logits.std()), *bias])
