"""Cross-validation, and the choice of a network by it."""

import json

import pytest

from models import folder
from tests.training.conftest import BOX, kill_at_checkpoint, run

# Whichever comes first waits for the network to be taught, on a busy machine for minutes.
pytestmark = pytest.mark.timeout(900)


def _common(bottlenecked, out):
    return ["--data", bottlenecked.data, "--out", out, "--cache", bottlenecked.cache]


def test_every_photo_is_left_out_once(bottlenecked, tmp_path):
    """Those that are kept apart otherwise, too."""
    out = tmp_path / "folds"
    ran = run("kfold", *_common(bottlenecked, out), "--model", BOX, "--folds", 3)
    assert ran.returncode == 0, ran.stderr
    figures = json.loads((out / "kfold.json").read_text())
    assert (figures["photos"], len(figures["folds"])) == (79, 3)
    assert figures["mean"] == pytest.approx(sum(figures["folds"]) / 3)
    assert figures["mean"] > 0.9
    assert f"mean {figures['mean']:.4f}" in ran.stdout


def test_more_folds_than_photos_are_refused(bottlenecked, tmp_path):
    """The sentence names the class and what it takes."""
    out = tmp_path / "folds"
    ran = run("kfold", *_common(bottlenecked, out), "--model", BOX, "--folds", 20)
    assert ran.returncode == 1
    assert "in the class '红色': at least 20" in ran.stderr


def test_auto_refuses_a_model_as_it_chooses_by_itself(bottlenecked, tmp_path):
    ran = run("auto", *_common(bottlenecked, tmp_path / "best"), "--model", BOX)
    assert ran.returncode == 2
    assert "auto chooses among several networks; name them in --networks" in ran.stderr


def test_auto_leaves_out_a_network_that_has_no_weights(bottlenecked, tmp_path):
    """And teaches the best of the others; with no time to fine-tune, by its head."""
    bare = tmp_path / "Bare"
    bare.mkdir()
    for name in ("card.json", "labels.tsv"):
        (bare / name).write_bytes((BOX / name).read_bytes())
    out = tmp_path / "best"
    networks = ["--networks", f"{bare},{BOX}", "--minutes", 1]
    ran = run("auto", *_common(bottlenecked, out), *networks)
    assert ran.returncode == 0, ran.stderr
    assert "Bare is left out: ShiwuNet has no weights" in ran.stderr
    assert folder.load(out).classes == 3
    assert json.loads((out / "figures.json").read_text())["method"] == "bottleneck"


def test_auto_fine_tunes_the_best_network_when_there_is_time(bottlenecked, tmp_path):
    """Also when it is killed on the way: what was chosen by the clock is not chosen anew."""
    out = tmp_path / "best"
    networks = ["--networks", BOX, "--minutes", 10]
    words = ["auto", *_common(bottlenecked, out), *networks, "--passes", 0]
    kill_at_checkpoint(words, out)
    ran = run(*words)
    assert ran.returncode == 0, ran.stderr
    assert "going on after epoch" in ran.stderr
    figures = json.loads((out / "figures.json").read_text())
    assert figures["method"] == "finetune"
    assert figures["top1"] > 0.9
    assert not (out / "work").exists()


def test_auto_that_is_refused_leaves_nothing_behind(bottlenecked, tmp_path):
    bare = tmp_path / "Bare"
    bare.mkdir()
    for name in ("card.json", "labels.tsv"):
        (bare / name).write_bytes((BOX / name).read_bytes())
    out = tmp_path / "best"
    ran = run("auto", *_common(bottlenecked, out), "--networks", bare)
    assert ran.returncode == 1
    assert "no network can be tried: ShiwuNet has no weights" in ran.stderr
    assert not out.exists()
