"""The cache damaged, shared or half written: what is served is whole, and nothing is left over."""

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests import small
from tests.faults.clients import wait_until
from tests.service import ROOT, begin, running

PHOTO = small.photo("red", (300, 200))


@pytest.fixture(scope="module")
def to_export(tmp_path_factory):
    """The network in the box, as if it had never been exported."""
    made = tmp_path_factory.mktemp("to-export") / "Raw"
    shutil.copytree(ROOT / "models/bundled", made, ignore=shutil.ignore_patterns("compiled*"))
    return made


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the network in the box says of the photo."""
    with running(tmp_path_factory.mktemp("reference"), model=ROOT / "models/bundled") as service:
        return probabilities(service)


def probabilities(service):
    said = service.predict(PHOTO, top=5).json()["predictions"]
    return {one["id"]: pytest.approx(one["probability"], abs=1e-4) for one in said}


def end_all_of(service):
    """Whatever it has left: it leads a group of its own (tests/service.py)."""
    with suppress(ProcessLookupError):
        os.killpg(service.process.pid, signal.SIGKILL)


def entries(cache):
    return [one for one in cache.iterdir() if one.is_dir()]


@pytest.mark.slow
def test_two_servers_on_one_cache_export_once_and_a_damaged_entry_is_made_again(
    tmp_path, to_export, expected
):
    cache = tmp_path / "compiled"
    both = [begin(tmp_path, model=to_export, cache=cache) for _ in range(2)]
    try:
        for service in both:
            service.wait_until_ready()
            assert probabilities(service) == expected
        logs = [service.log.read_text() for service in both]
        assert sum("exporting from Keras" in log for log in logs) == 1
        assert sum("another process is" in log for log in logs) == 1
        (entry,) = entries(cache)
        _damage_a_byte(entry / "network.bin")
        assert probabilities(both[0]) == expected, "it has its own copy, or the file's old one"
        assert [service.stop() for service in both] == [0, 0]
    finally:
        for service in both:
            end_all_of(service)
    with running(tmp_path, model=to_export, cache=cache) as service:
        assert "is damaged" in service.log.read_text()
        assert "exporting from Keras" in service.log.read_text()
        assert probabilities(service) == expected


def _damage_a_byte(path):
    """As a failing disk does: the file is not cut."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0x40]))


@pytest.fixture
def exporting(tmp_path, to_export, monkeypatch):
    """A service whose first export has just begun, and the hidden folder that it goes to."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    cache = tmp_path / "compiled"
    service = begin(tmp_path, model=to_export, cache=cache)
    try:
        wait_until(lambda: cache.exists() and list(cache.glob(".*/*")), "the export has begun")
        (unfinished,) = cache.glob(".*")
        yield service, unfinished
        service.stop()
    finally:
        end_all_of(service)


def test_sigterm_during_an_export_is_soon_over_and_leaves_nothing_behind(exporting, tmp_path):
    service, unfinished = exporting
    begun = time.monotonic()
    assert service.stop() == 0
    took_s = time.monotonic() - begun
    print(f"SIGTERM during an export: gone after {took_s:.1f} s")
    assert took_s < 10
    wait_until(lambda: not processes_of(service), "no process is left", 10)
    assert not [one for one in unfinished.parent.iterdir() if not one.name.endswith(".lock")]
    assert not list((tmp_path / "tmp").glob("shiwu-*"))


def test_the_export_of_a_worker_that_was_killed_takes_its_folder_with_it(exporting):
    service, unfinished = exporting
    (worker,) = service.worker_pids()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not unfinished.exists(), "it has tidied up", 10)
    wait_until(lambda: service.worker_pids() not in ([], [worker]), "another worker")


def processes_of(service):
    """Those of the service's session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == service.process.pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize("tenths", range(0, 12, 2))
def test_sigterm_at_any_moment_of_a_start_ends_it_within_seconds(
    tmp_path, network, tenths, after_mounting, monkeypatch
):
    """Before Python has read the settings, before the worker is forked, while it loads."""
    places = tmp_path / "tmp", tmp_path / "shm"
    for place in places:
        place.mkdir()
    monkeypatch.setenv("TMPDIR", str(places[0]))
    under = after_mounting(f"--bind {places[1]} /dev/shm")
    begun = time.monotonic()
    service = begin(tmp_path, model=network, under=under)
    try:
        wait_until(lambda: time.monotonic() - begun >= tenths / 10, "the moment")
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(timeout=20)
        took_s = time.monotonic() - begun - tenths / 10
        print(f"SIGTERM {tenths / 10:.1f} s after the start: gone {took_s:.2f} s later")
        assert took_s < 10, service.log.read_text()
        assert "Traceback" not in service.log.read_text()
        wait_until(lambda: not processes_of(service), "no process is left", 10)
    finally:
        end_all_of(service)
    assert [list(place.iterdir()) for place in places] == [[], []]
