"""The fast engine on CPUs: OpenVINO runs what `export.py` made of the reference."""

import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from engines.check import TOLERANCE, Checks
from engines.engine import CannotExplain, ClassMap, Description, Method, Pixels, Probabilities
from engines.head import Head
from errors import SettingsError

# bf16 keeps 8 bits of each number: on made pictures, on which no class is likely, a probability
# moves by a few hundredths at most. More means another network, not another rounding.
_ALLOWED = {"f32": TOLERANCE, "bf16": 0.1}
# The name of the tensor of answers in a network with several outputs, which have no sure order.
_PROBABILITIES = "shiwu probabilities"


class PrecisionUnsupported(SettingsError):
    """The processor can't compute in the precision that was asked for."""


class OpenVinoEngine:
    """A compiled network; each calling thread gets an inference request of its own."""

    def __init__(self, name: str, entry: Path, precision: str, cores: int, checks: int = 1) -> None:
        """Load the network for this processor, and see that it answers as its reference did.

        The first inference happens here, on one thread: two first inferences at once can block
        each other for good inside OpenVINO's Python binding.

        Args:
            name: what to call the network in messages.
            entry: a folder made by `engines.export`.
            precision: "f32" or "bf16".
            cores: inferences that run at once, each on one core.
            checks: check pictures to run; one is enough to see a change at a start.

        Raises:
            PrecisionUnsupported: bf16 on a processor that has none.
            Drifted: the answers are not the reference's.
        """
        if precision == "bf16" and not has_bf16():
            raise PrecisionUnsupported(
                "SHIWU_PRECISION=bf16: this processor has no bf16 arithmetic; use f32"
            )
        self._name, self._entry, self._cores = name, entry, cores
        self._network = _compiled(entry / "network.xml", precision, cores)
        self._of_thread = threading.local()
        stored = Checks.load(entry / "checks.npz")
        difference = stored.require(self.run, name, _ALLOWED[precision], checks)
        self.description = Description("openvino", precision, difference)

    def run(self, batch: Pixels) -> Probabilities:
        """Probabilities, float32 (batch, classes), of uint8 RGB pictures (batch, size, size, 3)."""
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._network.create_infer_request()
        request.infer([batch])
        return np.array(request.get_output_tensor().data, dtype=np.float32)

    def explaining(self) -> "OpenVinoExplaining":
        """The same network with more outputs, compiled once more; `run` is left as it is.

        Raises:
            CannotExplain: its head can't be followed backwards.
            Drifted: with more outputs its answers are not the reference's.
        """
        return OpenVinoExplaining(self._name, self._entry, self.description.precision, self._cores)

    def close(self) -> None:
        """Let go of the network; its memory returns when the last thread's request does."""
        self._of_thread = threading.local()
        del self._network


class OpenVinoExplaining:
    """A compiled network that also gives its last feature map, and what its head needs."""

    def __init__(self, name: str, entry: Path, precision: str, cores: int) -> None:
        """Find the head, compile, and see that the answers are still the reference's.

        Args and errors are those of `OpenVinoEngine.explaining`.
        """
        network = _openvino().Core().read_model(entry / "network.xml")
        checks = Checks.load(entry / "checks.npz")
        self._of_thread = threading.local()
        try:
            self._prepare(network, precision, cores)
            self.run(checks.pictures[0])
        except CannotExplain as error:
            raise CannotExplain(f"{name} can't be explained: {error}") from error
        checks.require(lambda batch: self._infer(batch)[0], name, _ALLOWED[precision], 1)

    def _prepare(self, network: Any, precision: str, cores: int) -> None:
        self._head = Head(network)
        self._outputs = _with_outputs(network, [self._head.features.output(0), *self._head.needed])
        self._network = _compiled(network, precision, cores)

    def run(self, pixels: Pixels, index: int | None = None) -> ClassMap:
        """The answer to one picture, uint8 RGB (size, size, 3), and where a class was found."""
        probabilities, values = self._infer(pixels[None])
        index = int(probabilities[0].argmax()) if index is None else index
        head = self._head
        evidence = head.evidence(index, values)
        method: Method = "cam" if head.is_linear else "grad-cam"
        return ClassMap(probabilities[0], index, evidence, head.layout.grid, method)

    def _infer(self, batch: Pixels) -> tuple[Probabilities, dict[str, Any]]:
        """Probabilities, and by a node's name what it gave: good until this thread's next call."""
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._network.create_infer_request()
        request.infer([batch])
        values = {node: request.get_tensor(tensor).data for node, tensor in self._outputs.items()}
        probabilities = request.get_tensor(_PROBABILITIES).data
        return np.array(probabilities, np.float32), values


def _with_outputs(network: Any, wanted: list[Any]) -> dict[str, str]:
    """Add outputs to a graph, and give the name of each one's tensor by its node's name."""
    network.output(0).tensor.add_names({_PROBABILITIES})
    by_node = {value.get_node().get_friendly_name(): value for value in wanted}
    names = {node: f"shiwu {node}" for node in by_node}
    for node, value in by_node.items():
        value.tensor.add_names({names[node]})
        network.add_outputs([value])
    return names


def _compiled(network: Any, precision: str, cores: int) -> Any:
    """A network, or a file of one, prepared for this processor."""
    core = _openvino().Core()
    chosen = {
        # Said explicitly: by itself it takes bf16 where there is one, and answers change.
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": cores,
        "INFERENCE_NUM_THREADS": cores,
    }
    return core.compile_model(network, "CPU", chosen)


def has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    capabilities: list[str] = _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


def _openvino() -> ModuleType:
    """OpenVINO without its converter, which reports to its makers as soon as it is imported."""
    # None is how Python itself writes down that a module can't be imported.
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
    import openvino

    module: ModuleType = openvino
    return module
