"""Compiled networks on disk: made once, checked at every start."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engines import cache
from engines.cache import CacheUnusable, ExportFailed, entry, intact
from engines.openvino_engine import OpenVinoEngine
from errors import SettingsError
from models import folder as network_folder
from models import zoo
from tests.small import colours

ROOT = Path(__file__).resolve().parents[2]


def never():
    raise AssertionError("the weights were asked for")


def test_a_folders_own_entry_serves_without_weights_and_without_a_cache(tmp_path):
    """So starts the network in the box, and a container: no TensorFlow, nothing written."""
    card = network_folder.load(colours(tmp_path / "network"))
    assert entry(card, never, tmp_path / "cache") == tmp_path / "network/compiled"
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", cache.FILES)
def test_an_entry_with_one_changed_byte_is_not_trusted(tmp_path, name):
    compiled = colours(tmp_path / "network") / "compiled"
    assert intact(compiled, None)
    content = bytearray((compiled / name).read_bytes())
    content[len(content) // 2] ^= 1
    (compiled / name).write_bytes(content)
    assert not intact(compiled, None)


@pytest.mark.parametrize(
    "seal", ["", "{}", "[]", "null", '{"format": 1}', '{"format": 99}', "\x00"]
)
def test_a_broken_seal_is_not_trusted(tmp_path, seal):
    compiled = colours(tmp_path / "network") / "compiled"
    (compiled / "entry.json").write_text(seal)
    assert not intact(compiled, None)


def test_an_entry_of_other_weights_is_not_trusted(tmp_path):
    compiled = colours(tmp_path / "network") / "compiled"
    assert intact(compiled, "made in a test")
    assert not intact(compiled, "another key")


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    weights = tmp_path / "weights.h5"
    weights.write_bytes(b"numbers")
    with pytest.raises(CacheUnusable, match="SHIWU_CACHE"):
        entry(zoo.card("MobileNetV2"), lambda: weights, tmp_path / "cache")


def test_weights_of_another_network_are_refused_in_words_and_nothing_is_kept(tmp_path):
    weights = tmp_path / "weights.h5"
    weights.write_bytes(b"these are no weights")
    with pytest.raises((ExportFailed, SettingsError), match="MobileNetV2"):
        entry(zoo.card("MobileNetV2"), lambda: weights, tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_two_starts_at_once_compile_once_and_a_damaged_entry_is_made_anew(tmp_path, shared):
    weights = shared / "data/weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"
    start = (
        "import logging, sys; from pathlib import Path; from engines.cache import entry; "
        "from models import zoo; logging.basicConfig(level='INFO'); "
        "entry(zoo.card('MobileNetV2'), lambda: Path(sys.argv[1]), Path(sys.argv[2])); "
        "assert 'tensorflow' not in sys.modules"
    )
    command = [sys.executable, "-c", start, str(weights), str(tmp_path)]

    def run(_):
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    with ThreadPoolExecutor(2) as pool:
        said = [ran.stderr for ran in pool.map(run, range(2))]
    assert sum("exporting from Keras" in log for log in said) == 1

    (made,) = (path for path in tmp_path.iterdir() if path.is_dir())
    engine = OpenVinoEngine("MobileNetV2", made, "f32", cores=1)
    assert engine.description.difference < 1e-5
    engine.close()

    os.truncate(made / "network.bin", 1000)
    (tmp_path / f".{made.name}-of-a-killed-export").mkdir()
    assert "is damaged" in run(0).stderr
    assert not list(tmp_path.glob(".*"))
    assert intact(made, json.loads((made / "entry.json").read_text())["key"])
