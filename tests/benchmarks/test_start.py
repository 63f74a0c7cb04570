"""Time to ready and memory, measured for real as short as can be."""

import sys
from pathlib import Path

from benchmarks.servers import Peer, started
from tests.benchmarks import commands


def test_the_command_starts_cold_and_warm_and_looks_at_memory_after_requests(program, tmp_path):
    program("wrk")
    short = ["--models", "ShiwuNet", "--sizes", "500x375", "--rounds", 2, "--requests", 600]
    result = commands.measured("start", tmp_path, *short)
    medians, every = result.tables
    assert [row[1] for row in medians] == ["ready, cold", "ready, warm", "after 500", "after 600"]
    assert len(every) == 3 + 2 + 1 + 1
    cold, warm, settled, many = medians
    assert all(0 < float(row[2]) < 120 for row in (cold, warm))
    assert all(50 < float(row[3]) < 1000 for row in medians)
    assert 500 <= float(settled[4]) <= float(many[4]) >= 600
    assert float(many[5]) > 0
    assert min(result.picture) > 200


def test_memory_and_processor_time_are_those_of_all_processes(tmp_path):
    """A server that starts another process, each with 100 MB of its own, and works half a second."""
    work = (
        "import os, sys, time; sys.argv[1:] == ['child'] or __import__('subprocess').Popen("
        "[sys.executable, '-c', os.environ['WORK'], 'child']); held = b'x' * 100_000_000\n"
        "while time.process_time() < 0.5: pass\n"
        "open(os.environ['DONE'] + str(os.getpid()), 'w'); time.sleep(60)"
    )
    environment = {"WORK": work, "DONE": str(tmp_path / "done-")}
    peer = Peer("two", [sys.executable, "-c", work], "", environment)
    with started(peer, tmp_path) as server:
        while len(list(tmp_path.glob("done-*"))) < 2:
            server.require_running()
        pids = server.pids()
        assert len(pids) == 2
        assert 200 < server.memory_mb() < 400
        assert 0.9 < server.cpu_s() < 3  # in steps of 10 ms for each process
        server.pause()
        stopped = server.cpu_s()
        assert server.cpu_s() == stopped
        server.resume()
    assert not any(map(is_running, pids))


def is_running(pid):
    """Whether the process is there; one that has ended has no words left, before it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False
