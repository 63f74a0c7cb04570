"""Photos to rows on a Ray cluster: tasks read, actors with a network each compute, this end writes.

Ray is given files and gives rows; its own readers of pictures are not used, as they ignore EXIF and
end a job at the first picture that is too large. Reading, network and row are those of
`threads.py`.

Every machine of the cluster needs Shiwu, and sees photos and compiled networks, at the same paths.
"""

import contextlib
import logging
import os
import pickle
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from types import ModuleType
from typing import Any

import pyarrow as pa

from batch.answers import Answers, Known, Seen
from batch.photos import Photo, Piece
from batch.rows import Asked, Namer, Row, read, said
from batch.threads import unseen
from errors import SettingsError
from imaging.read import Limits

# Of a CPU, as Ray counts them: what an actor asks for, and what a reading task does. Actors that
# take all of it leave none for reading, and then nothing ever begins, without a word.
_OF_ACTOR, _OF_READER = 0.75, 0.25
_FILES_A_TASK = 64
_PIECES_A_ROUND = 2**17  # known to the cluster at once, so that memory stays flat
_PHOTOS_A_CALL = 64
_BLOCK_BYTES = 4 * 2**20  # what goes to one actor at once: small, so that all have something to do
_STORE_BYTES = 2**30
_REACHED_WITHIN_S = 5.0
# A photo on its way to an actor, or the row that it has without one.
_PHOTO = pa.schema(
    [
        ("path", pa.string()),
        ("digest", pa.string()),
        ("data", pa.large_binary()),
        ("row", pa.binary()),
    ]
)


class RayMissing(SettingsError):
    """Ray is not installed."""


class RayFailed(SettingsError):
    """The cluster can't be reached, or has given up."""


@contextlib.contextmanager
def connected(address: str, cores: int) -> Iterator[int]:
    """How many actors there is room for; connected to Ray meanwhile.

    Args:
        address: of a cluster, "auto" for the one that runs on this machine, or "local" to start
            one here for the time of the run.
        cores: for "local", how many.

    Raises:
        RayMissing: it isn't installed.
        RayFailed: there is no cluster at this address.
    """
    # Before it is imported: Ray reports its use to its makers unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if address == "local":
        # Ray listens on every interface, so only who knows this may speak to it.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # Its workers would give way to everything else here; threads don't.
        os.environ.setdefault("RAY_worker_niceness", "0")
    ray = _ray()
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as spare:
        if address == "local":
            quiet |= {"num_cpus": cores, "include_dashboard": False, "_temp_dir": spare}
            quiet |= {"object_store_memory": _STORE_BYTES}
        else:
            _require_reachable(address)
        try:
            ray.init(address=address, **quiet)
        except (OSError, RuntimeError, ValueError) as error:
            raise _unreachable(address, error) from error
        try:
            yield max(1, int(ray.cluster_resources().get("CPU", 1)))
        except ray.exceptions.RayError as error:
            last = str(error).strip().splitlines()[-1]
            raise RayFailed(f"Ray has given up ({last}); the same command goes on") from error
        finally:
            ray.shutdown()


def run(
    pieces: Iterable[Piece],
    asked: Asked,
    answers: Answers,
    actors: int,
    told: Callable[[Row | None], bool],
) -> None:
    """Write a row for each photo that has none, in any order; inside `connected`.

    Args:
        pieces: files of photos; each is taken once.
        asked: what rows shall hold.
        answers: where they go.
        actors: how many networks compute at once.
        told: called with each row, None for a photo that has one already; False ends the run.

    Raises:
        CannotWrite: a part can't be written.
    """
    seen = Seen()
    new = (piece for piece in pieces if seen.add(said(piece.path)))
    known = _ray().put(answers.known)
    try:
        while (of_round := list(islice(new, _PIECES_A_ROUND))) and _round(
            of_round, asked, answers, known, actors, told
        ):
            pass
    finally:
        answers.flush()


def _round(
    pieces: Sequence[Piece],
    asked: Asked,
    answers: Answers,
    known: Any,
    actors: int,
    told: Callable[[Row | None], bool],
) -> bool:
    for block in _dataset(pieces, asked, known, actors).iter_batches(
        batch_size=None, batch_format="pyarrow"
    ):
        for packed in block.column("row").to_pylist():
            row: Row | None = pickle.loads(packed)  # noqa: S301 - our own actors packed it
            if row is not None:
                answers.add(row)
            if not told(row):
                return False
    return True


def _dataset(pieces: Sequence[Piece], asked: Asked, known: Any, actors: int) -> Any:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.target_max_block_size = _BLOCK_BYTES
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    tasks = [{"pieces": pickle.dumps(some)} for some in _divided(pieces, actors)]
    photos = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
        _read,
        batch_size=1,
        batch_format="pyarrow",
        num_cpus=_OF_READER,
        fn_kwargs={"known": known, "limits": asked.limits},
    )
    return photos.map_batches(
        _Actor,
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=_OF_ACTOR,
        compute=ray.data.ActorPoolStrategy(size=actors),
        fn_constructor_args=(asked,),
    )


def _divided(pieces: Sequence[Piece], actors: int) -> Iterator[list[Piece]]:
    """What one reading task reads: some files of one photo, or one file of many."""
    most = max(1, min(_FILES_A_TASK, len(pieces) // (4 * actors)))
    some: list[Piece] = []
    for piece in pieces:
        if piece.kind != "file":
            yield [piece]
            continue
        some.append(piece)
        if len(some) == most:
            yield some
            some = []
    if some:
        yield some


def _read(batch: Any, known: Any, limits: Limits) -> Iterator[pa.Table]:
    """Photos with their bytes; of those that need none, their rows."""
    has: Known = _ray().get(known)
    packed = batch.column("pieces").to_pylist()
    pieces = [piece for some in packed for piece in pickle.loads(some)]  # noqa: S301 - ours
    photos = unseen(
        photo for piece in pieces for photo in piece.photos()
    )  # a tar may name it twice
    while some := [_photo(photo, has, limits) for photo in islice(photos, _PHOTOS_A_CALL)]:
        yield pa.Table.from_pylist(some, schema=_PHOTO)


def _photo(photo: Photo, has: Known, limits: Limits) -> dict[str, Any]:
    path, found = said(photo.path), read(photo, limits)
    if isinstance(found, dict):
        return {"path": path, "row": pickle.dumps(found)}
    digest, data = found
    if has.has(path, digest):
        return {"path": path, "row": pickle.dumps(None)}
    return {"path": path, "digest": digest, "data": data}


class _Actor:
    """A network on one core, in a process of its own."""

    def __init__(self, asked: Asked) -> None:
        self._namer = Namer(asked, cores=1)

    def __call__(self, batch: Any) -> dict[str, list[bytes]]:
        """The rows of a table of photos, packed."""
        columns = (batch.column(name).to_pylist() for name in ("path", "digest", "data", "row"))
        return {
            "row": [
                pickle.dumps(self._namer.row(path, digest, data)) if done is None else done
                for path, digest, data, done in zip(*columns, strict=True)
            ]
        }


def _ray() -> ModuleType:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise RayMissing(
            "--ray needs Ray, which is not installed here; run: "
            f"{sys.executable} -m pip install -r requirements-ray.txt"
        ) from error
    module: ModuleType = ray
    return module


def _require_reachable(address: str) -> None:
    """See that somebody listens there; Ray itself would try for a long time."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        if address == "auto":
            return
        raise RayFailed(f"--ray {address} is no address: give host:port, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=_REACHED_WITHIN_S).close()
    except OSError as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> RayFailed:
    said_by_it = str(error).strip().splitlines()
    return RayFailed(
        f"--ray {address}: no Ray answers there ({said_by_it[0] if said_by_it else error}); start "
        "one with `ray start --head`, set RAY_AUTH_MODE=token if it asks for a token, or leave the "
        "address out for one on this machine"
    )
