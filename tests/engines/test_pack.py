"""A network as a folder that serves by itself."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engines import cache
from engines.cache import seal
from engines.check import Checks, pictures
from engines.engine import Drifted
from engines.openvino_engine import OpenVinoEngine
from engines.pack import AlreadyThere, pack
from models import folder, labels
from models.weights import WeightsMissing
from models.zoo import card as find_card
from tests.small import CLASSES, SIZE, answer, colours

ROOT = Path(__file__).resolve().parents[2]


def never():
    raise AssertionError("the weights were asked for")


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "engines.pack", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_network_that_brings_its_compiled_form_is_packed_without_weights(tmp_path):
    """So the default container image is built: TensorFlow is not even installed."""
    original = folder.load(colours(tmp_path / "colours"))
    (tmp_path / "colours/README.md").write_text("what it is good for")
    (tmp_path / "colours/labels.zh.tsv").write_text("c0\t红\nc1\t绿\nc2\t蓝\n", encoding="utf-8")
    pack(original, never, tmp_path / "packed")

    packed = folder.load(tmp_path / "packed")
    assert [(label.id, label.label) for label in labels.read(packed)] == list(CLASSES)
    assert [label.label for label in labels.read(packed, "zh")] == ["红", "绿", "蓝"]
    assert (tmp_path / "packed/README.md").read_text() == "what it is good for"
    engine = OpenVinoEngine(packed.name, cache.entry(packed, never, tmp_path / "none"), "f32", 1)
    shown = pictures(SIZE)
    assert np.allclose(engine.run(shown), answer(shown), atol=1e-3)
    engine.close()


def test_a_published_network_is_packed_with_its_card_and_without_its_weights(tmp_path, shared):
    """Labels and figures stay those of the published network; only the weights file is gone."""
    made = run(
        "--model", "MobileNetV2", "--weights", shared / "data/weights", "--out", tmp_path / "packed"
    )
    assert made.returncode == 0, made.stderr
    packed, published = folder.load(tmp_path / "packed"), find_card("MobileNetV2")
    assert (packed.name, packed.top1) == (published.name, published.top1)
    assert labels.read(packed) == labels.read(published)
    assert sorted(path.name for path in (tmp_path / "packed").iterdir()) == [
        "card.json",
        "compiled",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["packed"]  # nothing left beside it


def test_what_is_already_there_is_not_overwritten(tmp_path):
    card = folder.load(colours(tmp_path / "colours"))
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed/precious").write_text("work")
    with pytest.raises(AlreadyThere, match=f"{tmp_path / 'packed'} exists"):
        pack(card, never, tmp_path / "packed")
    assert [path.name for path in (tmp_path / "packed").iterdir()] == ["precious"]


def test_a_network_that_answers_otherwise_than_its_reference_is_not_packed(tmp_path):
    """Better no image than one that never becomes ready."""
    network = colours(tmp_path / "colours")
    shown = pictures(SIZE)
    Checks(shown, answer(shown)[:, ::-1]).save(network / "compiled/checks.npz")
    seal(network / "compiled", key="made in a test")
    with pytest.raises(Drifted):
        pack(folder.load(network), never, tmp_path / "packed")
    assert [path.name for path in tmp_path.iterdir()] == ["colours"]


def test_missing_weights_are_named_and_nothing_is_left(tmp_path):
    network = colours(tmp_path / "colours")
    os.truncate(network / "compiled/network.bin", 0)

    def missing() -> Path:
        raise WeightsMissing("no weights here")

    with pytest.raises(WeightsMissing):
        pack(folder.load(network), missing, tmp_path / "packed")
    assert [path.name for path in tmp_path.iterdir()] == ["colours"]


def test_the_command_says_what_is_wrong_in_one_sentence(tmp_path):
    said = run("--model", "MobilNetV2", "--out", tmp_path / "packed")
    assert said.returncode == 1
    assert said.stderr.startswith("MobilNetV2 can't be packed: there is no network 'MobilNetV2'")
    assert "nearest: MobileNetV2" in said.stderr
    assert "Traceback" not in said.stderr
