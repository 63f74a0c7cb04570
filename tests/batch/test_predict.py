"""A row a photo, none missing, none twice, whatever happens on the way."""

import hashlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from batch.answers import Seen
from tests import small
from tests.batch.conftest import ROOT, put, rows


@pytest.fixture
def photos(tmp_path):
    return put(tmp_path / "照片", {f"{i}.jpg": ("red", "green", "blue")[i % 3] for i in range(9)})


def test_a_row_tells_the_photo_and_its_answer(photos, predict, out):
    (photos / "wide.png").write_bytes(small.photo("green", (90, 60), "PNG"))
    assert predict(photos)[0] == 0
    row = rows(out)[str(photos / "wide.png")]
    assert row["digest"] == hashlib.sha256((photos / "wide.png").read_bytes()).hexdigest()
    assert (row["width"], row["height"], row["model"]) == (90, 60, "Colours")
    assert next(one["label"] for one in row["predictions"]) == "green"
    assert row["answer"]["id"] == "c1"
    assert row["certain"] is True
    assert row["error_code"] is row["error"] is None


def test_only_what_is_new_or_changed_is_computed(photos, predict, out):
    predict(photos)
    put(photos, {"new.jpg": "red", "0.jpg": "blue"})
    status, said = predict(photos)
    assert status == 0
    assert "2 photos computed" in said
    assert "8 had a row before" in said
    found = rows(out)
    assert len(found) == 10
    assert found[str(photos / "0.jpg")]["answer"]["label"] == "blue"


def test_bad_photos_are_rows_with_the_codes_of_predict(photos, predict, out):
    (photos / "cut.jpg").write_bytes(small.photo("red", (640, 480))[:900])
    (photos / "text.jpg").write_text("I am no picture")
    (photos / "empty.jpg").touch()
    (photos / "gone.jpg").symlink_to(photos / "nowhere")
    (photos / "large.jpg").write_bytes(small.photo("red") + bytes(9000))
    (photos / "wide.jpg").write_bytes(small.photo("red", (1000, 500)))
    status, said = predict(photos, max_bytes=9000, max_pixels=400_000)
    assert status == 0
    assert "15 photos computed" in said
    codes = {path: row["error_code"] for path, row in rows(out).items() if row["error_code"]}
    assert codes == {
        str(photos / "cut.jpg"): "broken_image",
        str(photos / "text.jpg"): "unsupported_image",
        str(photos / "empty.jpg"): "unsupported_image",
        str(photos / "gone.jpg"): "unreadable",
        str(photos / "large.jpg"): "too_large",
        str(photos / "wide.jpg"): "too_large",
    }


def test_a_file_that_could_not_be_read_is_tried_again(photos, predict, out):
    (photos / "gone.jpg").symlink_to(photos / "nowhere")
    predict(photos)
    predict(photos)
    assert rows(out)[str(photos / "gone.jpg")]["error_code"] == "unreadable"
    put(photos, {"nowhere": "green"})
    predict(photos)
    assert rows(out)[str(photos / "gone.jpg")]["answer"]["label"] == "green"


def test_a_file_that_has_vanished_since_keeps_its_answer(photos, predict, out):
    (photos / "list.txt").write_text(str(photos / "1.jpg"))
    predict(photos / "list.txt")
    (photos / "1.jpg").unlink()
    assert predict(photos / "list.txt")[0] == 0
    assert rows(out)[str(photos / "1.jpg")]["answer"]["label"] == "green"


def test_names_that_are_no_text_at_all_have_a_row(photos, predict, out):
    odd = os.fsencode(photos) + b"/\xff\xfe.jpg"
    Path(os.fsdecode(odd)).write_bytes(small.photo("red"))
    assert predict(photos)[0] == 0
    assert rows(out)[f"{photos}/\\xff\\xfe.jpg"]["answer"]["label"] == "red"


def test_features_come_with_the_same_answers(photos, predict, out, tmp_path):
    (photos / "text.jpg").write_text("I am no picture")
    predict(photos, model="ShiwuNet")
    assert predict(photos, way="features", to=tmp_path / "with", model="ShiwuNet")[0] == 0
    plain, with_features = rows(out), rows(tmp_path / "with")
    assert with_features.pop(str(photos / "text.jpg"))["features"] is None
    for path, row in with_features.items():
        assert len(set(row["features"])) > 100
        assert row["answer"]["label"] == plain[path]["answer"]["label"]


def test_a_network_without_features_says_so(photos, predict, out):
    status, said = predict(photos, features=True)
    assert status == 1
    assert "Colours" in said
    assert not out.exists()


def test_a_folder_begun_otherwise_is_left_alone(photos, predict, out):
    predict(photos)
    before = {path: path.read_bytes() for path in out.glob("*")}
    status, said = predict(photos, top=2)
    assert status == 1
    assert f"{out} was begun with top=5, and this run is asked for top=2" in said
    assert before == {path: path.read_bytes() for path in out.glob("*")}


def test_a_folder_of_other_things_is_left_alone(photos, predict):
    status, said = predict(photos, to=photos)
    assert status == 1
    assert "holds other things" in said


def test_two_runs_do_not_write_one_folder(photos, predict, out):
    out.mkdir()
    with FileLock(out / ".lock"):
        status, said = predict(photos)
    assert status == 1
    assert f"another run is writing {out}" in said


def test_a_damaged_part_is_named(photos, predict, out):
    predict(photos)
    (out / "part-000001.parquet").write_bytes(b"PAR1 no more")
    status, said = predict(photos)
    assert status == 1
    assert "part-000001.parquet can't be read" in said


def test_a_disk_that_fills_ends_it_with_a_sentence_and_loses_nothing(photos, predict, begin, out):
    predict(photos)
    for i in range(300):
        (photos / f"more {i}.jpg").write_bytes(small.photo("green"))
    # The system then refuses to write more of any one file, as it does on a full disk.
    full = begin(photos, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)))
    said = full.communicate(timeout=120)[0]
    assert full.returncode == 1, said
    assert f"{out} can't be written (File too large); whole parts are kept" in said
    assert len(rows(out)) == 9
    assert [path.name for path in out.glob(".*.tmp")] == []
    assert predict(photos)[0] == 0
    assert len(rows(out)) == 309


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_told_to_end_writes_what_it_has(
    tmp_path, begin, predict, out, number, status
):
    photos = put(tmp_path / "photos", {f"{i}.jpg": "red" for i in range(3000)})
    run = begin(photos)
    for line in run.stdout:
        if "ready in" in line:
            break
    run.send_signal(number)
    said = run.communicate(timeout=120)[0]
    assert run.returncode == status, said
    assert predict(photos)[0] == 0
    assert len(rows(out)) == 3000


def test_without_pyarrow_it_says_how_to_have_it(photos, out):
    without = (
        "import runpy, sys; sys.modules['pyarrow'] = None; sys.argv = ['batch', 'predict'];"
        "runpy.run_module('batch', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", without], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install -r requirements-batch.txt" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_set_of_seen_paths_knows_each_path():
    seen = Seen()
    seen._AT_ONCE = 100
    paths = [f"/photos/{i}.jpg" for i in range(1000)]
    assert all(seen.add(path) for path in paths)
    assert not any(seen.add(path) for path in paths)
