"""From a card to a loaded engine."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from engines import cache
from engines.engine import Engine
from engines.keras_engine import KerasEngine
from engines.openvino_engine import OpenVinoEngine, PrecisionUnsupported
from models.card import Card


def prepare(
    card: Card, find_weights: Callable[[], Path], *, engine: str = "openvino", compiled: Path
) -> None:
    """Fetch and export whatever `load` will need, in other processes: it takes no memory here.

    Raises:
        SettingsError: no weights, or no room on the disk.
        EngineError: the network can't be exported.
    """
    if engine == "keras":
        find_weights()
    else:
        cache.entry(card, find_weights, compiled)


def load(
    card: Card,
    find_weights: Callable[[], Path],
    *,
    engine: str = "openvino",
    precision: str = "f32",
    compiled: Path,
    cores: int,
) -> Engine:
    """A warm engine for the network, its answers compared with the reference's.

    Args:
        card: the network.
        find_weights: gives the weights file; called only if it is needed.
        engine: "openvino" or "keras".
        precision: "f32", or "bf16" where the processor has it.
        compiled: the folder of compiled networks.
        cores: how many threads will ask at once.

    Raises:
        SettingsError: no weights, no room, or a precision that can't be had.
        EngineError: the network can't be exported, or its answers have drifted.
    """
    if engine == "keras":
        if precision != "f32":
            raise PrecisionUnsupported(
                f"SHIWU_PRECISION={precision}: the keras engine computes in f32; "
                "use f32, or SHIWU_ENGINE=openvino"
            )
        return KerasEngine(card, find_weights())
    entry = partial(cache.entry, card, find_weights, compiled)
    with_layers = partial(entry, "layers")
    return OpenVinoEngine(card.name, entry(), precision, cores, find_layers=with_layers)
