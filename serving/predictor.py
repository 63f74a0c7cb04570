"""A photo to an answer: the queue, imaging, an engine and the ranking, tied together."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import BoundedSemaphore
from typing import TypeVar

import numpy as np
from PIL import Image

from engines.engine import Pixels, Probabilities
from errors import RequestError
from imaging.fit import Fit, fit
from imaging.hints import check
from imaging.read import Limits, read
from imaging.write import jpeg
from models.card import Card, FitMode
from serving.answer import UNLIKE, Answer, Timings, calibrate, hint, judge, rank
from serving.drawn import Drawing, Drawn
from serving.forms import NotReady
from serving.queue import Job, Place, Queue
from serving.shelf import Network, Shelf

Form = TypeVar("Form")

# What makes answers right 95 times in 100 on unseen photos (docs/accuracy.md).
CERTAIN_AT = 0.9
# Seconds that a request waits for another form of a network before it is asked to come again.
FORM_WITHIN_S = 5.0


class TooManyPhotos(RequestError):
    """One request brings more photos than the whole queue holds."""


@dataclass(frozen=True)
class Options:
    """What a request may ask of an answer; None leaves the choice to the service."""

    top: int = 5
    threshold: float = 0.0
    model: str | None = None
    fit: FitMode | None = None
    lang: str = "en"


class Predictor:
    """Answers photos with the networks it was given, once `load` has returned."""

    def __init__(
        self,
        cards: Sequence[Card],
        load: Callable[[Card], Network],
        queue: Queue,
        *,
        deadline_s: float,
        limits: Limits,
        fit: FitMode | None,
        certain_at: float = CERTAIN_AT,
        on_request: Sequence[Card] = (),
        memory: int | None = None,
        prepare: Callable[[Card], object] = lambda _: None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            cards: the networks to serve; the first is the default.
            load: makes a network out of a card; slow.
            queue: where photos wait; closed with the predictor.
            deadline_s: seconds in which an answer must be there.
            limits: what a photo may measure.
            fit: how a photo becomes a square when a request doesn't say; None: as the card says.
            certain_at: the probability, 0.5-1, from which an answer is said.
            on_request: networks that are loaded when they are first asked for.
            memory: bytes that all networks may take together; None: as many as there are.
            prepare: what has to be done before `load` can load a network (`serving.shelf`).

        Raises:
            SettingsError: two networks of one name, or more at the start than there is room for.
        """
        self.shelf = Shelf(cards, load, on_request, memory, prepare)
        self.default = cards[0].name
        self.limits = limits
        self._fit = fit
        self._certain_at = certain_at
        self.queue = queue
        self.deadline_s = deadline_s
        self._draining = False
        # Who waits for another form of a network stands outside the queue, but in a thread of the
        # server's, and those are hardly more than the queue's places.
        self._waiters = BoundedSemaphore(max(1, queue.capacity // 2))

    def load(self) -> None:
        """Load the networks of the start, one after the other, on this thread.

        Raises:
            SettingsError, EngineError: a network can't be served.
        """
        self.shelf.load()

    @property
    def is_ready(self) -> bool:
        """Whether the networks of the start are loaded and the service isn't going down."""
        return self.shelf.started and not self._draining

    def drain(self) -> None:
        """Stop being ready; what comes all the same is still answered."""
        self._draining = True

    def close(self) -> None:
        """Answer what waits, then let go of threads and networks."""
        self.drain()
        self.queue.close()
        for network in self.shelf.networks.values():
            network.engine.close()

    def network(self, name: str | None) -> Network:
        """The network of that name; the default one for None.

        Raises:
            NotReady: it is being loaded; from now on, if it wasn't.
            NotLoaded: it isn't served here.
        """
        return self.shelf.get(name or self.default)

    def predict(
        self, photos: Sequence[bytes], options: Options = Options(), place: Place | None = None
    ) -> list[Answer | RequestError]:
        """An answer for each photo, in order; a bad photo gets its error instead.

        Args:
            photos: encoded pictures. All of them find a place in the queue, or none.
            options: what is asked for.
            place: the place that was held for them.

        Raises:
            TooManyPhotos, Busy, NotReady, NotLoaded: the request as a whole can't be taken.
            EngineError: our fault.
        """
        self.require_places(len(photos))
        works = [self._walk(photo, options) for photo in photos]
        return [_result(job) for job in self.queue.put(works, self.deadline_s, place)]

    def score(
        self, pictures: Sequence[bytes | Pixels], network: Network, place: Place | None = None
    ) -> list["Scored"]:
        """What a network says of each picture, for all of its classes.

        Args:
            pictures: encoded photos, or pixels as the network sees them: uint8 RGB,
                (size, size, 3).
            network: one of those being served.
            place: the place that was held for them.

        Raises:
            RequestError: any of them can't be read, or there is no place for all of them.
        """
        self.require_places(len(pictures))
        how = self.how_to_fit(network.card, None)
        works = [partial(_score, one, network, how, self.limits) for one in pictures]
        jobs = self.queue.put(works, self.deadline_s, place)
        return [_scored(job, number, len(jobs)) for number, job in enumerate(jobs, start=1)]

    def form(
        self,
        network: Network,
        purpose: str,
        make: Callable[[], Form],
        place: Place | None = None,
    ) -> Form:
        """Another form of a network (`serving.forms`), made now if nobody has asked for it before.

        Who has to wait for it gives back the place in the queue meanwhile.

        Raises:
            NotReady: it is still being made, or many wait already.
            RequestError: `make` raised it, or there is no room for it.
            FormFailed: `make` failed.
        """

        def make_in_room() -> Form:
            self.shelf.make_room(network)
            return make()

        made: Form
        if network.forms.is_made(purpose):
            made = network.forms.get(purpose, make_in_room, 0.0)
            return made
        if place is not None:
            place.release()
        if not self._waiters.acquire(blocking=False):
            raise NotReady(f"{network.card.name} is being prepared for {purpose}, and many wait")
        try:
            made = network.forms.get(purpose, make_in_room, min(self.deadline_s, FORM_WITHIN_S))
            return made
        finally:
            self._waiters.release()

    def upright_jpeg(self, photo: bytes, width: int | None, place: Place | None = None) -> bytes:
        """The photo as an upright JPEG without metadata, `width` pixels wide at most.

        Raises:
            RequestError: a bad photo, a full queue, a deadline that passed.
        """
        work = partial(_upright_jpeg, photo, width, self.limits)
        (job,) = self.queue.put([work], self.deadline_s, place)
        return job.result()

    def reserve(self) -> Place:
        """Hold a place for a request whose photos are still on their way.

        So no more bodies are read at once than can be worked on, and whoever finds no place
        hears so before sending a photo.

        Raises:
            Busy: the queue is full.
            NotReady: no network is loaded yet.
        """
        if not (self.shelf.started or self.shelf.networks):
            raise NotReady(f"{self.default} is still being loaded; try again in a moment")
        return self.queue.reserve()

    def labelled_jpeg(
        self, photo: bytes, width: int | None, options: Options, place: Place | None = None
    ) -> Drawn:
        """The photo as `upright_jpeg` gives it, its answer drawn on it; both in one place.

        Raises:
            RequestError: as of `predict` and `upright_jpeg`.
        """
        walk = self._walk(photo, options)
        work = Drawing(photo, walk, walk.network.naming, options.lang, width, self.limits)
        (job,) = self.queue.put([work], self.deadline_s, place)
        drawn = job.result()
        timings = replace(drawn.answer.timings, wait_s=job.waited_s)
        return replace(drawn, answer=replace(drawn.answer, timings=timings))

    def how_to_fit(self, card: Card, mode: FitMode | None) -> Fit:
        """How a photo becomes the square of a network, as a request asks: None, if it doesn't."""
        return square(card, mode or self._fit)

    def require_places(self, count: int) -> None:
        """Refuse a request with more photos than may wait at all.

        Raises:
            TooManyPhotos: it brings so many.
        """
        if count > self.queue.capacity:
            raise TooManyPhotos(
                f"{count} photos came, and one request may bring {self.queue.capacity} "
                "(SHIWU_QUEUE); send the others in another"
            )

    def _walk(self, photo: bytes, options: Options) -> "Walk":
        network = self.network(options.model)
        how = self.how_to_fit(network.card, options.fit)
        return Walk(photo, network, how, self.limits, options, self._certain_at)


def square(card: Card, mode: FitMode | None) -> Fit:
    """How a photo becomes the square of a network: by `mode`, or as the card says for None."""
    return Fit(card.input_size, mode or card.mode, card.crop, card.interpolation)


@dataclass
class Walk:
    """One photo's way to its answer, done by a runner; the photo is let go with it."""

    photo: bytes
    network: Network
    how: Fit
    limits: Limits
    options: Options
    certain_at: float

    def __call__(self) -> Answer:
        """The answer."""
        begun = time.perf_counter()
        upright = self.open()
        pixels = fit(upright, self.how)  # (size, size, 3)
        codes = check(pixels, upright.size, self.how)
        decoded = time.perf_counter()
        probabilities, alike = self.see(pixels)  # (classes,)
        probabilities = calibrate(probabilities, self.network.card.temperature)
        inferred = time.perf_counter()
        naming, asked = self.network.naming, self.options
        ranked = rank(probabilities, naming.labels[asked.lang], asked.top, asked.threshold)
        verdict = judge(probabilities, naming, self.certain_at, asked.lang, alike)
        timings = Timings(0.0, decoded - begun, inferred - decoded)
        codes = codes if alike else (*codes, UNLIKE)
        hints = tuple(hint(code, asked.lang) for code in codes)
        return Answer(self.network.card.name, ranked, timings, verdict, hints)

    def open(self) -> Image.Image:
        """The photo, upright, with as many pixels as are needed."""
        return read(self.photo, self.limits, at_least=self.how.decode_side)

    def see(self, pixels: Pixels) -> tuple[Probabilities, bool]:
        """The probability of each class; whether the photo is like what the network was taught."""
        if self.network.telling is not None:
            return self.network.telling.run(pixels)
        return self.network.engine.run(pixels[None])[0], True


def _result(job: Job[Answer]) -> Answer | RequestError:
    try:
        answer = job.result()
    except RequestError as error:
        return error.with_traceback(None)  # its frames hold the photo
    return replace(answer, timings=replace(answer.timings, wait_s=job.waited_s))


@dataclass(frozen=True)
class Scored:
    """A picture's calibrated probabilities, float32 (classes,), by class index."""

    probabilities: Probabilities
    timings: Timings


def _score(picture: bytes | Pixels, network: Network, how: Fit, limits: Limits) -> Scored:
    begun = time.perf_counter()
    if isinstance(picture, bytes):
        picture = np.asarray(fit(read(picture, limits, at_least=how.decode_side), how))
    decoded = time.perf_counter()
    probabilities = calibrate(network.engine.run(picture[None])[0], network.card.temperature)
    return Scored(probabilities, Timings(0.0, decoded - begun, time.perf_counter() - decoded))


def _scored(job: Job[Scored], number: int, count: int) -> Scored:
    try:
        scored = job.result()
    except RequestError as error:
        if count > 1:
            error.args = (f"photo {number} of {count}: {error}",)
        raise
    return replace(scored, timings=replace(scored.timings, wait_s=job.waited_s))


def _upright_jpeg(photo: bytes, width: int | None, limits: Limits) -> bytes:
    return jpeg(read(photo, limits, at_least=width), width)
