"""What is seen before anything is learned: the place, the disk, and what can't be meant."""

import subprocess

import pytest
from filelock import FileLock

from tests.training.conftest import run
from training import export
from training.checkpoint import NoRoom


def test_two_runs_don_t_write_into_one_folder(folders, tmp_path):
    out = tmp_path / "mine"
    (out / "work").mkdir(parents=True)
    with FileLock(out / "work" / "lock"):
        ran = run("bottleneck", "--data", folders, "--out", out)
    assert ran.returncode == 1
    assert "another run is writing into" in ran.stderr


def test_a_disk_without_room_is_told_before_anything_is_learned(tmp_path):
    with pytest.raises(NoRoom, match=r"MB are free at .* takes about \d+ MB .*make room"):
        export.begin(tmp_path / "mine", 10**13)


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
