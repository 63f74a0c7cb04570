"""How often somebody may ask: a count per caller, in this process or in a Redis for all.

The rule is the generic cell rate algorithm (ITU-T I.371, and Redis' own redis-cell): of each
caller one number is kept, the moment at which all that was asked so far would have been due at an
even pace. So `60/minute` lets sixty come at once, then one each second, and never 120 around the
turn of a minute, as counting by the clock's minutes does.

Libraries were looked at first. `limits` (also under Flask-Limiter) starts a thread to tidy up at
nearly every request, follows the wall clock when that jumps, and doesn't work with our version of
redis; what it would spare is the fifty lines below.
"""

import heapq
import logging
import math
import re
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from errors import RequestError, SettingsError

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(rf"([1-9][0-9]{{0,8}})/({'|'.join(_SECONDS)})")

# Callers that one process keeps in mind, some 20 MB; beyond, who has least to wait is forgotten.
MOST_CALLERS = 100_000

# One try of Redis takes so long at most, and a request makes three; while it is gone, requests
# try it only so often.
REDIS_TIMEOUT_S = 0.3
REDIS_PAUSE_S = 5.0

_log = logging.getLogger(__name__)


class TooManyRequests(RequestError):
    """The caller has used up its rate; `retry_after_s` says when there is room again."""

    def __init__(self, said: str, retry_after_s: float | None) -> None:
        super().__init__(said)
        self.retry_after_s = retry_after_s


class Rate(NamedTuple):
    """So many in a time."""

    amount: int
    unit: str

    @property
    def pace_s(self) -> float:
        """Seconds between two, at an even pace."""
        return self.seconds / self.amount

    @property
    def seconds(self) -> int:
        """Seconds that it counts over."""
        return _SECONDS[self.unit]

    def __str__(self) -> str:
        return f"{self.amount}/{self.unit}"


def rate_of(text: str) -> Rate:
    """The rate that a text like "60/minute" says.

    Raises:
        ValueError: it says none; the sentence tells what is allowed.
    """
    found = _RATE.fullmatch(text)
    if not found:
        raise ValueError(f"{text[:40]!r} is no rate; write a number and a time, as in 60/minute")
    return Rate(int(found[1]), found[2])


class Counts(Protocol):
    """Who has asked how much."""

    def wait_s(self, caller: str, rate: Rate, cost: int) -> float:
        """Count the cost and return 0, or count nothing and return the seconds until it fits."""


class Local:
    """The counts of one process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._due: dict[str, float] = {}
        self._change = threading.Lock()
        self._tidy_at = 1024

    def wait_s(self, caller: str, rate: Rate, cost: int) -> float:
        """As `Counts` says."""
        with self._change:
            now = self._now()
            due = max(self._due.get(caller, now), now) + cost * rate.pace_s
            wait = due - now - rate.seconds
            if wait > 1e-9 * now:  # what adding up fractions may be off by
                return wait
            self._due[caller] = due
            if len(self._due) > self._tidy_at:
                self._tidy(now)
            return 0.0

    def _tidy(self, now: float) -> None:
        """Forget who has nothing on his count; now and then, as the count of callers doubles."""
        kept = ((caller, due) for caller, due in self._due.items() if due > now)
        self._due = dict(heapq.nlargest(MOST_CALLERS // 2, kept, key=lambda one: one[1]))
        self._tidy_at = max(1024, 2 * len(self._due))


class Shared:
    """The counts in a Redis, for all workers and machines, by its clock.

    While Redis is gone each process counts for itself. Neither is everybody let in then, just
    when something is wrong, nor is anybody shut out by the loss of what only counts.
    """

    # In one piece inside Redis, so that two who ask at once are counted one after the other.
    _SCRIPT = """
        local time = redis.call('TIME')
        local now = time[1] + time[2] / 1000000
        local cost, over = tonumber(ARGV[1]), tonumber(ARGV[2])
        local due = math.max(tonumber(redis.call('GET', KEYS[1])) or now, now) + cost
        local wait = due - now - over
        if wait > 0.000001 then return tostring(wait) end
        local kept = math.max(math.ceil((due - now) * 1000), 1)
        redis.call('SET', KEYS[1], string.format('%.6f', due), 'PX', kept)
        return '0'
    """

    def __init__(self, address: str) -> None:
        """Raises SettingsError: this is no address of a Redis."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        try:
            client = redis.Redis.from_url(
                address,
                socket_timeout=REDIS_TIMEOUT_S,
                socket_connect_timeout=REDIS_TIMEOUT_S,
                retry=Retry(NoBackoff(), 1),  # its own would wait for seconds in between
            )
        except ValueError as error:
            raise SettingsError(f"SHIWU_RATE_REDIS: no address of a Redis: {error}") from error
        self._gone = redis.RedisError
        self._script: Any = client.register_script(self._SCRIPT)
        self._meanwhile = Local()
        self._again_at = -math.inf

    def wait_s(self, caller: str, rate: Rate, cost: int) -> float:
        """As `Counts` says."""
        if time.monotonic() < self._again_at:
            return self._meanwhile.wait_s(caller, rate, cost)
        try:
            said = self._script([f"shiwu:rate:{caller}"], [cost * rate.pace_s, rate.seconds])
        except self._gone as error:
            self._lost(error)
            return self._meanwhile.wait_s(caller, rate, cost)
        if self._again_at > -math.inf:
            self._again_at = -math.inf
            _log.warning("the Redis of SHIWU_RATE_REDIS is back")
        return float(said)

    def _lost(self, error: Exception) -> None:
        if self._again_at == -math.inf:
            _log.warning(
                "the Redis of SHIWU_RATE_REDIS is gone; each worker counts for itself: %s", error
            )
        self._again_at = time.monotonic() + REDIS_PAUSE_S


class Limits:
    """The rate of everybody, and how much of it is used."""

    def __init__(self, rate: Rate | None, redis: str = "") -> None:
        """A rate for whoever has none of his own; where it is None, they are not limited.

        Raises:
            SettingsError: `redis` is no address.
        """
        self._rate = rate
        self._counts: Counts = Shared(redis) if redis else Local()

    def count(self, caller: str, own: Rate | None) -> None:
        """Count a request.

        Raises:
            TooManyRequests: it is more than the rate allows; it was not counted.
        """
        self._count(caller, own or self._rate, 1)

    def count_photos(self, caller: str, own: Rate | None, photos: int) -> None:
        """Count the photos of a request beyond the first, which was counted with the request.

        Raises:
            TooManyRequests: they are more than the rate allows; they were not counted.
        """
        rate = own or self._rate
        if rate is not None and photos > rate.amount:
            raise TooManyRequests(
                f"{photos} photos came in one request, and {rate} are allowed; send fewer at once",
                None,
            )
        self._count(caller, rate, photos - 1)

    def _count(self, caller: str, rate: Rate | None, cost: int) -> None:
        if rate is None or cost < 1:
            return
        # Under its rate: whose rate is changed begins anew.
        wait = self._counts.wait_s(f"{rate}:{caller}", rate, cost)
        if wait > 0:
            raise TooManyRequests(
                f"{rate} are allowed, photos or requests without one; "
                f"try again in {math.ceil(wait)} s",
                wait,
            )
