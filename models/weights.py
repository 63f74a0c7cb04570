"""Where a network's weights come from.

In this order: what the user gave, Keras' own cache, a mirror, the published address. What is
downloaded goes into Keras' cache, so that Keras and Shiwu fetch a file once between them. A file
that the user gave is taken as it is; a cached or downloaded one only with the right checksum.
Whether the numbers fit the network shows when `models.build` loads them.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from errors import SettingsError
from models import folder
from models.card import Card, Weights
from models.download import DownloadFailed, NoRoom, fetch

log = logging.getLogger(__name__)

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class WeightsMissing(SettingsError):
    """No weights could be had; the sentence says what was tried and the ways out."""


def find(
    card: Card,
    *,
    given: Path | None = None,
    mirror: str | None = None,
    offline: bool = False,
    cache: Path | None = None,
    timeout_s: float = 30.0,
) -> Path:
    """The absolute path of the file with a network's weights, downloaded if need be.

    Args:
        given: by the user: a file, or a folder with files by Keras' names. Nothing else is
            tried then; a network that lies in its own folder needs none from a folder.
        mirror: address of a folder that has the files by Keras' names, http or https.
        offline: never touch the network.
        cache: where Keras keeps weights; None for `keras_cache()`.
        timeout_s: how long a server may be silent.

    Raises:
        WeightsMissing: with every place that was tried and why it failed.
    """
    if given is not None:
        return _given(card, given.absolute())
    if card.weights is None:
        return _own(card)
    place = _cached(card.weights, cache)
    if (complaint := _complaint(card.weights, place)) is None:
        return place
    if place.exists():
        log.warning("%s is not used: %s", place, complaint)
    addresses = _addresses(card.weights, mirror)
    if offline:
        failures = [f"{url} (not asked: SHIWU_OFFLINE is set)" for url in addresses]
    else:
        failures = _download(card.weights, place, addresses, timeout_s)
    if not failures:
        return place
    tried = [f"{place} ({complaint})", *failures]
    raise WeightsMissing(_sentence(card, card.weights, tried, place))


def keras_cache() -> Path:
    """The folder of weights that Keras itself uses: $KERAS_HOME/models, or ~/.keras/models."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def digest(path: Path) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits: which weights these are, exactly."""
    return _hash(path, "sha256")


def checked(card: Card, cache: Path | None = None) -> str | None:
    """What is wrong with a published network's file in Keras' cache, or None if it is right.

    Where Keras lists no checksum, only that it is a file of the right kind can be seen.
    """
    return _complaint(card.weights, _cached(card.weights, cache)) if card.weights else None


def _cached(weights: Weights, cache: Path | None) -> Path:
    return (cache or keras_cache()).absolute() / weights.file


def _given(card: Card, given: Path) -> Path:
    if given.is_file():
        if card.builder == "file":
            raise WeightsMissing(
                f"SHIWU_WEIGHTS={given}: {card.file} brings its own weights; leave it out"
            )
        return given
    if not given.is_dir():
        raise WeightsMissing(
            f"SHIWU_WEIGHTS={given}: there is no such file or folder to load {card.name} from"
        )
    if card.weights is None:
        return _own(card)
    path = given / card.weights.file
    if path.is_file():
        return path
    raise WeightsMissing(
        f"SHIWU_WEIGHTS={given}: this folder has no {card.weights.file}, which is the name "
        f"of {card.name}'s weights; put it there, or give the file itself"
    )


def _own(card: Card) -> Path:
    """The weights in a network's own file or folder."""
    path = card.file or (card.folder or Path()) / folder.WEIGHTS
    if path.is_file():
        return path
    raise WeightsMissing(f"{card.name} has no weights: there is no file {path}")


def _complaint(weights: Weights, path: Path) -> str | None:
    """What is wrong with a cached or downloaded file, or None.

    Where no checksum is published, at least a web page or an error message in place of the
    weights is told apart.
    """
    if not path.is_file():
        return "there is no such file"
    for algorithm, right in (("sha256", weights.sha256), ("md5", weights.md5)):
        if right is not None:
            found = _hash(path, algorithm)
            said = f"its {algorithm} is {found}, it should be {right}"
            return None if found == right else said
    with path.open("rb") as file:
        is_hdf5 = file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE
    return None if is_hdf5 else "it is no HDF5 file"


def _addresses(weights: Weights, mirror: str | None) -> list[str]:
    mirrored = [f"{mirror.rstrip('/')}/{weights.file}"] if mirror else []
    return [*mirrored, weights.url]


def _download(weights: Weights, place: Path, addresses: list[str], timeout_s: float) -> list[str]:
    """Fill `place` from the first address that can; if none can, returns why, one by one."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place):
            return _download_alone(weights, place, addresses, timeout_s)
    except OSError as error:
        return [f"{place.parent} (can't be written: {error.strerror})"]


def _download_alone(
    weights: Weights, place: Path, addresses: list[str], timeout_s: float
) -> list[str]:
    if _complaint(weights, place) is None:  # another process was faster
        return []
    failures = []
    for url in addresses:
        try:
            fetch(
                url,
                place,
                check=lambda path: _complaint(weights, path),
                plain_http=url != weights.url,
                timeout_s=timeout_s,
            )
            return []
        except DownloadFailed as error:
            log.warning("%s: %s", url, error)
            failures.append(f"{url} ({error})")
            if isinstance(error, NoRoom):
                break
    return failures


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Holds back other processes that want the same file."""
    lock = FileLock(place.with_name(place.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is downloading %s; waiting for it", place.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _sentence(card: Card, weights: Weights, tried: list[str], place: Path) -> str:
    return (
        f"there are no weights for {card.name} ({weights.file}). Tried: {'; '.join(tried)}. "
        f"Three ways out: set SHIWU_WEIGHTS to the file, or to a folder that has it under this "
        f"name; put the file into {place.parent}; or let the service fetch it, from the "
        "published address (SHIWU_OFFLINE not set) or from a mirror of yours (SHIWU_MIRROR)"
    )


def _hash(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
