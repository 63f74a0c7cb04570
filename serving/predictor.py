"""A photo to an answer: the queue, imaging, an engine and the ranking, tied together."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from engines.engine import Engine
from errors import RequestError, SettingsError
from imaging.fit import Fit, fit
from imaging.read import Limits, read
from imaging.write import jpeg
from models.card import Card, FitMode
from models.labels import Label
from serving.answer import Answer, Timings, calibrate, rank
from serving.queue import Job, Place, Queue

_log = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class Network:
    """A network being served."""

    card: Card
    labels: Sequence[Label]
    engine: Engine


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
    ) -> None:
        """Nothing is loaded yet.

        Args:
            cards: the networks to serve; the first is the default.
            load: makes a network out of a card; slow.
            queue: where photos wait; closed with the predictor.
            deadline_s: seconds in which an answer must be there.
            limits: what a photo may measure.
            fit: how a photo becomes a square when a request doesn't say; None: as the card says.
        """
        self.cards = {card.name: card for card in cards}
        if len(self.cards) < len(cards):
            named = ", ".join(card.name for card in cards)
            raise SettingsError(f"two networks have one name ({named}); give each its own")
        self.default = cards[0].name
        self.networks: dict[str, Network] = {}
        self.limits = limits
        self._fit = fit
        self.queue = queue
        self._load = load
        self._deadline_s = deadline_s
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
        network = self.network(options.model)
        how = Fit(
            network.card.input_size,
            options.fit or self._fit or network.card.mode,
            network.card.crop,
            network.card.interpolation,
        )
        works = [_Walk(photo, network, how, self.limits, options) for photo in photos]
        return [_result(job) for job in self.queue.put(works, self._deadline_s, place)]

    def upright_jpeg(self, photo: bytes, width: int | None, place: Place | None = None) -> bytes:
        """The photo as an upright JPEG without metadata, `width` pixels wide at most.

        Raises:
            RequestError: a bad photo, a full queue, a deadline that passed.
        """
        work = partial(_upright_jpeg, photo, width, self.limits)
        (job,) = self.queue.put([work], self._deadline_s, place)
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


@dataclass
class _Walk:
    """One photo's way to its answer, done by a runner; the photo is let go with it."""

    photo: bytes
    network: Network
    how: Fit
    limits: Limits
    options: Options

    def __call__(self) -> Answer:
        begun = time.perf_counter()
        upright = read(self.photo, self.limits, at_least=self.how.decode_side)
        pixels = fit(upright, self.how)  # (size, size, 3)
        decoded = time.perf_counter()
        probabilities = self.network.engine.run(pixels[None])[0]  # (classes,)
        probabilities = calibrate(probabilities, self.network.card.temperature)
        inferred = time.perf_counter()
        ranked = rank(probabilities, self.network.labels, self.options.top, self.options.threshold)
        timings = Timings(0.0, decoded - begun, inferred - decoded)
        return Answer(self.network.card.name, ranked, timings)


def _result(job: Job[Answer]) -> Answer | RequestError:
    try:
        answer = job.result()
    except RequestError as error:
        return error.with_traceback(None)  # its frames hold the photo
    return Answer(
        answer.model,
        answer.predictions,
        Timings(job.waited_s, answer.timings.decode_s, answer.timings.infer_s),
    )


def _upright_jpeg(photo: bytes, width: int | None, limits: Limits) -> bytes:
    return jpeg(read(photo, limits, at_least=width), width)
