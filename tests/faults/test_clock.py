"""The clock jumps by an hour, forwards and back: nobody waits for it, and no picture stays longer."""

import calendar
import struct
import subprocess
import time
from pathlib import Path

import pytest

from tests import small
from tests.faults.clients import asking, wait_until
from tests.service import running

PHOTO = small.photo("red")


class Clock:
    """The service's wall clock, moved by a library that is loaded before all others."""

    def __init__(self, folder, compiler):
        self._said, library = folder / "clock", folder / "jump.so"
        self._said.write_bytes(bytes(8))
        source = Path(__file__).with_name("jump.c")
        compile_it = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
        subprocess.run(compile_it, check=True)
        self.under = ["env", f"LD_PRELOAD={library}", f"JUMP_FILE={self._said}"]

    def jump(self, seconds):
        with self._said.open("r+b") as file:
            file.write(struct.pack("@l", seconds))


@pytest.fixture
def clock(tmp_path, program):
    return Clock(tmp_path, program("cc", "gcc"))


@pytest.mark.parametrize("hours", [1, -1, 24 * 365])
def test_deadlines_and_queues_do_not_notice_and_no_old_picture_stays(
    tmp_path, network, clock, hours
):
    images = tmp_path / "images"
    with running(tmp_path, model=network, images=images, under=clock.under) as service:
        (worker,) = service.worker_pids()
        address = service.post("/image", files={"image": PHOTO}).headers["Content-Location"]
        assert service.get(address).status_code == 200
        with asking(service, small.photo("red", (1600, 1200)), 8) as asked:
            wait_until(lambda: asked.count(200) > 10, "answers")
            for jumped in [hours, 0] * 5 + [hours]:
                clock.jump(3600 * jumped)
                more = len(asked.outcomes) + 5
                wait_until(lambda: len(asked.outcomes) > more, "answers after it")  # noqa: B023
        assert set(asked.counted) == {200}, "not even those that were waiting just then"
        date = service.get("/healthz").headers["Date"]
        seen = calendar.timegm(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT"))
        assert abs(seen - time.time() - 3600 * hours) < 60, "the service does see the jump"
        assert service.get(address).status_code == 404
        assert not list(images.iterdir()), "nor does it lie there any more"
        clock.jump(0)
        assert service.predict(PHOTO).status_code == 200
        kept = service.post("/image", files={"image": PHOTO}).headers["Content-Location"]
        assert service.get(kept).status_code == 200
        assert service.worker_pids() == [worker]
        assert service.stop() == 0
