"""Finds the pictures of each class, in a folder or a tar of one.

Three layouts are read:

    train/<class>/...  val/<class>/...   class folders; without `val`, every tenth is kept apart
    train/<class>/images/...  val/val_annotations.txt   as Tiny ImageNet comes
    <class>/...                           class folders alone

and for measuring only, a folder with `labels.csv` (columns `file` and `wnid`). Folders inside a
class folder belong to the class. `words.txt` ("id<TAB>name, other name"), where there is one,
names the classes.
"""

import csv
import tarfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from errors import SettingsError

APART = 10  # without a `val` folder one picture in so many is kept for validation
_Files = dict[str, list[Path]]  # by class id


class BadData(SettingsError):
    """The pictures to learn from can't be used as they lie; the sentence says what to mend."""


@dataclass(frozen=True)
class Sample:
    """One picture: where it lies, and the class index it shows."""

    path: Path
    class_index: int


@dataclass(frozen=True)
class Data:
    """The pictures of a data set.

    Args:
        ids: class ids in the order of the class index: the folders' names, sorted.
        train: in the order of class index and file name.
        validation: likewise; none of them is in `train`.
        words: names for people by class id, where the data brings any.
    """

    ids: tuple[str, ...]
    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    words: dict[str, str]


def find(place: Path, unpacked: Path) -> Data:
    """The pictures in a folder or tar.

    Args:
        place: a folder, or a .tar, .tar.gz or .tgz of one.
        unpacked: where to unpack a tar; left as it is when it exists already.
    Raises:
        BadData: there is nothing at `place`, fewer than two classes, a class without files,
            or two folders with one name.
    """
    root = _root(_folder(place, unpacked))
    split = (root / "train").is_dir()
    train = _class_folders(root / "train" if split else root)
    ids = tuple(train)
    words = _words(root / "words.txt")
    if split and (root / "val").is_dir():
        return Data(ids, _samples(ids, train), _validation(root / "val", ids), words)
    learned, kept = _apart(train)
    return Data(ids, _samples(ids, learned), _samples(ids, kept), words)


def find_to_measure(place: Path, unpacked: Path, ids: tuple[str, ...]) -> tuple[Sample, ...]:
    """The labelled pictures to measure a network with these class ids on.

    Pictures of classes that the network doesn't know are left out.

    Raises:
        BadData: nothing is left, or the data can't be read.
    """
    folder = _folder(place, unpacked)
    listed = folder / "labels.csv"
    samples = _listed(listed, ids) if listed.is_file() else _relabelled(place, unpacked, ids)
    if not samples:
        raise BadData(f"{place} has no validation picture of a class that the network knows")
    return samples


def _relabelled(place: Path, unpacked: Path, ids: tuple[str, ...]) -> tuple[Sample, ...]:
    data = find(place, unpacked)
    index = {name: number for number, name in enumerate(ids)}
    named = ((sample.path, data.ids[sample.class_index]) for sample in data.validation)
    return tuple(Sample(path, index[name]) for path, name in named if name in index)


def _listed(path: Path, ids: tuple[str, ...]) -> tuple[Sample, ...]:
    index = {name: number for number, name in enumerate(ids)}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"file", "wnid"} <= rows[0].keys():
        raise BadData(f"{path} must have the columns file and wnid")
    known = (row for row in rows if row["wnid"] in index)
    return tuple(Sample(path.parent / row["file"], index[row["wnid"]]) for row in known)


def _folder(place: Path, unpacked: Path) -> Path:
    """The folder itself, or the tar's contents unpacked."""
    if place.is_dir():
        return place
    if not place.exists():
        raise BadData(
            f"there is nothing at {place}; give a folder of class folders, or a tar of it"
        )
    if unpacked.is_dir():
        return unpacked
    unfinished = unpacked.with_name(unpacked.name + ".part")
    try:
        with tarfile.open(place) as archive:
            archive.extractall(unfinished, filter="data")  # refuses paths that lead outside
    except (tarfile.TarError, EOFError) as error:
        raise BadData(f"{place} is neither a folder nor a whole tar: {error}") from error
    return unfinished.rename(unpacked)


def _root(folder: Path) -> Path:
    """The folder that holds `train`: this one, or the only one in it that does."""
    inside = [inner.parent for inner in sorted(folder.glob("*/train")) if inner.is_dir()]
    if (folder / "train").is_dir() or not inside:
        return folder
    if len(inside) > 1:
        names = ", ".join(inner.name for inner in inside)
        raise BadData(f"{folder} holds several folders with a train folder: {names}; give one")
    return inside[0]


def _class_folders(folder: Path) -> _Files:
    """The files of each class by class id, both sorted."""
    names = sorted(inner.name for inner in _visible(folder) if inner.is_dir())
    _refuse_one_name_twice(folder, names)
    if len(names) < 2:
        raise BadData(f"{folder} has {len(names)} class folders; at least two are needed")
    found = {name: _files(folder / name) for name in names}
    if empty := [name for name, files in found.items() if not files]:
        raise BadData(
            f"no picture lies in the class folder{'s' * (len(empty) > 1)} "
            f"{', '.join(str(folder / name) for name in empty[:5])}; fill or remove "
            f"{'them' if len(empty) > 1 else 'it'}"
        )
    return found


def _files(folder: Path) -> list[Path]:
    images = folder / "images"  # Tiny ImageNet lays a list of boxes beside it
    return sorted(
        path
        for path in (images if images.is_dir() else folder).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )


def _visible(folder: Path) -> list[Path]:
    return [inner for inner in folder.iterdir() if not inner.name.startswith(".")]


def _refuse_one_name_twice(folder: Path, names: list[str]) -> None:
    """Names that differ in case or in how a letter is composed are one name to people."""
    seen: dict[str, str] = {}
    for name in names:
        plain = unicodedata.normalize("NFC", name).casefold().strip()
        if plain in seen:
            raise BadData(
                f"{folder} has two folders with one name, {seen[plain]!r} and {name!r}; "
                "join them or rename one"
            )
        seen[plain] = name


def _samples(ids: tuple[str, ...], files: _Files) -> tuple[Sample, ...]:
    return tuple(Sample(path, index) for index, name in enumerate(ids) for path in files[name])


def _validation(folder: Path, ids: tuple[str, ...]) -> tuple[Sample, ...]:
    annotations = folder / "val_annotations.txt"
    if not annotations.is_file():
        files = _class_folders(folder)
        if strange := sorted(set(files) - set(ids)):
            raise BadData(f"{folder} has the class {strange[0]!r}, which train does not have")
        return _samples(ids, {name: files.get(name, []) for name in ids})
    index = {name: number for number, name in enumerate(ids)}
    rows = [line.split("\t") for line in annotations.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if len(row) < 2 or row[1] not in index:
            raise BadData(f"{annotations} names no class of train in {' '.join(row)!r}")
    return tuple(Sample(folder / "images" / row[0], index[row[1]]) for row in rows)


def _apart(files: _Files) -> tuple[_Files, _Files]:
    """The files to learn from, and every tenth of each class to measure on."""
    kept = {name: of_one[APART - 1 :: APART] for name, of_one in files.items()}
    learned = {
        name: [file for number, file in enumerate(of_one, start=1) if number % APART]
        for name, of_one in files.items()
    }
    return learned, kept


def _words(path: Path) -> dict[str, str]:
    """Names by class id, spelt as Keras spells ImageNet's: the first one, words joined by "_"."""
    if not path.is_file():
        return {}
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {row[0]: row[1].partition(",")[0].strip().replace(" ", "_") for row in rows if row[1:]}
