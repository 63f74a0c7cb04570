"""Time of every network, and the picture of it: run for real, as short as can be."""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import plot
from models import zoo

ROOT = Path(__file__).resolve().parents[2]
SMALL = "MobileNet_0.25_128"


def run(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "benchmarks.zoo", "--results", folder]
    command += ["--picture", folder / "zoo.png", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_a_network_is_timed_and_drawn_and_the_result_names_its_machine(tmp_path):
    """How fast is not for a test to say; a second run adds to the first."""
    assert f"1 of 1: {SMALL}: " in run(tmp_path, SMALL, "--seconds", "0.1")

    (result,) = tmp_path.glob("zoo-*.json")
    written = json.loads(result.read_text())
    figures = written["networks"][SMALL]
    assert 0 < figures["ms"] <= figures["p90_ms"]
    assert figures["runs"] >= 5
    assert {"processor", "versions", "how"} <= set(written["facts"])
    with Image.open(tmp_path / "zoo.png") as picture:
        assert picture.format == "PNG"
    run(tmp_path, "--draw")
    assert json.loads(result.read_text()) == written


@pytest.mark.parametrize("result", sorted((ROOT / "benchmarks/results").glob("zoo-*.json")))
def test_no_name_in_the_picture_stands_on_another(result, tmp_path):
    """A picture to choose by has to be read."""
    found = json.loads(result.read_text())

    where = plot.draw(found, tmp_path / "zoo.png")

    assert {name for name in found["networks"] if "_" not in name} == set(where)
    for (one, a), (other, b) in combinations(where.items(), 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, (one, other)


def test_every_network_has_a_colour():
    for name in zoo.names():
        if zoo.card(name).weights:
            assert name.startswith(plot.family(zoo.card(name)))


def test_the_committed_result_has_every_network():
    """A row added to the table is to be measured, too."""
    measured = [
        set(json.loads(path.read_text())["networks"])
        for path in (ROOT / "benchmarks/results").glob("zoo-*.json")
    ]
    published = {name for name in zoo.names() if zoo.card(name).weights}

    assert published in measured
