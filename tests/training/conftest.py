"""Small made-up data sets, and the real command line."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
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


def kill_at_checkpoint(arguments: Sequence[object], out: Path) -> None:
    """Begin `python -m training`, and kill it when it has written its first checkpoint."""
    kept = out / "work" / "checkpoint.npz"
    begun = subprocess.Popen(command(*arguments), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    with begun:
        said = []
        for line in begun.stderr:
            said.append(line)
            if kept.exists():
                break
        begun.kill()
        begun.stderr.read()
    assert kept.exists(), "".join(said)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Three class folders of twelve pictures."""
    return class_folders(tmp_path / "colours", 12)


@pytest.fixture(scope="session")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`train` and `val`, three classes; an epoch is 24 steps of 16 pictures."""
    place = tmp_path_factory.mktemp("split")
    class_folders(place / "train", 130)
    class_folders(place / "val", 4)
    return place


@pytest.fixture(scope="session", autouse=True)
def _quiet_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


BOX = ROOT / "models" / "bundled"
NAMED = {"blue": "blue", "green": "green things", "red": "红色"}  # what the classes are called


@dataclass(frozen=True)
class Run:
    """A run of `python -m training` and where everything lies."""

    data: Path
    out: Path
    cache: Path
    ran: subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def own_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of photos, one of them with fewer, one file that is none, and a copy."""
    place = tmp_path_factory.mktemp("own photos")
    for name, colour in COLOURS.items():
        for part, count in (("train", 6 if name == "red" else 24), ("validation", 8)):
            shade = tuple(max(0, value - 10 * (part == "validation")) for value in colour)
            draw(place / part / NAMED[name], shade, count, side=64)
    (place / "train" / "blue" / "notes.txt").write_text("remember the milk")
    learned = place / "train" / "blue" / "000.png"
    (place / "validation" / "blue" / "copy.png").write_bytes(learned.read_bytes())
    return place


@pytest.fixture(scope="session")
def bottlenecked(own_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The network in the box, taught the three classes."""
    place = tmp_path_factory.mktemp("bottleneck")
    out, cache = place / "my things", place / "cache"
    ran = run("bottleneck", "--data", own_photos, "--model", BOX, "--out", out, "--cache", cache)
    assert ran.returncode == 0, ran.stderr
    return Run(own_photos, out, cache, ran)
