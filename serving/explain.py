"""Where on a photo a network found a class: a map, and that map laid on the photo.

It takes the network in another form than answers do (`Engine.explaining`), made when somebody
first asks for it (`serving.forms`).
"""

import time
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engines.engine import ClassMap, Explaining, Method
from errors import RequestError
from imaging.fit import Fit, fit, seen
from imaging.heatmap import Box, overlay
from imaging.read import Limits, read_in_sizes
from imaging.write import jpeg, png, shrunk
from models.card import FitMode
from serving.answer import Prediction, Timings, calibrate
from serving.predictor import Predictor
from serving.queue import Place
from serving.shelf import Network

# Pixels of the shorter side that a picture to look at needs. What is decoded for networks of 224
# pixels has as many, so that a JPEG is decoded once.
_LOOKED_AT = 280


class UnknownClass(RequestError):
    """The class asked for is none of the network's."""


@dataclass(frozen=True)
class Asked:
    """What a request may ask of an explanation; None leaves the choice to the service."""

    class_id: str | None = None
    model: str | None = None
    fit: FitMode | None = None
    lang: str = "en"


@dataclass(frozen=True)
class Picture:
    """What picture is asked for.

    Args:
        kind: how it is encoded.
        whole: with every pixel of the photo; else with fewer, enough to look at.
        width: pixels to shrink it to; only if it is whole.
    """

    kind: Literal["jpeg", "png"] = "jpeg"
    whole: bool = False
    width: int | None = None


@dataclass(frozen=True)
class Explanation:
    """Where one network found one class on one photo.

    Args:
        prediction: the class, with the probability that /predict gives it.
        heat: float32, (rows, columns), 0-1: what each place says for the class, of what the
            strongest one says; 0 where nothing speaks for it.
        area: left, top, right and bottom of the map on the upright photo, in shares of its width
            and height. It may reach over the photo by half a place.
        picture: the photo with the map on it, if one was asked for.
    """

    model: str
    prediction: Prediction
    heat: NDArray[np.float32]
    area: Box
    method: Method
    timings: Timings
    picture: bytes = b""


class Explainer:
    """Explains what a predictor's networks answer."""

    def __init__(self, predictor: Predictor) -> None:
        """Nothing is prepared yet; the predictor's networks and queue are used."""
        self._predictor = predictor

    def explain(
        self,
        photo: bytes,
        asked: Asked = Asked(),
        picture: Picture | None = None,
        place: Place | None = None,
    ) -> Explanation:
        """Where the network found the class, or its most probable one.

        Args:
            photo: an encoded picture.
            asked: network and class.
            picture: the picture to make; None for the map alone, which is quicker.
            place: the place in the queue that was held for it.

        Raises:
            UnknownClass: the network has no such class.
            CannotExplain: it can't be said where this network looks.
            NotReady: it is still being prepared.
            RequestError: a bad photo, an unknown network, a full queue, a deadline that passed.
        """
        begun = time.monotonic()
        network = self._predictor.network(asked.model)
        index = _index(self._predictor, network, asked.class_id)
        form = self._predictor.form(network, "explaining", network.engine.explaining, place)
        how = self._predictor.how_to_fit(network.card, asked.fit)
        look = _Look(photo, network, form, how, self._predictor.limits, index, asked.lang, picture)
        left_s = self._predictor.deadline_s - (time.monotonic() - begun)
        (job,) = self._predictor.queue.put([look], left_s, place)
        explanation = job.result()
        return replace(explanation, timings=replace(explanation.timings, wait_s=job.waited_s))


@dataclass
class _Look:
    """One photo's way to its explanation, done by a runner; the photo is let go with it."""

    photo: bytes
    network: Network
    form: Explaining
    how: Fit
    limits: Limits
    index: int | None
    lang: str
    picture: Picture | None

    def __call__(self) -> Explanation:
        begun = time.perf_counter()
        photos = read_in_sizes(self.photo, self.limits, self._sides())
        pixels = fit(photos[0], self.how)  # (size, size, 3)
        decoded = time.perf_counter()
        said = self.form.run(pixels, self.index)
        timings = Timings(0.0, decoded - begun, time.perf_counter() - decoded)
        heat = heat_of(said.evidence)
        return Explanation(
            self.network.card.name,
            self._prediction(said),
            heat,
            area_of(said, photos[0].size, self.how),
            said.method,
            timings,
            self._drawn(photos[-1], heat, said) if self.picture else b"",
        )

    def _sides(self) -> list[int | None]:
        """What the photo's shorter side must keep: first for the network, last for the picture."""
        needed = self.how.decode_side
        if self.picture is None or (not self.picture.whole and needed >= _LOOKED_AT):
            return [needed]
        return [needed, self.picture.width if self.picture.whole else _LOOKED_AT]

    def _prediction(self, said: ClassMap) -> Prediction:
        label = self.network.naming.labels[self.lang][said.index]
        probabilities = calibrate(said.probabilities, self.network.card.temperature)
        return Prediction(label.label, float(probabilities[said.index]), label.id)

    def _drawn(self, photo: Image.Image, heat: NDArray[np.float32], said: ClassMap) -> bytes:
        asked = self.picture or Picture()
        photo = shrunk(photo, asked.width)
        width, height = photo.size
        left, top, right, bottom = area_of(said, photo.size, self.how)
        area = (left * width, top * height, right * width, bottom * height)
        drawn = overlay(photo, heat, area, seen(photo.size, self.how))
        return png(drawn) if asked.kind == "png" else jpeg(drawn)


def _index(predictor: Predictor, network: Network, class_id: str | None) -> int | None:
    """The index of a class by its id; None for none."""
    if class_id is None:
        return None
    ids = [label.id for label in network.labels]
    if class_id in ids:
        return ids.index(class_id)
    raise UnknownClass(_sentence(predictor, network, class_id))


def _sentence(predictor: Predictor, network: Network, class_id: str) -> str:
    name = network.card.name
    said = f"class={class_id[:40]!r} is no class of {name}"
    for other in predictor.shelf.networks.values():
        if any(label.id == class_id for label in other.labels):
            return f"{said}, but of {other.card.name}: add model={other.card.name}"
    meant = class_id.replace(" ", "_").lower()
    for labels in network.naming.labels.values():
        for label in labels:
            if label.label.replace(" ", "_").lower() == meant:
                return f"{said}; did you mean {label.id}? /labels?model={name} lists the ids"
    return f"{said}; /labels?model={name} lists the ids"


def heat_of(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """What speaks for the class, 0-1 of the strongest; all 0 where nothing does."""
    most = float(evidence.max())
    if not most > 0:
        return np.zeros_like(evidence)
    heat: NDArray[np.float32] = np.maximum(evidence / np.float32(most), np.float32(0))
    return heat


def area_of(said: ClassMap, size: tuple[int, int], how: Fit) -> Box:
    """Where the map lies on a photo of that width and height, in shares of them."""
    left, top, right, bottom = seen(size, how)
    rows, columns = said.evidence.shape
    square = said.grid.area((rows, columns))  # in pixels of the network's square
    across, down = (right - left) / how.size / size[0], (bottom - top) / how.size / size[1]
    x, y = left / size[0], top / size[1]
    return (
        x + square[0] * across,
        y + square[1] * down,
        x + square[2] * across,
        y + square[3] * down,
    )
