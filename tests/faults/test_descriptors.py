"""Out of file descriptors: who is inside is answered, who is outside waits, nothing spins."""

import contextlib
import os
import socket
import time
from pathlib import Path

from tests import small
from tests.faults.clients import wait_until
from tests.service import running

FEW = ["sh", "-c", 'ulimit -n "$0"; exec "$@"']
PHOTO = small.photo("red")


@contextlib.contextmanager
def connected(service, count):
    """So many connections on which nothing is ever said."""
    host, port = service.address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as open_ones:
        for _ in range(count):
            one = open_ones.enter_context(socket.socket())
            one.settimeout(20)
            one.connect((host, int(port)))
        yield


def processor_s(pid):
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_many_silent_connections_under_a_low_limit_neither_kill_nor_spin(tmp_path, network):
    with running(tmp_path, model=network, under=[*FEW, "160"]) as service:
        (worker,) = service.worker_pids()
        files = Path(f"/proc/{worker}/fd")
        before = processor_s(worker), len(list(files.iterdir()))
        with connected(service, 400):
            full = len(list(files.iterdir()))
            begun = time.monotonic()
            wait_until(lambda: time.monotonic() > begun + 3, "some seconds of it")
        assert service.predict(PHOTO).status_code == 200
        wait_until(lambda: len(list(files.iterdir())) <= before[1] + 3, "all are closed again")
        took_s = processor_s(worker) - before[0]
        print(f"limit 160, 400 connections, {full} files open: {took_s:.2f} s of processor time")
        assert took_s < 2, "a loop that spins takes all of those seconds"
        assert service.worker_pids() == [worker], "nobody had to start again"
        assert service.predict(PHOTO).status_code == 200


def test_descriptors_that_run_out_all_at_once_are_waited_for(tmp_path, network):
    """Below what the settings allow for: the limit is lowered while the service runs."""
    import resource

    with running(tmp_path, model=network) as service:
        (worker,) = service.worker_pids()
        files = Path(f"/proc/{worker}/fd")
        service.predict(PHOTO)
        _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        highest = max(int(one.name) for one in files.iterdir())
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (highest + 1 + 20, hard))
        before = processor_s(worker)
        with connected(service, 100):
            wait_until(lambda: "have to wait" in service.log.read_text(), "it is out of them")
        wait_until(lambda: service.predict(PHOTO).status_code == 200, "an answer")
        print(f"{processor_s(worker) - before:.2f} s of processor time")
        assert service.worker_pids() == [worker]
        lines = service.log.read_text().splitlines()
        assert sum("have to wait" in line for line in lines) < 20, "said, and not over and over"
