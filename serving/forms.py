"""Other forms of a network than the one that answers: made when asked for, the last few kept.

To explain, or to give the features of a layer, a network is compiled once more. That takes from a
tenth of a second to many, so it happens on a thread of its own: answers go on meanwhile and never
wait for it. However many ask at once, each form is made once.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from errors import EngineError, RequestError

# How many a network keeps: each takes about as much memory as the network itself.
KEPT = 4
# How long a failure to make one stands before it is tried again.
_FAILED_FOR_S = 60.0

_log = logging.getLogger(__name__)


class NotReady(RequestError):
    """What was asked for is still being loaded or made, or the service is going down."""

    retry_after_s = 1


class FormFailed(EngineError):
    """A network can't be had in the form that was asked for; the log says why."""


@dataclass(frozen=True)
class _Failed:
    """Why a form could not be made. Not the exception: its frames would keep what it met."""

    kind: type[Exception]
    sentence: str
    until: float  # on the monotonic clock


class Forms:
    """The forms of one network, by what they are for; they go when the network goes."""

    def __init__(self, name: str, kept: int = KEPT) -> None:
        """Nothing is made yet.

        Args:
            name: the network's.
            kept: how many, those being made among them; the one not asked for longest goes first.
        """
        self._name = name
        self._kept = kept
        self._made: OrderedDict[str, Future[Any]] = OrderedDict()
        self._alone = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def __len__(self) -> int:
        """How many there are, or will be in a moment."""
        with self._alone:
            return sum(_failure(one) is None for one in self._made.values())

    @property
    def is_making(self) -> bool:
        """Whether one is being made at this moment."""
        with self._alone:
            return any(not one.done() for one in self._made.values())

    def is_made(self, purpose: str) -> bool:
        """Whether nobody has to wait for it: it is there, or known to fail."""
        with self._alone:
            making = self._standing(purpose)
        return making is not None and making.done()

    def drop_one(self) -> bool:
        """Let go of the one not asked for longest, if any is made."""
        with self._alone:
            for purpose, form in self._made.items():
                if form.done() and _failure(form) is None:
                    del self._made[purpose]
                    return True
        return False

    def get(self, purpose: str, make: Callable[[], Any], within_s: float) -> Any:
        """The form for a purpose, waited for if it is being made.

        Args:
            purpose: what it is for, its key: it ends the sentence "… is being prepared for …".
            make: makes it; called once.
            within_s: seconds to wait.

        Raises:
            NotReady: it isn't made by then, or too many others are being made.
            RequestError: `make` raised it.
            FormFailed: `make` raised something else. Both stand for a minute.
        """
        with self._alone:
            making = self._standing(purpose) or self._begin(purpose, make)
            self._made.move_to_end(purpose)
        try:
            form = making.result(within_s)
        except TimeoutError:
            raise NotReady(
                f"{self._name} is being prepared for {purpose}; try again in a moment"
            ) from None
        if isinstance(form, _Failed):
            raise form.kind(form.sentence)
        return form

    def _standing(self, purpose: str) -> "Future[Any] | None":
        """What is made or being made; not a failure that has stood long enough."""
        making = self._made.get(purpose)
        failed = _failure(making)
        return None if failed is not None and time.monotonic() >= failed.until else making

    def _begin(self, purpose: str, make: Callable[[], Any]) -> "Future[Any]":
        if sum(not one.done() for one in self._made.values()) >= self._kept:
            raise NotReady(f"{self._name} is being prepared for {self._kept} other things already")
        making: Future[Any] = Future()
        self._made.pop(purpose, None)
        self._trim(self._kept - 1)
        self._made[purpose] = making
        threading.Thread(
            target=self._make, args=(purpose, make, making), name="form", daemon=True
        ).start()
        return making

    def _trim(self, most: int) -> None:
        """Let go of what was not asked for longest; what is being made stays."""
        done = [purpose for purpose, form in self._made.items() if form.done()]
        for purpose in done[: max(0, len(self._made) - most)]:
            del self._made[purpose]

    def _make(self, purpose: str, make: Callable[[], Any], making: "Future[Any]") -> None:
        begun = time.monotonic()
        made: Any
        try:
            with self._one_at_a_time:
                made = make()
            took_s = time.monotonic() - begun
            _log.info("%s prepared for %s in %.2f s", self._name, purpose, took_s)
        except RequestError as error:
            made = _Failed(type(error), str(error), time.monotonic() + _FAILED_FOR_S)
        except BaseException as error:
            _log.exception("%s can't be prepared for %s", self._name, purpose)
            # Memory may be there in a moment.
            stands_s = 0.0 if isinstance(error, MemoryError) else _FAILED_FOR_S
            sentence = f"{self._name} can't be prepared for {purpose}; the log says why"
            made = _Failed(FormFailed, sentence, time.monotonic() + stands_s)
        making.set_result(made)


def _failure(making: "Future[Any] | None") -> _Failed | None:
    """Why it could not be made; None as long as it may be."""
    done = making.result() if making is not None and making.done() else None
    return done if isinstance(done, _Failed) else None
