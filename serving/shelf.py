"""The networks being served: loaded at the start or when first asked for, within a budget.

Loading happens on threads of its own, one network at a time; who asks for a network meanwhile is
told to come again. When the next one would not fit, of those loaded on request the one not asked
for longest goes first, and its memory is back before the next one is loaded. The networks of the
start stay: whoever runs the service named them.
"""

import gc
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
from serving.room import MB, require_room, resident_bytes
from serving.taught import Telling

# How long a network that could not be loaded is left alone, and how long the last requests of one
# that has to go are waited for.
_FAILED_FOR_S = 60
_LEAVES_WITHIN_S = 15.0
# How long a network stays at least: networks that exclude one another would else only come and go.
STAYS_S = 5.0

_log = logging.getLogger(__name__)


class NotLoaded(RequestError):
    """The network asked for is not among those being served."""


class NoRoom(RequestError):
    """Memory doesn't allow what was asked for, whatever else leaves."""


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


class Shelf:
    """Loads networks and lets go of them; for several threads at once."""

    def __init__(
        self,
        cards: Sequence[Card],
        load: Callable[[Card], Network],
        on_request: Sequence[Card] = (),
        memory: int | None = None,
        prepare: Callable[[Card], object] = lambda _: None,
        stays_s: float = STAYS_S,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            cards: the networks that `load` loads; the first is the default.
            load: makes a network out of a card; slow.
            on_request: networks that are loaded when they are first asked for.
            memory: bytes that all may take together; None: as many as there are.
            prepare: whatever has to be done before a network can be loaded, without its taking
                memory here: what fails then makes no other network leave.
            stays_s: seconds that a network stays at least.

        Raises:
            SettingsError: two networks of one name, or more at the start than there is room for.
        """
        self.at_start = [card.name for card in cards]
        for names in (self.at_start, [card.name for card in on_request]):
            if len(set(names)) < len(names):
                raise SettingsError(
                    f"two networks have one name ({', '.join(names)}); give each its own"
                )
        self.cards = {card.name: card for card in [*on_request, *cards]}
        self._about = {name: resident_bytes(card) for name, card in self.cards.items()}
        require_room(cards, memory)
        self.started = False
        self._make = load
        self._prepare = prepare
        self._stays_s = stays_s
        self._since: dict[str, float] = {}  # when each network was loaded, on the monotonic clock
        self._memory = memory
        self._loaded: OrderedDict[str, Network] = OrderedDict()
        self._bytes: dict[str, int] = {}  # of each network that is loaded or being loaded
        self._loading: set[str] = set()
        self._failed: dict[str, float] = {}
        self._change = threading.Lock()
        self._one_prepares = threading.Lock()  # an export takes a gigabyte in its own process
        self._one_at_a_time = threading.Lock()

    @property
    def networks(self) -> dict[str, Network]:
        """Those that are loaded now, the one not asked for longest first."""
        with self._change:
            return dict(self._loaded)

    @property
    def is_loading(self) -> bool:
        """Whether a network, or another form of one, is being made at this moment."""
        if not self.started or self._loading:
            return True
        return any(network.forms.is_making for network in self.networks.values())

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
            raise NotLoaded(f"model={self.not_served(name)}")
        self._require_room(name)
        if name not in self.at_start:
            self._begin(name)
        raise NotReady(f"{name} is being loaded; try again in a moment")

    def not_served(self, name: str) -> str:
        """The end of a sentence about a network that is not served here."""
        names = list(self.cards)
        served = f"served: {', '.join(names)}" if len(names) <= 12 else "/models lists what is"
        return f"{name[:40]!r} is not served here; {served}"

    def make_room(self, network: Network) -> None:
        """See that another form of a network, which is counted already, is within the budget.

        Raises:
            NotReady: the network has left the shelf meanwhile.
            NoRoom: even alone it would take more than there is.
        """
        name = network.card.name
        while self._memory is not None:
            with self._change:
                if self._loaded.get(name) is not network:
                    raise NotReady(f"{name} has made room for another network; try again")
                leaving = self._take_off(0, keep=name)
                over = self._used() - self._memory
            _wait_until_gone(leaving)
            if over <= 0:
                return
            if not network.forms.drop_one():
                raise NoRoom(
                    f"{name} would take {over // MB} MB more for this than networks may take "
                    "here (SHIWU_MEMORY)"
                )

    def _used(self) -> int:
        """Bytes of all networks, with their other forms; `_change` is held."""
        forms = sum(
            self._about[name] * (len(network.forms) + (network.telling is not None))
            for name, network in self._loaded.items()
        )
        return forms + sum(self._bytes.values())

    def _take_off(self, needed: int, keep: str | None = None) -> list[threading.Event]:
        """Take networks off the shelf until so many bytes more fit; `_change` is held.

        Returns an event for each, set when nobody holds it any more.
        """
        gone = []
        for name in list(self._loaded):
            if self._memory is None or self._used() + needed <= self._memory:
                break
            if name in self.at_start or name == keep or self._is_new(name):
                continue
            leaving = self._loaded.pop(name)
            del self._bytes[name], self._since[name]
            gone.append(threading.Event())
            weakref.finalize(leaving.engine, gone[-1].set)
            _log.info("%s leaves to make room", name, extra={"model": name})
        return gone

    def _is_new(self, name: str) -> bool:
        return time.monotonic() < self._since[name] + self._stays_s

    def _reserve(self, name: str) -> None:
        """Make room for a network, and wait for it where the others have only just come."""
        needed = self._about[name]
        while True:
            with self._change:
                leaving = self._take_off(needed)
                new = [
                    one for one in self._loaded if one not in self.at_start and self._is_new(one)
                ]
                fits = self._memory is None or self._used() + needed <= self._memory
                if fits or not new:
                    self._bytes[name] = needed
            _wait_until_gone(leaving)
            if fits or not new:
                return
            time.sleep(0.05)

    def _require_room(self, name: str) -> None:
        if self._memory is None or name in self.at_start:
            return
        needed = self._about[name]
        room = self._memory - sum(self._about[one] for one in self.at_start)
        if needed > room:
            raise NotLoaded(
                f"{name} takes about {needed // MB} MB, and {room // MB} MB are left for "
                "networks on request here (SHIWU_MEMORY); ask for a smaller one"
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
            with self._one_prepares:
                self._prepare(self.cards[name])
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
            self._reserve(name)
            begun, before = time.monotonic(), _resident_now()
            try:
                network = self._make(self.cards[name])
            except BaseException:
                with self._change:
                    del self._bytes[name]
                raise
            grown = _resident_now() - before
            with self._change:
                self._loaded[name] = network
                # The first one of all brings OpenVINO with it, which stays.
                self._bytes[name] = max(self._about[name], grown if self.started else 0)
                self._since[name] = time.monotonic()
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


def _wait_until_gone(leaving: Sequence[threading.Event]) -> None:
    for gone in leaving:
        if not gone.wait(_LEAVES_WITHIN_S):
            _log.warning("a network that had to go is still being asked; going on")
    if leaving:
        gc.collect()  # Keras' models hold themselves in circles


def _resident_now() -> int:
    """Bytes of this process in memory; 0 where the system doesn't tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
