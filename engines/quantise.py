"""A network in int8, by NNCF's post-training quantisation: needs requirements-quantise.txt.

Weights and what flows between layers become 8-bit integers, at scales that calibration photos
give. NNCF's defaults change answers; what keeps them (docs/precision.md has the figures) is
`preset=MIXED`, so that what can be negative has steps of its own below and above zero, and the
slow bias correction, which runs the network anew for each layer that it corrects.
"""

import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from engines.check import Checks
from engines.engine import Pixels
from engines.openvino_engine import openvino
from errors import SettingsError

# As OpenVINO calls a convolution of each channel by itself.
_DEPTHWISE = "GroupConvolution"


class QuantiserMissing(SettingsError):
    """NNCF is not installed."""


def quantise(
    entry: Path, pictures: Sequence[Pixels], out: Path, depthwise_in_f32: bool = False
) -> None:
    """Write the network of `entry` in int8 into `out`: network.xml and network.bin; some minutes.

    Args:
        entry: a folder made by `engines.export`, for answers.
        pictures: to calibrate on, each uint8 RGB (size, size, 3).
        out: an existing folder.
        depthwise_in_f32: leave convolutions of single channels in f32: slower, more like f32.

    Raises:
        QuantiserMissing: NNCF is not installed.
    """
    nncf = quantiser()
    chosen: dict[str, Any] = {"preset": nncf.QuantizationPreset.MIXED}
    if depthwise_in_f32:
        chosen["ignored_scope"] = nncf.IgnoredScope(types=[_DEPTHWISE], validate=False)
    network = openvino().Core().read_model(entry / "network.xml")
    shown = nncf.Dataset([picture[None] for picture in pictures])
    with contextlib.redirect_stdout(sys.stderr):  # its progress
        made = nncf.quantize(
            network, shown, subset_size=len(pictures), fast_bias_correction=False, **chosen
        )
    openvino().save_model(made, out / "network.xml", compress_to_fp16=False)


def is_depthwise(entry: Path) -> bool:
    """Whether a network has convolutions of single channels."""
    network = openvino().Core().read_model(entry / "network.xml")
    return any(node.get_type_name() == _DEPTHWISE for node in network.get_ops())


def check(entry: Path, out: Path) -> None:
    """Write into `out` what its network answers on the check pictures of `entry`."""
    shown = Checks.load(entry / "checks.npz").pictures
    core = openvino().Core()
    chosen = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    network = core.compile_model(out / "network.xml", "CPU", chosen)
    answers = [np.array(network([one[None]])[0][0], np.float32) for one in shown]
    Checks(shown, np.stack(answers)).save(out / "checks.npz")


def quantiser() -> ModuleType:
    """NNCF, without the module by which it reports its use to its makers.

    Raises:
        QuantiserMissing: it is not installed.
    """
    # None is how Python itself writes down that a module can't be imported.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    openvino()
    try:
        import nncf
    except ModuleNotFoundError as error:
        raise QuantiserMissing(
            f"quantising needs NNCF ({error}): pip install -r requirements-quantise.txt "
            "-c requirements.lock"
        ) from error
    # Its own `set_log_level` sets handlers too, also those that others hung there.
    logging.getLogger("nncf").setLevel(logging.ERROR)
    module: ModuleType = nncf
    return module
