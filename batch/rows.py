"""A photo's bytes to its row: the one function that threads and Ray's actors run."""

import hashlib
import logging
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from batch.photos import Photo, Unreadable
from engines.engine import CannotExtract, Engine, Extracting, Pixels, Probabilities
from engines.load import load
from errors import RequestError, SettingsError
from imaging.read import BrokenImage, Limits, PictureTooLarge, UnsupportedImage, read_sized
from models import weights, zoo
from models.card import Card, FitMode
from serving.answer import Answer, Naming
from serving.predictor import CERTAIN_AT, Options, Walk, square
from serving.shelf import Network
from serving.taught import Telling

Row = dict[str, Any]

INTERNAL = "internal"
# The codes that /predict has for a photo that can't be answered, and one for a file that isn't.
_CODES: dict[type[Exception], str] = {
    UnsupportedImage: "unsupported_image",
    PictureTooLarge: "too_large",
    BrokenImage: "broken_image",
    Unreadable: "unreadable",
}
# Of these another try may come to another end.
PASSING = (INTERNAL, _CODES[Unreadable])

_log = logging.getLogger(__name__)


class NoFeatures(SettingsError):
    """A network, or a folder of answers, has no features."""


@dataclass(frozen=True)
class Asked:
    """What a run is asked for.

    Args:
        model: a network's name, folder or file.
        weights: a file or folder of weights; None: where they are always looked for.
        top: how many names.
        lang: language of the names.
        fit: how a photo becomes a square; None: as the network's card says.
        features: give the features, too.
        limits: what a photo may measure.
        compiled: folder of compiled networks.
    """

    model: str
    compiled: Path
    weights: Path | None = None
    top: int = 5
    lang: str = "en"
    fit: FitMode | None = None
    features: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def card(self) -> Card:
        """The network's.

        Raises:
            SettingsError: there is no such network.
        """
        return zoo.card(self.model)

    def described(self) -> dict[str, Any]:
        """All that answers depend on, as JSON has it: rows of two of these don't go together."""
        card = self.card
        told = repr(sorted(asdict(replace(card, folder=None, file=None)).items()))
        return {
            "model": card.name,
            "network": str(card.file or card.folder or card.name),
            "card": hashlib.sha256(told.encode()).hexdigest()[:16],
            "weights": str(self.weights.absolute()) if self.weights else None,
            "top": self.top,
            "lang": self.lang,
            "fit": self.fit,
            "features": self.features,
            "max_bytes": self.limits.max_bytes,
            "max_pixels": self.limits.max_pixels,
        }


@dataclass
class _Walk(Walk):
    """A photo's walk that also brings back its size, and its features of the same pass."""

    form: Extracting | None = None
    size: tuple[int, int] | None = None
    features: NDArray[np.float32] | None = None

    def open(self) -> Image.Image:
        """As of `Walk`."""
        photo, self.size = read_sized(self.photo, self.limits, self.how.decode_side)
        return photo

    def see(self, pixels: Pixels) -> tuple[Probabilities, bool]:
        """As of `Walk`."""
        if self.form is None:
            return super().see(pixels)
        if self.network.telling is not None:
            self.features, probabilities, alike = self.network.telling.run_both(pixels)
            return probabilities, alike
        features, of_all = self.form.run_both(pixels[None])
        self.features = features[0]
        return of_all[0], True


class Namer:
    """A loaded network that makes rows; for several threads at once."""

    def __init__(self, asked: Asked, cores: int) -> None:
        """Load the network.

        Args:
            asked: what rows shall hold.
            cores: inferences that run at once.

        Raises:
            SettingsError, EngineError: the network can't be had.
            NoFeatures: they were asked for, and it has none.
        """
        card = asked.card
        find_weights = partial(weights.find, card, given=asked.weights)
        engine = load(card, find_weights, compiled=asked.compiled, cores=cores)
        self._network = Network(card, Naming.of(card), engine, Telling.of(card, engine))
        self._form = _extracting(card, engine) if asked.features else None
        self._how = square(card, asked.fit)
        self._limits = asked.limits
        self._options = Options(top=asked.top, lang=asked.lang)

    @property
    def feature_count(self) -> int | None:
        """Numbers of features a row; None if they weren't asked for."""
        return self._form.shape[0] if self._form is not None else None

    def row(self, path: str, digest: str, data: bytes) -> Row:
        """A photo's row: its answer, or its error.

        Args:
            path: as the row shall say it.
            digest: SHA-256 of the bytes, in hexadecimal digits.
            data: the encoded picture.
        """
        try:
            walk = self._walk(data)
            told = _told(walk())
            width, height = walk.size or (None, None)
            seen = {"width": width, "height": height, "features": walk.features}
            return _empty(path, digest) | told | seen
        except Exception as error:  # a photo never stops the others
            return failed(path, digest, error)

    def features(self, data: bytes) -> NDArray[np.float32]:
        """The features of one photo, (features,); only if they were asked for.

        Raises:
            RequestError: it can't be read.
        """
        walk = self._walk(data)
        walk()
        assert walk.features is not None  # noqa: S101 - the walk went to its end
        return walk.features

    def close(self) -> None:
        """Let go of the network."""
        self._network.engine.close()
        self._form = None

    def _walk(self, data: bytes) -> _Walk:
        given = (data, self._network, self._how, self._limits, self._options, CERTAIN_AT)
        return _Walk(*given, form=self._form)


def _extracting(card: Card, engine: Engine) -> Extracting:
    try:
        return engine.extracting()
    except CannotExtract as error:
        raise NoFeatures(
            f"{card.name} doesn't end in a dense layer, so there are no features before it; ask "
            "for its answers without them"
        ) from error


def read(photo: Photo, limits: Limits) -> tuple[str, bytes] | Row:
    """The digest and the bytes of a photo; its row if they can't be had."""
    try:
        data = photo.read(limits.max_bytes)
    except RequestError as error:
        return failed(said(photo.path), None, error)
    return hashlib.sha256(data).hexdigest(), data


def said(path: str) -> str:
    """A path as text: bytes in it that are no UTF-8 become escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def failed(path: str, digest: str | None, error: Exception) -> Row:
    """The row of a photo that can't be answered."""
    code = _CODES.get(type(error))
    if code is None:
        _log.error("%s: %s", path, error, exc_info=error)
    message = str(error) if code else f"{type(error).__name__}: {error}"
    return {**_empty(path, digest), "error_code": code or INTERNAL, "error": message}


def _empty(path: str, digest: str | None) -> Row:
    return {"path": path, "digest": digest}


def _told(answer: Answer) -> Row:
    """An answer's columns, as /predict says them."""
    return {
        "model": answer.model,
        "predictions": [vars(one) for one in answer.predictions],
        "answer": vars(answer.answer),
        "certain": answer.certain,
        "hints": [one.code for one in answer.hints],
    }
