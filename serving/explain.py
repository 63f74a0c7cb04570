"""Where on a photo a network found a class: a map, and that map laid on the photo.

It takes the network in another form than answers do (`Engine.explaining`), which is made when
somebody first asks for it, on a thread of its own: answers go on meanwhile, and never wait for it.
Who waits for it holds no place in the queue.
"""

import logging
import math
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engines.engine import CannotExplain, ClassMap, Explaining, Method
from errors import RequestError
from imaging.fit import Fit, fit, seen
from imaging.heatmap import Box, overlay
from imaging.read import Limits, read
from imaging.write import jpeg, png, shrunk
from models.card import FitMode
from serving.answer import Prediction, Timings, calibrate
from serving.predictor import Network, NotReady, Predictor
from serving.queue import Place

# Networks that are kept in the form that explains: each takes as much memory once more.
KEPT = 4
# How long a request waits for that form before it is asked to come again, and how long a failure to
# make it stands before it is tried again.
WAIT_S = 5.0
_FAILED_FOR_S = 60.0
# Pixels of the shorter side that a picture to look at needs. What is decoded for networks of 224
# pixels has as many, so that a photo is decoded once.
_LOOKED_AT = 280

_log = logging.getLogger(__name__)


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

    def __init__(self, predictor: Predictor, kept: int = KEPT) -> None:
        """Nothing is prepared yet.

        Args:
            predictor: whose networks and queue are used.
            kept: networks that are kept in the form that explains; the one not asked for longest
                goes first.
        """
        self._predictor = predictor
        self._forms = _Forms(kept)

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
        if place is not None and not self._forms.is_made(network):
            place.release()
        form = self._forms.get(network, min(self._predictor.deadline_s, WAIT_S))
        how = self._predictor.how_to_fit(network.card, asked.fit)
        look = _Look(photo, network, form, how, self._predictor.limits, index, asked.lang, picture)
        left_s = self._predictor.deadline_s - (time.monotonic() - begun)
        (job,) = self._predictor.queue.put([look], left_s, place)
        explanation = job.result()
        return replace(explanation, timings=replace(explanation.timings, wait_s=job.waited_s))


class _Forms:
    """Networks in the form that explains, each made once however many ask, the last few kept."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._made: OrderedDict[str, Future[Explaining | CannotExplain]] = OrderedDict()
        self._failed: dict[str, float] = {}
        self._alone = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def is_made(self, network: Network) -> bool:
        """Whether nobody has to wait for it."""
        with self._alone:
            making = self._made.get(network.card.name)
        return making is not None and making.done()

    def get(self, network: Network, within_s: float) -> Explaining:
        """The network's form, waited for if it is being made."""
        name = network.card.name
        with self._alone:
            if time.monotonic() - self._failed.get(name, math.inf) > _FAILED_FOR_S:
                del self._made[name], self._failed[name]
            making = self._made.get(name) or self._begin(name, network)
            self._made.move_to_end(name)
        try:
            made = making.result(within_s)
        except TimeoutError:
            raise NotReady(f"{name} is being prepared to explain; try again in a moment") from None
        if isinstance(made, CannotExplain):  # anew for each: a traceback would keep the request
            raise CannotExplain(str(made))
        return made

    def _begin(self, name: str, network: Network) -> Future[Explaining | CannotExplain]:
        making: Future[Explaining | CannotExplain] = Future()
        make = threading.Thread(
            target=self._make, args=(name, network, making), name=f"explain-{name}", daemon=True
        )
        make.start()
        # What is still being made stays: it would only be begun again.
        done = [old for old, future in self._made.items() if future.done()]
        for old in done[: max(0, len(self._made) + 1 - self._kept)]:
            del self._made[old]
            self._failed.pop(old, None)
        self._made[name] = making
        return making

    def _make(
        self, name: str, network: Network, making: "Future[Explaining | CannotExplain]"
    ) -> None:
        begun = time.monotonic()
        try:
            with self._one_at_a_time:
                form = network.engine.explaining()
            making.set_result(form)
            _log.info("%s prepared to explain in %.2f s", name, time.monotonic() - begun)
        except CannotExplain as error:
            making.set_result(error.with_traceback(None))
        except BaseException as error:  # whoever waits gets it; later ones try again
            _log.exception("%s can't be prepared to explain", name)
            with self._alone:
                if isinstance(error, MemoryError):  # which may be gone in a moment
                    del self._made[name]
                else:
                    self._failed[name] = time.monotonic()
            making.set_exception(error)


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
        upright = read(self.photo, self.limits, at_least=self.how.decode_side)
        pixels = fit(upright, self.how)  # (size, size, 3)
        decoded = time.perf_counter()
        said = self.form.run(pixels, self.index)
        timings = Timings(0.0, decoded - begun, time.perf_counter() - decoded)
        heat = heat_of(said.evidence)
        return Explanation(
            self.network.card.name,
            self._prediction(said),
            heat,
            area_of(said, upright.size, self.how),
            said.method,
            timings,
            self._drawn(upright, heat, said) if self.picture else b"",
        )

    def _prediction(self, said: ClassMap) -> Prediction:
        label = self.network.naming.labels[self.lang][said.index]
        probabilities = calibrate(said.probabilities, self.network.card.temperature)
        return Prediction(label.label, float(probabilities[said.index]), label.id)

    def _drawn(self, upright: Image.Image, heat: NDArray[np.float32], said: ClassMap) -> bytes:
        asked = self.picture or Picture()
        if asked.whole:
            upright = shrunk(read(self.photo, self.limits, at_least=asked.width), asked.width)
        elif min(upright.size) < _LOOKED_AT:  # decoded for the network, it may be a few pixels
            upright = read(self.photo, self.limits, at_least=_LOOKED_AT)
        width, height = upright.size
        left, top, right, bottom = area_of(said, upright.size, self.how)
        area = (left * width, top * height, right * width, bottom * height)
        drawn = overlay(upright, heat, area, seen(upright.size, self.how))
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
    for other in predictor.networks.values():
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
