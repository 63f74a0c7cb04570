"""Whether heat maps tell the truth, and what they cost.

    python -m benchmarks.explain --model MobileNetV2 --photos PHOTOS

The deletion test: hide the hottest part of each photo, and the first answer's probability must
fall further than when as much of it is hidden elsewhere. And the other way round: of a photo that
is hidden but for its hottest part more must be left than of one that shows as much of another
part (both after Petsiuk et al. 2018, arXiv 1806.07421). What is hidden is blurred, or painted in
the photo's mean colour.

The hottest part is compared with as many single pixels at random, with random blobs (smooth noise
from as many places as the map has), with the hottest part of another photo (so that it doesn't
win by the middle of the photo alone) and with the coldest part.

The cost: requests to /explain and to /predict in turns, by one client, to the service itself.
Settings (SHIWU_WEIGHTS, SHIWU_CACHE, ...) are the service's.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import requests
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks import load, machine, photos, report
from benchmarks.servers import ROOT, Server, ServerFailed, ours, running
from engines.engine import Engine, Explaining
from engines.load import load as load_engine
from errors import ShiwuError
from imaging.fit import Fit, fit
from imaging.heatmap import enlarged
from imaging.read import read
from models import weights, zoo
from models.card import Card
from serving import cores
from serving.explain import heat_of
from settings import Settings

PACKAGES = ("openvino", "pillow", "numpy")
HOTTEST = "its hottest part"
_SEED = 20261121

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Photo:
    """A photo as the network sees it, its first answer, and the heat map of that.

    `strength`, float32 (size, size), is the map's, with ties broken at random.
    """

    pixels: Pixels
    index: int
    probability: float
    strength: NDArray[np.float32]
    places: tuple[int, int]


def main(arguments: Sequence[str]) -> None:
    """Measure, print the tables, write the result."""
    options = _parser().parse_args(arguments)
    command = " ".join(["python -m benchmarks.explain", *arguments])
    try:
        settings = Settings.from_environment()
        card = zoo.card(options.model)
        files = _files(options.photos, options.count)
        honest = _honesty(card, settings, files, options.hidden)
        cost = "" if options.no_time else _cost(card, settings, files[: options.timed])
    except (ShiwuError, ServerFailed, OSError) as error:
        sys.exit(f"Not measured: {error}")
    facts = machine.described(PACKAGES) | {"photos": str(len(files)), "command": f"`{command}`"}
    title = f"{card.name}: heat maps"
    path = report.write(options.results, f"explain-{card.name}", title, facts, honest + cost)
    print(f"\n{honest}{cost}\nWritten: {path}")


def _honesty(card: Card, settings: Settings, files: Sequence[Path], share: float) -> str:
    engine = _engine(card, settings)
    random = np.random.default_rng(_SEED)
    seen = list(_seen(card, engine.explaining(), files, random))
    masks = [_masks(photo, seen[i - 1], share, random) for i, photo in enumerate(seen)]
    told = f"{len(seen)} photos, {share:.0%} of each hidden, or shown alone; mean and the 95 % "
    told += "interval of the first answer's probability.\n\n"
    for name, hide in (("blurred", _blurred), ("in the mean colour", _painted)):
        rows = _measured(engine, seen, masks, hide)
        columns = ("what is hidden", "it falls by", "more for the hottest", "if shown alone, left")
        told += f"Hidden parts are {name}:\n\n{report.table(columns, rows)}\n"
    return told


def _engine(card: Card, settings: Settings) -> Engine:
    find = partial(
        weights.find,
        card,
        given=settings.weights,
        mirror=settings.mirror,
        offline=settings.offline,
    )
    runners = settings.cores or cores.available()
    return load_engine(
        card,
        find,
        engine=settings.engine,
        precision=settings.precision,
        compiled=settings.cache,
        cores=runners,
    )


def _seen(
    card: Card, explaining: Explaining, files: Sequence[Path], random: np.random.Generator
) -> Iterator[Photo]:
    how = Fit(card.input_size, card.mode, card.crop, card.interpolation)
    for file in files:
        pixels = fit(read(file.read_bytes(), at_least=how.decode_side), how)
        said = explaining.run(pixels)
        shape = said.evidence.shape
        grey = _over_the_square(heat_of(said.evidence), said.grid.area(shape), how.size)
        strength = (grey + random.random(grey.shape)).astype(np.float32)
        probability = float(said.probabilities[said.index])
        yield Photo(pixels, said.index, probability, strength, shape)


def _over_the_square(
    places: NDArray[np.float32], area: tuple[float, float, float, float], size: int
) -> NDArray[np.uint8]:
    return np.asarray(enlarged(places, area, (0, 0, size, size)))


def _masks(
    photo: Photo, other: Photo, share: float, random: np.random.Generator
) -> dict[str, Mask]:
    """By name, where each part of the photo is: bool (size, size), `share` of it True."""
    size = len(photo.pixels)
    noise = random.random(photo.places).astype(np.float32)
    blobs = _over_the_square(noise, (0, 0, size, size), size) + random.random((size, size))
    return {
        HOTTEST: _most(photo.strength, share),
        "as many single pixels": _most(random.random((size, size)), share),
        "random blobs": _most(blobs, share),
        "another photo's hottest part": _most(other.strength, share),
        "its coldest part": _most(-photo.strength, share),
    }


def _most(strength: NDArray[np.floating], share: float) -> Mask:
    """The strongest `share` of the pixels, exactly as many for any map."""
    count = round(share * strength.size)
    chosen = np.zeros(strength.size, bool)
    chosen[np.argsort(-strength, axis=None)[:count]] = True
    return chosen.reshape(strength.shape)


def _blurred(pixels: Pixels) -> Pixels:
    picture = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(len(pixels) / 10))
    return np.asarray(picture)


def _painted(pixels: Pixels) -> Pixels:
    return np.broadcast_to(pixels.mean((0, 1)).round().astype(np.uint8), pixels.shape)


def _measured(
    engine: Engine,
    seen: Sequence[Photo],
    masks: Sequence[dict[str, Mask]],
    hide: Callable[[Pixels], Pixels],
) -> list[tuple[str, ...]]:
    """A row for each kind of part."""
    hidden = [hide(photo.pixels) for photo in seen]
    falls, left = {}, {}
    for name in masks[0]:
        falls[name], left[name] = [], []
        for photo, mask, instead in zip(seen, masks, hidden, strict=True):
            part = mask[name][..., None]
            without = np.where(part, instead, photo.pixels)
            alone = np.where(part, photo.pixels, instead)
            got = [engine.run(one[None])[0, photo.index] for one in (without, alone)]
            falls[name].append(photo.probability - got[0])
            left[name].append(got[1])
    rows = []
    for name, fall in falls.items():
        more = "" if name == HOTTEST else _mean(np.subtract(falls[HOTTEST], fall))
        rows.append((name, _mean(fall), more, _mean(left[name])))
    return rows


def _mean(values: Sequence[float] | NDArray[np.floating]) -> str:
    """The mean and the half width of its 95 % interval."""
    error = np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.3f} ± {1.96 * error:.3f}"


def _cost(card: Card, settings: Settings, files: Sequence[Path]) -> str:
    """Milliseconds of each request as its client sees it, with small photos and big ones."""
    chosen = settings.model_copy(update={"model": (str(card.folder or card.name),)})
    peer = ours(chosen.as_environment(), settings.engine)
    small = [file.read_bytes() for file in files]
    rows = []
    with tempfile.TemporaryDirectory(prefix="shiwu-benchmark-") as folder:
        first = load.multipart(small[:1], Path(folder) / "first")
        with running(peer, Path(folder), first) as server:
            big = photos.enlarged(small[:8], photos.BIG)
            for name, sent in (("as given", small), ("12 megapixels", big)):
                rows += _rows(name, _times(server, sent))
    columns = ("photos", "request", "median ms", "times /predict")
    return f"One client, requests in turns:\n\n{report.table(columns, rows)}"


def _times(server: Server, sent: Sequence[bytes]) -> dict[str, list[float]]:
    """Milliseconds of each kind of request; the first of each doesn't count."""
    explain = server.url.replace("/predict", "/explain")
    kinds = {
        "/predict": (server.url, "application/json"),
        "/explain, the map as JSON": (explain, "application/json"),
        "/explain, a JPEG": (explain, "image/jpeg"),
        "/explain, a PNG": (explain, "image/png"),
    }
    took: dict[str, list[float]] = {name: [] for name in kinds}
    with requests.Session() as client:
        for photo in [sent[0], *sent]:
            for name, (address, accept) in kinds.items():
                begun = time.perf_counter()
                reply = client.post(address, files={"image": photo}, headers={"Accept": accept})
                took[name].append(1000 * (time.perf_counter() - begun))
                reply.raise_for_status()
    return {name: times[1:] for name, times in took.items()}


def _rows(photos_said: str, took: dict[str, list[float]]) -> list[tuple[str, ...]]:
    medians = {name: statistics.median(times) for name, times in took.items()}
    return [
        (photos_said, name, f"{median:.1f}", f"{median / medians['/predict']:.2f}")
        for name, median in medians.items()
    ]


def _files(folder: Path, count: int) -> list[Path]:
    found = sorted(file for file in folder.glob("*") if file.suffix.lower() in (".jpg", ".jpeg"))
    if len(found) < 2:
        raise FileNotFoundError(f"--photos {folder}: two photos are needed, {len(found)} found")
    return found[:count]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.explain",
        description="Whether heat maps tell the truth, and what they cost.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--photos", type=Path, required=True, help="a folder of JPEGs")
    parser.add_argument("--model", default=zoo.DEFAULT, help="a network's name or folder")
    parser.add_argument("--count", type=int, default=1000, help="photos at most")
    parser.add_argument("--hidden", type=float, default=0.2, help="share of a photo")
    parser.add_argument("--timed", type=int, default=60, help="photos that are sent")
    parser.add_argument("--no-time", action="store_true", help="leave out the cost")
    results = ROOT / "benchmarks" / "results"
    parser.add_argument("--results", type=Path, default=results, help="where the result goes")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
