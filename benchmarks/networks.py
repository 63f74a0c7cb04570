"""The networks that are measured: their weights, and random ones where there are none to be had.

How fast a network is does not depend on its weights, so nobody needs to download them to measure.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import ROOT
from engines.engine import Engine
from engines.load import load
from imaging.fit import Fit
from models import weights, zoo
from models.card import Card
from models.weights import WeightsMissing
from serving import cores
from serving.predictor import square
from settings import Settings

NAMES = ("MobileNetV2", "ResNet50", "ShiwuNet")
RANDOM = "random weights"


@dataclass(frozen=True)
class Subject:
    """A network to measure; `file` holds its weights, None if they lie in its own folder."""

    card: Card
    file: Path | None
    said: str
    settings: Settings

    @property
    def how(self) -> Fit:
        """How a photo becomes its square."""
        return square(self.card, self.settings.fit)

    def engine(self, precision: str | None = None) -> Engine:
        """The network as the service loads it, for as many threads as there are cores.

        Args:
            precision: None for that of the settings.

        Raises:
            SettingsError, EngineError: it can't be had in this precision.
        """
        return load(
            self.card,
            lambda: self.file or weights.find(self.card),
            precision=precision or self.settings.precision,
            compiled=self.settings.cache,
            cores=_cores(self.settings),
        )

    def environment(self, **changes: object) -> dict[str, str]:
        """The variables with which the service serves this network and no other."""
        update = {"model": (self.card.name,), "weights": self.file, **changes}
        return self.settings.model_copy(update=update).as_environment()


def threads(settings: Settings) -> int:
    """How many threads answer photos: as many as the service has runners."""
    return cores.runners(_cores(settings))


def _cores(settings: Settings) -> int:
    return settings.cores or cores.available()


def subject(name: str, settings: Settings, given: Path | None = None) -> Subject:
    """The network of that name, with weights from where the service looks, or random ones.

    Args:
        given: a file of weights, or a folder of files by Keras' names.
    """
    card = zoo.card(name)
    if card.folder:
        return Subject(card, None, "its own weights", settings)
    where = given or settings.weights
    try:
        file = weights.find(card, given=where, mirror=settings.mirror, offline=settings.offline)
    except WeightsMissing:
        if where and not where.is_dir():  # a file was named, and isn't there
            raise
        return Subject(card, _random(card), RANDOM, settings)
    return Subject(card, file, f"weights {file.name}", settings)


def facts(subjects: Sequence[Subject]) -> Mapping[str, str]:
    """Which weights each network has, for the head of a result."""
    return {one.card.name: one.said for one in subjects}


def _random(card: Card) -> Path:
    """A file of random weights, written once.

    The last layer's are small, so that no class is likely: what other precisions round away is
    little then, as with trained weights, and their check against the reference holds.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    file = home / "shiwu" / "benchmarks" / f"{card.name}-random.h5"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", _WRITE, card.name, str(file)]
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        subprocess.run(command, cwd=ROOT, env={**os.environ, **quiet}, check=True)
    return file


# In a process of its own: TensorFlow would stay in this one and take a gigabyte of its memory.
_WRITE = """
import os, sys
from pathlib import Path
import h5py
from keras.src.legacy.saving import legacy_h5_format  # the format of Keras' published weights
from models import zoo
from models.build import build
name, file = sys.argv[1], Path(sys.argv[2])
network = build(zoo.card(name), None)
kernel = [one for one in network.trainable_variables if len(one.shape) > 1][-1]
kernel.assign(kernel * 0.01)
part = file.with_name(f"{os.getpid()}.part")
with h5py.File(part, "w") as written:
    legacy_h5_format.save_weights_to_hdf5_group(written, network)
part.replace(file)
"""
