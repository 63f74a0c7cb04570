"""The bounded queue: full means busy at once, and what is taken in is done."""

import contextlib
import gc
import threading
import time
import weakref
from contextlib import contextmanager

import pytest

from serving.queue import Busy, Closed, Queue, TooLate


@contextmanager
def blocked(queue: Queue):
    """Keep the queue's only runner at work until the block ends."""
    begun, free = threading.Event(), threading.Event()

    def work():
        begun.set()
        free.wait()

    (job,) = queue.put([work], deadline_s=60)
    begun.wait()
    try:
        yield
    finally:
        free.set()
        job.result()


@pytest.fixture
def queue():
    queue = Queue(capacity=2, runners=1)
    yield queue
    queue.close()


def test_works_are_done_in_order_and_their_results_come_back(queue):
    done = []
    jobs = queue.put([lambda: done.append("first") or 1, lambda: done.append("second") or 2], 10)
    assert [job.result() for job in jobs] == [1, 2]
    assert done == ["first", "second"]


def test_what_a_work_raises_comes_back_and_the_runner_lives_on(queue):
    def broken():
        raise ZeroDivisionError("on purpose")

    (job,) = queue.put([broken], 10)
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        job.result()
    (job,) = queue.put([lambda: "fine"], 10)
    assert job.result() == "fine"


def test_a_full_queue_says_busy_at_once_with_its_numbers(queue):
    with blocked(queue):
        waiting = queue.put([int, int], 10)
        with pytest.raises(Busy, match=r"2 photos are waiting, 1 more came, .* room for 2") as busy:
            queue.put([int], 10)
        assert busy.value.retry_after_s >= 1
        with pytest.raises(Busy):
            queue.reserve()
    assert [job.result() for job in waiting] == [0, 0]
    queue.reserve().release()


def test_a_held_place_counts_until_it_is_given_back_or_used(queue):
    with blocked(queue):
        first, second = queue.reserve(), queue.reserve()
        with pytest.raises(Busy):
            queue.reserve()
        first.release()
        first.release()
        third = queue.reserve()
        with pytest.raises(Busy):
            queue.put([int], 10)
        jobs = queue.put([int], 10, place=second)
        with pytest.raises(Busy):
            queue.put([int, int], 10, place=third)
        jobs += queue.put([int], 10)
    assert [job.result() for job in jobs] == [0, 0]


def test_a_photo_is_let_go_as_soon_as_its_error_is(queue):
    """No cycle keeps it until the garbage collector comes by."""

    class Photo:
        def __call__(self):
            raise ValueError("broken")

    photo = Photo()
    gone = weakref.ref(photo)
    gc.disable()
    try:
        (job,) = queue.put([photo], 10)
        with contextlib.suppress(ValueError):
            job.result()
        del job, photo
        queue.put([int], 10)[0].result()
        assert gone() is None
    finally:
        gc.enable()


def test_several_works_find_a_place_all_together_or_not_at_all(queue):
    with blocked(queue):
        with pytest.raises(Busy):
            queue.put([int, int, int], 10)
        (job,) = queue.put([lambda: "there was room for one"], 10)
    assert job.result() == "there was room for one"


def test_more_works_than_places_are_taken_when_runners_are_idle():
    """A runner that has nothing to do is a place, too."""
    queue = Queue(capacity=1, runners=1)
    try:
        until_idle = queue.put([int], 10)
        until_idle[0].result()
        deadline = time.monotonic() + 10
        while queue._idle == 0 and time.monotonic() < deadline:
            threading.Event().wait(0.001)
        assert [job.result() for job in queue.put([int, int], 10)] == [0, 0]
    finally:
        queue.close()


def test_a_passed_deadline_says_so_and_the_work_is_skipped(queue):
    ran = threading.Event()
    with blocked(queue):
        (job,) = queue.put([ran.set], deadline_s=0.01)
        with pytest.raises(TooLate, match=r"no answer within 0\.01 s \(SHIWU_DEADLINE_S\)"):
            job.result()
    queue.put([int], 10)[0].result()
    assert not ran.is_set()


def test_closing_finishes_what_waits_takes_nothing_in_and_leaves_no_thread():
    before = threading.active_count()
    queue = Queue(capacity=8, runners=3)
    jobs = queue.put([lambda i=i: i for i in range(8)], 10)
    queue.close()
    assert [job.result() for job in jobs] == list(range(8))
    with pytest.raises(Closed, match="going down"):
        queue.put([int], 10)
    assert threading.active_count() == before


def test_the_number_of_waiting_jobs_is_told_as_it_changes():
    changes = []
    queue = Queue(capacity=4, runners=1, waiting_changed=changes.append)
    for job in queue.put([int, int, int], 10):
        job.result()
    queue.close()
    assert sum(changes) == 0
    assert max(changes) == 3


def test_many_threads_get_each_their_own_result():
    queue = Queue(capacity=1000, runners=4)
    answers = {}

    def ask(i):
        answers[i] = queue.put([lambda: i * i], 30)[0].result()

    askers = [threading.Thread(target=ask, args=[i]) for i in range(200)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    queue.close()
    assert answers == {i: i * i for i in range(200)}
