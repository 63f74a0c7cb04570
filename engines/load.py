"""From a card to a loaded engine."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engines import cache, quantised
from engines.engine import Drifted, Engine
from engines.keras_engine import KerasEngine
from engines.openvino_engine import OpenVinoEngine, PrecisionUnsupported
from models.card import Card

_log = logging.getLogger(__name__)


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
        precision: "f32"; "bf16" where the processor has it; "int8" where `training.quantise` has
            made it; "auto" for the fastest one that it trusts on this kind of processor.
        compiled: the folder of compiled networks.
        cores: how many threads will ask at once.

    Raises:
        SettingsError: no weights, no room, or a precision that can't be had.
        EngineError: the network can't be exported, or its answers have drifted.
    """
    if engine == "keras":
        if precision not in ("f32", "auto"):
            raise PrecisionUnsupported(
                f"SHIWU_PRECISION={precision}: the keras engine computes in f32; "
                "use f32, or SHIWU_ENGINE=openvino"
            )
        return KerasEngine(card, find_weights())
    entry = partial(cache.entry, card, find_weights, compiled)
    reference = entry()
    opened = partial(
        OpenVinoEngine, card.name, reference, cores=cores, find_layers=partial(entry, "layers")
    )
    if precision == "int8":
        form = quantised.require(card, reference, compiled)
        _warn(card, form.verdict)
        return opened("int8", quantised=form.folder)
    if precision == "auto":
        return _fastest(card, opened, quantised.find(card, reference, compiled))
    return opened(precision)


def _warn(card: Card, verdict: quantised.Verdict) -> None:
    """What whoever asks for int8 should know: it is served all the same."""
    if verdict.processor != quantised.processor():
        _log.warning(
            "%s in int8 was tried on another kind of processor, %s", card.name, verdict.processor
        )
    if complaints := verdict.complaints("int8"):
        _log.warning("%s in int8 is served, and not trusted: %s", card.name, "; ".join(complaints))


def _fastest(
    card: Card, opened: Callable[..., OpenVinoEngine], form: quantised.Form | None
) -> OpenVinoEngine:
    """The network in the fastest precision that is trusted here; in f32 where none was tried."""
    if form is None:
        _log.info("%s: no other precision has been tried with these weights; f32", card.name)
        return opened("f32")
    if form.verdict.processor != quantised.processor():
        _log.info(
            "%s: precisions were tried on another kind of processor (%s); f32",
            card.name,
            form.verdict.processor,
        )
        return opened("f32")
    precision = form.verdict.fastest()
    if precision == "f32":
        return opened("f32")
    try:
        return opened(precision, quantised=form.folder if precision == "int8" else None)
    except (Drifted, PrecisionUnsupported) as error:
        _log.warning("%s is served in f32: %s", card.name, error)
        return opened("f32")
