"""Compiled networks on disk: made once, checked at every start.

An entry is a folder that `engines.export` filled. Its key is of the weights' digest and of what
the card says about computing; its place in the cache also of the versions that made it. Processor
and precision are not in it, as the stored form is the same for all of them: it is prepared for the
processor in a tenth of a second at each start, and the check pictures show whether it computes
what the reference did.

A network folder may bring its own entry (`compiled/`), which serves before the cache is asked;
that is how the network in the box starts without TensorFlow.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Literal

from filelock import FileLock, Timeout

from engines.check import COUNT
from engines.export import REFUSED
from engines.keras_engine import KerasMissing
from engines.openvino_engine import OpenVinoEngine
from errors import EngineError, SettingsError
from models.card import Card
from models.folder import WEIGHTS
from models.weights import digest
from version import VERSION

FORMAT = 2
FILES = ("network.xml", "network.bin", "checks.npz", "layers.json")
# What a card says about people and figures doesn't change what the network computes.
_COMPUTED_BY = ("builder", "options", "input_size", "scaling")

# What an entry is for: answers alone, or every layer by its name. Its folder in a network's own.
Purpose = Literal["compiled", "layers"]

_log = logging.getLogger(__name__)


class ExportFailed(EngineError):
    """The network could not be exported from Keras."""


class CacheUnusable(SettingsError):
    """The folder of compiled networks can't be written."""


def entry(
    card: Card, find_weights: Callable[[], Path], cache: Path, purpose: Purpose = "compiled"
) -> Path:
    """The folder of the compiled network; exported first if need be.

    Args:
        card: the network.
        find_weights: called only when the weights file is needed, as it may be downloaded.
        cache: the folder of compiled networks; made if absent.
        purpose: "compiled" for answers; "layers" has every layer as an output.

    Raises:
        SettingsError: no weights, TensorFlow not installed, or a cache that can't be written.
        ExportFailed: Keras or OpenVINO refused the network.
    """
    brought = card.folder / purpose if card.folder and not card.file else None
    if brought and intact(brought, _key_of_folder(card, purpose)):
        return brought
    weights = find_weights()
    key = _key(card, digest(weights), purpose)
    folder = cache / f"{card.name}-{_digest([key, *_versions()])[:16]}"
    if intact(folder, key):
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with alone(cache / f"{folder.name}.lock", card.name):
            if not intact(folder, key):  # another process may have made it while we waited
                make(card, weights, folder, purpose)
    except OSError as error:
        raise CacheUnusable(
            f"the folder of compiled networks, {cache}, can't be used ({error.strerror or error}); "
            "give another as SHIWU_CACHE, or make room"
        ) from error
    return folder


def make(card: Card, weights: Path, folder: Path, purpose: Purpose = "compiled") -> None:
    """Export the network and put it at `folder`, whole or not at all, replacing what is there.

    Whoever calls holds the entry's lock.
    """
    _log.info("%s: exporting from Keras, once (some seconds)", card.name)
    begun = time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left_behind in folder.parent.glob(f".{folder.name}-*"):  # by an export that was killed
        shutil.rmtree(left_behind, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as unfinished:
        made = Path(unfinished) / folder.name
        made.mkdir()
        _export_apart(card, weights, made, purpose)
        OpenVinoEngine(card.name, made, "f32", cores=1, checks=COUNT).close()
        seal(made, _key(card, digest(weights), purpose))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    _log.info("%s: exported in %.0f s, kept in %s", card.name, time.monotonic() - begun, folder)


def intact(folder: Path, key: str | None, files: Sequence[str] = FILES) -> bool:
    """Whether `folder` holds a whole entry, of that key if one is given, with no byte changed."""
    try:
        seal = json.loads((folder / "entry.json").read_bytes())
        named = seal["format"] == FORMAT and key in (None, seal["key"])
        if named and all(digest(folder / name) == seal["files"][name] for name in files):
            return True
        _log.warning(
            "compiled network %s is damaged, or of other weights or another input size; not used",
            folder,
        )
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("compiled network %s can't be read (%s); not used", folder, error)
    return False


def _export_apart(card: Card, weights: Path, out: Path, purpose: Purpose) -> None:
    named = str(card.file or card.folder or card.name)
    command = [sys.executable, "-m", "engines.export", "--model", named]
    command += ["--input-size", str(card.input_size), "--weights", str(weights), "--out", str(out)]
    command += ["--every-layer"] * (purpose == "layers")
    home = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        # Its standard input is a pipe that ends with us: an export never outlives the service.
        with subprocess.Popen(
            command, cwd=home, stdin=subprocess.PIPE, stdout=said, stderr=complained
        ) as child:
            status = child.wait()
        sentence, complaints = _text(said), _text(complained)
    if status == 0:
        return
    if status == REFUSED:
        raise SettingsError(sentence)
    if "No module named 'tensorflow'" in complaints or "No module named 'keras'" in complaints:
        raise KerasMissing(card.name)
    _require_room(out, weights.stat().st_size)  # OpenVINO's words don't say so
    _log.error("exporting %s said:\n%s", card.name, complaints[-4000:])
    last = (complaints.strip().splitlines() or [f"exit status {status}"])[-1]
    raise ExportFailed(f"{card.name} could not be exported from Keras: {last}")


def _require_room(folder: Path, size: int) -> None:
    """See that so many bytes can be written here: a disk may be full, or a quota or limit reached.

    Raises:
        OSError: they can't; its number says why.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


@contextmanager
def alone(lock: Path, name: str) -> Iterator[None]:
    """Hold the lock, and say so if another process has it."""
    try:
        with FileLock(lock, timeout=0):
            yield
            return
    except Timeout:
        _log.info("%s: another process is making it; waiting for it", name)
    with FileLock(lock):
        yield


def seal(folder: Path, key: str, files: Sequence[str] = FILES) -> None:
    """Write down what `folder` holds, so that a change of any byte is seen later."""
    seal = {"format": FORMAT, "key": key, "files": {name: digest(folder / name) for name in files}}
    (folder / "entry.json").write_text(json.dumps(seal, indent=1))


def _key(card: Card, weights_digest: str, purpose: Purpose) -> str:
    computed_by = {name: asdict(card)[name] for name in _COMPUTED_BY}
    return _digest([FORMAT, purpose, weights_digest, computed_by])


def _digest(said: object) -> str:
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _versions() -> list[str]:
    """Of what makes an entry; a package that isn't installed has none."""
    versions = [VERSION]
    for package in ("keras", "openvino"):
        with suppress(PackageNotFoundError):
            versions.append(f"{package} {version(package)}")
    return versions


def _key_of_folder(card: Card, purpose: Purpose) -> str | None:
    """The key that a network folder's own entry must have; any, if it brings no weights file."""
    weights = card.folder / WEIGHTS if card.folder else None
    return _key(card, digest(weights), purpose) if weights and weights.exists() else None
