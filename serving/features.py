"""Features: what a layer of a network says of a photo, for search, clustering and learning.

Any layer but the usual one takes the network in another form (`serving.forms`).
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from engines.engine import CannotExtract, Extracting
from engines.engine import Features as Array
from errors import RequestError
from imaging.fit import Fit, fit
from imaging.read import Limits, read
from models.card import FitMode
from serving.answer import Timings
from serving.forms import FormFailed
from serving.predictor import Predictor
from serving.queue import Place
from serving.shelf import Network

Pooling = Literal["none", "avg", "max"]


class TooManyNumbers(RequestError):
    """A request would give more numbers than a reply may hold."""


@dataclass(frozen=True)
class Asked:
    """What a request may ask of features; None leaves the choice to the service."""

    layer: str | None = None
    pooling: Pooling = "none"
    model: str | None = None
    fit: FitMode | None = None


@dataclass(frozen=True)
class Features:
    """What a layer says of one photo: float32, (features,) or (rows, columns, features)."""

    model: str
    layer: str
    array: Array
    timings: Timings


def extract(
    predictor: Predictor,
    photos: Sequence[bytes],
    asked: Asked,
    most: int,
    place: Place | None = None,
) -> list[Features | RequestError]:
    """The features of each photo, in order; a bad photo gets its error instead.

    Args:
        predictor: whose networks and queue are used.
        photos: encoded pictures. All of them find a place in the queue, or none.
        asked: network, layer and pooling. Without a layer: what the classifying layer reads.
        most: numbers that all photos together may give.
        place: the place in the queue that was held for them.

    Raises:
        UnknownLayer: the network has no such layer.
        CannotExtract: its features can't be had here.
        TooManyNumbers: of all photos together there would be more than `most`.
        RequestError: an unknown network, a full queue, a deadline that passed.
    """
    begun = time.monotonic()
    predictor.require_places(len(photos))
    network = predictor.network(asked.model)
    _require_few(network, asked, len(photos), most)
    form = _form(predictor, network, asked.layer, place)
    how = predictor.how_to_fit(network.card, asked.fit)
    left_s = predictor.deadline_s - (time.monotonic() - begun)
    works = [_Reading(one, network, form, how, predictor.limits, asked.pooling) for one in photos]
    found: list[Features | RequestError] = []
    for job in predictor.queue.put(works, left_s, place):
        try:
            features = job.result()
            timings = replace(features.timings, wait_s=job.waited_s)
            found.append(replace(features, timings=timings))
        except RequestError as error:
            found.append(error.with_traceback(None))  # its frames hold the photo
    return found


def pooled(features: Array, pooling: Pooling) -> Array:
    """Features of one picture, (…, features), their places pooled into one: (features,)."""
    if pooling == "none":
        return features
    places = tuple(range(features.ndim - 1))
    joined: Array = features.mean(places) if pooling == "avg" else features.max(places)
    return joined


def _form(
    predictor: Predictor, network: Network, layer: str | None, place: Place | None
) -> Extracting:
    layers = network.engine.layers
    if layer is not None and len(layers.find(layer).shape) == 1 and layer == layers.penultimate:
        layer = None  # the same numbers, and quicker to make
    make = partial(network.engine.extracting, layer)
    purpose = f"features of {layer or layers.penultimate}"
    try:
        return predictor.form(network, purpose, make, place)
    except FormFailed as error:
        if layer is None:
            raise
        raise CannotExtract(
            f"layer={layer} of {network.card.name} takes the network anew from Keras, and that "
            "failed here; the log says why (a packed network brings all layers if it was packed "
            f"with --every-layer). Without layer=… features come from {layers.penultimate}"
        ) from error


def _require_few(network: Network, asked: Asked, photos: int, most: int) -> None:
    """Before the form is made, which takes longer than to count."""
    layers = network.engine.layers
    layer = layers.find(asked.layer or layers.penultimate)
    count = math.prod(layer.shape if asked.pooling == "none" else layer.shape[-1:]) * photos
    if count > most:
        raise TooManyNumbers(
            f"layer={layer.name} gives {count:,} numbers for {photos} photo{'s' * (photos > 1)}, "
            f"and at most {most:,} go into this kind of reply; an .npy (Accept: application/x-npy) "
            "takes more, pooling=avg gives fewer, and so do fewer photos at once"
        )


@dataclass
class _Reading:
    """One photo's way to its features, done by a runner; the photo is let go with it."""

    photo: bytes
    network: Network
    form: Extracting
    how: Fit
    limits: Limits
    pooling: Pooling

    def __call__(self) -> Features:
        begun = time.perf_counter()
        pixels = fit(read(self.photo, self.limits, at_least=self.how.decode_side), self.how)
        decoded = time.perf_counter()
        features = pooled(self.form.run(np.asarray(pixels)[None])[0], self.pooling)
        timings = Timings(0.0, decoded - begun, time.perf_counter() - decoded)
        return Features(self.network.card.name, self.form.layer, features, timings)
