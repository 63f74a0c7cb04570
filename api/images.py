"""The short-lived store behind /image: pictures under unguessable ids, until they expire.

It is shared by every worker of one machine (a private folder) or of many (Redis), and bounded:
the oldest pictures make room for new ones. Caching libraries were looked at first: cachelib
counts entries and not bytes, and reads its files with pickle, which lets whoever can write into
the folder run code here.
"""

import logging
import os
import re
import secrets
import stat
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol, cast

from errors import RequestError, SettingsError, ShiwuError

_log = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_SWEEP_S = 0.5  # at least, between two looks for what has expired
_CLOCK_S = 1.0  # a file made just now may seem that much younger than the clock says


class StoreUnavailable(ShiwuError):
    """The store can't be reached or written just now; the log has the cause."""

    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__("pictures can't be kept or fetched just now; try again in a moment")


class ImageTooLarge(RequestError):
    """The picture is larger than the whole store may be."""


class ImageStore(Protocol):
    """Pictures under ids, for a while: `ttl_s` seconds."""

    ttl_s: float

    def put(self, image: bytes) -> str:
        """Keep the picture and give its id; older ones go if there is no room."""

    def get(self, image_id: str) -> bytes | None:
        """The picture, or None if there is none of that id (any more)."""


def open_store(where: str, ttl_s: float, max_bytes: int) -> ImageStore:
    """The store that SHIWU_IMAGES names.

    Args:
        where: a folder, a redis:// address, or "" for a private folder of this user.
        ttl_s: seconds that a picture is kept.
        max_bytes: of all pictures together.

    Raises:
        SettingsError: the folder can't be used, or belongs to somebody else.
    """
    if where.startswith(("redis://", "rediss://", "unix://")):
        return RedisStore(where, ttl_s, max_bytes)
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(where) if where else Path(tempfile.gettempdir()) / f"shiwu-images-{user}"
    return FolderStore(folder, ttl_s, max_bytes)


class FolderStore:
    """A file a picture, in a folder that only this user can open.

    A file's time of change is its age, so that all processes agree without talking.
    """

    def __init__(self, folder: Path, ttl_s: float, max_bytes: int) -> None:
        self._folder = folder
        self.ttl_s = ttl_s
        self._max_bytes = max_bytes
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.lstat()
        except OSError as error:
            raise SettingsError(f"SHIWU_IMAGES: {folder} can't be used: {error}") from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise SettingsError(f"SHIWU_IMAGES: {folder} is not a folder of this user's")
        if found.st_mode & 0o077:
            raise SettingsError(f"SHIWU_IMAGES: others can open {folder}; chmod 700 it")
        self._sweeper: threading.Timer | None = None
        self._change = threading.Lock()
        self._sweep()

    def put(self, image: bytes) -> str:
        """Keep the picture and give its id."""
        if len(image) > self._max_bytes:
            raise _too_large(image, self._max_bytes)
        image_id = secrets.token_urlsafe(16)
        unfinished = self._folder / f".{image_id}"
        try:
            self._make_room(len(image))
            unfinished.write_bytes(image)
            unfinished.rename(self._folder / image_id)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise _unavailable(error) from error
        self._sweep_in(self.ttl_s)
        return image_id

    def get(self, image_id: str) -> bytes | None:
        """The picture, or None."""
        path = self._folder / image_id
        if not _ID.fullmatch(image_id):
            return None
        try:
            if self._has_expired(path.stat().st_mtime):
                path.unlink(missing_ok=True)
                return None
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(error) from error

    def _sweep(self) -> None:
        """Delete what has expired; look again when the next one's time is over, if there is one.

        Pictures must go also when nobody asks for anything any more.
        """
        with self._change:
            self._sweeper = None  # before looking: who puts a picture meanwhile starts the next one
        try:
            self._make_room(0)
            kept = self._files()
        except FileNotFoundError:  # the folder itself was deleted, and the pictures with it
            return
        except OSError as error:
            _log.warning("pictures that have expired can't be deleted: %s", error)
            self._sweep_in(self.ttl_s)
        else:
            if kept:
                self._sweep_in(min(kept)[0] + self.ttl_s - time.time())

    def _sweep_in(self, seconds: float) -> None:
        with self._change:
            if self._sweeper is None:
                sweeper = threading.Timer(max(seconds, _SWEEP_S), self._sweep)
                sweeper.daemon = True
                with suppress(RuntimeError):  # no thread to be had: the next picture tries again
                    sweeper.start()
                    self._sweeper = sweeper

    def _make_room(self, needed: int) -> None:
        """Delete what has expired, and the oldest pictures while all together are too large."""
        kept = sorted(self._files())
        total = needed + sum(size for _, size, _ in kept)
        for changed, size, path in kept:
            if self._has_expired(changed) or total > self._max_bytes:
                path.unlink(missing_ok=True)
                total -= size

    def _has_expired(self, changed: float) -> bool:
        """Whether the time of a file is over, or lies ahead, as after the clock was set back.

        So no picture is kept for more than twice its time, whatever the clock does.
        """
        return not -_CLOCK_S <= time.time() - changed <= self.ttl_s

    def _files(self) -> list[tuple[float, int, Path]]:
        """Age, size and path of our own pictures; what else lies there is not ours to delete."""
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if not _ID.fullmatch(entry.name.removeprefix(".")):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # another process made room meanwhile
                    continue
                found.append((status.st_mtime, status.st_size, Path(entry.path)))
        return found


class RedisStore:
    """Pictures in Redis, which lets them expire; an index beside them keeps the sum bounded."""

    _INDEX = "shiwu:images"

    def __init__(self, address: str, ttl_s: float, max_bytes: int) -> None:
        import redis

        try:
            self._redis = redis.Redis.from_url(address, socket_timeout=5, socket_connect_timeout=5)
        except ValueError as error:
            raise SettingsError(f"SHIWU_IMAGES: this is no address of a Redis: {error}") from error
        self._unreachable = redis.RedisError
        self.ttl_s = ttl_s
        self._max_bytes = max_bytes

    def put(self, image: bytes) -> str:
        """Keep the picture and give its id."""
        if len(image) > self._max_bytes:
            raise _too_large(image, self._max_bytes)
        image_id = secrets.token_urlsafe(16)
        try:
            self._make_room(len(image))
            with self._redis.pipeline() as together:
                together.set(self._key(image_id), image, px=round(self.ttl_s * 1000))
                together.zadd(self._INDEX, {f"{image_id}:{len(image)}": time.time()})
                together.execute()
        except self._unreachable as error:
            raise _unavailable(error) from error
        return image_id

    def get(self, image_id: str) -> bytes | None:
        """The picture, or None."""
        if not _ID.fullmatch(image_id):
            return None
        try:
            found = self._redis.get(self._key(image_id))
        except self._unreachable as error:
            raise _unavailable(error) from error
        return found if isinstance(found, bytes) else None

    def _make_room(self, needed: int) -> None:
        self._redis.zremrangebyscore(self._INDEX, 0, time.time() - self.ttl_s)
        members = cast("list[bytes]", self._redis.zrange(self._INDEX, 0, -1))
        kept = [member.decode().split(":") for member in members]
        total = needed + sum(int(size) for _, size in kept)
        for image_id, size in kept:
            if total <= self._max_bytes:
                break
            self._redis.delete(self._key(image_id))
            self._redis.zrem(self._INDEX, f"{image_id}:{size}")
            total -= int(size)

    @staticmethod
    def _key(image_id: str) -> str:
        return f"shiwu:image:{image_id}"


def _unavailable(error: Exception) -> StoreUnavailable:
    _log.warning("the store of pictures failed: %s", error)
    return StoreUnavailable()


def _too_large(image: bytes, max_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"the picture takes {len(image):,} bytes, over the limit of {max_bytes:,} for all "
        "kept pictures (SHIWU_IMAGES_BYTES); ask for a smaller width"
    )
