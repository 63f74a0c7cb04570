"""No memory for a photo: an answer that says so, never a name for it."""

import io
import os
import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import small
from tests.faults.clients import wait_until
from tests.service import running

LITTLE = 12 * 2**20


@pytest.fixture(scope="module")
def twelve_megapixels() -> bytes:
    """A PNG, which has to be decoded whole: 36 MB of pixels."""
    pixels = np.zeros((3000, 4000, 3), np.uint8)
    pixels[..., 0] = 254
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


def data(pid):
    """Bytes that a process may write and has to itself: what RLIMIT_DATA counts."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmData:")[1].split()[0]) * 1024


def test_a_photo_that_there_is_no_memory_for_gets_an_error_and_small_ones_their_names(
    tmp_path, network, twelve_megapixels
):
    with running(tmp_path, model=network, cores=1) as service:
        (worker,) = service.worker_pids()
        assert service.predict(twelve_megapixels).json()["predictions"][0]["label"] == "red"
        for _ in range(60):  # so that its threads are there
            assert service.predict(small.photo("green")).status_code == 200
        resource.prlimit(worker, resource.RLIMIT_DATA, (data(worker) + LITTLE, -1))
        reply = service.predict(twelve_megapixels)
        print(reply.status_code, reply.text)
        assert reply.status_code == 503
        assert reply.json()["error"]["code"] == "busy"
        assert int(reply.headers["Retry-After"]) >= 1
        assert service.predict(small.photo("green")).json()["predictions"][0]["label"] == "green"
        resource.prlimit(worker, resource.RLIMIT_DATA, (-1, -1))
        assert service.predict(twelve_megapixels).json()["predictions"][0]["label"] == "red"
        assert service.worker_pids() == [worker]


@pytest.fixture
def memory_group():
    """A control group of the kernel's that allows 256 MB; needs root, and version 1 or 2."""
    for root, limit in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        group = Path("/sys/fs/cgroup", root, f"shiwu-test-{os.getpid()}")
        try:
            group.mkdir()
            (group / limit).write_text(str(256 * 2**20))
            break
        except OSError:
            continue
    else:
        pytest.skip("needs root, and control groups that can be written")
    yield group
    wait_until(lambda: not (group / "cgroup.procs").read_text(), "it is empty")
    group.rmdir()


@pytest.mark.slow  # not by its time: few machines let a test make control groups
def test_a_worker_that_the_kernel_kills_for_memory_is_replaced(
    tmp_path, network, twelve_megapixels, memory_group
):
    """Every thread holds a photo, until there is no more: as in a container that is too small."""
    under = ["sh", "-c", f'echo $$ > {memory_group}/cgroup.procs; exec "$@"', "sh"]
    with running(tmp_path, model=network, under=under, max_bytes=2**30) as service:
        (worker,) = service.worker_pids()
        with pytest.raises(OSError):
            service.predict(bytes(600 * 2**20))
        wait_until(lambda: service.worker_pids() not in ([], [worker]), "another worker")
        service.wait_until_ready()
        assert service.predict(small.photo("blue")).json()["predictions"][0]["label"] == "blue"
