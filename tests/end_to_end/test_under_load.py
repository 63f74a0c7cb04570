"""Steady when it is pushed: busy at once, a polite end, forty starts."""

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import requests
from urllib3.exceptions import NewConnectionError

from tests.service import begin, running

CLIENTS = 64


def ask(service, photo, answers, session=None):
    """One request; its status, or what happened instead of one."""
    try:
        post = (session or requests).post
        reply = post(f"{service.address}/predict", files={"image": photo}, timeout=60)
        answers.append(reply.status_code)
        if reply.status_code == 503:
            assert int(reply.headers["Retry-After"]) >= 1
            assert reply.json()["error"]["code"] in ("busy", "not_ready")
    except requests.ConnectionError as error:
        answers.append("refused" if nobody_listened(error) else type(error).__name__)


def nobody_listened(error: requests.ConnectionError) -> bool:
    """Whether the connection was refused, as opposed to taken in and dropped."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def in_parallel(work, count):
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_64_clients_against_a_queue_of_16_get_200_or_503_and_health_answers(
    tmp_path, weights, compiled, elephant
):
    settings = {"model": "MobileNetV2", "weights": weights, "cache": compiled, "queue": 16}
    with running(tmp_path, **settings) as service:
        answers, health = [], []
        stop = threading.Event()

        def client():
            with requests.Session() as session:
                for _ in range(6):
                    ask(service, elephant, answers, session)

        def watch():
            while not stop.is_set():
                begun = time.monotonic()
                assert service.get("/healthz").status_code == 200
                health.append(time.monotonic() - begun)

        watcher = threading.Thread(target=watch)
        watcher.start()
        in_parallel(client, CLIENTS)
        stop.set()
        watcher.join()
        counted = Counter(answers)
        print(counted, f"slowest /healthz {max(health):.2f} s")
        assert max(health) < 5, "alive is told at any load; the figure is for the benchmarks"
        assert set(counted) == {200, 503}
        assert sum(counted.values()) == CLIENTS * 6
        assert service.predict(elephant).status_code == 200


@pytest.mark.parametrize("time_of_stop", range(3))
def test_sigterm_under_load_answers_everything_that_was_accepted(
    tmp_path, weights, compiled, elephant, time_of_stop
):
    """Only a refused connection is no loss: nobody had taken anything in."""
    settings = {"model": "MobileNetV2", "weights": weights, "cache": compiled, "drain_s": 1}
    with running(tmp_path, **settings) as service:
        answers, ready = [], []
        under_way = threading.Event()

        def client():
            while "refused" not in answers:
                ask(service, elephant, answers)
                if len(answers) >= 20 + time_of_stop:
                    under_way.set()

        def watch():
            while True:
                try:
                    ready.append(service.get("/readyz").status_code)
                except requests.ConnectionError:
                    return

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert under_way.wait(60)
        service.process.send_signal(signal.SIGTERM)
        threads.append(threading.Thread(target=watch))
        threads[-1].start()
        for thread in threads:
            thread.join()
        counted = Counter(answers)
        print(counted, Counter(ready))
        assert service.stop() == 0
        assert set(counted) <= {200, 503, "refused"}
        assert 503 in ready, "readiness goes first"


def test_forty_starts_each_under_load_from_the_first_ready_second(
    tmp_path, weights, compiled, elephant
):
    """Two first inferences at once can block each other for good: warm-up must come first."""
    for number in range(40):
        settings = {"model": "MobileNetV2", "weights": weights, "cache": compiled}
        with running(tmp_path, **settings) as service:
            answers = []
            in_parallel(lambda: ask(service, elephant, answers), 8)  # noqa: B023
            assert answers == [200] * 8, (number, service.log.read_text())
            assert service.stop() == 0


def test_the_second_start_is_small_and_never_imports_tensorflow(
    tmp_path, weights, compiled, elephant
):
    settings = {"model": "MobileNetV2", "weights": weights, "cache": compiled}
    with running(tmp_path, **settings):
        pass
    begun = time.monotonic()
    with running(tmp_path, **settings) as service:
        print(f"ready after {time.monotonic() - begun:.2f} s")
        for _ in range(100):
            assert service.predict(elephant).status_code == 200
        pids = [service.process.pid, *service.worker_pids()]
        assert all("/tensorflow/" not in Path(f"/proc/{pid}/maps").read_text() for pid in pids)
        resident = sum(proportional_mb(pid) for pid in pids)
        print(f"{resident:.0f} MB resident after 100 requests")
        assert resident < 220


def proportional_mb(pid):
    """Resident memory, with pages that processes share counted once between them."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.split("\nPss:")[1].split()[0]) / 1024


def test_a_network_that_cannot_be_served_ends_the_start_with_one_sentence(tmp_path):
    service = begin(tmp_path, model="ResNet50", offline="true", weights=tmp_path / "nothing.h5")
    status = service.process.wait(timeout=60)
    log = service.log.read_text()
    assert status != 0
    assert "nothing.h5" in log
    assert "Traceback" not in log


def test_two_workers_share_pictures_and_metrics(tmp_path, weights, compiled, elephant):
    settings = {"model": "MobileNetV2", "weights": weights, "cache": compiled, "workers": 2}
    with running(tmp_path, **settings) as service:
        service.wait_until_all_are_ready(2)
        for _ in range(12):
            kept = service.post("/image", files={"image": elephant}).headers["Content-Location"]
            with requests.Session() as session:
                assert session.get(service.address + kept, timeout=10).status_code == 200
        line = 'shiwu_requests_total{outcome="ok",route="/image"}'
        counts = {
            float(row.split()[-1])
            for _ in range(6)
            for row in service.get("/metrics").text.splitlines()
            if row.startswith(line)
        }
        assert counts == {12.0}


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_behind_after_the_end(tmp_path, weights, compiled, signal_number):
    settings = {"model": "MobileNetV2", "weights": weights, "cache": compiled}
    with running(tmp_path, **settings) as service:
        workers = service.worker_pids()
        os.kill(service.process.pid, signal_number)
        assert service.process.wait(timeout=30) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
