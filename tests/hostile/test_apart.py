"""Decoders in processes of their own: they crash, spin, fill memory and lie; the service goes on."""

import os
import select
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from errors import RequestError
from imaging import apart, read
from imaging.read import APART, BrokenImage, Limits
from tests.hostile.drawn import encoded, good_pictures
from tests.hostile.run import decoders as decoders_of
from tests.imaging.pictures import scene
from tests.service import running
from tests.small import colours, photo

ALL = Limits(apart=APART["all"])

# What a decoder does with a BMP of this width, put into the real process before all else.
CRASHES, ENDS, SPINS, FILLS, LIES, STANDS, WELL = 61, 62, 63, 64, 65, 66, 67
FAULTY = f"""
import sys
if "imaging.apart" in sys.orig_argv:
    import ctypes, os, struct, time
    from PIL.BmpImagePlugin import BmpImageFile
    load = BmpImageFile.load
    def faulty(self):
        width, kept = self.size[0], []
        if width == {CRASHES}:
            ctypes.string_at(0)
        elif width == {ENDS}:
            os._exit(0)
        elif width == {LIES}:
            os.write(0, bytes(1) + struct.pack(">4I", 60_000, 60_000, 1, 1))
        while width in ({SPINS}, {FILLS}):
            kept += [b"x" * 2**20 * 32] if width == {FILLS} else []
        while width in ({STANDS}, {LIES}):
            time.sleep(1)
        return load(self)
    BmpImageFile.load = faulty
"""


def bmp(width: int) -> bytes:
    return photo("green", (width, 8), "BMP")


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """From now on decoders that are started behave as their pictures say."""
    (tmp_path / "sitecustomize.py").write_text(FAULTY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.fixture
def decoders():
    apart._decoders.close()  # which other tests may have made use of
    started = apart.Decoders(clock_s=30.0)
    yield started
    started.close()


@pytest.mark.parametrize("side", [None, 20], ids=["whole", "small"])
def test_a_photo_read_apart_is_the_same_to_the_pixel(decoders, side):
    for name, data in good_pictures().items():
        here = read.read_sides(data, Limits(), [side])
        assert [(np.asarray(p).tolist(), size) for p, size in here] == [
            (np.asarray(p).tolist(), size) for p, size in decoders.read_sides(data, ALL, [side])
        ], name


def test_several_sides_come_in_order(decoders):
    data = encoded(scene(400, 300), "BMP")
    sizes = [p.size for p, _ in decoders.read_sides(data, ALL, [None, 40, 100])]
    assert sizes == [p.size for p, _ in read.read_sides(data, Limits(), [None, 40, 100])]


def test_a_refusal_is_the_same_apart(decoders):
    few = Limits(max_pixels=1000)
    for data in (good_pictures()["still.gif"][:200], b"GIF89a", b"II*\0", b"BM" + bytes(60)):
        for limits in (Limits(), few):
            assert _refusal(decoders.read_sides, data, limits) == _refusal(
                read.read_sides, data, limits
            )


def _refusal(read_sides, data, limits):
    with pytest.raises(RequestError) as caught:
        read_sides(data, limits, [None])
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("width", [CRASHES, ENDS, FILLS, LIES])
def test_whatever_a_decoder_does_its_picture_is_refused_and_the_next_is_read(
    faulty, decoders, width
):
    with pytest.raises(BrokenImage):
        decoders.read_sides(bmp(width), Limits(max_pixels=5_000_000), [None])
    ((next_photo, _),) = decoders.read_sides(bmp(WELL), ALL, [None])
    assert next_photo.size == (WELL, 8)


def test_a_decoder_that_stands_still_is_ended_by_the_clock(faulty, caplog):
    impatient = apart.Decoders(clock_s=3.0)
    with pytest.raises(BrokenImage, match="too long, too much memory, or made it fail"):
        impatient.read_sides(bmp(STANDS), ALL, [None])
    assert "stood still" in caplog.text
    impatient.close()


def test_the_log_says_by_what_a_decoder_ended(faulty, decoders, caplog):
    with pytest.raises(BrokenImage):
        decoders.read_sides(bmp(CRASHES), ALL, [None])
    assert "a decoder ended (SIGSEGV) on a photo of" in caplog.text


def test_one_process_serves_photo_after_photo(decoders):
    pids = set()
    for _ in range(3):
        decoders.read_sides(bmp(WELL), ALL, [None])
        pids |= set(_children())
    assert len(pids) == 1


def test_a_process_that_was_ended_while_it_waited_is_replaced_unnoticed(decoders):
    decoders.read_sides(bmp(WELL), ALL, [None])
    (first,) = _children()
    ended = os.pidfd_open(first)
    os.kill(first, signal.SIGKILL)
    assert _has_ended(ended)
    assert decoders.read_sides(bmp(WELL), ALL, [None])
    (second,) = _children()
    assert second != first


def test_a_process_is_replaced_after_many_photos(decoders, monkeypatch):
    """What leaks in a decoder must not stay."""
    monkeypatch.setattr(apart, "_MOST_PHOTOS", 2)
    for _ in range(2):
        decoders.read_sides(bmp(WELL), ALL, [None])
    assert _children() == []


def test_a_decoder_knows_no_secret(decoders, monkeypatch):
    monkeypatch.setenv("SHIWU_IMAGES", "redis://:a-secret@somewhere")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    decoders.read_sides(bmp(WELL), ALL, [None])
    (pid,) = _children()
    assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_where_no_process_can_be_started_the_caller_is_asked_to_come_again(decoders, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(apart.DecoderUnavailable, match="in a second, or as JPEG or PNG"):
        decoders.read_sides(bmp(WELL), ALL, [None])


def _children():
    """The decoders of this process; other tests' services are its children, too."""
    commands = {pid: Path(f"/proc/{pid}/cmdline") for pid in decoders_of(os.getpid())}
    return [pid for pid, command in commands.items() if b"imaging.apart" in command.read_bytes()]


# ---------------------------------------------------------------- in the real service


@pytest.fixture
def service(faulty, tmp_path):
    network = colours(tmp_path / "network")
    with running(tmp_path, model=network, max_pixels=5_000_000, deadline_s=60) as started:
        yield started


def test_crashing_spinning_and_greedy_decoders_do_not_touch_the_service(service):
    (worker,) = service.worker_pids()
    for width in (CRASHES, SPINS, FILLS):
        reply = service.predict(bmp(width))
        assert (reply.status_code, reply.json()["error"]["code"]) == (422, "broken_image")
        first = service.predict(bmp(WELL)).json()["predictions"][0]
        assert first["label"] == "green"
    assert service.worker_pids() == [worker]


def test_no_decoder_is_started_before_a_photo_needs_one(service):
    (worker,) = service.worker_pids()
    for kind in ("JPEG", "PNG", "WEBP"):
        assert service.predict(photo("red", kind=kind)).status_code == 200
    assert decoders_of(worker) == []
    assert service.predict(photo("red", kind="GIF")).status_code == 200
    assert len(decoders_of(worker)) == 1


def test_decoders_end_with_their_worker_even_if_it_is_killed(service):
    (worker,) = service.worker_pids()
    assert service.predict(bmp(WELL)).status_code == 200
    (decoder,) = decoders_of(worker)
    ended = os.pidfd_open(decoder)
    os.kill(worker, signal.SIGKILL)
    assert _has_ended(ended)
    service.wait_until_ready()
    assert service.predict(bmp(WELL)).status_code == 200
    (worker,) = service.worker_pids()
    (decoder,) = decoders_of(worker)
    ended = os.pidfd_open(decoder)
    assert service.stop() == 0
    assert _has_ended(ended)


def _has_ended(pidfd: int, within_s: float = 30.0) -> bool:
    try:
        return bool(select.select([pidfd], [], [], within_s)[0])
    finally:
        os.close(pidfd)
