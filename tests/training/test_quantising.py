"""The command that quantises a network: which photos it takes for what, and what it says."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.quantised import Bounds, Figures, Verdict
from models import folder as network_folder
from tests.small import CLASSES, SIZE, colours
from training.data import Sample
from training.quantise import MOST, Answers, TooFewPhotos, counted, rates, share_out, told

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "training.quantise", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def some(where: Path, names: str) -> list[Path]:
    """Files, each with its name's first letter in it."""
    where.mkdir(exist_ok=True)
    for name in names.split():
        (where / name).write_text(name[0])
    return [where / name for name in names.split()]


def labelled(paths: list[Path]) -> list[Sample]:
    return [Sample(path, 7) for path in paths]


def names(samples: tuple[Sample, ...]) -> set[str]:
    return {sample.path.name for sample in samples}


def test_photos_without_a_label_calibrate_and_those_with_one_are_held_back(tmp_path):
    shared = share_out(some(tmp_path / "a", "a b c"), labelled(some(tmp_path / "b", "d e f g")))
    assert names(shared.calibrating) == {"a", "b", "c"}
    assert {(one.path.name, one.class_index) for one in shared.held_back} == {
        (name, 7) for name in "defg"
    }


def test_half_calibrate_where_all_are_of_one_kind(tmp_path):
    for label in (False, True):
        paths = some(tmp_path / "a", "a b c d e")
        shared = share_out(paths, labelled(paths) if label else [])
        assert (len(shared.calibrating), len(shared.held_back)) == (2, 3)
        assert not names(shared.calibrating) & names(shared.held_back)
        assert {one.class_index for one in shared.held_back} == {7 if label else -1}


def test_a_photo_under_two_names_is_never_calibrated_on_and_held_back(tmp_path):
    shared = share_out(
        some(tmp_path / "a", "a b c d"), labelled(some(tmp_path / "b", "a1 b1 e f g h"))
    )
    assert names(shared.calibrating) == {"c", "d", *names(shared.calibrating)}
    letters = [{name[0] for name in names(part)} for part in (shared.calibrating, shared.held_back)]
    assert not letters[0] & letters[1]
    assert letters[0] | letters[1] == set("abcdefgh")


def test_no_more_calibrate_than_it_takes(tmp_path):
    tmp_path.joinpath("a").mkdir()
    paths = [tmp_path / "a" / str(number) for number in range(3 * MOST)]
    for path in paths:
        path.write_text(path.name)
    shared = share_out(paths, [])
    assert (len(shared.calibrating), len(shared.held_back)) == (MOST, 2 * MOST)
    assert shared == share_out(paths[::-1], [])


def test_one_photo_is_too_few(tmp_path):
    with pytest.raises(TooFewPhotos, match="1 different photos"):
        share_out(some(tmp_path / "a", "a aa aaa"), [])


def test_answers_are_counted():
    """A photo that is suddenly like nothing that was taught has another answer, and is right."""
    answers = Answers(
        classes=np.array([0, 1, 2, -1, -1]),
        first={"f32": np.array([0, 1, 0, 1, 1]), "int8": np.array([0, ~1, 2, 1, 0])},
        stated=np.array([0.9, 0.8, 0.4, 0.5, 0.3]),
    )
    found = counted(answers, {"f32": 100.0, "int8": 200.0})
    assert found["f32"] == Figures(5, 5, 3, 3, 3, 2, 100.0)
    assert found["int8"] == Figures(5, 2, 3, 2, 3, 3, 200.0)


def test_a_way_that_takes_longer_is_slower():
    pixels = [np.zeros((SIZE, SIZE, 3), np.uint8)]
    work = np.random.default_rng(0).random((300, 300))

    def slow(_):
        for _ in range(30):
            work @ work
        return np.ones(1), True

    found = rates({"f32": lambda _: (np.ones(1), True), "slow": slow}, pixels, 3, 0.05)
    assert found["f32"] > 2 * found["slow"] > 0


def test_what_was_found_is_told_in_sentences():
    figures = {
        "f32": Figures(1200, 1200, 1000, 1000, 500, 400, 100.0),
        "int8": Figures(1200, 1100, 1000, 990, 500, 398, 190.0),
    }
    said = told("Colours", Verdict(figures, Bounds(), 300, True, "A Processor avx2", 2))
    assert "1.90 times f32's; the same first answer as f32 on 1,100 photos, and on 990 of" in said
    assert "int8 (depthwise convolutions in f32)" in said
    assert "Not trusted: 10 of 1,000 photos" in said
    assert said.endswith("SHIWU_PRECISION=auto takes f32 on this kind of processor")


@pytest.fixture
def network(tmp_path):
    return colours(tmp_path / "network")


@pytest.fixture
def photos(tmp_path):
    """Twelve photos of each colour, in class folders, and a file that is none."""
    random = np.random.default_rng(0)
    for class_id, _ in CLASSES:
        (tmp_path / "photos" / class_id).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(0, 90, (48, 48, 3), np.uint8)
            pixels[..., int(class_id[1])] += 150
            Image.fromarray(pixels).save(tmp_path / "photos" / class_id / f"{number}.png")
    (tmp_path / "photos/c0/broken.jpg").write_text("no picture")
    return tmp_path / "photos"


def test_the_command_makes_a_form_tries_it_and_says_what_it_found(network, photos, tmp_path):
    cache = tmp_path / "cache"
    made = run("--model", network, "--photos", photos, "--labelled", photos, "--cache", cache)
    assert made.returncode == 0, made.stderr
    assert "Traceback" not in made.stderr
    first, f32, *others, last = made.stdout.splitlines()
    assert "calibrated on 18 photos, tried on 18 others" in first or "of 18" in f32
    assert all("Not trusted: f32 is sure of" in line for line in others)
    assert last == "SHIWU_PRECISION=auto takes f32 on this kind of processor"
    (form,) = cache.glob(f"{network_folder.load(network).name}-int8-????????????????")
    kept = json.loads((form / "verdict.json").read_text())
    assert kept["figures"]["f32"]["photos"] + kept["calibrated_on"] == 36
    assert not list(cache.glob(".*"))


def test_the_command_says_what_is_wrong_in_one_sentence(network, tmp_path):
    for arguments, sentence in (
        (["--model", "MobilNetV2", "--photos", tmp_path], "nearest: MobileNetV2"),
        (["--model", network, "--photos", tmp_path / "none"], "there is no folder"),
        (["--model", network, "--photos", network / "compiled", "--same", "1"], "0.5 to 0.9999"),
    ):
        said = run(*arguments, "--cache", tmp_path / "cache")
        assert said.returncode
        assert sentence in said.stderr
        assert "Traceback" not in said.stderr
