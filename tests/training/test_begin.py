"""What is seen before anything is learned: the place, the disk, and what can't be meant."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.training.conftest import ROOT, run
from training.checkpoint import NoRoom
from training.workplace import CHECKPOINT, workplace


def test_two_runs_don_t_write_into_one_folder(folders, tmp_path):
    out = tmp_path / "mine"
    (out / "work").mkdir(parents=True)
    with FileLock(out / "work" / "lock"):
        ran = run("bottleneck", "--data", folders, "--out", out)
    assert ran.returncode == 1
    assert "another run is writing into" in ran.stderr


def test_a_disk_without_room_is_told_before_anything_is_learned(tmp_path):
    with (
        pytest.raises(NoRoom, match=r"MB are free at .* takes about \d+ MB .*make room"),
        workplace(tmp_path / "mine", 10**13),
    ):
        pass
    assert not (tmp_path / "mine").exists()


def fail(out: Path, leaving: str) -> None:
    """A run that writes a file where it works, and finds no room for more."""
    with workplace(out, 0) as work:
        (work / leaving).touch()
        raise NoRoom


def test_a_backend_of_keras_that_is_not_here_is_no_reason_not_to_teach(folders, tmp_path):
    """Whoever set it for other work may not have it beside this."""
    asked = ["scratch", "--data", folders, "--out", tmp_path / "mine", "--size", 32, "--epochs", 1]
    ran = run(*asked, env={**os.environ, "KERAS_BACKEND": "no-such-backend"})
    assert ran.returncode == 0, ran.stderr
    assert "Keras' backend 'no-such-backend' can't be used here; tensorflow is taken" in ran.stderr


def test_without_keras_it_is_told_what_to_install(folders, tmp_path):
    """`make run` alone doesn't install it."""
    without = "import sys; sys.modules['keras'] = None; sys.argv[0] = 'training'; "
    begin = "import runpy; runpy.run_module('training', run_name='__main__')"
    asked = ["scratch", "--data", folders, "--out", tmp_path / "mine", "--size", "32"]
    ran = subprocess.run(
        [sys.executable, "-c", without + begin, *map(str, asked)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "training: scratch needs Keras and TensorFlow" in ran.stderr
    assert "pip install -r requirements.txt" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_refused_run_leaves_nothing_behind(tmp_path):
    with pytest.raises(NoRoom):
        fail(tmp_path / "mine", "pictures.bin")
    assert not (tmp_path / "mine").exists()


def test_what_was_learned_before_a_failure_stays(tmp_path):
    with pytest.raises(NoRoom):
        fail(tmp_path / "mine", CHECKPOINT)
    assert (tmp_path / "mine" / "work" / CHECKPOINT).exists()


def test_what_a_killed_run_left_outlives_a_refused_one(tmp_path):
    """A slip in the next command must not cost an hour of decoding."""
    decoded = tmp_path / "mine" / "work" / "pictures.bin"
    decoded.parent.mkdir(parents=True)
    decoded.touch()
    with pytest.raises(NoRoom):
        fail(tmp_path / "mine", "labels.tsv")
    assert decoded.exists()


def test_a_run_within_a_run_has_the_same_place(tmp_path):
    """So `auto` keeps others out from its first network to its last."""
    with workplace(tmp_path / "mine", 0) as outer, workplace(tmp_path / "mine", 0) as inner:
        assert inner == outer
    assert not (tmp_path / "mine").exists()


def test_a_cache_that_can_not_be_written_is_told_before_photos_are_read(folders, tmp_path, shared):
    """By the option that was given, and with nothing left in --out."""
    (tmp_path / "list.csv").write_text("")
    out, weights = tmp_path / "mine", shared / "data" / "weights"
    given = ["--weights", weights, "--cache", tmp_path / "list.csv" / "cache"]
    ran = run("bottleneck", "--data", folders, "--out", out, *given)
    assert ran.returncode == 1
    assert "compiled (Not a directory); give another --cache" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not out.exists()


def test_a_file_that_holds_no_weights_is_refused_before_photos_are_read(folders, tmp_path):
    tar = tmp_path / "weights.tar"
    tar.write_bytes(b"cats/" + bytes(1000))
    out = tmp_path / "mine"
    ran = run("bottleneck", "--data", folders, "--out", out, "--weights", tar)
    assert ran.returncode == 1
    assert f"{tar} is no file of weights; Keras keeps them as .h5 or .keras" in ran.stderr
    assert "exporting" not in ran.stderr
    assert not out.exists()


def test_weights_of_another_network_are_refused_before_photos_are_read(folders, tmp_path, shared):
    other = shared / "data" / "weights" / "mobilenet_2_5_224_tf.h5"
    given = ["--weights", other, "--cache", tmp_path / "cache"]
    ran = run("bottleneck", "--data", folders, "--out", tmp_path / "mine", *given)
    assert ran.returncode == 1
    assert "can't be loaded as the weights of MobileNetV2" in ran.stderr
    assert not (tmp_path / "cache" / "features").exists()


def test_an_out_that_is_a_file_is_told(folders, tmp_path):
    out = tmp_path / "list.csv"
    out.write_text("")
    ran = run("bottleneck", "--data", folders, "--out", out)
    assert (ran.returncode, "nothing can be written to" in ran.stderr) == (1, True)


@pytest.mark.parametrize(
    ("option", "value"), [("--zoom", "5"), ("--contrast", "x"), ("--rotation", "-1")]
)
def test_varying_out_of_range_is_refused_with_the_range(folders, tmp_path, option, value):
    ran: subprocess.CompletedProcess[str] = run(
        "preview", "--data", folders, "--out", tmp_path / "sheet.png", f"{option}={value}"
    )
    assert ran.returncode == 2
    assert "is no number from 0 to" in ran.stderr
