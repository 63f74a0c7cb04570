"""Finds the pictures of each class: in folders, in tars of them, or listed in a CSV file.

These layouts are read:

    train/<class>/...  validation/<class>/...   class folders (`val` is another name for it)
    <class>/...                                 class folders alone: a part is kept apart
    train.tar  validation.tar                   either of these folders as a tar
    one .tar (.tar.gz, .tgz) of any of these
    a .csv with the columns `file` and `class`, and `split` (train or validation) if it is split
    train/<class>/images/...  val/val_annotations.txt   as Tiny ImageNet comes

and for measuring only, a folder with `labels.csv` (columns `file` and `class`, or `wnid`).
Folders inside a class folder belong to the class. `words.txt` ("id<TAB>name, other name"), where
there is one, names the classes.
"""

import csv
import hashlib
import logging
import tarfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from errors import SettingsError

APART = 0.2  # share of each class that is kept for validation where the data is not split
_VALIDATION = ("validation", "val")
_CLASS = ("class", "label", "wnid")  # the column of a CSV file that names the class
_TARS = (".tar", ".tar.gz", ".tgz")
_Files = dict[str, list[Path]]  # by class id

_log = logging.getLogger(__name__)


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


def find(place: Path, unpacked: Path, seed: int = 0) -> Data:
    """The pictures in a folder, a tar or a list.

    Args:
        place: a folder, a .tar, .tar.gz or .tgz of one, or a .csv.
        unpacked: where to unpack tars; what lies there already is left as it is.
        seed: decides which pictures are kept apart where the data is not split.

    Raises:
        BadData: there is nothing at `place`, fewer than two classes, a class without files or
            with one alone, or two classes with one name.
    """
    if place.suffix == ".csv" and place.is_file():
        return _from_list(place, seed)
    root = _root(_folder(place, unpacked))
    train, validation = root / "train", _validation_folder(root)
    learned = _class_folders(train if train.is_dir() else root)
    ids, words = tuple(learned), _words(root / "words.txt")
    if train.is_dir() and validation is not None:
        return Data(ids, _samples(ids, learned), _kept_apart(validation, ids), words)
    learned, kept = _apart(learned, seed)
    return Data(ids, _samples(ids, learned), _samples(ids, kept), words)


def find_to_measure(place: Path, unpacked: Path, ids: tuple[str, ...]) -> tuple[Sample, ...]:
    """The labelled pictures to measure a network with these class ids on.

    Pictures of classes that the network doesn't know are left out. Where the data is split, they
    are those of its validation part; class folders alone, or a list that is not split, are
    measured on whole.

    Raises:
        BadData: nothing is left, or the data can't be read.
    """
    folder = place if place.suffix == ".csv" else _folder(place, unpacked)
    listed = folder / "labels.csv" if folder.is_dir() else folder
    named = _listed_to_measure(listed) if listed.is_file() else _in_folders(_root(folder))
    index = {name: number for number, name in enumerate(ids)}
    samples = tuple(Sample(path, index[name]) for path, name in named if name in index)
    if not samples:
        raise BadData(f"{place} has no validation picture of a class that the network knows")
    return samples


def _in_folders(root: Path) -> list[tuple[Path, str]]:
    """Path and class id of the pictures kept apart in a folder; of all, where none are."""
    validation = _validation_folder(root)
    if validation is None or not (root / "train").is_dir():
        return [(path, name) for name, files in _class_folders(root).items() for path in files]
    ids = tuple(_class_folders(root / "train"))
    return [(one.path, ids[one.class_index]) for one in _kept_apart(validation, ids)]


def _listed_to_measure(path: Path) -> list[tuple[Path, str]]:
    rows = _listed(path)
    split = any(part for _, _, part in rows)
    return [(file, name) for file, name, part in rows if not split or part == "validation"]


def _from_list(place: Path, seed: int) -> Data:
    rows = _listed(place)
    parts: dict[str, _Files] = {"train": {}, "validation": {}}
    split = any(part for _, _, part in rows)
    for path, name, part in rows:
        parts[part if split and part else "train"].setdefault(name, []).append(path)
    learned = {name: sorted(set(files)) for name, files in sorted(parts["train"].items())}
    _refuse_one_name_twice(place, list(learned))
    ids = tuple(learned)
    if len(ids) < 2:
        raise BadData(f"{place} names {len(ids)} classes to learn; at least two are needed")
    if strange := sorted(set(parts["validation"]) - set(ids)):
        raise BadData(f"{place} has no picture to learn the class {strange[0]!r} from")
    if split:
        kept = {name: sorted(set(parts["validation"].get(name, []))) for name in ids}
    else:
        learned, kept = _apart(learned, seed)
    return Data(ids, _samples(ids, learned), _samples(ids, kept), {})


def _listed(path: Path) -> list[tuple[Path, str, str]]:
    """Path, class id and part ("train", "validation" or "") of each line of a CSV file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise BadData(
            f'{path} is not in UTF-8; save it as "CSV UTF-8" (Excel and WPS both can)'
        ) from error
    except (OSError, csv.Error) as error:
        raise BadData(f"{path} can't be read as CSV in UTF-8: {error}") from error
    named = next((name for name in _CLASS if rows and name in rows[0]), None)
    if not rows or named is None or "file" not in rows[0]:
        raise BadData(f"{path} must have lines under the columns file and {' or '.join(_CLASS)}")
    parts = {"train": "train", **dict.fromkeys(_VALIDATION, "validation")}
    found = []
    for number, row in enumerate(rows, start=2):
        part = (row.get("split") or "").strip().lower()
        if not row["file"] or not row[named] or (part and part not in parts):
            raise BadData(
                f"{path}, line {number}: there must be a file, a {named}, and as split "
                f"train, validation or nothing; it says {', '.join(map(str, row.values()))}"
            )
        found.append((path.parent / row["file"], _tidy(row[named]), parts.get(part, "")))
    return found


def _folder(place: Path, unpacked: Path) -> Path:
    """The folder itself, or the tar's contents unpacked, or those of the tars of its parts."""
    if place.is_dir():
        tars = _tars_of_parts(place)
        for part, tar in tars.items():
            _unpack(tar, unpacked / part)
        return unpacked if tars else place
    if not place.exists():
        raise BadData(
            f"there is nothing at {place}; give a folder of class folders, a tar of it, "
            "or a .csv with the columns file and class"
        )
    return _unpack(place, unpacked)


def _tars_of_parts(folder: Path) -> dict[str, Path]:
    """The tars `train` and `validation` in a folder that has no folder `train`."""
    if (folder / "train").is_dir():
        return {}
    tars = {
        part: folder / f"{part}{ending}"
        for part in ("train", *_VALIDATION)
        for ending in _TARS
        if (folder / f"{part}{ending}").is_file()
    }
    return tars if "train" in tars else {}


def _unpack(tar: Path, into: Path) -> Path:
    if into.is_dir():
        return into
    unfinished = into.with_name(into.name + ".part")
    try:
        with tarfile.open(tar) as archive:
            archive.extractall(unfinished, filter=_inside)  # noqa: S202 - Python's own, but for links
    except tarfile.FilterError as error:
        raise BadData(f"{tar} would write outside of its folder: {error}") from error
    except (tarfile.TarError, EOFError) as error:
        raise BadData(f"{tar} is neither a folder nor a whole tar") from error
    return unfinished.rename(into)


def _inside(member: tarfile.TarInfo, into: str) -> tarfile.TarInfo | None:
    """Python's own filter for data; links that lead out of the tar are left out by name.

    Raises:
        tarfile.FilterError: a path that leads out, or a device: no such tar was made by accident.
    """
    try:
        return tarfile.data_filter(member, into)
    except (tarfile.AbsoluteLinkError, tarfile.LinkOutsideDestinationError):
        _log.warning("%s is a link that leads out of the tar; it is left out", member.name)
        return None


def _validation_folder(root: Path) -> Path | None:
    return next((root / name for name in _VALIDATION if (root / name).is_dir()), None)


def _root(folder: Path) -> Path:
    """The folder that holds `train` or the class folders: this one, or the only one in it."""
    inside = [inner.parent for inner in sorted(folder.glob("*/train")) if inner.is_dir()]
    if (folder / "train").is_dir():
        return folder
    if len(inside) > 1:
        names = ", ".join(inner.name for inner in inside)
        raise BadData(f"{folder} holds several folders with a train folder: {names}; give one")
    if inside:
        return inside[0]
    alone = _visible(folder)
    wraps = (
        len(alone) == 1 and alone[0].is_dir() and any(one.is_dir() for one in _visible(alone[0]))
    )
    return alone[0] if wraps else folder


def _class_folders(folder: Path) -> _Files:
    """The files of each class by class id, both sorted."""
    names = sorted(inner.name for inner in _visible(folder) if inner.is_dir())
    _refuse_one_name_twice(folder, names)
    if len(names) < 2:
        raise BadData(
            f"{folder} has {len(names)} class folder{'s' * (not names)}; at least two are needed: "
            "a folder for each thing, its photos in it"
        )
    found = dict(sorted((_tidy(name), _files(folder / name)) for name in names))
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


def _kept_apart(folder: Path, ids: tuple[str, ...]) -> tuple[Sample, ...]:
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


def _apart(files: _Files, seed: int) -> tuple[_Files, _Files]:
    """The files to learn from, and a share of each class to measure on: at least one file each.

    Which ones, the seed and the files' bytes decide: names and places have no part in it.
    """
    learned, kept = {}, {}
    for name, of_one in files.items():
        count = max(1, round(APART * len(of_one)))
        if len(of_one) < 2:
            raise BadData(
                f"the class {name!r} has one photo, {of_one[0].name}; at least two are needed, "
                "one to learn from and one to measure on; add photos, or remove the class"
            )
        drawn = sorted(of_one, key=lambda path: (_lot(path, seed), path))
        kept[name], learned[name] = sorted(drawn[:count]), sorted(drawn[count:])
    return learned, kept


def _lot(path: Path, seed: int) -> str:
    """A number, as text, that a file's bytes and the seed draw."""
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    return hashlib.sha256(f"{seed} ".encode() + content).hexdigest()


def _tidy(name: str) -> str:
    """A class's name as it is written everywhere: composed letters, no blanks around it."""
    return unicodedata.normalize("NFC", name).strip()


def _words(path: Path) -> dict[str, str]:
    """Names by class id, spelt as Keras spells ImageNet's: the first one, words joined by "_"."""
    if not path.is_file():
        return {}
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {row[0]: row[1].partition(",")[0].strip().replace(" ", "_") for row in rows if row[1:]}
