"""Where a network is parted: below it stays as it is, and the layers above learn.

It can be parted after a layer that everything passes through, and best where little passes: what
the lower part makes of each photo is kept in memory.
"""

import logging
import math
from typing import TYPE_CHECKING

from errors import SettingsError

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)

# Without --top: the last quarter of the layers with kernels. What is kept of a photo is the output
# of one layer; of a few layers in a row the one with the smallest is taken.
_TOP = 0.25
_LEEWAY = 3
_MOST_BYTES = 4 * 2**30  # of what is kept of all photos, in memory


class UnknownTop(SettingsError):
    """There is no such layer to learn from on."""


def find_top(network: "keras.Model", top: str | None) -> str:
    """The name of the layer after which layers learn.

    Args:
        network: from pixels to probabilities.
        top: as of `finetune`.

    Raises:
        UnknownTop: there is no such layer, or the network has another way around it.
    """
    places = _places(network)
    names = ", ".join(list(places)[-6:])
    if top is not None and not top.isdecimal():
        if top not in places:
            known = top in {layer.name for layer in network.layers}
            raise UnknownTop(
                f"--top {top}: {'not everything passes through it' if known else 'no such layer'}; "
                f"among those that can be given are {names}; or give a number of layers"
            )
        return top
    total = max(count for count, _ in places.values())
    wanted = int(top) if top else max(2, round(total * _TOP))
    near = {name: size for name, (n, size) in places.items() if wanted <= n <= wanted + _LEEWAY}
    if not near:
        raise UnknownTop(
            f"--top {wanted}: {network.name} can't be parted there; of its {total} layers with "
            f"kernels fewer or more can learn, or those after a layer by its name ({names})"
        )
    least = min(near.values())
    return [name for name, size in near.items() if size == least][-1]


def affordable(network: "keras.Model", layer: str, passes: int, photos: int) -> int:
    """As many variations of each photo as fit into memory beside the photo itself.

    Args:
        layer: the one whose output is kept.
        passes: variations that were asked for.
        photos: how many there are.

    Raises:
        SettingsError: not even the photos as they are fit.
    """
    each: int = 2 * math.prod(network.get_layer(layer).output.shape[1:]) * photos
    if each > _MOST_BYTES:
        raise SettingsError(
            f"{photos:,} photos take {each / 2**30:.0f} GB after layer {layer}, which is more than "
            "can be kept; let fewer layers learn (--top with a smaller number), or use bottleneck"
        )
    most = min(passes, int(_MOST_BYTES // each) - 1)
    if most < passes:
        _log.warning("only %d variations of each photo: more don't fit into memory", most)
    return most


def top_of(network: "keras.Model", layer: str) -> "keras.Model":
    """The layers after one, up to the logits; all but batch normalisation learn."""
    import keras
    from keras import layers

    last = network.layers[-1]
    output = network.output
    if isinstance(last, layers.Activation | layers.Softmax):
        output = last.input
    else:
        last.activation = keras.activations.linear
    top = keras.Model(network.get_layer(layer).output, output)
    for one in top.layers:
        if isinstance(one, layers.BatchNormalization):
            one.trainable = False
    return top


def _places(network: "keras.Model") -> dict[str, tuple[int, int]]:
    """Layers that everything passes through, first to last.

    With each the number of layers with kernels after it, and of numbers that it gives a picture.
    """
    from keras import layers

    operations = list(network.operations)
    place = {id(one): i for i, one in enumerate(operations)}
    reach = [0] * len(operations)  # of each, the last one that reads it
    for i, one in enumerate(operations):
        for node in one._inbound_nodes:
            for tensor in node.input_tensors:
                source = place.get(id(tensor._keras_history.operation))
                if source is not None:
                    reach[source] = max(reach[source], i)
    kernels = [any(len(w.shape) > 1 for w in getattr(one, "weights", ())) for one in operations]
    found, furthest = {}, 0
    for i, one in enumerate(operations):
        alone, furthest = furthest <= i, max(furthest, reach[i])
        usable = isinstance(one, layers.Layer) and not isinstance(one, layers.InputLayer)
        after = sum(kernels[i + 1 :])
        if alone and usable and after and "float" in str(one.output.dtype):
            found[one.name] = (after, math.prod(one.output.shape[1:]))
    return found
