"""How seldom good photos get a hint, how surely spoiled ones do, and what it costs the network.

    python -m benchmarks.hints --model MobileNetV2 --data LABELLED

Each photo is asked about as it is, and then dimmed, bleached, blurred, moved and shrunk by more
and more. Settings (SHIWU_WEIGHTS, SHIWU_CACHE, …) are the service's.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.honesty import loaded
from benchmarks.report import table
from engines.engine import Engine
from errors import ShiwuError
from imaging.fit import Fit, fit
from imaging.hints import CODES, check
from imaging.read import read
from models import labels, zoo
from settings import Settings
from training import data

Spoil = Callable[[Image.Image], Image.Image]


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    given = _parser().parse_args(arguments)
    try:
        card = zoo.card(given.model)
        how = Fit(card.input_size, card.mode, card.crop, card.interpolation)
        ids = tuple(label.id for label in labels.read(card))
        with TemporaryDirectory() as spare, loaded(card, Settings.from_environment()) as engine:
            samples = data.find_to_measure(given.data, Path(spare) / "unpacked", ids)
            rows = [row(name, spoil, samples, how, engine) for name, spoil in SPOILT.items()]
    except ShiwuError as error:
        sys.exit(f"Not measured: {error}")
    print(f"{card.name} on {len(samples):,} photos of {given.data.resolve().name}\n")
    print(table(("photos", "first answer right", *CODES), rows))


def row(
    name: str, spoil: Spoil, samples: Sequence[data.Sample], how: Fit, engine: Engine
) -> tuple[str, ...]:
    """How often the first answer is right, and each hint given, on the photos spoiled so."""
    right, hinted = [], []
    for sample in samples:
        photo = spoil(read(sample.path.read_bytes(), at_least=how.decode_side))
        square = fit(photo, how)
        right.append(engine.run(square[None])[0].argmax() == sample.class_index)
        codes = check(square, photo.size, how)
        hinted.append([code in codes for code in CODES])
    shares = [np.mean(right), *np.mean(hinted, axis=0)]
    return (name, *(f"{share:.3f}" for share in shares))


def _dimmed(factor: float) -> Spoil:
    return lambda photo: photo.point(lambda value: round(value * factor))


def _bleached(factor: float) -> Spoil:
    return lambda photo: photo.point(lambda value: round(255 - (255 - value) * factor))


def _blurred(radius: float) -> Spoil:
    """Out of focus; the radius is in pixels of a photo whose shorter side has 256."""
    return lambda photo: photo.filter(ImageFilter.GaussianBlur(radius * min(photo.size) / 256))


def _moved(pixels: float) -> Spoil:
    """The camera moved sideways; so many pixels of a photo whose shorter side has 256."""

    def spoil(photo: Image.Image) -> Image.Image:
        length = max(2, round(pixels * min(photo.size) / 256))
        values = np.pad(np.asarray(photo, np.float64), ((0, 0), (length, 0), (0, 0)), mode="edge")
        sums = values.cumsum(axis=1)
        return Image.fromarray(((sums[:, length:] - sums[:, :-length]) / length).astype(np.uint8))

    return spoil


def _shrunk(side: int) -> Spoil:
    def spoil(photo: Image.Image) -> Image.Image:
        factor = side / min(photo.size)
        size = (round(photo.width * factor), round(photo.height * factor))
        return photo.resize(size, Image.Resampling.LANCZOS)

    return spoil


SPOILT: dict[str, Spoil] = {
    "as they are": lambda photo: photo,
    **{f"dimmed to {factor:g}": _dimmed(factor) for factor in (0.5, 0.3, 0.2, 0.1)},
    **{f"contrast {factor:g}, bleached": _bleached(factor) for factor in (0.7, 0.5, 0.3, 0.2)},
    **{f"blurred, radius {radius:g}": _blurred(radius) for radius in (0.5, 1, 1.5, 2, 4)},
    **{f"moved by {pixels}": _moved(pixels) for pixels in (3, 5, 9, 15)},
    **{f"shrunk to {side}": _shrunk(side) for side in (160, 128, 96, 64)},
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hints",
        description="How often each hint is given to good and to spoiled photos.",
    )
    parser.add_argument("--model", default=zoo.DEFAULT, help="a network's name or folder")
    where = "labelled photos: the layouts are in training/data.py"
    parser.add_argument("--data", type=Path, required=True, help=where)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
