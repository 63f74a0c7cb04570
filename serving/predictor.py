"""A photo to an answer: the queue, imaging, an engine and the ranking, tied together."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from engines.engine import Engine
from errors import RequestError, SettingsError
from imaging.fit import Fit, fit
from imaging.hints import check
from imaging.read import Limits, read
from imaging.write import jpeg
from models.card import Card, FitMode
from models.labels import Label
from serving.answer import Answer, Naming, Timings, calibrate, hint, judge, rank
from serving.drawn import Drawing, Drawn
from serving.queue import Job, Place, Queue

_log = logging.getLogger(__name__)

# What makes answers right 95 times in 100 on unseen photos (docs/accuracy.md).
CERTAIN_AT = 0.9


class NotReady(RequestError):
    """The networks are still being loaded, or the service is going down."""

    retry_after_s = 1


class NotLoaded(RequestError):
    """The network asked for is not among those being served."""


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


@dataclass(frozen=True)
class Network:
    """A network being served."""

    card: Card
    naming: Naming
    engine: Engine

    @property
    def labels(self) -> Sequence[Label]:
        """Its classes in English, by class index."""
        return self.naming.labels["en"]


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
        """
        self.cards = {card.name: card for card in cards}
        if len(self.cards) < len(cards):
            named = ", ".join(card.name for card in cards)
            raise SettingsError(f"two networks have one name ({named}); give each its own")
        self.default = cards[0].name
        self.networks: dict[str, Network] = {}
        self.limits = limits
        self._fit = fit
        self._certain_at = certain_at
        self.queue = queue
        self._load = load
        self.deadline_s = deadline_s
        self._draining = False

    def load(self) -> None:
        """Load every network, one after the other, on this thread.

        Raises:
            SettingsError, EngineError: a network can't be served.
        """
        for name, card in self.cards.items():
            begun = time.monotonic()
            network = self._load(card)
            said = network.engine.description
            _log.info(
                "%s loaded in %.2f s: %s engine, %s, answers within %.1g of the reference",
                name,
                time.monotonic() - begun,
                said.engine,
                said.precision,
                said.difference,
                extra={"model": name, **vars(said)},
            )
            self.networks = {**self.networks, name: network}

    @property
    def is_ready(self) -> bool:
        """Whether every network is loaded and the service isn't going down."""
        return len(self.networks) == len(self.cards) and not self._draining

    def drain(self) -> None:
        """Stop being ready; what comes all the same is still answered."""
        self._draining = True

    def close(self) -> None:
        """Answer what waits, then let go of threads and networks."""
        self.drain()
        self.queue.close()
        for network in self.networks.values():
            network.engine.close()

    def network(self, name: str | None) -> Network:
        """The network of that name; the default one for None.

        Raises:
            NotReady: it is still being loaded.
            NotLoaded: it isn't served here.
        """
        name = name or self.default
        if name not in self.cards:
            served = ", ".join(self.cards)
            raise NotLoaded(f"model={name[:40]!r} is not served here; served: {served}")
        if name not in self.networks:
            raise NotReady(f"{name} is still being loaded; try again in a moment")
        return self.networks[name]

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
        if len(photos) > self.queue.capacity:
            raise TooManyPhotos(
                f"{len(photos)} photos came, and one request may bring {self.queue.capacity} "
                "(SHIWU_QUEUE); send the others in another"
            )
        works = [self._walk(photo, options) for photo in photos]
        return [_result(job) for job in self.queue.put(works, self.deadline_s, place)]

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
        if not self.networks:
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
        return Fit(card.input_size, mode or self._fit or card.mode, card.crop, card.interpolation)

    def _walk(self, photo: bytes, options: Options) -> "_Walk":
        network = self.network(options.model)
        how = self.how_to_fit(network.card, options.fit)
        return _Walk(photo, network, how, self.limits, options, self._certain_at)


@dataclass
class _Walk:
    """One photo's way to its answer, done by a runner; the photo is let go with it."""

    photo: bytes
    network: Network
    how: Fit
    limits: Limits
    options: Options
    certain_at: float

    def __call__(self) -> Answer:
        begun = time.perf_counter()
        upright = read(self.photo, self.limits, at_least=self.how.decode_side)
        pixels = fit(upright, self.how)  # (size, size, 3)
        codes = check(pixels, upright.size, self.how)
        decoded = time.perf_counter()
        probabilities = self.network.engine.run(pixels[None])[0]  # (classes,)
        probabilities = calibrate(probabilities, self.network.card.temperature)
        inferred = time.perf_counter()
        naming, asked = self.network.naming, self.options
        ranked = rank(probabilities, naming.labels[asked.lang], asked.top, asked.threshold)
        verdict = judge(probabilities, naming, self.certain_at, asked.lang)
        timings = Timings(0.0, decoded - begun, inferred - decoded)
        hints = tuple(hint(code, asked.lang) for code in codes)
        return Answer(self.network.card.name, ranked, timings, verdict, hints)


def _result(job: Job[Answer]) -> Answer | RequestError:
    try:
        answer = job.result()
    except RequestError as error:
        return error.with_traceback(None)  # its frames hold the photo
    return replace(answer, timings=replace(answer.timings, wait_s=job.waited_s))


def _upright_jpeg(photo: bytes, width: int | None, limits: Limits) -> bytes:
    return jpeg(read(photo, limits, at_least=width), width)
