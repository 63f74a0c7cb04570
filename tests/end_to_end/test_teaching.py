"""The README's walk from a folder of photos to a running server, as written."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import requests

from tests.service import READY_WITHIN_S, free_port

ROOT = Path(__file__).resolve().parent.parent.parent
WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"
PHOTOS = range(1, 25)  # of each class


def lines() -> list[str]:
    """What the README says to type."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Your own classes")[2]
    return re.findall(r"^\$ (.*)$", text.partition("\n## ")[0], re.MULTILINE)


@pytest.fixture
def clone(tmp_path) -> Path:
    """A checkout in which everything is installed, with photos beside the code."""
    place = tmp_path / "clone"
    place.mkdir()
    for path in ROOT.iterdir():
        if path.name not in (".venv", "runs", "photos", ".git"):
            (place / path.name).symlink_to(path)
    (place / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if not path.name.startswith("."):
            (place / ".venv" / path.name).symlink_to(path)
    for installed in (".made", ".serving", ".all", ".dev"):
        (place / ".venv" / installed).touch()
    return place


@pytest.fixture
def home(tmp_path, shared) -> dict[str, str]:
    """An environment whose Keras has fetched the network's weights before."""
    kept = tmp_path / "keras" / "models"
    kept.mkdir(parents=True)
    (kept / WEIGHTS).symlink_to(shared / "data" / "weights" / WEIGHTS)
    caches = {"KERAS_HOME": tmp_path / "keras", "XDG_CACHE_HOME": tmp_path / "cache"}
    return os.environ | {name: str(path) for name, path in caches.items()}


def lay_out(archive: Path, photos: Path) -> None:
    with tarfile.open(archive) as opened:
        for kind in ("cat", "dog"):
            (photos / f"{kind}s").mkdir(parents=True)
            for number in PHOTOS:
                name = f"{kind}s/{kind}.{number}.jpg"
                (photos / name).write_bytes(opened.extractfile(name).read())


@contextlib.contextmanager
def started(line: str, where: Path, home: dict[str, str]):
    """The service, as the line starts it, on a free port."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = where.with_name("service.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            line, shell=True, cwd=where, env=home | {"SHIWU_PORT": str(port)},
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        end = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < end:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{address}/readyz", timeout=60).status_code == 200:
                    break
            time.sleep(0.02)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


@pytest.mark.timeout(900)
def test_the_walk_from_photos_to_a_server_is_as_written(clone, home, shared):
    """What it is taught it names, and of other things it says so."""
    if shutil.which("make") is None:
        pytest.skip("needs make")
    lay_out(shared / "data" / "catsdogs" / "train.tar", clone / "photos")
    teach, serve = lines()
    taught = subprocess.run(
        teach, shell=True, cwd=clone, env=home, capture_output=True, text=True, check=False
    )
    assert taught.returncode == 0, taught.stderr
    assert (clone / "runs" / "mine" / "report.html").is_file()
    with started(serve, clone, home) as address:
        with tarfile.open(shared / "data" / "catsdogs" / "validation.tar") as opened:
            dog = opened.extractfile("dogs/dog.1002.jpg").read()
        pizza = (shared / "data" / "photos" / "n07873807_pizza.JPEG").read_bytes()
        said = [
            requests.post(f"{address}/predict", files={"image": photo}, timeout=60).json()
            for photo in (dog, pizza)
        ]
    assert said[0]["model"] == "mine"
    assert said[0]["predictions"][0]["label"] == "dogs"
    assert said[1]["certain"] is False
    assert [hint["code"] for hint in said[1]["hints"]] == ["unlike_taught"]
