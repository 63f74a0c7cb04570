"""A full disk, of a few hundred kilobytes and the service's own: photos are answered all the same."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import small
from tests.faults.clients import wait_until
from tests.service import ROOT, begin, running

RED = small.photo("red")


def disk(folder, size):
    """A disk of that size at `folder`, which only the service and its children see."""
    return f"-t tmpfs -o size={size},mode=700 none {folder}"


class Disk:
    """That disk, as seen from outside."""

    def __init__(self, service, folder):
        self.folder = Path(f"/proc/{service.process.pid}/root{folder}")
        self._ballast = self.folder / "ballast"

    def fill(self):
        with self._ballast.open("ab", buffering=0) as file:
            while self._has_room():
                with contextlib.suppress(OSError):
                    file.write(bytes(4096))

    def _has_room(self):
        return os.statvfs(self.folder).f_bfree > 0

    def empty(self):
        self._ballast.unlink()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "disk"
    made.mkdir()
    return made


def test_pictures_of_image_are_refused_for_a_while_and_photos_answered(
    tmp_path, network, folder, after_mounting
):
    under = after_mounting(disk(folder, "256k"))
    with running(tmp_path, model=network, images=folder, under=under) as service:
        full = Disk(service, folder)
        assert service.post("/image", files={"image": RED}).status_code == 200
        full.fill()
        for _ in range(3):
            reply = service.post("/image", files={"image": RED})
            assert (reply.status_code, reply.json()["error"]["code"]) == (503, "not_ready")
            assert int(reply.headers["Retry-After"]) >= 1
            assert service.predict(RED).json()["predictions"][0]["label"] == "red"
        assert not [one.name for one in full.folder.iterdir() if one.name.startswith(".")]
        full.empty()
        assert service.post("/image", files={"image": RED}).status_code == 200


def test_a_full_temporary_folder_and_a_full_log_stop_nothing(
    tmp_path, network, folder, after_mounting, monkeypatch
):
    """Workers write their metrics into mapped files, where no room means SIGBUS."""
    monkeypatch.setenv("TMPDIR", str(folder))
    under = after_mounting(disk(folder, "256k"), f'exec "$@" 2> {folder}/log')
    service = begin(tmp_path, model=network, under=under)
    try:
        service.wait_until_ready()
        full = Disk(service, folder)
        full.fill()
        (worker,) = service.worker_pids()
        for _ in range(50):
            assert service.predict(RED).status_code == 200
        assert service.worker_pids() == [worker]
        os.kill(worker, signal.SIGKILL)  # the next one starts on the full disk
        wait_until(lambda: service.worker_pids() not in ([], [worker]), "another worker")
        service.wait_until_ready()
        assert service.predict(RED).status_code == 200
        assert 'shiwu_photos_total{outcome="ok"}' in service.get("/metrics").text
        assert service.stop() == 0
    finally:
        service.stop()


@pytest.fixture(scope="session")
def to_export(tmp_path_factory):
    """The network in the box, as if it had never been exported."""
    made = tmp_path_factory.mktemp("to-export") / "Raw"
    shutil.copytree(ROOT / "models/bundled", made, ignore=shutil.ignore_patterns("compiled*"))
    return made


@pytest.mark.parametrize("why", ["No space left on device", "File too large"])
def test_a_start_that_finds_no_room_ends_with_a_sentence(
    tmp_path, to_export, folder, after_mounting, why
):
    """A disk may be full, or a limit or quota reached on one that has room."""
    under = {
        "No space left on device": lambda: after_mounting(disk(folder, "2m")),
        "File too large": lambda: ["sh", "-c", 'ulimit -f 2048 && exec "$@"', "sh"],
    }[why]()
    service = begin(tmp_path, model=to_export, cache=folder, under=under)
    try:
        assert service.process.wait(timeout=120) != 0
    finally:
        service.stop()
    said = service.log.read_text()
    assert f"{folder}, can't be used ({why}); give another as SHIWU_CACHE, or make room" in said
    assert "Traceback" not in said


def test_a_network_that_there_is_no_room_for_is_not_packed(folder, after_mounting):
    command = [sys.executable, "-m", "engines.pack", "--model", "ShiwuNet", "--out", folder / "net"]
    under = after_mounting(
        disk(folder, "2m"), f'{{ "$@"; status=$?; ls -A {folder}; exit $status; }}'
    )
    packed = subprocess.run([*under, *command], cwd=ROOT, capture_output=True, text=True)
    assert packed.returncode == 1
    assert packed.stderr == (
        f"ShiwuNet can't be packed: {folder}/net can't be written (No space left on device); "
        "make room, or give another --out\n"
    )
    assert packed.stdout == "", "nothing is left there"


def test_no_room_in_the_cache_is_said_in_a_sentence_and_others_are_served(
    tmp_path, network, to_export, folder, after_mounting
):
    settings = {"cache": folder, "on_request": to_export, "memory": 10**9}
    under = after_mounting(disk(folder, "2m"))
    with running(tmp_path, model=network, under=under, **settings) as service:
        name = service.get("/models").json()["models"]
        (raw,) = {one["name"] for one in name if one["loaded"] is False} & {"ShiwuNet"}
        assert service.predict(RED, model=raw).status_code == 503
        wait_until(lambda: "can't be loaded" in service.log.read_text(), "it has failed", 120)
        (said,) = [one for one in service.log.read_text().splitlines() if "can't be loaded" in one]
        print(said)
        assert "SHIWU_CACHE" in said
        assert "room" in said
        assert "Traceback" not in said
        left = [one.name for one in Disk(service, folder).folder.iterdir()]
        assert all(name.endswith(".lock") for name in left), "no half of a network"
        assert service.predict(RED).json()["predictions"][0]["label"] == "red"
        assert service.predict(RED, model=raw).headers["Retry-After"]
