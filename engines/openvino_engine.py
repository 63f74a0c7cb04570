"""The fast engine on CPUs: OpenVINO runs what `export.py` made of the reference."""

import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np

from engines.check import TOLERANCE, Checks
from engines.engine import Description, Pixels, Probabilities
from errors import SettingsError

# bf16 keeps 8 bits of each number: on made pictures, on which no class is likely, a probability
# moves by a few hundredths at most. More means another network, not another rounding.
_ALLOWED = {"f32": TOLERANCE, "bf16": 0.1}


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
        core = _openvino().Core()
        if precision == "bf16" and not has_bf16():
            raise PrecisionUnsupported(
                "SHIWU_PRECISION=bf16: this processor has no bf16 arithmetic; use f32"
            )
        self._network = core.compile_model(
            entry / "network.xml",
            "CPU",
            {
                # Said explicitly: by itself it takes bf16 where there is one, and answers change.
                "INFERENCE_PRECISION_HINT": precision,
                "NUM_STREAMS": cores,
                "INFERENCE_NUM_THREADS": cores,
            },
        )
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

    def close(self) -> None:
        """Let go of the network; its memory returns when the last thread's request does."""
        self._of_thread = threading.local()
        del self._network


def has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    capabilities: list[str] = (
        _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    )
    return "BF16" in capabilities


def _openvino() -> ModuleType:
    """OpenVINO without its converter, which reports to its makers as soon as it is imported."""
    # None is how Python itself writes down that a module can't be imported.
    sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]
    import openvino

    module: ModuleType = openvino
    return module
