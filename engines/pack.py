"""`python -m engines.pack`: a network as a folder that serves by itself.

The folder holds the card, the labels where they are the network's own, and the compiled form, but
no weights file: whoever loads it needs neither TensorFlow nor a download. A container image is
made of one. With `--every-layer` features of any layer can be had from it, too, for as much disk
once more; without, those of the last layer before the classes.
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from engines import cache
from engines.openvino_engine import OpenVinoEngine
from errors import SettingsError, ShiwuError
from models import folder, weights, zoo
from models.card import Card

_MODEL_CARD = "README.md"


class AlreadyThere(SettingsError):
    """The folder to be written exists."""


class CantWrite(SettingsError):
    """The folder can't be written: no room, or no folder above it."""


def pack(
    card: Card, find_weights: Callable[[], Path], out: Path, every_layer: bool = False
) -> None:
    """Write the network into `out`, a new folder, whole or not at all.

    A network that brings its compiled form is copied; any other is exported from Keras. Either
    way it is run once on this machine's processor and must answer as its reference did.

    Args:
        card: the network.
        find_weights: gives the weights file; called only if there is no compiled form.
        out: the network folder to make; the folder above it must exist.
        every_layer: bring the form that has every layer, too.

    Raises:
        AlreadyThere: there is something at `out`.
        CantWrite: `out` can't be written.
        SettingsError: no weights, or TensorFlow is needed and not installed.
        EngineError: the network can't be exported, or its answers have drifted.
    """
    if out.exists():
        raise AlreadyThere(f"{out} exists; remove it, or give another --out")
    purposes: list[cache.Purpose] = ["compiled", "layers"] if every_layer else ["compiled"]
    try:
        with TemporaryDirectory(dir=out.absolute().parent, prefix=f".{out.name}-") as unfinished:
            made = Path(unfinished) / "network"
            for purpose in purposes:
                entry = cache.entry(card, find_weights, Path(unfinished), purpose)
                _copy_entry(entry, made / purpose)
            OpenVinoEngine(card.name, made / "compiled", "f32", cores=1).close()
            _copy_words(card, made)
            folder.save(card, made)
            made.rename(out)
    except cache.CacheUnusable as error:
        raise _cant_write(out, error.__cause__) from error
    except OSError as error:
        raise _cant_write(out, error) from error


def _cant_write(out: Path, error: BaseException | None) -> CantWrite:
    why = error.strerror if isinstance(error, OSError) and error.strerror else error
    return CantWrite(f"{out} can't be written ({why}); make room, or give another --out")


def _copy_entry(entry: Path, made: Path) -> None:
    made.mkdir(parents=True)
    for path in entry.iterdir():  # copytree's own error is no sentence
        shutil.copy(path, made / path.name)


def _copy_words(card: Card, made: Path) -> None:
    """The network's own labels in all languages, and model card; models/labels stays as it is."""
    if card.folder is None:
        return
    brought = {*card.folder.glob(card.labels), *card.folder.glob(f"{Path(card.labels).stem}.*.tsv")}
    if not card.file:
        brought |= {*card.folder.glob(_MODEL_CARD), *card.folder.glob(folder.TAUGHT)}
    for path in brought:
        shutil.copy(path, made / path.name)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m engines.pack", description=__doc__)
    parser.add_argument("--model", required=True, help="a network's name, folder or file")
    parser.add_argument(
        "--input-size", type=int, help="side in pixels; the network's own if absent"
    )
    parser.add_argument(
        "--weights", type=Path, help="its weights: a file, or a folder of files by Keras' names"
    )
    parser.add_argument("--mirror", help="address of a folder to fetch weights from first")
    parser.add_argument("--out", required=True, type=Path, help="the network folder to make")
    parser.add_argument(
        "--every-layer", action="store_true", help="for features of any layer: twice the size"
    )
    given = parser.parse_args()
    logging.basicConfig(level="INFO", format="%(message)s")
    try:
        card = zoo.card(given.model, given.input_size)
        find = partial(weights.find, card, given=given.weights, mirror=given.mirror)
        pack(card, find, given.out, given.every_layer)
    except ShiwuError as error:
        sys.exit(f"{given.model} can't be packed: {error}")


if __name__ == "__main__":
    _main()
