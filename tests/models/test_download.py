"""One file over HTTP, from a real server that misbehaves in every way we could think of."""

import hashlib
import logging
import random
import subprocess
import sys
import threading
import urllib.request
from io import StringIO
from pathlib import Path

import pytest

from models.download import DownloadFailed, NoRoom, _StaySecure, fetch

CONTENT = random.Random(1).randbytes(1_000_000)


def check(path: Path) -> str | None:
    right = hashlib.sha256(CONTENT).digest()
    return None if hashlib.sha256(path.read_bytes()).digest() == right else "not the right bytes"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "net.h5"


@pytest.fixture
def server(server):
    server.content = CONTENT
    return server


def test_a_file_arrives_whole_and_nothing_else_is_left(server, target):
    """The folder is Keras' own cache: no litter there."""
    fetch(server.address("net.h5"), target, check=check)

    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_a_connection_that_breaks_is_taken_up_where_it_ended(server, target):
    """Half a gigabyte over a bad line must not begin again each time."""
    server.breaks_after = 400_000

    fetch(server.address("net.h5"), target, check=check)

    assert target.read_bytes() == CONTENT
    assert server.asked == ["", "bytes=400000-", "bytes=800000-"]


def test_a_later_start_goes_on_with_what_an_earlier_one_left(server, target):
    """A service that was stopped in the middle of its first start."""
    leave_a_part(server, target)

    fetch(server.address("net.h5"), target, check=check)

    assert target.read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=300000-"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_changed_meanwhile_is_fetched_anew(server, target):
    """Two halves of two versions would be worth nothing; If-Range prevents it."""
    leave_a_part(server, target, content=b"old" * 300_000)
    server.content, server.etag = CONTENT, '"2"'

    fetch(server.address("net.h5"), target, check=check)

    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_anew(server, target):
    """It answers 200 with everything, whatever was asked."""
    leave_a_part(server, target)
    server.ranges = False

    fetch(server.address("net.h5"), target, check=check)

    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_that_keeps_breaking_is_given_up(server, target):
    """No try gets further than the last: that would go on for ever."""
    server.ranges, server.breaks_after = False, 400_000

    with pytest.raises(DownloadFailed, match=r"ended after 400,000 of 1,000,000 bytes"):
        fetch(server.address("net.h5"), target, check=check)

    assert len(server.asked) == 2
    assert not target.exists()


def test_bytes_of_another_address_are_not_gone_on_with(server, target):
    """A mirror's half is no half of the published file."""
    leave_a_part(server, target)

    fetch(server.address("elsewhere/net.h5"), target, check=check)

    assert server.asked[-1] == ""
    assert target.read_bytes() == CONTENT


def test_a_part_without_a_known_version_is_not_gone_on_with(server, target):
    """A server that names no version gives no way to know whether the file is the same."""
    server.etag = None
    leave_a_part(server, target)

    fetch(server.address("net.h5"), target, check=check)

    assert server.asked[-1] == ""
    assert target.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server, target):
    """The server answers 416: what is here can't be the beginning of what is there."""
    leave_a_part(server, target)
    server.status = 416

    with pytest.raises(DownloadFailed, match="416"):
        fetch(server.address("net.h5"), target, check=check)

    assert server.asked[-2:] == ["bytes=300000-", ""]
    assert list(target.parent.iterdir()) == []


def test_a_file_that_fails_the_check_is_deleted(server, target):
    """Else it would be found, and trusted or refused, at each start."""
    server.content = b"something else"

    with pytest.raises(DownloadFailed, match="not the right bytes; it was deleted"):
        fetch(server.address("net.h5"), target, check=check)

    assert list(target.parent.iterdir()) == []


def test_a_missing_file_is_told_in_the_servers_words(server, target):
    """404 from a mirror is the commonest of all failures."""
    server.status = 404

    with pytest.raises(DownloadFailed, match="the server says 404 Not Found"):
        fetch(server.address("net.h5"), target, check=check)


@pytest.mark.parametrize("after", [0, 300_000])
def test_a_server_that_falls_silent_ends_with_a_sentence(server, target, after):
    """A start that hangs says nothing to anybody."""
    server.silent_after, server.ranges = after, False

    with pytest.raises(DownloadFailed, match=r"silent for 0\.2 s"):
        fetch(server.address("net.h5"), target, check=check, timeout_s=0.2)


def test_nobody_listening_ends_with_a_sentence(server, target):
    """A machine without internet, or a mirror that is down."""
    address = server.address("net.h5")
    server.server_close()

    with pytest.raises(DownloadFailed, match="can't be reached"):
        fetch(address, target, check=check, timeout_s=0.2)


@pytest.mark.parametrize("address", ["http://example.org/a.h5", "ftp://example.org/a", "file:///a"])
def test_only_https_is_trusted(target, address):
    """Weights without a published checksum are only as good as the way they came."""
    with pytest.raises(DownloadFailed, match="only https"):
        fetch(address, target, check=check)


def test_a_redirect_may_not_lead_away_from_https():
    """One hop in the clear undoes the rest."""
    secure = urllib.request.Request("https://example.org/net.h5")

    with pytest.raises(DownloadFailed, match="only https"):
        _StaySecure().redirect_request(secure, StringIO(), 302, "", {}, "http://example.org/")


def test_a_redirect_is_followed(server, target):
    """Mirrors and storage services answer with the place where the file really is."""
    with type(server)() as front:
        front.redirects_to = server.address("really/net.h5")
        threading.Thread(target=front.handle_request).start()
        fetch(front.address("net.h5"), target, check=check)

    assert target.read_bytes() == CONTENT
    assert server.addresses == ["/really/net.h5"]


def test_a_file_too_large_for_the_disk_is_not_begun(server, target):
    """Better no byte than a disk filled to the brim."""
    server.announces = 10**18

    with pytest.raises(NoRoom, match=r"1,000,000,000,000\.0 MB are needed"):
        fetch(server.address("net.h5"), target, check=check)

    assert list(target.parent.iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_ends_with_a_sentence_and_is_freed(server, target):
    """For real: a process that may write no file over 200 kB."""
    program = """
import resource, sys
from pathlib import Path
from models.download import NoRoom, fetch
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    fetch(sys.argv[1], Path(sys.argv[2]), check=lambda path: None)
except NoRoom as error:
    print(error)
"""
    said = subprocess.run(
        [sys.executable, "-c", program, server.address("net.h5"), target],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert "was full after 0.2 MB; make room" in said
    assert list(target.parent.iterdir()) == []


def test_progress_is_a_line_in_the_log_where_nobody_watches(server, target, caplog, capsys):
    """A bar's control characters would spoil a log."""
    caplog.set_level(logging.INFO, "models.download")

    fetch(server.address("net.h5"), target, check=check)

    assert "downloading net.h5 (1.0 MB) from http://127.0.0.1" in caplog.text
    assert capsys.readouterr().err == ""


def test_progress_is_a_bar_on_a_terminal(server, target, monkeypatch):
    """Somebody sits there and wants to know how long it takes."""

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    fetch(server.address("net.h5"), target, check=check)

    assert "net.h5: 100%" in terminal.getvalue()


def leave_a_part(server, target: Path, content: bytes = CONTENT) -> None:
    """What is there after a first try that broke at 300,000 bytes and got no further."""
    server.content, server.breaks_after, server.ranges = content, 300_000, False
    with pytest.raises(DownloadFailed):
        fetch(server.address("net.h5"), target, check=check)
    assert target.with_name("net.h5.part").stat().st_size == 300_000
    server.content, server.breaks_after, server.ranges = CONTENT, None, True
