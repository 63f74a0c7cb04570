"""What a network makes of photos: computed once by the fast engine, and kept on disk.

A photo's features are the numbers that the network's last dense layer reads (for MobileNetV2 1280
of them), or what another of its layers gives. They are kept by the bytes of the photos and by what
computed them, so every method and every later run finds them, whatever the photos are called; a
run that is killed goes on after the last chunk that is whole. The folder may be emptied at any
time.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from engines.cache import CacheUnusable
from engines.engine import Engine, Extracting
from engines.load import load
from imaging.fit import Fit
from models import weights
from models.build import NotItsWeights
from models.card import Card, FitMode
from serving.cores import available
from training.checkpoint import NoRoom
from training.data import BadData, Sample
from training.pack import picture
from training.vary import Variation
from training.workplace import require_room

CHUNK = 64  # photos that are kept in one file; what a kill can lose
GLANCE = 16  # side of the picture by which copies are found, pixels
_FORMATS = (b"\x89HDF\r\n\x1a\n", b"PK\x03\x04")  # how HDF5 and .keras files begin
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """What a network made of some photos.

    Args:
        samples: those that could be read, in their order.
        features: float32 (photos, features); of a layer that was named, float16 (photos, ...).
        glances: uint8 (photos, GLANCE * GLANCE * 3), each photo very small.
        digests: of each file's bytes.
        broken: the files that could not be read, and why.
    """

    samples: tuple[Sample, ...]
    features: NDArray[Any]
    glances: NDArray[np.uint8]
    digests: tuple[str, ...]
    broken: tuple[tuple[Path, str], ...]

    @property
    def classes(self) -> NDArray[np.int64]:
        """The class index of each photo, int64 (photos,)."""
        return np.array([sample.class_index for sample in self.samples], np.int64)


class Backbone:
    """A network whose features are learned from.

    Attributes:
        card: its card; the fit is what the taught network will be served with.
        weights: the file of its weights.
        how: how a photo becomes a square.
        cache: where compiled networks and features are kept.
    """

    def __init__(self, card: Card, given: Path | None, cache: Path, mode: FitMode | None) -> None:
        """Find the weights; the network is loaded when it is first needed.

        The whole shorter side of a photo is used, and not the middle 0.875 of it as ImageNet's
        networks do: what people photograph reaches to the edge (docs/training.md: by
        cross-validation).

        Args:
            given: the weights file, or a folder of files by Keras' names.
            mode: "crop" or "stretch"; None: as the card says.

        Raises:
            WeightsMissing: they can't be had.
            NotItsWeights: the file holds no weights at all.
        """
        self.card = replace(card, crop=1.0, mode=mode or card.mode)
        self.weights = weights.find(card, given=given)
        _refuse_anything_else(self.weights)
        self.how = Fit(card.input_size, self.card.mode, self.card.crop, card.interpolation)
        self.cache = cache
        self._forms: dict[str | None, Extracting] = {}

    @cached_property
    def engine(self) -> Engine:
        """The fast engine with the network loaded.

        Raises:
            NoRoom: its compiled form can't be kept.
            SettingsError, EngineError: the network can't be loaded, or not from these weights.
        """
        compiled = self.cache / "compiled"
        if not self.card.folder and not any(compiled.glob(f"{self.card.name}-*/entry.json")):
            require_room(compiled, 8 * (self.card.parameters or 0), "--cache")
        try:
            return load(self.card, lambda: self.weights, compiled=compiled, cores=available())
        except CacheUnusable as error:
            why = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error
            raise NoRoom(
                f"the network can't be kept in {compiled} ({why}); make room, or give another "
                "--cache"
            ) from error

    def look(
        self,
        samples: Sequence[Sample],
        title: str,
        layer: str | None = None,
        variation: Variation | None = None,
    ) -> Seen:
        """Features of every photo that can be read, from disk where they are known.

        Args:
            title: what the progress bar says.
            layer: one layer by its name; None: what the last dense layer reads.
            variation: how the photos are varied before; None: as they are.

        Raises:
            BadData: not one of them can be read.
            NoRoom: the features can't be kept.
        """
        maker = self._maker(layer, variation)
        parts = []
        with (
            ThreadPoolExecutor(available()) as threads,
            tqdm(total=len(samples), desc=title, unit="photo", disable=None) as bar,
        ):
            for chunk in _chunks(samples):
                digests = list(threads.map(_digest_of, chunk))
                place = self._place(maker, digests)
                part = _kept(place)
                if part is None:
                    part = self._compute(chunk, threads, layer, variation)
                    _keep(part, place)
                parts.append((chunk, digests, part))
                bar.update(len(chunk))
        return _joined(parts)

    def _maker(self, layer: str | None, variation: Variation | None) -> str:
        """What decides about the features besides the photos, as text."""
        card = self.card
        computed = [card.builder, card.options, card.input_size, card.scaling, self._digest]
        said = [*computed, asdict(self.how), layer, variation.key if variation else None]
        return json.dumps(said, sort_keys=True, default=str)

    @cached_property
    def _digest(self) -> str:
        return weights.digest(self.weights)

    def _place(self, maker: str, digests: list[str]) -> Path:
        name = hashlib.sha256("\n".join([maker, *digests]).encode()).hexdigest()
        return self.cache / "features" / name[:2] / f"{name[2:40]}.npz"

    def _compute(
        self,
        chunk: Sequence[Sample],
        threads: ThreadPoolExecutor,
        layer: str | None,
        variation: Variation | None,
    ) -> dict[str, NDArray[Any]]:
        found = list(threads.map(lambda sample: picture(sample.path, self.how), chunk))
        squares = [pixels for pixels in found if not isinstance(pixels, str)]
        shown = np.stack(squares) if squares else np.zeros((0, *[self.how.size] * 2, 3), np.uint8)
        glances = [_glance(pixels) for pixels in shown]
        if variation and squares:
            shown = variation(shown)
        form = self._form(layer)
        rows = list(threads.map(lambda pixels: form.run(pixels[None])[0], shown))
        kind = np.float16 if layer else np.float32
        return {
            "features": np.array(rows, kind).reshape(len(rows), *form.shape),
            "glances": np.array(glances, np.uint8).reshape(len(rows), GLANCE * GLANCE * 3),
            "complaints": np.array([one if isinstance(one, str) else "" for one in found]),
        }

    def _form(self, layer: str | None) -> Extracting:
        if layer not in self._forms:
            self._forms[layer] = self.engine.extracting(layer)
        return self._forms[layer]


def _refuse_anything_else(path: Path) -> None:
    """Say at once what Keras would say after half a minute."""
    with path.open("rb") as file:
        if not file.read(8).startswith(_FORMATS):
            raise NotItsWeights(
                f"{path} is no file of weights; Keras keeps them as .h5 or .keras: give such a "
                "file, or a folder with files by Keras' names"
            )


def _digest_of(sample: Sample) -> str:
    with suppress(OSError), sample.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return ""


def _glance(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    small = Image.fromarray(pixels).resize((GLANCE, GLANCE), Image.Resampling.BOX)
    return np.asarray(small).ravel()


def _chunks(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    return (samples[start : start + CHUNK] for start in range(0, len(samples), CHUNK))


def _kept(place: Path) -> dict[str, NDArray[Any]] | None:
    """The chunk at `place`, or None where there is none that is whole."""
    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in ("features", "glances", "complaints")}
    except (OSError, ValueError, KeyError, BadZipFile):
        return None


def _keep(part: dict[str, NDArray[Any]], place: Path) -> None:
    fresh = place.with_suffix(f".{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            np.savez(file, allow_pickle=False, **part)
        fresh.replace(place)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise NoRoom(
            f"the photos' features can't be kept in {place.parent.parent} "
            f"({error.strerror or error}); make room, or give another --cache, and the same "
            "command goes on where it was"
        ) from error


def _joined(parts: list[tuple[Sequence[Sample], list[str], dict[str, NDArray[Any]]]]) -> Seen:
    samples, digests, broken = [], [], []
    for chunk, names, part in parts:
        complaints = part["complaints"].tolist()
        for sample, digest, complaint in zip(chunk, names, complaints, strict=True):
            if complaint:
                broken.append((sample.path, complaint))
            else:
                samples.append(sample)
                digests.append(digest)
    if not samples:
        first = f"; the first, {broken[0][0]}: {broken[0][1]}" if broken else ""
        raise BadData(f"not one of {len(broken)} files is a photo that can be read{first}")
    features = np.concatenate([part["features"] for *_, part in parts if len(part["features"])])
    glances = np.concatenate([part["glances"] for *_, part in parts if len(part["glances"])])
    return Seen(tuple(samples), features, glances, tuple(digests), tuple(broken))
