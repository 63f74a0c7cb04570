"""A contact sheet: what varying photos does to some of them, seen before anything is learned."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.fit import Fit
from training.checkpoint import NoRoom
from training.data import BadData, find
from training.pack import picture
from training.vary import Variation

SIDE = 160  # pixels of each picture on the sheet
GAP = 6
_PAPER = (244, 246, 247)
Pictures = NDArray[np.uint8]


def preview(place: Path, out: Path, variation: Variation, photos: int, columns: int) -> int:
    """Write the sheet as a PNG: a row a photo, the photo as it is first; how many rows there are.

    Args:
        place: a photo, a folder with photos in it or below it, a tar or a .csv of them.
        photos: rows, at most.
        columns: variations of each photo.

    Raises:
        BadData: there is no photo that can be read.
        NoRoom: the sheet can't be written.
    """
    with TemporaryDirectory() as spare:
        paths = _drawn(_paths(place, Path(spare) / "unpacked"), variation.seed)
        shown = _readable(paths, photos)
    if not len(shown):
        raise BadData(f"no photo at {place} can be read, of {len(paths):,} files; give others")
    rows = [shown, *(variation.numbered(number + 1)(shown) for number in range(columns))]
    sheet = _sheet(np.stack(rows, axis=1))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sheet).save(out, "PNG")
    except OSError as error:
        raise NoRoom(
            f"the sheet can't be written to {out} ({error.strerror or error}); give another --out"
        ) from error
    return len(shown)


def _paths(place: Path, unpacked: Path) -> list[Path]:
    if place.is_dir():
        inside = (path for path in place.rglob("*") if path.is_file())
        photos = sorted(path for path in inside if not path.name.startswith("."))
        if not any(path.suffix in (".tar", ".tgz", ".gz") for path in photos):
            return photos
    elif not isinstance(picture(place, Fit(SIDE)), str):
        return [place]
    return [sample.path for sample in find(place, unpacked).train]


def _drawn(paths: Sequence[Path], seed: int) -> list[Path]:
    """In an order that the seed and the names draw, so that all classes have their turn."""
    return sorted(paths, key=lambda path: hashlib.sha256(f"{seed} {path.name}".encode()).digest())


def _readable(paths: Sequence[Path], count: int) -> Pictures:
    found: list[Pictures] = []
    for path in paths:
        pixels = picture(path, Fit(SIDE, crop=1.0))
        if not isinstance(pixels, str):
            found.append(pixels)
        if len(found) == count:
            break
    return np.array(found, np.uint8).reshape(len(found), SIDE, SIDE, 3)


def _sheet(pictures: NDArray[np.uint8]) -> Pictures:
    """Pictures (rows, columns, SIDE, SIDE, 3) on one sheet, with gaps."""
    rows, columns = pictures.shape[:2]
    step = SIDE + GAP
    sheet = np.empty((rows * step + GAP, columns * step + GAP, 3), np.uint8)
    sheet[:] = _PAPER
    for row, column in np.ndindex(rows, columns):
        top, left = GAP + row * step, GAP + column * step
        sheet[top : top + SIDE, left : left + SIDE] = pictures[row, column]
    return sheet
