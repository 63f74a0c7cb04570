"""The keys that clients may ask with: named, kept as digests in one file, exchanged while running.

The file has a line a key: its name, the SHA-256 of the key in hexadecimal, and, if the key has a
rate of its own, that. `#` begins a comment. `python -m api.keys add NAME --file keys` writes it.
"""

import argparse
import hashlib
import hmac
import logging
import os
import re
import secrets
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from api.limits import Rate, rate_of
from errors import RequestError, SettingsError

# A prefix by which people, and scanners of published code, know what they have found.
PREFIX = "shiwu_"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")

_log = logging.getLogger(__name__)


class BadKeys(SettingsError):
    """The file of keys can't be read, or a line of it is no key."""


class NoKey(RequestError):
    """The request brings no key, and one is asked for."""

    challenge = 'Bearer realm="shiwu"'

    def __init__(self) -> None:
        super().__init__("a key is needed; send it in the header `Authorization: Bearer <key>`")


class WrongKey(RequestError):
    """The key is none of ours, or not any more."""

    challenge = 'Bearer realm="shiwu", error="invalid_token"'

    def __init__(self) -> None:
        super().__init__("this key is not, or no longer, allowed; ask whoever runs the service")


class Key(NamedTuple):
    """A key without the key itself."""

    name: str
    digest: str
    rate: Rate | None = None


class Keyring:
    """The keys of a file, which is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            BadKeys: as `read`.
        """
        self._path = path
        self._reading = threading.Lock()
        # Before it is read: what is written meanwhile is read the next time.
        self._seen = _state(path)
        self._keys = _by_digest(read(path))
        _tell(path, self._keys.values())

    def find(self, key: str) -> Key | None:
        """Whose key this is, or None.

        All digests are compared, each in a time that doesn't depend on where they differ.
        """
        self._look_again()
        asked = _digest(key).encode()
        found = None
        for digest, known in self._keys.items():
            if hmac.compare_digest(digest, asked):
                found = known
        return found

    def _look_again(self) -> None:
        """Take a changed file's keys; from one that can't be read, none are taken or dropped."""
        state = _state(self._path)
        if state == self._seen or not self._reading.acquire(blocking=False):
            return
        try:
            self._seen = state
            self._keys = _by_digest(read(self._path))
            _tell(self._path, self._keys.values())
        except BadKeys as error:
            if isinstance(error.__cause__, OSError) and state is not None:
                self._seen = None  # perhaps not the file's fault: the next request tries again
            _log.error("the keys stay as they were: %s", error)
        finally:
            self._reading.release()


def read(path: Path) -> list[Key]:
    """The keys of a file, in its order.

    Raises:
        BadKeys: the file can't be read, a line is no key, or a name stands there twice.
    """
    if path.exists() and not path.is_file():  # to read a pipe may take for ever
        raise BadKeys(f"SHIWU_KEYS: {path} is no file; keys are read again when they change")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadKeys(f"SHIWU_KEYS: {path} can't be read: {error}") from error
    stripped = ((number, line.split("#")[0].split()) for number, line in enumerate(lines, 1))
    keys = [
        _key(words, f"SHIWU_KEYS: {path}, line {number}") for number, words in stripped if words
    ]
    names = [key.name for key in keys]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadKeys(f"SHIWU_KEYS: {path} has the name {twice[0]} twice; one key, one name")
    return keys


def add(path: Path, name: str, rate: str | None = None) -> str:
    """Put a new key into the file, which is made if it isn't there, and return the key.

    Raises:
        BadKeys: the name is taken or is none, the rate is none, or the file is broken.
    """
    keys = read(path) if path.exists() else []
    if any(key.name == name for key in keys):
        raise BadKeys(f"{path} has a key named {name}; remove it first, or give another name")
    key = PREFIX + secrets.token_urlsafe(32)
    line = " ".join([name, _digest(key), *([rate] if rate else [])])
    _key(line.split(), f"{name!r}")
    _write(path, [*_lines(path), line])
    return key


def remove(path: Path, name: str) -> None:
    """Take a key out of the file; it is refused from then on.

    Raises:
        BadKeys: there is none of that name, or the file is broken.
    """
    if all(key.name != name for key in read(path)):
        raise BadKeys(f"{path} has no key named {name}")
    _write(path, [line for line in _lines(path) if line.split("#")[0].split()[:1] != [name]])


def _key(words: Sequence[str], where: str) -> Key:
    # Never a word of the line itself: somebody may have put a key there instead of its digest.
    if len(words) not in (2, 3) or not _NAME.fullmatch(words[0]) or not _DIGEST.fullmatch(words[1]):
        raise BadKeys(
            f"{where} is not a name (letters, digits, dots, - and _; at most 64), a SHA-256 in "
            "hexadecimal and perhaps a rate; `python -m api.keys add` writes such lines"
        )
    try:
        rate = rate_of(words[2]) if len(words) > 2 else None
    except ValueError as error:
        raise BadKeys(f"{where}: {error}") from error
    return Key(words[0], words[1], rate)


def _digest(key: str) -> str:
    """SHA-256, once and without salt.

    What makes hashes of passwords slow is there for passwords, which can be guessed. A key has 256
    random bits of our own making: nobody goes through those, at any speed, and there is no table
    of them. So each request can afford it.
    """
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _by_digest(keys: Iterable[Key]) -> dict[bytes, Key]:
    return {key.digest.encode(): key for key in keys}


def _state(path: Path) -> tuple[int, ...] | None:
    """What differs when the file has been written or exchanged; None if it isn't there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _tell(path: Path, keys: Iterable[Key]) -> None:
    names = [key.name for key in keys]
    nobody = "" if names else ": nobody can ask anything"
    level = logging.INFO if names else logging.WARNING
    _log.log(level, "keys in %s: %d%s", path, len(names), nobody, extra={"keys": names})


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _write(path: Path, lines: Sequence[str]) -> None:
    """Exchange the file as a whole: a service that reads it meanwhile sees the old or the new."""
    try:
        was = path.stat() if path.exists() else None
        handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".keys-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if was:
                with suppress(PermissionError):
                    os.fchown(handle, was.st_uid, was.st_gid)  # the service must go on reading it
            os.fchmod(handle, was.st_mode & 0o777 if was else 0o600)
            file.write("".join(f"{line}\n" for line in lines))
        Path(unfinished).replace(path)
    except OSError as error:
        raise BadKeys(f"{path} can't be written: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m api.keys", description="The keys that SHIWU_KEYS names the file of."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command, does in (
        ("add", "make a key and print it: this once"),
        ("remove", "take a key away; a running service refuses it at once"),
        ("list", "print the names, and rates where a key has its own"),
    ):
        one = commands.add_parser(command, help=does)
        if command != "list":
            one.add_argument("name")
        if command == "add":
            one.add_argument("--rate", help="photos or requests in a time, like 600/minute")
        one.add_argument("--file", type=Path, required=True, help="the file of keys")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.command == "add":
            sys.stdout.write(add(asked.file, asked.name, asked.rate) + "\n")
            sys.stderr.write("This key is shown once; the file has only its digest.\n")
        elif asked.command == "remove":
            remove(asked.file, asked.name)
        else:
            for key in read(asked.file):
                sys.stdout.write(f"{key.name}\t{key.rate or ''}".rstrip() + "\n")
    except BadKeys as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
