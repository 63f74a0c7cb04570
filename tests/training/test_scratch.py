"""The training command, run as people run it."""

import json
import os
import resource
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from models import folder, labels
from tests.training.conftest import ROOT, command, run
from training.checkpoint import CannotGoOn, Checkpoint, NoRoom, load

STEPS = 2 * (390 // 16)
FEW_BYTES = 2 * 2**20  # less than a checkpoint of 3 M numbers


def _arguments(data: Path, out: Path) -> list[object]:
    fast = ["--size", 32, "--epochs", 2, "--checkpoint-s", 0]
    return ["scratch", "--data", data, "--out", out, *fast]


@pytest.fixture(scope="module")
def killed(split, tmp_path_factory) -> Path:
    """The folder of a run that was killed in the middle of its first epoch."""
    out = tmp_path_factory.mktemp("killed") / "Colours"
    begun = subprocess.Popen(
        command(*_arguments(split, out)), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    with begun:
        said = []
        for line in begun.stderr:
            said.append(line)
            if "is kept" in line:
                break
        begun.kill()
        begun.stderr.read()
    assert (out / "work" / "checkpoint.npz").exists(), "".join(said)
    return out


def test_a_killed_run_goes_on_from_its_last_checkpoint_and_leaves_a_network(
    killed, split, tmp_path
):
    """Hours of training must survive a power cut; what comes out is served like any network."""
    out = shutil.copytree(killed, tmp_path / "Colours")
    ran = run(*_arguments(split, out))
    assert ran.returncode == 0, ran.stderr
    step = int(ran.stderr.partition("going on from step ")[2].split()[0])
    assert 0 < step < STEPS
    card = folder.load(out)
    assert (card.name, card.classes, card.input_size) == ("Colours", 3, 32)
    assert [label.id for label in labels.read(card)] == ["blue", "green", "red"]
    assert "12 pictures kept apart" in (out / "README.md").read_text()
    assert not (out / "work").exists()

    again = run("evaluate", "--model", out, "--data", split, "--json")
    assert again.returncode == 0, again.stderr
    figures = json.loads(again.stdout)
    assert (figures["model"], figures["pictures"], figures["top5"]) == ("Colours", 12, 1.0)
    assert figures["top1"] == pytest.approx(card.top1, abs=5e-5)  # the card rounds

    refused = run(*_arguments(split, out))
    assert refused.returncode == 1
    assert "already holds a network; give another --out" in refused.stderr


def test_a_full_disk_is_said_and_leaves_the_last_checkpoint_whole(killed, split, tmp_path):
    """The run's writes are bounded by the system: to Python that is a disk with no room."""
    out = shutil.copytree(killed, tmp_path / "Colours")
    before = (out / "work" / "checkpoint.npz").read_bytes()
    bound = (FEW_BYTES, FEW_BYTES)
    ran = run(
        *_arguments(split, out), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, bound)
    )
    assert ran.returncode == 1, ran.stderr
    assert "make room, and the same command goes on from it" in ran.stderr
    assert (out / "work" / "checkpoint.npz").read_bytes() == before
    assert not list((out / "work").glob("*.part"))


def test_bad_data_ends_the_command_with_a_sentence_and_no_traceback(folders, tmp_path):
    """The one who reads it mends data, not code."""
    (folders / "empty").mkdir()
    ran = run("scratch", "--data", folders, "--out", tmp_path / "out")
    assert ran.returncode == 1
    assert ran.stderr.startswith("training: no picture lies in the class folder")
    assert "Traceback" not in ran.stderr


def test_a_checkpoint_of_another_plan_is_refused(tmp_path):
    """The schedule would jump, and the figures would be of neither plan."""
    path = tmp_path / "checkpoint.npz"
    Checkpoint([np.zeros(2)], [np.ones(3)], 7, 1.5).save(path, {"epochs": 2})
    with pytest.raises(CannotGoOn, match=r"epochs 2 \(now 3\)"):
        load(path, {"epochs": 3}, 1)
    found = load(path, {"epochs": 2}, 1)
    assert (found.step, found.spent_s) == (7, 1.5)
    assert np.array_equal(found.average[0], np.ones(3))


def test_a_damaged_checkpoint_is_refused(tmp_path):
    """Better to say so than to begin anew over it in silence."""
    path = tmp_path / "checkpoint.npz"
    Checkpoint([np.zeros(999)], [], 7, 1.5).save(path, {})
    os.truncate(path, 600)
    with pytest.raises(CannotGoOn, match="remove it to begin anew"):
        load(path, {}, 1)


def test_a_folder_that_can_not_be_written_is_said(tmp_path):
    """An OSError's own words name no way out."""
    with pytest.raises(NoRoom, match="make room and begin again"):
        Checkpoint([], [], 7, 1.5).save(tmp_path / "absent" / "checkpoint.npz", {})


@pytest.mark.timeout(900)
def test_one_epoch_on_a_tenth_of_tiny_imagenet_leaves_a_network(shared, tmp_path):
    """The command of the documentation, short enough for every change to be checked by it."""
    data = shared / "data" / "tiny-imagenet-tenth.tar.gz"
    ran = run("scratch", "--data", data, "--out", tmp_path / "Tenth", "--size", 64, "--epochs", 1)
    assert ran.returncode == 0, ran.stderr
    card = folder.load(tmp_path / "Tenth")
    assert (card.classes, card.input_size) == (200, 64)
    assert card.top5 > 0.04  # guessing gives 0.025


@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch, which is not required")
def test_training_runs_on_pytorch_too(split, tmp_path):
    """There the batch is taken in halves; the network in the box was trained so."""
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    # A network that has seen little magnifies the last digits of what it computes.
    longer = [*_arguments(split, tmp_path / "Colours"), "--epochs", 6]
    ran = run(*longer, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert folder.load(tmp_path / "Colours").classes == 3
