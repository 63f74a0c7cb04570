"""One step of gradient descent."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from tests.training.conftest import ROOT
from training.step import split

# Prints how far PyTorch's batch normalisation is from Keras', of layers that networks have.
_COMPARED = """
import keras, numpy as np
from training.step import _normalise_at_once

random = np.random.default_rng(0)
for shape in ((5, 5, 3), (3,)):
    for gamma in (True, False):
        for beta in (True, False):
            pixels = keras.Input(shape)
            layer = keras.layers.BatchNormalization(scale=gamma, center=beta)
            network = keras.Model(pixels, layer(pixels))
            layer.set_weights([random.uniform(1, 2, 3) for _ in layer.get_weights()])
            given = random.normal(size=(4, *shape)).astype(np.float32)
            before = keras.ops.convert_to_numpy(network(given))
            _normalise_at_once(network)
            print(np.abs(keras.ops.convert_to_numpy(network(given)) - before).max())
"""


def test_both_halves_of_a_sorted_batch_hold_every_class():
    """Else batch normalisation gives away the half of the classes that a picture is of."""
    classes = np.repeat(np.arange(5), 4).astype(np.float32)
    for half in split(classes):
        assert set(half) == set(range(5))


def test_nothing_of_a_batch_is_lost():
    """Also of one with an odd number of pictures."""
    batch = np.arange(7, dtype=np.float32)
    assert sorted(np.concatenate(split(batch))) == list(range(7))


@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch, which is not required")
def test_batch_normalisation_by_pytorch_is_that_of_keras():
    """Also without gamma, as in InceptionV3, and after a dense layer."""
    ran = subprocess.run(
        [sys.executable, "-c", _COMPARED], cwd=ROOT, env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    differences = [float(line) for line in ran.stdout.split()]
    assert len(differences) == 8
    assert max(differences) < 1e-5
