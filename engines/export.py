"""`python -m engines.export`: a network from Keras, as a file that the fast engine runs.

It runs as a process of its own, so that TensorFlow's gigabyte and its seconds leave with it: a
service never holds them, not even at its first start. It writes into an existing folder the
network in OpenVINO's form (network.xml, network.bin; scaling folded in, uint8 goes in), what
the Keras reference answered on the check pictures (checks.npz) and the names of its layers
(layers.json). With `--every-layer` each layer is an output of its own, under its name: nothing is
folded into its neighbour then, which is slower to run whole, and what features are cut from.
"""

import argparse
import os
import shutil
import sys
import threading
from contextlib import suppress
from pathlib import Path

from engines.check import Checks, pictures
from engines.layers import Layers, output_of
from errors import SettingsError
from models.card import Card
from models.zoo import card as find_card

# The exit status that says: standard output holds one sentence for the operator.
REFUSED = 3


def export(card: Card, weights: Path, out: Path, every_layer: bool = False) -> None:
    """Write network.xml, network.bin, checks.npz and layers.json into `out`."""
    # OpenVINO's converter reports its use to a stranger's address; without the module it doesn't.
    # (None is how Python itself writes down that a module can't be imported.)
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the one that OpenVINO's converter reads
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import keras
    import numpy as np
    import openvino

    from models.build import build

    model = build(card, weights)
    shown = pictures(card.input_size)
    Checks(shown, np.asarray(model(shown, training=False))).save(out / "checks.npz")
    lossless = all(np.array_equal(w, w.astype(np.float16)) for w in model.get_weights())
    layers = Layers.of(model)
    layers.save(out / "layers.json")
    if every_layer:
        outputs = {layer.name: output_of(model.get_layer(layer.name)) for layer in layers.all}
        network = openvino.convert_model(keras.Model(model.input, list(outputs.values())))
        by_tensor = {name: output for output in network.outputs for name in output.get_names()}
        for name, tensor in outputs.items():
            by_tensor[tensor.name].tensor.add_names({name})
    else:
        network = openvino.convert_model(model)
    openvino.save_model(network, out / "network.xml", compress_to_fp16=lossless)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m engines.export", description=__doc__)
    parser.add_argument("--model", required=True, help="a network's name, folder or file")
    parser.add_argument(
        "--input-size", type=int, help="side in pixels; the network's own if absent"
    )
    parser.add_argument("--weights", required=True, type=Path, help="its weights file")
    parser.add_argument("--out", required=True, type=Path, help="an existing, empty folder")
    parser.add_argument("--every-layer", action="store_true", help="each layer an output")
    given = parser.parse_args()
    if any(given.out.iterdir()):
        parser.error(f"--out {given.out} is not empty, and it is emptied if this ends early")
    threading.Thread(target=_end_with_parent, args=[given.out], daemon=True).start()
    try:
        card = find_card(given.model, given.input_size)
        export(card, given.weights, given.out, given.every_layer)
    except SettingsError as error:
        sys.stdout.write(str(error))
        sys.exit(REFUSED)


def _end_with_parent(out: Path) -> None:
    """Whoever started us holds the other end of standard input as long as it lives.

    A service that is stopped meanwhile can't tidy up any more, so `out` goes with us, and the
    folder that was made to hold it.
    """
    sys.stdin.read()
    for _ in range(2):  # the other thread may write one more file
        shutil.rmtree(out, ignore_errors=True)
    with suppress(OSError):
        out.parent.rmdir()
    os._exit(1)


if __name__ == "__main__":
    _main()
