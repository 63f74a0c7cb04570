"""The command as a user gives it, with a network of three colours, and the rows that it writes."""

import collections
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from batch.command import main
from tests import small

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def network(tmp_path_factory) -> Path:
    return small.colours(tmp_path_factory.mktemp("network") / "colours")


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "answers"


@pytest.fixture
def predict(network, out, capsys):
    """Run `predict` here; its status, and what it says on standard error."""

    def run(*sources, way="predict", to=out, **options) -> tuple[int, str]:
        words = [way, *map(str, sources), "--out", str(to), "--model", str(network)]
        for name, value in options.items():
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        status = main(words)
        return status, capsys.readouterr().err

    return run


@pytest.fixture
def begin(network, out):
    """Start `predict` as a process of its own; whoever starts it ends it."""

    def start(*sources, preexec_fn=None) -> subprocess.Popen:
        words = ["predict", *map(str, sources), "--out", str(out), "--model", str(network)]
        return subprocess.Popen(
            [sys.executable, "-m", "batch", *words],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=preexec_fn,
        )

    return start


def rows(folder: Path) -> dict[str, dict]:
    """Each photo's row, by its path; the same photo twice fails the test."""
    found = pq.read_table(folder).to_pylist()
    counted = collections.Counter(row["path"] for row in found)
    assert not (twice := [path for path, count in counted.items() if count > 1]), twice
    return {row["path"]: row for row in found}


def put(folder: Path, photos: dict[str, str]) -> Path:
    """Write photos, of one colour each, by their names."""
    for name, colour in photos.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(small.photo(colour))
    return folder
