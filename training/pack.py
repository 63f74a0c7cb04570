"""Decodes pictures once, into one file of raw pixels that training reads from memory.

Opening 100,000 files an epoch costs more than the network does; a memory map of one file is
kept by the operating system as long as there is room.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import RequestError
from imaging.fit import Fit, fit
from imaging.read import read
from serving.cores import available
from training.data import BadData, Data, Sample

_log = logging.getLogger(__name__)
_NAMED = 10  # so many files that are no picture are named one by one


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


def decode(samples: Iterable[Sample], how: Fit) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Class index and pixels, uint8 (size, size, 3), of each picture that can be read.

    The others are named in the log.
    """
    skipped = 0
    with ThreadPoolExecutor(available()) as threads:
        left = iter(samples)
        while some := list(islice(left, 256)):  # bounds what is decoded but not yet written
            for sample, pixels in zip(
                some, threads.map(lambda s: _read(s, how), some), strict=True
            ):
                if isinstance(pixels, RequestError):
                    skipped += 1
                    if skipped <= _NAMED:
                        _log.warning("%s is left out: %s", sample.path, pixels)
                    continue
                yield sample.class_index, pixels
    if skipped > _NAMED:
        _log.warning("%d files are left out in all", skipped)


def _read(sample: Sample, how: Fit) -> NDArray[np.uint8] | RequestError:
    try:
        return fit(read(sample.path.read_bytes(), at_least=how.decode_side), how)
    except RequestError as error:
        return error


def _decode_into(data: Data, size: int, folder: Path) -> None:
    """Write pictures.bin and classes.npy.

    Plain writes, not a writable memory map: on a full disk those raise, that one kills.
    """
    how = Fit(size, crop=1.0, interpolation="bicubic")
    classes = []
    with (folder / "pictures.bin").open("wb") as file:
        for class_index, pixels in decode(data.train, how):
            file.write(pixels.tobytes())
            classes.append(class_index)
    present = set(classes)
    if missing := [name for index, name in enumerate(data.ids) if index not in present]:
        raise BadData(f"no file of the class {missing[0]!r} is a picture that can be read")
    np.save(folder / "classes.npy", np.array(classes, np.int32))
