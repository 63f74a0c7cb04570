"""One step of gradient descent, on whichever Keras backend is set up.

On PyTorch without a GPU the batch is taken in two halves by two threads. Threads inside each
operation wait for one another thousands of times a step, so on a machine that does other work
too they stand still most of the time (26 pictures a second instead of 170 were measured); two
halves wait once. Batch normalisation then sees half a batch, which does no harm.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines.openvino_engine import has_bf16
from serving.cores import available

if TYPE_CHECKING:
    import keras

HALVES = 2
Floats = NDArray[np.float32]
# Pictures and one-hot classes in; loss and share of right answers on this batch out.
Step = Callable[[Floats, Floats], tuple[float, float]]


def make_step(network: "keras.Model", optimizer: Any, label_smoothing: float) -> Step:
    """The function that takes one step.

    Args:
        network: from scaled pictures to logits.
        optimizer: a Keras optimizer, built for the network's trainable variables.
        label_smoothing: share of the target that is spread over all classes.
    """
    import keras

    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    if keras.backend.backend() == "torch":
        import torch  # type: ignore[import-not-found, unused-ignore]

        if not torch.cuda.is_available():
            return _torch_step(network, optimizer, loss)
    return _keras_step(network, optimizer, loss)


@contextmanager
def mixed_precision() -> Iterator[None]:
    """Layers built within compute in bf16 where the processor has it; weights stay float32.

    On PyTorch alone, where it was measured: 440 pictures a second instead of 285 on two cores
    with AMX.
    """
    import keras

    before = keras.config.dtype_policy()
    if keras.backend.backend() == "torch" and _has_bf16():
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _has_bf16() -> bool:
    import torch

    return torch.cuda.is_bf16_supported() if torch.cuda.is_available() else has_bf16()


def split(batch: Floats) -> list[Floats]:
    """Both halves of a batch, as views: every other one of it.

    Batches come sorted by class. A first and a second half would hold half of the classes each,
    and batch normalisation would tell the network which: it learned to rely on that, was right
    on 0.53 of its training pictures in training and on 0.44 of the same ones afterwards.
    """
    return [batch[first::HALVES] for first in range(HALVES)]


def _keras_step(network: "keras.Model", optimizer: Any, loss: Any) -> Step:
    network.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)

    def step(pictures: Floats, targets: Floats) -> tuple[float, float]:
        network.reset_metrics()
        told = network.train_on_batch(pictures, targets, return_dict=True)
        return float(told["loss"]), float(told["accuracy"])

    return step


def _torch_step(network: "keras.Model", optimizer: Any, loss: Any) -> Step:
    import torch

    _normalise_at_once(network)
    variables = network.trainable_variables
    parameters = [variable.value for variable in variables]
    threads = max(1, available() // HALVES)
    torch.set_num_threads(threads)  # of this thread, which applies the gradients; others in a pool
    halves = ThreadPoolExecutor(HALVES, "step", torch.set_num_threads, (threads,))

    def half(pictures: Floats, targets: Floats) -> tuple[float, float, list[Any]]:
        logits = network(torch.from_numpy(pictures), training=True)
        logits = logits.float()
        value = loss(torch.from_numpy(targets), logits)
        right = logits.detach().numpy().argmax(axis=1) == targets.argmax(axis=1)
        gradients = torch.autograd.grad(value, parameters)
        return float(value.detach()), float(right.mean()), gradients

    def step(pictures: Floats, targets: Floats) -> tuple[float, float]:
        done = list(halves.map(half, split(pictures), split(targets)))
        with torch.no_grad():
            mean = [sum(pair) / HALVES for pair in zip(*(part[2] for part in done), strict=True)]
            optimizer.apply(mean, variables)
        return sum(part[0] for part in done) / HALVES, sum(part[1] for part in done) / HALVES

    return step


def _normalise_at_once(network: "keras.Model") -> None:
    """Batch normalisation by PyTorch's own operation.

    Keras makes it of a dozen, which took half of a step.
    """
    from keras import layers
    from torch.nn.functional import batch_norm  # type: ignore[import-not-found, unused-ignore]

    def call(layer: Any, inputs: Any, training: bool | None = None, **_: Any) -> Any:
        normalised = batch_norm(
            inputs.movedim(-1, 1),  # PyTorch takes channels first; the memory stays as it is
            layer.moving_mean.value,
            layer.moving_variance.value,
            layer.gamma.value if layer.scale else None,
            layer.beta.value if layer.center else None,
            bool(training) and layer.trainable,
            1 - layer.momentum,
            layer.epsilon,
        )
        return normalised.movedim(1, -1)

    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.call = partial(call, layer)
