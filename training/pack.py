"""Decodes pictures once, into one file of raw pixels that training reads from memory.

Opening 100,000 files an epoch costs more than the network does; a memory map of one file is
kept by the operating system as long as there is room.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from errors import RequestError
from imaging.fit import Fit, fit
from imaging.read import read
from serving.cores import available
from training.data import BadData, Data, Sample

_log = logging.getLogger(__name__)
_NAMED = 10  # so many files that are no picture are named one by one
Pixels = NDArray[np.uint8]
T = TypeVar("T")


@dataclass(frozen=True)
class Pack:
    """Decoded pictures.

    Args:
        pictures: uint8 RGB (count, size, size, 3), a read-only memory map.
        classes: int32 (count,), the class index of each.
    """

    pictures: NDArray[np.uint8]
    classes: NDArray[np.int32]


def pack(data: Data, size: int, folder: Path) -> Pack:
    """The training pictures as squares of `size`; decoded into `folder` unless they lie there.

    Files that are no picture are named in the log and left out.

    Raises:
        BadData: a class has no readable picture at all, or `folder` holds another data set.
        OSError: the disk is full.
    """
    described = {"ids": data.ids, "files": len(data.train), "size": size}
    about = folder / "pack.json"
    if not about.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _decode_into(data, size, folder)
        about.write_text(json.dumps(described))
    elif json.loads(about.read_text()) != json.loads(json.dumps(described)):
        raise BadData(
            f"{folder} was begun with other pictures or another size; "
            "give another --out, or remove it to begin anew"
        )
    classes = np.load(folder / "classes.npy")
    shape = (len(classes), size, size, 3)
    return Pack(np.memmap(folder / "pictures.bin", np.uint8, "r", shape=shape), classes)


def decode(
    samples: Iterable[Sample], how: Fit, then: Callable[[Pixels], T]
) -> Iterator[tuple[Sample, T]]:
    """Each picture that can be read, and what `then` makes of its pixels.

    The others are named in the log.

    Args:
        then: given uint8 (size, size, 3); called by several threads.
    """
    skipped = 0

    def one(sample: Sample) -> T | str:
        pixels = picture(sample.path, how)
        return pixels if isinstance(pixels, str) else then(pixels)

    with ThreadPoolExecutor(available()) as threads:
        left = iter(samples)
        while some := list(islice(left, 256)):  # bounds what is decoded but not yet taken
            for sample, made in zip(some, threads.map(one, some), strict=True):
                if isinstance(made, str):
                    skipped += 1
                    if skipped <= _NAMED:
                        _log.warning("%s is left out: %s", sample.path, made)
                    continue
                yield sample, made
    if skipped > _NAMED:
        _log.warning("%d files are left out in all", skipped)


def picture(path: Path, how: Fit) -> Pixels | str:
    """The photo in a file as the service would see it, uint8 (size, size, 3), or what is wrong."""
    try:
        return fit(read(path.read_bytes(), at_least=how.decode_side), how)
    except RequestError as error:
        return str(error)
    except OSError as error:
        return f"the file can't be read: {error.strerror or error}"


def _decode_into(data: Data, size: int, folder: Path) -> None:
    """Write pictures.bin and classes.npy.

    Plain writes, not a writable memory map: on a full disk those raise, that one kills.
    """
    how = Fit(size, crop=1.0, interpolation="bicubic")
    classes = []
    with (folder / "pictures.bin").open("wb") as file:
        for sample, pixels in decode(data.train, how, bytes):
            file.write(pixels)
            classes.append(sample.class_index)
    present = set(classes)
    if missing := [name for index, name in enumerate(data.ids) if index not in present]:
        raise BadData(f"no file of the class {missing[0]!r} is a picture that can be read")
    np.save(folder / "classes.npy", np.array(classes, np.int32))
