"""Small made-up data sets, and the real command line."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent.parent
COLOURS = {"blue": (30, 40, 200), "green": (30, 180, 40), "red": (200, 30, 30)}


def draw(folder: Path, colour: tuple[int, int, int], count: int, side: int = 32) -> None:
    """Write `count` noisy PNGs of one colour into a new folder."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(sum(colour))
    for number in range(count):
        noise = random.normal(0, 25, (side, side, 3))
        pixels = (np.array(colour) + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")


def class_folders(place: Path, count: int) -> Path:
    """Class folders of the three colours under `place`."""
    for name, colour in COLOURS.items():
        draw(place / name, colour, count)
    return place


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "training", *map(str, arguments)]


def run(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m training` to its end."""
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False, **more
    )


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Three class folders of twelve pictures."""
    return class_folders(tmp_path / "colours", 12)


@pytest.fixture(scope="session")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`train` and `val`, three classes; an epoch is three steps of 128 pictures."""
    place = tmp_path_factory.mktemp("split")
    class_folders(place / "train", 130)
    class_folders(place / "val", 4)
    return place


@pytest.fixture(scope="session", autouse=True)
def _quiet_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
