"""`python -m engines.export`: a network from Keras, as a file that the fast engine runs.

It runs as a process of its own, so that TensorFlow's gigabyte and its seconds leave with it: a
service never holds them, not even at its first start. It writes into an existing folder the
network in OpenVINO's form (network.xml, network.bin; scaling folded in, uint8 goes in) and what
the Keras reference answered on the check pictures (checks.npz).
"""

import argparse
import importlib.metadata
import json
import os
import sys
from pathlib import Path

from engines.check import Checks, pictures
from models.card import Card
from models.zoo import card as find_card

MADE_WITH = ("keras", "tensorflow", "tensorflow-cpu", "openvino")


def export(card: Card, weights: Path, out: Path) -> None:
    """Write network.xml, network.bin, checks.npz and made_with.json into `out`."""
    # OpenVINO's converter reports its use to a stranger's address; without the module it doesn't.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the one that OpenVINO's converter reads
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import numpy as np
    import openvino

    from models.build import build

    model = build(card, weights)
    shown = pictures(card.input_size)
    Checks(shown, np.asarray(model(shown, training=False))).save(out / "checks.npz")
    lossless = all(np.array_equal(w, w.astype(np.float16)) for w in model.get_weights())
    network = openvino.convert_model(model)
    openvino.save_model(network, out / "network.xml", compress_to_fp16=lossless)
    (out / "made_with.json").write_text(json.dumps(_versions(), indent=1))


def _versions() -> dict[str, str]:
    installed = {found.metadata["Name"].lower() for found in importlib.metadata.distributions()}
    return {name: importlib.metadata.version(name) for name in MADE_WITH if name in installed}


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m engines.export", description=__doc__)
    parser.add_argument("--model", required=True, help="a network's name or folder")
    parser.add_argument("--weights", required=True, type=Path, help="its weights file")
    parser.add_argument("--out", required=True, type=Path, help="an existing, empty folder")
    given = parser.parse_args()
    export(find_card(given.model), given.weights, given.out)


if __name__ == "__main__":
    _main()
