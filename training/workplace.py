"""Where a run works: the folder `work` in the one that it writes, for one run at a time.

What a killed run goes on from lies there. So it stays after a kill, and after a failure that comes
later than the first checkpoint. Otherwise nothing of it is left, whether the run came to its end or
was refused.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from errors import SettingsError
from models import folder
from training.checkpoint import NoRoom

CHECKPOINT = "checkpoint.npz"
_WORK = "work"
_SPARE = 30 * 2**20  # bytes, besides what grows with the network


class AlreadyThere(SettingsError):
    """The folder to be written holds a network, or another run is writing into it."""


@contextmanager
def workplace(out: Path, parameters: int | None) -> Iterator[Path]:
    """The folder to work in; `out` itself is made if it isn't there.

    It may be entered again by who is in it.

    Args:
        parameters: of the network that will be written, about; None where nobody counted them.

    Raises:
        AlreadyThere: `out` holds a network already, or another run is making one.
        NoRoom: the disk has no room for it, or `out` can't be a folder.
    """
    if (out / folder.CARD).exists():
        raise AlreadyThere(f"{out} already holds a network; give another --out")
    fresh = not (out / _WORK).exists()
    with _alone(out) as work:
        try:
            # Its weights twice, and as OpenVINO runs it; what is learned on the way comes on top.
            require_room(out, 16 * (parameters or 0), "--out")
            yield work
        except Exception:
            if fresh and not (work / CHECKPOINT).exists():
                _clear(work)
            raise
        _clear(work)


def require_room(place: Path, needed: int, option: str) -> None:
    """Raise NoRoom unless a network of so many bytes has room at `place`, which is made.

    Args:
        option: what another place can be given by.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise NoRoom(
            f"nothing can be written to {place} ({error.strerror or error}); give another {option}"
        ) from error
    if free < needed + _SPARE:
        raise NoRoom(
            f"{free // 2**20} MB are free at {place}, and the network takes about "
            f"{(needed + _SPARE) // 2**20} MB while it is made; make room, or give another {option}"
        )


@contextmanager
def _alone(out: Path) -> Iterator[Path]:
    """The folder `work`, which no other process can enter meanwhile."""
    work = out / _WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(work / "lock", timeout=0, is_singleton=True)
        lock.acquire()
    except Timeout as error:
        raise AlreadyThere(f"another run is writing into {out}; give another --out") from error
    except OSError as error:
        raise NoRoom(
            f"nothing can be written to {out} ({error.strerror or error}); give another --out"
        ) from error
    try:
        yield work
    finally:
        lock.release()


def _clear(work: Path) -> None:
    """Remove it, and the folder that it is in when nothing else is there."""
    shutil.rmtree(work, ignore_errors=True)
    with suppress(OSError):
        work.parent.rmdir()
