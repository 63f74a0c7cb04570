"""The fast engine on CPUs: OpenVINO runs what `export.py` made of the reference."""

import sys
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from engines.check import TOLERANCE, Checks
from engines.engine import (
    CannotExplain,
    CannotExtract,
    ClassMap,
    Description,
    Features,
    Method,
    Pixels,
    Probabilities,
)
from engines.head import Head, penultimate
from engines.layers import Layers
from errors import EngineError, SettingsError

# bf16 keeps 8 bits of each number: on made pictures, on which no class is likely, a probability
# moves by a few hundredths at most. More means another network, not another rounding.
_ALLOWED = {"f32": TOLERANCE, "bf16": 0.1}
# int8 is held against what it answered itself when its trial was made. From one processor with
# VNNI to another MobileNetV2 moves by 0.02 here; without VNNI its sums overflow: 0.14 to 0.3.
_ALLOWED_OF_INT8 = 0.06
_TRY_HERE = (
    "processors without VNNI compute int8 otherwise: run `python -m training.quantise` on this "
    "one, or use SHIWU_PRECISION=f32"
)
# The name of the tensor of answers in a network with several outputs, which have no sure order.
_PROBABILITIES = "shiwu probabilities"


class PrecisionUnsupported(SettingsError):
    """The processor can't compute in the precision that was asked for."""


class NotComputed(EngineError):
    """The engine came back without numbers for a picture."""


class OpenVinoEngine:
    """A compiled network; each calling thread gets an inference request of its own."""

    def __init__(
        self,
        name: str,
        entry: Path,
        precision: str,
        cores: int,
        checks: int = 1,
        find_layers: Callable[[], Path] | None = None,
        quantised: Path | None = None,
    ) -> None:
        """Load the network for this processor, and see that it answers as its reference did.

        The first inference happens here, on one thread: two first inferences at once can block
        each other for good inside OpenVINO's Python binding.

        Args:
            name: what to call the network in messages.
            entry: a folder made by `engines.export`.
            precision: "f32", "bf16", or "int8" for the form in `quantised`.
            cores: inferences that run at once, each on one core.
            checks: check pictures to run; one is enough to see a change at a start.
            find_layers: gives the folder of the same network with every layer as an output; slow
                when called first. None: `entry` is one.
            quantised: the folder of the same network in int8. It gives answers and the features
                before them; heat maps and other layers stay with `entry`, in f32.

        Raises:
            PrecisionUnsupported: bf16 on a processor that has none.
            Drifted: the answers are not the reference's.
        """
        if precision == "bf16" and not has_bf16():
            raise PrecisionUnsupported(
                "SHIWU_PRECISION=bf16: this processor has no bf16 arithmetic; use f32"
            )
        self._name, self._entry, self._cores = name, entry, cores
        self._answering = quantised or entry
        # What of a quantised network isn't in int8 is in f32.
        self._arithmetic = "f32" if quantised else precision
        self._find_layers = find_layers or (lambda: entry)
        self._network = _compiled(self._answering / "network.xml", self._arithmetic, cores)
        if len(self._network.outputs) > 1:  # every layer is one; its export is being checked
            network = _read(entry)
            _keep_only(network, self.layers.all[-1].name)
            self._network = _compiled(network, self._arithmetic, cores)
        self._of_thread = threading.local()
        stored = Checks.load(entry / "checks.npz")
        if quantised:
            own = Checks.load(quantised / "checks.npz")
            own.require(self.run, f"{name} in int8", _ALLOWED_OF_INT8, checks, _TRY_HERE)
            difference = stored.difference(self.run, checks)
        else:
            difference = stored.require(self.run, name, _ALLOWED[precision], checks)
        self.description = Description("openvino", precision, difference)

    def run(self, batch: Pixels) -> Probabilities:
        """Probabilities, float32 (batch, classes), of uint8 RGB pictures (batch, size, size, 3)."""
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._network.create_infer_request()
        _infer(request, batch, 0)
        return np.array(request.get_output_tensor().data, dtype=np.float32)

    def explaining(self) -> "OpenVinoExplaining":
        """The same network with more outputs, compiled once more; `run` is left as it is.

        Raises:
            CannotExplain: its head can't be followed backwards.
            Drifted: with more outputs its answers are not the reference's.
        """
        return OpenVinoExplaining(self._name, self._entry, self._arithmetic, self._cores)

    @cached_property
    def layers(self) -> Layers:
        """What layers the network has, as its export wrote them down."""
        return Layers.load(self._entry / "layers.json")

    def extracting(self, layer: str | None = None) -> "OpenVinoExtracting":
        """The same network up to one layer, by default up to what the last dense layer reads.

        Raises:
            UnknownLayer: there is no such layer.
            SettingsError, EngineError: the network has to be exported again, with every layer as
                an output, and can't be.
        """
        precision = self._arithmetic
        if layer is None:
            network = _read(self._answering)
            network.output(0).tensor.add_names({_PROBABILITIES})
            network.add_outputs([penultimate(network)])
            return OpenVinoExtracting(
                self.layers.penultimate, (-1,), network, precision, self._cores
            )
        shape = self.layers.find(layer).shape
        network = _read(self._find_layers())
        _keep_only(network, layer)
        return OpenVinoExtracting(layer, shape, network, precision, self._cores)

    def close(self) -> None:
        """Let go of the network; its memory returns when the last thread's request does."""
        self._of_thread = threading.local()
        del self._network


class OpenVinoExtracting:
    """A compiled network that ends in one of its layers."""

    def __init__(
        self, layer: str, shape: tuple[int, ...], network: Any, precision: str, cores: int
    ) -> None:
        """Compile it and run it once, on this thread.

        Args:
            layer: its name.
            shape: of what it gives for one picture; (-1,) for one row of numbers.
            network: an `openvino.Model` from pixels to the layer's output alone, or to its
                probabilities and the layer's.
            precision: "f32" or "bf16".
            cores: inferences that run at once, each on one core.
        """
        self.layer, self.shape = layer, shape
        self._network = _compiled(network, precision, cores)
        self._of_thread = threading.local()
        named = [_PROBABILITIES in output.get_names() for output in self._network.outputs]
        self._at = named.index(False)
        size = self._network.input(0).get_partial_shape()[1].get_length()
        self.shape = self.run(np.zeros((1, size, size, 3), np.uint8)).shape[1:]

    def run(self, batch: Pixels) -> Features:
        """Features, float32 (batch, *shape), of uint8 RGB pictures (batch, size, size, 3)."""
        return self._features(self._infer(batch), len(batch))

    def run_both(self, batch: Pixels) -> tuple[Features, Probabilities]:
        """Features and probabilities of one pass; only of the form that was made without a layer.

        Raises:
            CannotExtract: this is the form of one layer.
        """
        request = self._infer(batch)
        if len(self._network.outputs) == 1:
            raise CannotExtract(f"the form that ends in {self.layer} has no probabilities")
        probabilities = np.array(request.get_tensor(_PROBABILITIES).data, dtype=np.float32)
        return self._features(request, len(batch)), probabilities

    def _infer(self, batch: Pixels) -> Any:
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._network.create_infer_request()
        _infer(request, batch, *range(len(self._network.outputs)))
        return request

    def _features(self, request: Any, count: int) -> Features:
        features = request.get_output_tensor(self._at).data
        return np.array(features, dtype=np.float32).reshape(count, *self.shape)


class OpenVinoExplaining:
    """A compiled network that also gives its last feature map, and what its head needs."""

    def __init__(self, name: str, entry: Path, precision: str, cores: int) -> None:
        """Find the head, compile, and see that the answers are still the reference's.

        Args and errors are those of `OpenVinoEngine.explaining`.
        """
        network = _read(entry)
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
        _infer(request, batch, _PROBABILITIES)
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


def _infer(request: Any, batch: Pixels, *outputs: int | str) -> None:
    """Run an inference request, and see that it has written its outputs.

    OpenVINO (2026.4) can lose an exception of a network whose shapes are not fixed, and leaves the
    answer to the last picture where this one's should be: so NaN lies there before.

    Args:
        outputs: those to look at, by index or by the name of a tensor; of f32.

    Raises:
        NotComputed: one of them doesn't hold numbers.
    """
    for output in outputs:
        _tensor(request, output).fill(np.nan)
    # Not infer(batch): to look at every input and copy every output takes it longer than all this.
    pixels = request.get_input_tensor()
    pixels.shape = batch.shape
    pixels.data[:] = batch
    request.infer(share_outputs=True)
    if not all(np.isfinite(_tensor(request, output)).all() for output in outputs):
        raise NotComputed("the engine gave no numbers for a picture")


def _tensor(request: Any, output: int | str) -> Any:
    by_index = isinstance(output, int)
    return (request.get_output_tensor(output) if by_index else request.get_tensor(output)).data


def _read(entry: Path) -> Any:
    return openvino().Core().read_model(entry / "network.xml")


def _keep_only(network: Any, layer: str) -> None:
    """Make one layer the only output of a graph that has every layer as one."""
    kept = network.output(layer).get_node().get_friendly_name()
    for result in network.get_results():
        if result.get_friendly_name() != kept:
            network.remove_result(result)


def _compiled(network: Any, precision: str, cores: int) -> Any:
    """A network, or a file of one, prepared for this processor."""
    core = openvino().Core()
    chosen = {
        # Said explicitly: by itself it takes bf16 where there is one, and answers change.
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": cores,
        "INFERENCE_NUM_THREADS": cores,
    }
    return core.compile_model(network, "CPU", chosen)


def has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    capabilities: list[str] = openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


def openvino() -> ModuleType:
    """OpenVINO without its converter, which reports to its makers as soon as it is imported."""
    # None is how Python itself writes down that a module can't be imported.
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
    import openvino as found

    module: ModuleType = found
    return module
