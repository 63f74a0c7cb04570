"""One file over HTTP: whole and checked, or not there at all.

Bytes gather in `<name>.part`; beside it `<name>.part.from` keeps the address and the server's
ETag (or date), so that a later try, also by another process, goes on where this one ended if
the server allows ranges and the file is still the same. Only what passes the caller's check
gets the final name. Proxies come from the environment and trusted certificates from the
system, as with every program built on Python's urllib.
"""

import errno
import http.client
import ipaddress
import logging
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlsplit

from tqdm import tqdm

from errors import SettingsError

log = logging.getLogger(__name__)

_TRIES = 5
_CHUNK = 1 << 16
_LOG_EVERY_S = 10.0
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

Check = Callable[[Path], str | None]


class DownloadFailed(SettingsError):
    """The file could not be had from this address; the words say why."""


class NoRoom(DownloadFailed):
    """The disk is full: another address would not help."""


class _Dropped(Exception):
    """The connection ended early or fell silent; what came so far is kept."""


def fetch(
    url: str, target: Path, *, check: Check, plain_http: bool = False, timeout_s: float = 30.0
) -> None:
    """Put what is at `url` into the file `target`.

    A connection that breaks is taken up again while each try brings the file further.

    Args:
        target: its folder exists; an older file is replaced in one step.
        check: called with the finished file, returns what is wrong with it, or None. A file
            that fails it is deleted.
        plain_http: allow http to other machines, not only https.
        timeout_s: how long the server may be silent.

    Raises:
        DownloadFailed: with the reason in words, which the caller may put after the address.
    """
    _refuse_insecure(url, plain_http)
    partial = _Partial(target.with_name(target.name + ".part"))
    _gather(url, partial, timeout_s)
    complaint = check(partial.path)
    if complaint:
        partial.discard()
        raise DownloadFailed(f"what came is not the file: {complaint}; it was deleted")
    partial.become(target)


@dataclass(frozen=True)
class _Partial:
    """The bytes that are here so far, and where they came from."""

    path: Path

    @property
    def _source(self) -> Path:
        return self.path.with_name(self.path.name + ".from")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self, url: str) -> str:
        """The ETag or date of the file at `url` that these bytes belong to, or ""."""
        if not (self.size() and self._source.exists()):
            return ""
        source, _, version = self._source.read_text(encoding="utf-8").partition("\n")
        return version if source == url else ""

    def begin(self, url: str, version: str) -> None:
        """Forget older bytes; those to come belong to this version of what is at `url`."""
        self.path.write_bytes(b"")
        self._source.write_text(f"{url}\n{version}", encoding="utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._source.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        self.path.replace(target)
        self._source.unlink(missing_ok=True)


def _gather(url: str, partial: _Partial, timeout_s: float) -> None:
    for tries_left in reversed(range(_TRIES)):
        before = partial.size()
        try:
            _transfer(url, partial, timeout_s)
            return
        except _Dropped as error:
            if not tries_left or partial.size() <= before:
                raise DownloadFailed(str(error)) from error
            log.info("%s: %s; going on from there", url, error)
        except OSError as error:  # the network's own are _Dropped or DownloadFailed by now
            raise _disk_error(error, partial) from error


def _transfer(url: str, partial: _Partial, timeout_s: float) -> None:
    """One connection: ask, then append until the server has no more."""
    with _open(url, partial, timeout_s) as reply:
        if reply.status != 206:  # not asked to go on, can't, or the file has changed
            partial.begin(url, _version(reply))
        start = partial.size()
        total = _total(reply, start)
        _refuse_without_room(partial, total)
        with _Progress(url, start, total) as progress, partial.path.open("ab", 0) as out:
            while chunk := _read(reply, timeout_s):
                _write(out, chunk)
                progress.add(len(chunk))
    if total is not None and partial.size() != total:
        raise _Dropped(f"the connection ended after {partial.size():,} of {total:,} bytes")


def _open(url: str, partial: _Partial, timeout_s: float) -> Any:
    """The server's reply: 206 with exactly the bytes that are lacking, or 200 with all."""
    wanted = {"Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=wanted)  # noqa: S310 `fetch` checked the scheme
    if version := partial.version(url):
        request.add_header("Range", f"bytes={partial.size()}-")
        request.add_header("If-Range", version)
    try:
        reply = _opener().open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        return _reopen_or_refuse(url, partial, timeout_s, error)
    except urllib.error.URLError as error:
        raise DownloadFailed(_unreachable(error.reason, timeout_s)) from error
    except (OSError, http.client.HTTPException) as error:
        raise DownloadFailed(_unreachable(error, timeout_s)) from error
    if reply.status == 206 and _first_byte(reply) != partial.size():
        reply.close()
        partial.discard()
        raise DownloadFailed("the server sent another part of the file than was asked for")
    return reply


def _reopen_or_refuse(
    url: str, partial: _Partial, timeout_s: float, error: urllib.error.HTTPError
) -> Any:
    """After 416 (nothing lies beyond our part, so ours is wrong) anew, else the end."""
    if error.code == 416 and partial.size():
        partial.discard()
        return _open(url, partial, timeout_s)
    raise DownloadFailed(f"the server says {error.code} {error.reason}") from error


def _unreachable(reason: object, timeout_s: float) -> str:
    if isinstance(reason, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    return f"it can't be reached: {reason}"


def _read(reply: Any, timeout_s: float) -> bytes:
    try:
        return bytes(reply.read1(_CHUNK))
    except TimeoutError as error:
        raise _Dropped(f"the server fell silent for {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Dropped(f"the connection broke: {error}") from error


def _write(out: Any, chunk: bytes) -> None:
    """All of it: an unbuffered file may take less at once, when the disk is nearly full."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[out.write(rest) :]


def _version(reply: Any) -> str:
    """What names this version for If-Range: a strong ETag, else the date (RFC 9110, 13.1.5)."""
    etag = reply.headers.get("ETag", "")
    strong = "" if etag.startswith("W/") else etag
    return strong or reply.headers.get("Last-Modified", "")


def _first_byte(reply: Any) -> int | None:
    found = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _total(reply: Any, start: int) -> int | None:
    length = reply.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _refuse_without_room(partial: _Partial, total: int | None) -> None:
    lacking = (total or 0) - partial.size()
    free = shutil.disk_usage(partial.path.parent).free
    if lacking > free:
        partial.discard()
        raise NoRoom(
            f"{partial.path.parent} has room for {_in_mb(free)}, but {_in_mb(lacking)} are needed"
        )


def _disk_error(error: OSError, partial: _Partial) -> DownloadFailed:
    """A full disk hurts its other users too, so there the part is given up; else it is kept."""
    if error.errno not in _NO_ROOM:
        return DownloadFailed(f"{partial.path} can't be written: {error.strerror}")
    got = _in_mb(partial.size())
    partial.discard()
    return NoRoom(f"{partial.path.parent} was full after {got}; make room and start again")


def _refuse_insecure(url: str, plain_http: bool) -> None:
    parts = urlsplit(url)
    allowed = parts.scheme == "https" or (
        parts.scheme == "http" and (plain_http or _is_loopback(parts.hostname or ""))
    )
    if not allowed:
        raise DownloadFailed("only https is trusted here (a mirror may use http)")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _StaySecure(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to something weaker."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _refuse_insecure(newurl, plain_http=urlsplit(req.full_url).scheme == "http")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_StaySecure)


class _Progress(AbstractContextManager["_Progress"]):
    """A bar on a terminal; elsewhere a line in the log at the start and now and then."""

    def __init__(self, url: str, start: int, total: int | None) -> None:
        self._name, self._done, self._total = url.rpartition("/")[2], start, total
        size = _in_mb(total) if total else "unknown size"
        log.info("downloading %s (%s) from %s", self._name, size, url)
        self._next_line = time.monotonic() + _LOG_EVERY_S
        self._bar = tqdm(
            desc=self._name, initial=start, total=total, unit="B", unit_scale=True,
            disable=not sys.stderr.isatty(),
        )  # fmt: skip

    def add(self, count: int) -> None:
        self._done += count
        self._bar.update(count)
        if self._bar.disable and time.monotonic() >= self._next_line:
            of = f" of {_in_mb(self._total)}" if self._total else ""
            log.info("downloading %s: %s%s", self._name, _in_mb(self._done), of)
            self._next_line = time.monotonic() + _LOG_EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.close()


def _in_mb(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
