"""The layers of a network, by name: what there is, and what a wrong name may have meant."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from errors import RequestError


class UnknownLayer(RequestError):
    """The network has no layer of that name; the sentence names the nearest ones."""


@dataclass(frozen=True)
class Layer:
    """One layer as Keras describes it; `shape` is its output's for one picture, channels last."""

    name: str
    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Layers:
    """All layers of a network, first to last.

    `penultimate` is the name of the one that the classifying layer reads: its output is what
    search, clustering and learning from few photos stand on.
    """

    penultimate: str
    all: tuple[Layer, ...]

    @classmethod
    def of(cls, model: Any) -> "Layers":
        """Those of a flat Keras model that ends in probabilities."""
        import keras

        found = [
            Layer(layer.name, type(layer).__name__, tuple(output.shape[1:]))
            for layer in model.layers
            if isinstance(output := output_of(layer), keras.KerasTensor)
            and not isinstance(layer, keras.layers.InputLayer)
            and None not in output.shape[1:]
        ]
        return cls(_penultimate(model, found), tuple(found))

    def save(self, path: Path) -> None:
        """Write them as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Layers":
        """Read what `save` wrote."""
        said = json.loads(path.read_bytes())
        rows = (Layer(one["name"], one["type"], tuple(one["shape"])) for one in said["all"])
        return cls(said["penultimate"], tuple(rows))

    def find(self, name: str) -> Layer:
        """The layer of that name.

        Raises:
            UnknownLayer: there is none.
        """
        for layer in self.all:
            if layer.name == name:
                return layer
        nearest = difflib.get_close_matches(name, [layer.name for layer in self.all], 3, 0.0)
        raise UnknownLayer(
            f"layer={_short(name)!r} is no layer of this network; the nearest are "
            f"{', '.join(nearest)}"
        )


def output_of(layer: Any) -> Any:
    """What a layer of a Keras model gives there; a network within a network has two outputs."""
    nodes = layer._inbound_nodes  # Keras has no public way
    tensors = nodes[-1].output_tensors if nodes else [None]
    return tensors[0] if len(tensors) == 1 else None


def _penultimate(model: Any, found: Sequence[Layer]) -> str:
    """The name of the layer before the classifying one, which is the last one with weights."""
    import keras

    named = {one.name for one in found}
    layer = next((one for one in reversed(model.layers) if one.weights), None)
    while layer is not None and not isinstance(layer, keras.layers.InputLayer):
        layer = layer.input._keras_history.operation  # Keras has no public way
        if layer.name in named and not isinstance(
            layer, keras.layers.Dropout | keras.layers.Flatten
        ):
            return str(layer.name)
    return found[-1].name


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
