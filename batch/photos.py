"""What is named on the command line, as photos one after the other, however many there are.

In folders, what ends like a picture is a photo; whatever is named itself is taken as one. Each
real folder is walked once, under its own name if it has one there, so that links can't lead in
circles. Nothing is sorted and nothing is kept but the folders' numbers: memory stays flat.
"""

import fnmatch
import glob
import os
import stat
import tarfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from errors import RequestError, SettingsError
from imaging.read import PictureTooLarge

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp"),
    *(".tif", ".tiff", ".heic", ".heif", ".avif"),
)
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
# Between the name of a file of many photos and the one in it: photos.tar!cats/cat.1.jpg
INSIDE = "!"
_ROWS_AT_ONCE = 16

Kind = Literal["file", "tar", "parquet"]


class NoPhotos(SettingsError):
    """Nothing that was named is, or holds, a photo."""


class BadSource(SettingsError):
    """What was named as a source can't be one."""


class Unreadable(RequestError):
    """A photo's bytes can't be had."""


@dataclass(frozen=True)
class Photo:
    """One photo: where it is, and how its bytes are had.

    Args:
        path: of the file, absolute; inside another file, after INSIDE.
        get: gives the bytes, unless there are more than the number it is called with.
    """

    path: str
    get: Callable[[int], bytes]

    def read(self, most: int) -> bytes:
        """Its bytes.

        Raises:
            Unreadable: they can't be had: it has vanished, or isn't a file.
            PictureTooLarge: there are more than `most`.
        """
        try:
            return self.get(most)
        except OSError as error:
            raise Unreadable(f"the file can't be read ({error.strerror or error})") from error


@dataclass(frozen=True)
class Piece:
    """A file with one photo in it, or many: what one reader reads from beginning to end."""

    kind: Kind
    path: str

    def photos(self) -> Iterator[Photo]:
        """The photos in it; of what can't be opened, one photo that can't be read."""
        if self.kind == "file":
            yield Photo(self.path, lambda most: _file(self.path, most))
            return
        try:
            yield from _in_tar(self.path) if self.kind == "tar" else _in_parquet(self.path)
        except (OSError, EOFError, ValueError, tarfile.TarError) as error:
            yield Photo(self.path, _failing(f"{type(error).__name__}: {error}"))

    def count(self) -> int:
        """How many photos are in it, without reading one; 1 for what can't be opened."""
        if self.kind == "file":
            return 1
        try:
            return _count_in_tar(self.path) if self.kind == "tar" else _rows(self.path)
        except (OSError, EOFError, ValueError, tarfile.TarError):
            return 1


def pieces(sources: Sequence[str]) -> Iterator[Piece]:
    """The files that the sources name, as they are found.

    Args:
        sources: folders, files, patterns (`photos/**/*.jpg`), tars, .parquet files with a column
            of bytes, .txt files with a path a line.

    Raises:
        BadSource: a source isn't there, or a pattern fits nothing.
    """
    walked: set[tuple[int, int]] = set()
    for source in sources:
        yield from _of(source, walked)


def find(sources: Sequence[str]) -> Iterator[Photo]:
    """The photos that the sources name; errors as of `pieces`."""
    for piece in pieces(sources):
        yield from piece.photos()


def require_some(sources: Sequence[str]) -> None:
    """See that there is a photo at all, before anything long is begun.

    Raises:
        NoPhotos: there is none; the sentence says what there is.
        BadSource: as of `pieces`.
    """
    if next(find(sources), None) is None:
        named = ", ".join(sources)
        raise NoPhotos(
            f"there are no photos in {named}: nothing there ends like a picture "
            f"({', '.join(SUFFIXES[:5])}, …); a file that is named itself is always taken"
        )


def read_again(path: str, most: int) -> bytes:
    """The bytes of a photo by the path that its row gives.

    Raises:
        Unreadable, PictureTooLarge: as of `Photo.read`.
    """
    if INSIDE not in path or Path(path).exists():
        return Photo(path, lambda limit: _file(path, limit)).read(most)
    whole = path.partition(INSIDE)[0]
    for photo in Piece(_kind(whole), whole).photos():
        if photo.path == path:
            return photo.read(most)
    raise Unreadable(f"{path} is not there any more")


def _of(source: str, walked: set[tuple[int, int]]) -> Iterator[Piece]:
    path = os.path.abspath(Path(source).expanduser())
    if os.path.isdir(path):
        yield from _in_folder(path, walked)
    elif not os.path.lexists(path) and glob.has_magic(source):
        yield from _matching(source, walked)
    elif not os.path.lexists(path):
        raise BadSource(f"{source}: there is no such file or folder")
    elif path.lower().endswith(".txt"):
        yield from _listed(path)
    else:
        yield Piece(_kind(path), path)


def _kind(path: str) -> Kind:
    if path.lower().endswith(_TARS):
        return "tar"
    return "parquet" if path.lower().endswith(".parquet") else "file"


def _is_named_like_one(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _in_folder(
    top: str,
    walked: set[tuple[int, int]],
    fits: Callable[[str], bool] = _is_named_like_one,
) -> Iterator[Piece]:
    """Photos of a folder and those below; linked folders last, if not walked by then."""
    own, linked = deque([top]), deque[str]()
    while own or linked:
        folder = own.popleft() if own else linked.popleft()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in walked:
                continue
            walked.add((status.st_dev, status.st_ino))
            entries = os.scandir(folder)
        except OSError:
            yield Piece("file", folder)  # a row that says so
            continue
        with entries:
            for entry in entries:
                if _is_folder(entry):
                    (linked if entry.is_symlink() else own).append(entry.path)
                elif fits(entry.name) and _may_be_file(entry):
                    yield Piece("file", entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """A file, or a link: one that leads nowhere is a photo that is missing."""
    return entry.is_symlink() or entry.is_file(follow_symlinks=False)


def _matching(pattern: str, walked: set[tuple[int, int]]) -> Iterator[Piece]:
    """What fits a pattern; `**` stands for any folders, and only a name comes after it."""
    base, deep, last = pattern.partition("**")
    found = False
    if not deep:
        for match in glob.iglob(pattern):
            found = True
            yield from _of(glob.escape(match) if glob.has_magic(match) else match, walked)
    elif os.sep in last.strip(os.sep) or "**" in last:
        raise BadSource(f"{pattern}: after ** only the name of a file may come, as in **/*.jpg")
    else:
        name = last.strip(os.sep) or "*"
        for folder in glob.iglob(base or os.curdir):
            for piece in _in_folder(os.path.abspath(folder), walked, _fitting(name)):
                found = True
                yield piece
    if not found:
        raise BadSource(f"{pattern}: nothing fits this pattern")


def _fitting(pattern: str) -> Callable[[str], bool]:
    return lambda name: fnmatch.fnmatch(name, pattern) and _is_named_like_one(name)


def _listed(path: str) -> Iterator[Piece]:
    """The paths in a list, one a line, from the folder that the command is given in."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as lines:
        for line in lines:
            if name := line.strip("\r\n"):
                full = os.path.abspath(name)
                yield Piece(_kind(full), full)


def _file(path: str, most: int) -> bytes:
    # Without O_NONBLOCK, opening a pipe that is called photo.jpg would wait for ever.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is no file")
        _require_few(status.st_size, most)
        return file.read()


def _require_few(size: int, most: int) -> None:
    if size > most:
        raise PictureTooLarge(
            f"the file has {size:,} bytes, over the limit of {most:,} bytes (--max-bytes)"
        )


def _failing(why: str) -> Callable[[int], bytes]:
    def get(_most: int) -> bytes:
        raise OSError(why)

    return get


def _having(data: bytes) -> Callable[[int], bytes]:
    def get(most: int) -> bytes:
        _require_few(len(data), most)
        return data

    return get


def _in_tar(path: str) -> Iterator[Photo]:
    """Read from front to end: the bytes of a photo are those of the place that is reached."""
    with tarfile.open(path, "r|*") as tar:
        for member in _photos_in(tar):
            yield Photo(f"{path}{INSIDE}{member.name}", _member(tar, member))


def _count_in_tar(path: str) -> int:
    with tarfile.open(path) as tar:
        return sum(1 for _ in _photos_in(tar))


def _photos_in(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        # Else a tar of a million files keeps a million of these. Python has it, its stubs don't.
        tar.members = []  # type: ignore[attr-defined]
        if member.isreg() and _is_named_like_one(member.name):
            yield member


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[int], bytes]:
    if member.size > _MOST_OF_A_MEMBER:
        return lambda most: _too_large(member.size, most)
    file = tar.extractfile(member)
    return _having(file.read() if file else b"")


# A photo in a tar is read before anybody says how large one may be.
_MOST_OF_A_MEMBER = 2**28


def _too_large(size: int, most: int) -> bytes:
    _require_few(size, min(most, _MOST_OF_A_MEMBER))
    return b""


def _in_parquet(path: str) -> Iterator[Photo]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path, buffer_size=2**20) as file:
        column = _bytes_column(path, file.schema_arrow)
        row = 0
        for rows in file.iter_batches(_ROWS_AT_ONCE, columns=[column]):
            for value in rows.column(0):
                data, name = _cell(value.as_py())
                place = f"{path}{INSIDE}{row}" + (f"/{name}" if name else "")
                yield Photo(place, _failing("no bytes") if data is None else _having(data))
                row += 1


def _rows(path: str) -> int:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        return int(file.metadata.num_rows)


def _bytes_column(path: str, schema: Any) -> str:
    """The first column of bytes, or of a struct that has a field `bytes`."""
    import pyarrow.types as types

    for field in schema:
        kind = field.type
        if types.is_struct(kind) and (at := kind.get_field_index("bytes")) >= 0:
            kind = kind.field(at).type
        if types.is_binary(kind) or types.is_large_binary(kind):
            return str(field.name)
    raise ValueError(f"{path} has no column of bytes")


def _cell(value: Any) -> tuple[bytes | None, str | None]:
    if isinstance(value, dict):
        return value["bytes"], value.get("path")
    return value, None
