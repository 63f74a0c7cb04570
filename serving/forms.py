"""Other forms of a network than the one that answers: made when asked for, the last few kept.

To explain, or to give the features of a layer, a network is compiled once more. That takes from a
tenth of a second to many, so it happens on a thread of its own: answers go on meanwhile and never
wait for it. However many ask at once, each form is made once.
"""

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from errors import RequestError

# How many a network keeps: each takes about as much memory as the network itself.
KEPT = 4
# How long a failure to make one stands before it is tried again.
_FAILED_FOR_S = 60.0

_log = logging.getLogger(__name__)


class NotReady(RequestError):
    """What was asked for is still being loaded or made, or the service is going down."""

    retry_after_s = 1


class Forms:
    """The forms of one network, by what they are for; they go when the network goes."""

    def __init__(self, name: str, kept: int = KEPT) -> None:
        """Nothing is made yet.

        Args:
            name: the network's.
            kept: how many; the one not asked for longest goes first.
        """
        self._name = name
        self._kept = kept
        self._made: OrderedDict[str, Future[Any]] = OrderedDict()
        self._failed: dict[str, float] = {}
        self._alone = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def __len__(self) -> int:
        """How many there are, or will be in a moment."""
        with self._alone:
            return len(self._made) - len(self._failed)

    def is_made(self, purpose: str) -> bool:
        """Whether nobody has to wait for it."""
        with self._alone:
            making = self._made.get(purpose)
        return making is not None and making.done()

    def get(self, purpose: str, make: Callable[[], Any], within_s: float) -> Any:
        """The form for a purpose, waited for if it is being made.

        Args:
            purpose: what it is for, its key: it ends the sentence "… is being prepared for …".
            make: makes it; called once.
            within_s: seconds to wait.

        Raises:
            NotReady: it isn't made by then.
            Exception: whatever `make` raised; a `RequestError` stands, others for a minute.
        """
        with self._alone:
            if time.monotonic() - self._failed.get(purpose, math.inf) > _FAILED_FOR_S:
                del self._made[purpose], self._failed[purpose]
            making = self._made.get(purpose) or self._begin(purpose, make)
            self._made.move_to_end(purpose)
        try:
            made = making.result(within_s)
        except TimeoutError:
            raise NotReady(
                f"{self._name} is being prepared for {purpose}; try again in a moment"
            ) from None
        if isinstance(made, RequestError):  # anew for each: a traceback would keep the request
            raise type(made)(str(made))
        return made

    def _begin(self, purpose: str, make: Callable[[], Any]) -> "Future[Any]":
        making: Future[Any] = Future()
        threading.Thread(
            target=self._make, args=(purpose, make, making), name="form", daemon=True
        ).start()
        # What is still being made stays: it would only be begun again.
        done = [old for old, future in self._made.items() if future.done()]
        for old in done[: max(0, len(self._made) + 1 - self._kept)]:
            del self._made[old]
            self._failed.pop(old, None)
        self._made[purpose] = making
        return making

    def _make(self, purpose: str, make: Callable[[], Any], making: "Future[Any]") -> None:
        begun = time.monotonic()
        try:
            with self._one_at_a_time:
                form = make()
            making.set_result(form)
            took_s = time.monotonic() - begun
            _log.info("%s prepared for %s in %.2f s", self._name, purpose, took_s)
        except RequestError as error:
            making.set_result(error.with_traceback(None))
        except BaseException as error:  # whoever waits gets it; later ones try again
            _log.exception("%s can't be prepared for %s", self._name, purpose)
            with self._alone:
                if isinstance(error, MemoryError):  # which may be gone in a moment
                    del self._made[purpose]
                else:
                    self._failed[purpose] = time.monotonic()
            making.set_exception(error)
