"""Redis goes and comes back: /image says so meanwhile, photos are answered, nobody restarts."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from tests import small
from tests.faults.clients import wait_until
from tests.service import free_port, running

PHOTO = small.photo("red")


class Redis:
    """A real one, on a port that it comes back to."""

    def __init__(self, program, folder):
        self.port = free_port()
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command = [program, *where, "--save", ""]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def stop(self, how=signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGCONT)
        self.process.send_signal(how)
        self.process.wait(timeout=20)


@pytest.fixture
def store(tmp_path, program):
    one = Redis(program("redis-server"), tmp_path)
    one.start()
    yield one
    one.stop()


def test_pictures_come_back_with_redis_and_photos_never_wait_for_it(tmp_path, network, store):
    with running(tmp_path, model=network, images=f"redis://127.0.0.1:{store.port}/0") as service:
        (worker,) = service.worker_pids()

        def keep():
            return service.post("/image", files={"image": PHOTO})

        wait_until(lambda: keep().status_code == 200, "Redis is there")
        address = keep().headers["Content-Location"]
        assert service.get(address).status_code == 200
        store.stop()
        for reply in (keep(), service.get(address)):
            assert (reply.status_code, reply.json()["error"]["code"]) == (503, "not_ready")
            assert int(reply.headers["Retry-After"]) >= 1
        assert service.predict(PHOTO).status_code == 200
        store.start()
        wait_until(lambda: keep().status_code == 200, "it is used again")
        assert service.get(address).status_code == 404, "Redis has forgotten it, and so have we"
        again = keep().headers["Content-Location"]
        assert service.get(again).status_code == 200
        assert service.worker_pids() == [worker]


def test_a_redis_that_stands_still_is_given_up_after_its_time(tmp_path, network, store):
    with running(tmp_path, model=network, images=f"redis://127.0.0.1:{store.port}/0") as service:
        wait_until(
            lambda: service.post("/image", files={"image": PHOTO}).status_code == 200, "Redis"
        )
        os.kill(store.process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        reply = service.post("/image", files={"image": PHOTO})
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "not_ready")
        print(f"given up after {time.monotonic() - begun:.1f} s")
        assert time.monotonic() - begun < 20
        assert service.predict(PHOTO).status_code == 200
        os.kill(store.process.pid, signal.SIGCONT)
        wait_until(
            lambda: service.post("/image", files={"image": PHOTO}).status_code == 200,
            "it is used again",
        )
