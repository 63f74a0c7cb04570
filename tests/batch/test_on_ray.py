"""A real Ray, begun here: the same rows as by threads, and work shared between its nodes."""

import contextlib
import importlib.util
import os
import re
import secrets
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from tests import small
from tests.batch.conftest import put, rows
from tests.service import free_port

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="needs Ray: pip install -r requirements-ray.txt",
    ),
    pytest.mark.timeout(600),
]

# Prints how Ray divided the work among its nodes.
_SHARED = """
import sys
from pathlib import Path
import numpy as np, ray
from batch import on_ray, photos
from batch.answers import Known
from batch.rows import Asked

address, folder, network, compiled = sys.argv[1:]
none = np.empty(0, np.uint64)
with on_ray.connected(address, 1) as actors:
    known = ray.put(Known(none, none, np.empty(0, np.uint32)))
    pieces = list(photos.pieces([folder]))
    data = on_ray._dataset(pieces, Asked(network, Path(compiled)), known, actors)
    print(actors, data.materialize().stats())
"""


def _words(sources, out, network, *more) -> list[str]:
    words = ["predict", *map(str, sources), "--out", str(out), "--model", str(network)]
    return [sys.executable, "-m", "batch", *words, *more]


def _run(*words) -> subprocess.CompletedProcess:
    return subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def _private():
    """Ray listens on every interface: nodes and clients share a token."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patched.setenv("RAY_AUTH_MODE", "token")
        patched.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        yield


@pytest.fixture(scope="module")
def cluster(_private, tmp_path_factory):
    """The address of two nodes with one CPU each."""
    port = free_port()
    address = f"127.0.0.2:{port}"
    temp = tmp_path_factory.mktemp("r", numbered=True)
    shared = ["--node-ip-address=127.0.0.2", "--num-cpus=1", "--object-store-memory=200000000"]
    head = [f"--port={port}", "--head", "--include-dashboard=false", f"--temp-dir={temp}"]
    nodes = []
    try:
        for more in (head, [f"--address={address}"]):
            command = [str(Path(sys.executable).with_name("ray")), "start", "--block"]
            log = temp / f"node-{len(nodes)}.log"
            with log.open("w") as output:
                node = subprocess.Popen(
                    [*command, *shared, *more],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            nodes.append(node)
            _wait_for_nodes(address, len(nodes), log)
        yield address
    finally:
        for node in nodes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGTERM)
        for node in nodes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.wait(timeout=20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
            node.wait()


def _wait_for_nodes(address: str, count: int, log: Path) -> None:
    asked = (
        f"import ray; ray.init({address!r}, logging_level='ERROR', log_to_driver=False);"
        "print(sum(node['Alive'] for node in ray.nodes()))"
    )
    end = time.monotonic() + 120
    while time.monotonic() < end:
        said = _run(sys.executable, "-c", asked)
        if said.stdout.strip() == str(count):
            return
    raise AssertionError(f"{said.stdout}{said.stderr}\n{log.read_text()}")


@pytest.fixture
def mixed(tmp_path):
    """Photos of every kind, one that is none, one that is gone, and a Chinese name."""
    folder = put(
        tmp_path / "照片", {f"{i}.jpg": ("red", "green", "blue")[i % 3] for i in range(40)}
    )
    (folder / "text.jpg").write_text("I am no picture")
    (folder / "gone.jpg").symlink_to(folder / "nowhere")
    (folder / "large.png").write_bytes(small.photo("green", (900, 600), "PNG"))
    return folder


@pytest.fixture
def twice(tmp_path):
    """A tar that was added to: one name is in it twice, with another photo each time."""
    place = tmp_path / "twice.tar"
    with tarfile.open(place, "w") as tar:
        for colour in ("red", "blue"):
            photo = tmp_path / f"{colour}.jpg"
            photo.write_bytes(small.photo(colour))
            tar.add(photo, "photo.jpg")
    return place


def test_rows_by_ray_are_those_by_threads(mixed, twice, network, predict, out, tmp_path):
    predict(mixed, twice)
    done = _run(*_words([mixed, twice], tmp_path / "by ray", network, "--ray"))
    assert done.returncode == 0, done.stderr
    assert "44 photos computed" in done.stderr
    assert rows(tmp_path / "by ray") == rows(out)


def test_ray_goes_on_where_threads_ended(mixed, network, predict, out):
    predict(mixed)
    put(mixed, {"new.jpg": "red", "0.jpg": "blue"})
    done = _run(*_words([mixed], out, network, "--ray"))
    assert done.returncode == 0, done.stderr
    assert "43 had a row before" not in done.stderr
    found = rows(out)
    assert len(found) == 44
    assert found[str(mixed / "0.jpg")]["answer"]["label"] == "blue"


def test_features_come_from_ray_too(shared, out):
    some = shared / "data/photos/n0*0*"
    done = _run(*_words([some], out, "ShiwuNet", "--features", "--ray"))
    assert done.returncode == 0, done.stderr
    found = rows(out)
    assert len(found) > 10
    assert {len(row["features"]) for row in found.values()} == {512}


def test_a_cluster_of_two_nodes_answers(mixed, network, cluster, predict, out, tmp_path):
    predict(mixed)
    done = _run(*_words([mixed], tmp_path / "by two", network, "--ray", cluster))
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "by two") == rows(out)


def test_two_nodes_share_the_work(network, cluster, tmp_path):
    folder = put(tmp_path / "photos", {f"{i}.jpg": "red" for i in range(2000)})
    asked = map(str, (cluster, folder, network, tmp_path / "compiled"))
    done = _run(sys.executable, "-c", _SHARED, *asked)
    assert done.stdout.startswith("2 "), done.stderr
    stats = done.stdout
    least, most = re.findall(r"Tasks per node: (\d+) min, (\d+) max, .* 2 nodes used", stats)[-1]
    print(f"of 2,000 photos' tasks one node did {least}, the other {most}")
    # Within a fifth on a quiet machine (docs/batch.md); here others compute on the same cores.
    assert int(most) <= 2 * int(least), stats


def test_a_run_by_ray_that_is_told_to_end_keeps_what_it_has(network, predict, out, tmp_path):
    folder = put(tmp_path / "photos", {f"{i}.jpg": "red" for i in range(3000)})
    process = subprocess.Popen(
        _words([folder], out, network, "--ray"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in process.stdout:
        if "ready in" in line:
            break
    process.terminate()
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 143, said
    assert predict(folder)[0] == 0
    assert len(rows(out)) == 3000


def test_a_ray_that_is_not_there_is_told(mixed, predict, out):
    port = free_port()
    status, said = predict(mixed, ray=f"127.0.0.1:{port}")
    assert status == 1
    assert f"--ray 127.0.0.1:{port}: no Ray answers there (" in said
    status, said = predict(mixed, ray="somewhere")
    assert status == 1
    assert "--ray somewhere is no address" in said


def test_ray_that_is_not_installed_is_told(mixed, network, out):
    without = (
        "import sys; sys.modules['ray'] = None; from batch.command import main; sys.exit(main())"
    )
    done = _run(sys.executable, "-c", without, *_words([mixed], out, network, "--ray")[3:])
    assert done.returncode == 1
    assert "pip install -r requirements-ray.txt" in done.stderr
