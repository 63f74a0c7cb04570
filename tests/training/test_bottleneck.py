"""A network taught other classes by its features, run as people run it."""

import json
import re
import resource
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from models import folder, labels
from serving.taught import Taught
from tests.service import running
from tests.training.conftest import BOX, COLOURS, NAMED, draw, run
from training.evaluate import interval

# Whichever comes first waits for the network to be taught, on a busy machine for minutes.
pytestmark = pytest.mark.timeout(900)
RIGHT = {name: sorted(NAMED.values()).index(name) for name in NAMED.values()}


def test_what_comes_out_is_a_network_folder_like_any(bottlenecked):
    """Weights, card, labels in a fixed order, figures; no trace of work."""
    card = folder.load(bottlenecked.out)
    assert (card.name, card.classes, card.input_size) == ("my-things", 3, 64)
    assert [label.label for label in labels.read(card)] == sorted(NAMED.values())
    names = {path.name for path in bottlenecked.out.iterdir()}
    assert names == {
        "card.json", "weights.weights.h5", "labels.tsv", "taught.npz", "compiled", "README.md",
        "report.html", "figures.json",
    }  # fmt: skip
    assert card.top1 == 1.0
    assert "make run MODEL=" in bottlenecked.ran.stdout


@pytest.fixture(scope="module", params=["openvino", "keras"])
def service(request, bottlenecked, tmp_path_factory):
    place = tmp_path_factory.mktemp(request.param)
    with running(place, model=bottlenecked.out, engine=request.param) as started:
        yield started


def test_the_service_answers_as_training_measured(service, bottlenecked):
    """What was trained is what is served, through both engines, to the photo."""
    figures = json.loads((bottlenecked.out / "figures.json").read_text())
    table = np.zeros((3, 3), int)
    for path in sorted((bottlenecked.data / "validation").rglob("*.png")):
        reply = service.predict(path.read_bytes(), top=1).json()
        table[RIGHT[path.parent.name], RIGHT[reply["predictions"][0]["label"]]] += 1
    assert table.tolist() == figures["confusion"]


def test_a_photo_of_something_else_is_none_of_these(service):
    """However sure the probabilities are; and it is said in the reader's language."""
    checks = np.kron(np.indices((8, 8)).sum(axis=0) % 2 * 255, np.ones((8, 8)))
    place = service.log.with_name("checks.png")
    Image.fromarray(checks.astype(np.uint8)).convert("RGB").save(place)
    reply = service.predict(place.read_bytes(), lang="zh").json()
    assert reply["certain"] is False
    assert reply["answer"]["level"] == "unsure"
    (hint,) = (hint for hint in reply["hints"] if hint["code"] == "unlike_taught")
    assert hint["text"] == "这不像它学过的任何一种东西。"


def test_a_photo_of_what_was_taught_is_answered(service, bottlenecked):
    """No more doubt than is due."""
    path = bottlenecked.data / "train" / NAMED["green"] / "003.png"
    reply = service.predict(path.read_bytes()).json()
    assert reply["answer"]["label"] == NAMED["green"]
    assert reply["certain"] is True


def test_the_warnings_name_what_to_look_at(bottlenecked):
    """Broken files, copies across the split, and a class with few photos."""
    figures = json.loads((bottlenecked.out / "figures.json").read_text())
    said = {warning["code"]: warning["text"] for warning in figures["warnings"]}
    assert "blue/copy.png is blue/000.png" in said["copies"]
    assert "blue/notes.txt: " in said["broken"]
    assert "green things has 24" not in said["uneven"]  # blue has as many and comes first
    assert "blue has 24 photos and 红色 has 6" in said["uneven"]
    assert "红色" in said["few"]
    assert all(text in bottlenecked.ran.stderr for text in said.values())


def test_the_figures_are_those_of_the_photos_kept_apart(bottlenecked):
    """With intervals that say how far a few photos can be trusted."""
    figures = json.loads((bottlenecked.out / "figures.json").read_text())
    assert (figures["learned_from"], figures["measured_on"]) == (54, 25)
    assert figures["interval"] == list(interval(figures["top1"], 25))
    assert [row["learned_from"] for row in figures["classes"]] == [24, 24, 6]
    assert sum(bin_["photos"] for bin_ in figures["reliability"]) == 25


def test_the_report_is_one_file_that_asks_for_nothing_else(bottlenecked):
    """It can be sent to somebody."""
    page = (bottlenecked.out / "report.html").read_text(encoding="utf-8")
    assert "红色" in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "url(" not in page
    assert "<script" not in page


def test_the_same_command_gives_the_same_network(bottlenecked, tmp_path):
    """Seeded; and the features that are kept are found again, also from a tar."""
    kept = sorted((bottlenecked.cache / "features").rglob("*.npz"))
    times = [path.stat().st_mtime_ns for path in kept]
    packed = tmp_path / "photos.tar"
    with tarfile.open(packed, "w") as archive:
        archive.add(bottlenecked.data, "photos")
    out = tmp_path / "again"
    ran = run(
        "bottleneck", "--data", packed, "--model", BOX, "--out", out, "--cache", bottlenecked.cache
    )
    assert ran.returncode == 0, ran.stderr
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert sorted((bottlenecked.cache / "features").rglob("*.npz")) == kept
    one, other = Taught.load(out), Taught.load(bottlenecked.out)
    assert np.array_equal(one.features, other.features)
    figures = [
        json.loads((place / "figures.json").read_text()) for place in (out, bottlenecked.out)
    ]
    for name in ("temperature", "confusion", "calibration_error", "reliability"):
        assert figures[0][name] == figures[1][name]


def test_varied_photos_can_be_learned_from_too(bottlenecked, tmp_path):
    """A few passes over photos turned and shifted."""
    out = tmp_path / "varied"
    ran = run(
        "bottleneck", "--data", bottlenecked.data, "--model", BOX, "--out", out,
        "--cache", bottlenecked.cache, "--passes", 1, "--rotation", 30, "--balanced",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    figures = json.loads((out / "figures.json").read_text())
    assert figures["settings"]["varied passes"] == 1
    assert figures["settings"]["classes weighed"] == "alike"
    assert figures["top1"] > 0.9


def test_a_damaged_file_of_taught_photos_stops_the_start_with_a_sentence(bottlenecked, tmp_path):
    """Rather than answering as if everything had been taught."""
    place = shutil.copytree(bottlenecked.out, tmp_path / "spoilt")
    (place / folder.TAUGHT).write_bytes(b"PK\x03\x04")
    with (
        pytest.raises(AssertionError, match=r"taught\.npz can't be used"),
        running(tmp_path, model=place),
    ):
        pass


def _nothing(place):
    place.mkdir()
    return place, "has 0 class folders; at least two are needed"


def _one_class(place):
    draw(place / "cats", COLOURS["red"], 3)
    return place, "has 1 class folder; at least two are needed"


def _one_photo(place):
    draw(place / "cats", COLOURS["red"], 3)
    draw(place / "dogs", COLOURS["blue"], 1)
    return place, "the class 'dogs' has one photo, 000.png; at least two are needed"


def _one_to_learn_from(place):
    draw(place / "cats", COLOURS["red"], 4)
    draw(place / "big dogs", COLOURS["blue"], 2)
    return place, "too few photos to learn from in the class 'big dogs': at least 2"


def _unreadable(place):
    draw(place / "cats", COLOURS["red"], 4)
    (place / "狗").mkdir()
    for number in range(4):
        (place / "狗" / f"{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken %d" % number)
    return place, "no file to learn the class '狗' from is a photo that can be read"


def _none_readable(place):
    for name in ("a", "b"):
        (place / name).mkdir(parents=True)
        for number in range(3):
            (place / name / f"{number}.jpg").write_text(f"{name}{number}")
    return place, "not one of 4 files is a photo that can be read; the first"


def _many_classes(place):
    for number in range(1001):
        (place / f"{number:05}").mkdir(parents=True)
        for photo in range(2):
            (place / f"{number:05}" / f"{photo}.png").write_text("")
    return place, "1,001 classes can't be learned on features, 1,000 can; join classes"


def _absent(place):
    return place, "there is nothing at"


BAD = [
    _nothing, _one_class, _one_photo, _one_to_learn_from, _unreadable, _none_readable,
    _many_classes, _absent,
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__.strip("_"))
def test_bad_photos_end_the_command_with_a_sentence(bad, tmp_path, bottlenecked):
    """That says what, and what to do."""
    place, said = bad(tmp_path / "photos")
    ran = run(
        "bottleneck",
        "--data",
        place,
        "--model",
        BOX,
        "--out",
        tmp_path / "out",
        "--cache",
        bottlenecked.cache,
    )
    assert ran.returncode == 1
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "out").exists()


def test_a_network_that_does_not_exist_is_named_with_the_nearest(own_photos, tmp_path):
    """A slip of the finger must not look like missing weights."""
    ran = run(
        "bottleneck", "--data", own_photos, "--model", "MobilNetV2", "--out", tmp_path / "out"
    )
    assert ran.returncode == 1
    assert "MobileNetV2" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_full_disk_is_said_and_the_same_command_goes_on(own_photos, tmp_path):
    """To Python a bound on file sizes is a disk with no room."""
    arguments = [
        "bottleneck",
        "--data",
        own_photos,
        "--model",
        BOX,
        "--out",
        tmp_path / "out",
        "--cache",
        tmp_path / "cache",
    ]
    bound = (20_000, 20_000)
    ran = run(*arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, bound))
    assert ran.returncode == 1, ran.stderr
    assert "make room, or give another --cache" in ran.stderr
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_folder_that_holds_a_network_is_not_written_over(bottlenecked):
    """It may be the only copy."""
    ran = run("bottleneck", "--data", bottlenecked.data, "--model", BOX, "--out", bottlenecked.out)
    assert ran.returncode == 1
    assert "already holds a network; give another --out" in ran.stderr
