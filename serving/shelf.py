"""The networks being served: loaded at the start or when first asked for, within a budget.

Loading happens on threads of its own, one network at a time; who asks for a network meanwhile is
told to come again. When the next one would not fit, the one not asked for longest goes first, and
its memory is back before the next one is loaded.
"""

import logging
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engines.engine import Engine
from errors import RequestError, SettingsError, ShiwuError
from models.card import Card
from models.labels import Label
from serving.answer import Naming
from serving.forms import Forms, NotReady
from serving.taught import Telling

# How long a network that could not be loaded is left alone, and how long the last requests of one
# that has to go are waited for.
_FAILED_FOR_S = 60
_LEAVES_WITHIN_S = 15.0
_MB = 2**20

_log = logging.getLogger(__name__)


class NotLoaded(RequestError):
    """The network asked for is not among those being served."""


@dataclass(frozen=True)
class Network:
    """A network being served; `telling`, if it knows what it was not taught."""

    card: Card
    naming: Naming
    engine: Engine
    telling: Telling | None = None
    forms: Forms = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Begin without other forms."""
        object.__setattr__(self, "forms", Forms(self.card.name))

    @property
    def labels(self) -> Sequence[Label]:
        """Its classes in English, by class index."""
        return self.naming.labels["en"]

    @property
    def bytes(self) -> int:
        """What it takes of memory with all its forms, about."""
        return resident_bytes(self.card) * (1 + (self.telling is not None) + len(self.forms))


class Shelf:
    """Loads networks and lets go of them; for several threads at once."""

    def __init__(
        self,
        cards: Sequence[Card],
        load: Callable[[Card], Network],
        on_request: Sequence[Card] = (),
        memory: int | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            cards: the networks that `load` loads; the first is the default.
            load: makes a network out of a card; slow.
            on_request: networks that are loaded when they are first asked for.
            memory: bytes that all may take together; None: as many as there are.

        Raises:
            SettingsError: two networks of one name, or more at the start than there is room for.
        """
        self.at_start = [card.name for card in cards]
        if len(set(self.at_start)) < len(cards):
            named = ", ".join(self.at_start)
            raise SettingsError(f"two networks have one name ({named}); give each its own")
        needed = sum(map(resident_bytes, cards))
        if memory is not None and needed > memory:
            raise SettingsError(
                f"the networks of SHIWU_MODEL take about {needed // _MB} MB together, and "
                f"SHIWU_MEMORY is {memory // _MB} MB; name fewer, or allow more"
            )
        self.cards = {card.name: card for card in [*on_request, *cards]}
        self.started = False
        self._make = load
        self._memory = memory
        self._before = _resident_now()
        self._loaded: OrderedDict[str, Network] = OrderedDict()
        self._loading: set[str] = set()
        self._failed: dict[str, float] = {}
        self._change = threading.Lock()
        self._one_at_a_time = threading.RLock()

    @property
    def networks(self) -> dict[str, Network]:
        """Those that are loaded now, the one not asked for longest first."""
        with self._change:
            return dict(self._loaded)

    @property
    def is_loading(self) -> bool:
        """Whether a network is being loaded at this moment, or all at the start still are."""
        with self._change:
            return not self.started or bool(self._loading)

    def load(self) -> None:
        """Load the networks of the start, one after the other, on this thread.

        Raises:
            SettingsError, EngineError: a network can't be served.
        """
        for name in self.at_start:
            self._load(name)
        self.started = True

    def get(self, name: str) -> Network:
        """The network of that name.

        Raises:
            NotReady: it is being loaded; from now on, if it wasn't.
            NotLoaded: it isn't served here.
        """
        with self._change:
            network = self._loaded.get(name)
            if network is not None:
                self._loaded.move_to_end(name)
                return network
        if name not in self.cards:
            raise NotLoaded(f"model={name[:40]!r} is not served here; {self._served()}")
        self._require_room(name)
        if self.started or name not in self.at_start:
            self._begin(name)
        raise NotReady(f"{name} is being loaded; try again in a moment")

    def make_room(self, needed: int, keep: str | None = None) -> None:
        """Let go of networks until so many bytes more are within the budget.

        Args:
            needed: bytes.
            keep: a network that stays.
        """
        with self._one_at_a_time:
            while self._memory is not None and (gone := self._longest_unasked(needed, keep)):
                if not gone.wait(_LEAVES_WITHIN_S):
                    _log.warning("a network that had to go is still being asked; going on")

    def _longest_unasked(self, needed: int, keep: str | None) -> threading.Event | None:
        """Take the next network that has to go off the shelf; the event says when it is gone."""
        with self._change:
            # What they are known to take, or what the process has grown by if that is more.
            known = sum(network.bytes for network in self._loaded.values())
            used = max(known, _resident_now() - self._before)
            name = next((name for name in self._loaded if name != keep), None)
            if used + needed <= (self._memory or 0) or name is None:
                return None
            leaving = self._loaded.pop(name)
        gone = threading.Event()
        weakref.finalize(leaving.engine, gone.set)
        _log.info("%s leaves to make room", name, extra={"model": name})
        return gone

    def _served(self) -> str:
        names = list(self.cards)
        return f"served: {', '.join(names)}" if len(names) <= 12 else "/models lists what is"

    def _require_room(self, name: str) -> None:
        needed = resident_bytes(self.cards[name])
        if self._memory is not None and needed > self._memory:
            raise NotLoaded(
                f"{name} takes about {needed // _MB} MB, and networks may take "
                f"{self._memory // _MB} MB here (SHIWU_MEMORY); ask for a smaller one"
            )

    def _begin(self, name: str) -> None:
        """Load a network on a thread of its own, unless one does already."""
        with self._change:
            failed_s = time.monotonic() - self._failed.get(name, float("-inf"))
            if failed_s < _FAILED_FOR_S:
                error = NotReady(f"{name} could not be loaded; the log says why")
                error.retry_after_s = int(_FAILED_FOR_S - failed_s) + 1
                raise error
            if name in self._loading or name in self._loaded:
                return
            self._loading.add(name)
        threading.Thread(target=self._load_aside, args=[name], name="loader", daemon=True).start()

    def _load_aside(self, name: str) -> None:
        try:
            self._load(name)
        except BaseException as error:
            known = isinstance(error, ShiwuError)
            _log.error("%s can't be loaded: %s", name, error, exc_info=None if known else error)
            with self._change:
                self._failed[name] = time.monotonic()
        finally:
            with self._change:
                self._loading.discard(name)

    def _load(self, name: str) -> None:
        with self._one_at_a_time:
            self.make_room(resident_bytes(self.cards[name]))
            begun = time.monotonic()
            network = self._make(self.cards[name])
            with self._change:
                self._loaded[name] = network
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


def _resident_now() -> int:
    """Bytes of this process in memory; 0 where the system doesn't tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def resident_bytes(card: Card) -> int:
    """What a network takes of memory once it runs in OpenVINO on two cores, about.

    Its weights are there twice, as they lie in the file and as the processor wants them; what a
    picture leaves between the layers grows with its area. Of fifteen networks from 10 to 528 MB
    none took a fifth more.
    """
    weights = (
        4 * card.parameters if card.parameters else card.file.stat().st_size if card.file else 0
    )
    return int(2.1 * weights + 48 * _MB * (card.input_size / 224) ** 2)
