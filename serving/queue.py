"""One bounded queue and the named threads that work it off.

Who comes when it is full hears so at once, before any work was done for them; what was taken in
is done, unless its deadline passes first. Threads belong to the queue: it starts them and joins
them.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from errors import RequestError

Result = TypeVar("Result")


class Busy(RequestError):
    """The queue is full; `retry_after_s` says when to come again."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLate(RequestError):
    """The deadline passed before the answer was there."""


class Closed(RequestError):
    """The queue takes nothing in any more."""

    retry_after_s = 1


@dataclass
class Job(Generic[Result]):
    """A piece of work in the queue; `waited_s` is known once it runs."""

    work: Callable[[], Result]
    deadline_s: float
    taken_in: float = field(default_factory=time.monotonic)
    waited_s: float = 0.0
    future: Future[Result] = field(default_factory=Future)

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline; below 0 when it has passed."""
        return self.taken_in + self.deadline_s - time.monotonic()

    def result(self) -> Result:
        """What the work returned, waited for until the deadline.

        Raises:
            TooLate: the deadline passed first; the work is then skipped if it hasn't begun.
            Exception: whatever the work raised.
        """
        future = self.future
        try:
            return future.result(timeout=max(0.0, self.remaining_s))
        except TimeoutError:
            if future.done():  # at the last moment, or the work itself raised it
                return future.result()
            future.cancel()
            raise TooLate(
                f"no answer within {self.deadline_s:g} s (SHIWU_DEADLINE_S); the service is "
                "overloaded or the photo is very large: try again later"
            ) from None
        finally:
            # An exception's traceback would keep this frame, the job and so the photo in a cycle.
            del self, future


class Place:
    """A place in the queue, held for a request while its photos are still on their way.

    `release` may be called more than once; `Queue.put` calls it, too.
    """

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def release(self) -> None:
        """Give the place back."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


class Queue:
    """At most `capacity` jobs wait; `runners` threads do them, first come, first served."""

    def __init__(
        self,
        capacity: int,
        runners: int,
        waiting_changed: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Start the runners.

        Args:
            capacity: jobs that may wait, not counting those at work.
            runners: threads.
            waiting_changed: told by how many the waiting grew (or shrank, below 0).
        """
        self.capacity = capacity
        self._waiting_changed = waiting_changed
        self._jobs: deque[Job[object]] = deque()
        self._at_work: dict[int, Job[object]] = {}  # by the runner's thread
        self._idle = 0
        self._held = 0
        self._closed = False
        self._change = threading.Condition(threading.RLock())  # `put` gives a place back inside
        self._seconds_a_job = 0.05  # a moving mean; the first guess hardly matters
        self._runners = [
            threading.Thread(target=self._run, name=f"runner-{i}", daemon=True)
            for i in range(runners)
        ]
        for runner in self._runners:
            runner.start()

    def reserve(self) -> Place:
        """Hold a place before the work for it is known; the caller gives it back in the end.

        Raises:
            Busy: there is none.
        """
        with self._change:
            self._require_places(1)
            self._held += 1
        return Place(self._give_back)

    def put(
        self,
        works: Sequence[Callable[[], Result]],
        deadline_s: float,
        place: Place | None = None,
    ) -> list[Job[Result]]:
        """Take in all of the works, or none.

        Args:
            works: what to do.
            deadline_s: seconds from now in which the results must be there.
            place: one that was held for them; it is given back.

        Raises:
            Busy: they don't all find a place.
            Closed: `close` was called.
        """
        jobs = [Job(work, deadline_s) for work in works]
        with self._change:
            if place is not None:
                place.release()
            if self._closed:
                raise Closed("the service is going down; another one may be up already")
            self._require_places(len(jobs))
            # A runner never looks at results, so jobs of any kind may stand in one queue.
            self._jobs.extend(jobs)  # type: ignore[arg-type]
            self._waiting_changed(len(jobs))
            self._change.notify(len(jobs))
        return jobs

    @property
    def overdue_s(self) -> float:
        """Seconds by which the job longest at work is past its deadline; 0 if none is."""
        with self._change:
            return max([0.0, *(-job.remaining_s for job in self._at_work.values())])

    @property
    def is_held_up(self) -> bool:
        """Whether it is full, and more of those places are held than waited in."""
        with self._change:
            waiting = len(self._jobs)
            return waiting + self._held >= self.capacity + self._idle and self._held > waiting

    def close(self) -> None:
        """Take nothing more in, finish what waits, and join the runners."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for runner in self._runners:
            runner.join()

    def _require_places(self, needed: int) -> None:
        taken = len(self._jobs) + self._held
        if taken + needed <= self.capacity + self._idle:
            return
        seconds = len(self._jobs) * self._seconds_a_job / len(self._runners)
        raise Busy(
            f"{taken} photos are waiting, {needed} more came, and there is room for "
            f"{self.capacity} (SHIWU_QUEUE); try again after the seconds given in Retry-After",
            retry_after_s=max(1, round(seconds)),
        )

    def _give_back(self) -> None:
        with self._change:
            self._held -= 1

    def _run(self) -> None:
        while (job := self._next()) is not None:
            self._do(job)
            del job  # an idle runner would keep the last photo

    def _do(self, job: Job[object]) -> None:
        begun = time.monotonic()
        job.waited_s = begun - job.taken_in
        if job.remaining_s <= 0 or not job.future.set_running_or_notify_cancel():
            return
        try:
            job.future.set_result(job.work())
        except BaseException as error:  # whoever waits for the job gets it
            job.future.set_exception(error)
        finally:
            del job  # the exception's traceback holds this frame
        self._seconds_a_job += 0.1 * (time.monotonic() - begun - self._seconds_a_job)

    def _next(self) -> Job[object] | None:
        with self._change:
            self._at_work.pop(threading.get_ident(), None)
            self._idle += 1
            while not self._jobs and not self._closed:
                self._change.wait()
            self._idle -= 1
            if not self._jobs:
                return None
            self._waiting_changed(-1)
            job = self._at_work[threading.get_ident()] = self._jobs.popleft()
            return job
