"""A worker killed with SIGKILL under load, as the kernel does when memory is short."""

import os
import signal
import time

import pytest

from tests import small
from tests.faults.clients import asking, wait_until
from tests.service import running

CLIENTS = 8


@pytest.mark.parametrize("workers", [1, 2])
def test_only_what_it_was_answering_is_lost_and_another_takes_its_place(tmp_path, network, workers):
    photo = small.photo("red", (1280, 960))
    with running(tmp_path, model=network, workers=workers) as service:
        service.wait_until_all_are_ready(workers)
        before = service.worker_pids()
        with asking(service, photo, CLIENTS) as asked:
            wait_until(lambda: asked.count(200) > 50, "fifty answers")
            killed = time.monotonic()
            os.kill(before[0], signal.SIGKILL)
            wait_until(
                lambda: len(set(service.worker_pids()) - {before[0]}) == workers, "a new worker"
            )
            service.wait_until_all_are_ready(workers)
            back_s = time.monotonic() - killed
            answered = asked.count(200)
            wait_until(lambda: asked.count(200) > answered + 50, "fifty more answers")
        lost = asked.count("lost")
        print(
            f"{workers} workers, {CLIENTS} clients: {lost} requests lost of "
            f"{len(asked.outcomes)}, {asked.count(503)} told to come again; "
            f"first answer {asked.first_after(killed, 200):.2f} s after, all back {back_s:.2f} s"
        )
        assert set(asked.counted) <= {200, 503, "lost"}, "nobody finds the door closed"
        assert lost <= CLIENTS, "no more than were being answered"
        assert set(before[1:]) < set(service.worker_pids()), "the others never noticed"
        metrics = service.get("/metrics").text
        assert "\nshiwu_queue_length 0.0" in metrics, "the dead worker's queue is not counted"
        assert "\nshiwu_in_flight 1.0" in metrics, "this very request"
