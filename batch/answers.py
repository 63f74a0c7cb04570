"""The folder of rows: Parquet parts that are whole or not there, and what they hold already.

A part is written beside its place and moved into it, so whoever is killed leaves whole parts. When
the bytes of a photo have changed, its old row is taken out of the part that has it before the new
one is written: killed in between, the photo is computed again, and is never there twice.

Any reader of Parquet folders reads it; names that begin with `_` or `.` are left out by all.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from batch.rows import PASSING, Row
from errors import SettingsError

RUN = "_run.json"
_LOCK = ".lock"
_PARTS = "part-*.parquet"
MOST_ROWS = 1000
MOST_SECONDS = 20.0

_Keys = NDArray[np.uint64]

_PREDICTION = pa.struct(
    [("label", pa.string()), ("id", pa.string()), ("probability", pa.float64())]
)
_ANSWER = pa.struct(
    [
        ("level", pa.string()),
        ("id", pa.string()),
        ("label", pa.string()),
        ("probability", pa.float64()),
    ]
)
_COLUMNS = [
    ("path", pa.string()),
    ("digest", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("model", pa.string()),
    ("predictions", pa.list_(_PREDICTION)),
    ("answer", _ANSWER),
    ("certain", pa.bool_()),
    ("hints", pa.list_(pa.string())),
    ("error_code", pa.string()),
    ("error", pa.string()),
]


class BadAnswers(SettingsError):
    """The folder can't be gone on with, or read."""


class CannotWrite(SettingsError):
    """A part can't be written; those before it are whole."""


class Known:
    """Which photos have a row, and where: 20 bytes a photo, so that a million are no burden.

    Paths and digests are known by 64 bits each. Of a million paths two agree in them in one of
    37 million cases.
    """

    def __init__(self, paths: _Keys, digests: _Keys, parts: NDArray[np.uint32]) -> None:
        """Of each row: its keys, and the number of its part; in any order."""
        order = np.argsort(paths, kind="stable")
        self._paths, self._digests, self._parts = paths[order], digests[order], parts[order]

    def __len__(self) -> int:
        return len(self._paths)

    def find(self, path: str) -> tuple[int, int] | None:
        """The key of the digest (0: to be tried again) and the part of a photo's row."""
        key = np.uint64(_path_key(path))
        at = int(self._paths.searchsorted(key))
        if at == len(self._paths) or self._paths[at] != key:
            return None
        return int(self._digests[at]), int(self._parts[at])

    def has(self, path: str, digest: str) -> bool:
        """Whether this photo, with these bytes, has a row that stays."""
        found = self.find(path)
        return found is not None and found[0] == _digest_key(digest)


class Seen:
    """Paths of one run, so that a photo that two sources name is taken once: 8 bytes each."""

    _AT_ONCE = 2**16

    def __init__(self) -> None:
        self._old = np.empty(0, np.uint64)
        self._new: set[int] = set()

    def add(self, path: str) -> bool:
        """Whether it is new."""
        key = _path_key(path)
        at = int(self._old.searchsorted(np.uint64(key)))
        if key in self._new or (at < len(self._old) and int(self._old[at]) == key):
            return False
        self._new.add(key)
        if len(self._new) == self._AT_ONCE:
            self._old = np.sort(np.append(self._old, np.fromiter(self._new, np.uint64)))
            self._new.clear()
        return True


class Answers:
    """A folder of rows that one run writes to."""

    def __init__(
        self, folder: Path, described: Mapping[str, Any], feature_count: int | None
    ) -> None:
        """Open it, or begin it.

        Args:
            folder: of this run, or of one before it that was asked for the same.
            described: what answers depend on.
            feature_count: numbers of features a row; None for none.

        Raises:
            BadAnswers: another run is writing it, it was begun otherwise, or it holds other things.
            CannotWrite: it can't be made.
        """
        self.folder = folder
        self._schema = _schema(feature_count)
        self._rows: list[Row] = []
        self._since = time.monotonic()
        self._lock = FileLock(folder / _LOCK)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            for left_behind in folder.glob(".*.tmp"):
                left_behind.unlink()
            self._begin(described)
        except Timeout:
            raise BadAnswers(f"another run is writing {folder}; wait for it, or stop it") from None
        except OSError as error:
            raise _cannot_write(folder, error) from error
        self.known, self._next = _read_back(folder)

    def _begin(self, described: Mapping[str, Any]) -> None:
        path = self.folder / RUN
        if path.exists():
            _require_same(self.folder, begun_with(self.folder), described)
            return
        if others := [one.name for one in self.folder.iterdir() if one.name != _LOCK]:
            raise BadAnswers(
                f"{self.folder} holds other things ({others[0]}); give --out a folder of its own"
            )
        _write(path, json.dumps(described, indent=2).encode())

    def add(self, row: Row) -> None:
        """Take a row in; a part is written when it is full, or when 20 seconds have passed.

        Raises:
            CannotWrite: the part can't be written.
        """
        if row["digest"] is None and self._stays(row):
            return
        self._rows.append(row)
        late = time.monotonic() - self._since > MOST_SECONDS
        if len(self._rows) >= MOST_ROWS or late:
            self.flush()

    def _stays(self, row: Row) -> bool:
        """Whether the row that a photo had says at least as much as one without its bytes."""
        found = self.known.find(row["path"])
        return found is not None and (found[0] == 0 or row["error_code"] in PASSING)

    def flush(self) -> None:
        """Write what was taken in as a part.

        Raises:
            CannotWrite: it can't be written; nothing else is changed.
        """
        self._since = time.monotonic()
        if not self._rows:
            return
        table = pa.Table.from_pylist(self._rows, schema=self._schema)
        try:
            self._take_out([row["path"] for row in self._rows])
            _write_table(self.folder / f"part-{self._next:06}.parquet", table)
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        self._next += 1
        self._rows.clear()

    def _take_out(self, paths: Sequence[str]) -> None:
        """Remove the rows that these photos had before."""
        of_part: dict[int, set[str]] = {}
        for path in paths:
            if (found := self.known.find(path)) is not None:
                of_part.setdefault(found[1], set()).add(path)
        for number, gone in of_part.items():
            part = self.folder / f"part-{number:06}.parquet"
            table = pq.read_table(part)
            stays = [path not in gone for path in table.column("path").to_pylist()]
            if any(stays):
                _write_table(part, table.filter(pa.array(stays)))
            else:
                part.unlink()

    def close(self) -> None:
        """Let another run have the folder; what was taken in and not written is dropped."""
        self._lock.release()


def begun_with(folder: Path) -> dict[str, Any]:
    """What the answers in a folder depend on.

    Raises:
        BadAnswers: it is no folder of answers.
    """
    try:
        described: dict[str, Any] = json.loads((folder / RUN).read_bytes())
    except (OSError, ValueError) as error:
        raise BadAnswers(f"{folder} is no folder of answers: {RUN} can't be read") from error
    return described


def parts(folder: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows in a folder, a part at a time.

    Raises:
        BadAnswers: a part is damaged.
    """
    for path in sorted(folder.glob(_PARTS)):
        try:
            yield pq.read_table(path, columns=list(columns))
        except (OSError, ValueError, KeyError) as error:
            raise BadAnswers(
                f"{path} can't be read ({error}); remove it, and its photos are computed again"
            ) from error


def _schema(feature_count: int | None) -> pa.Schema:
    if feature_count is None:
        return pa.schema(_COLUMNS)
    return pa.schema([*_COLUMNS, ("features", pa.list_(pa.float32(), feature_count))])


def _read_back(folder: Path) -> tuple[Known, int]:
    """What a folder holds, and the number of its next part."""
    numbers = [int(path.stem.partition("-")[2]) for path in sorted(folder.glob(_PARTS))]
    paths, digests, of = [], [], []
    columns = ("path", "digest", "error_code")
    for number, table in zip(numbers, parts(folder, columns), strict=True):
        rows = zip(*(table.column(name).to_pylist() for name in columns), strict=True)
        for path, digest, code in rows:
            paths.append(_path_key(path))
            digests.append(_digest_key(digest) if digest and code not in PASSING else 0)
            of.append(number)
    known = Known(np.array(paths, np.uint64), np.array(digests, np.uint64), np.array(of, np.uint32))
    return known, max(numbers, default=0) + 1


def _require_same(folder: Path, begun: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    for name in sorted({*begun, *asked} - {"network"}):  # it may have been moved
        if begun.get(name) != asked.get(name):
            raise BadAnswers(
                f"{folder} was begun with {name}={begun.get(name)}, and this run is asked for "
                f"{name}={asked.get(name)}; ask for the same, or give another --out"
            )


def _write_table(path: Path, table: pa.Table) -> None:
    # Into memory first: Arrow's own errors of a full disk have no number.
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    _write(path, sink.getvalue())


def _write(path: Path, data: Any) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _cannot_write(folder: Path, error: OSError) -> CannotWrite:
    return CannotWrite(
        f"{folder} can't be written ({error.strerror or error}); whole parts are kept: make room, "
        "and the same command goes on where it was"
    )


def _path_key(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "big")


def _digest_key(digest: str) -> int:
    return int(digest[:16], 16) or 1
