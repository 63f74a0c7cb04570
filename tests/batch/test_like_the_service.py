"""Rows are what the real service answers, photo by photo."""

from pathlib import Path

import pytest

from batch.command import main
from errors import ShiwuError
from imaging.read import Limits, read, read_sized
from tests import service
from tests.batch.conftest import rows


@pytest.fixture(scope="module")
def answered(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    assert main(["predict", str(shared / "data/photos"), "--out", str(folder / "en")]) == 0
    chinese = ["--lang", "zh", "--top", "3", "--features"]
    assert (
        main(["predict", str(shared / "data/photos"), "--out", str(folder / "zh"), *chinese]) == 0
    )
    return folder


def test_rows_are_the_answers_of_predict(answered, shared, tmp_path):
    found = rows(answered / "en")
    assert len(found) >= 100
    with service.running(tmp_path) as running:
        for path, row in found.items():
            said = running.predict(Path(path).read_bytes()).json()
            assert row["predictions"] == said["predictions"]
            assert row["answer"] == said["answer"]
            assert row["certain"] == said["certain"]
            assert row["hints"] == [hint["code"] for hint in said["hints"]]
            assert row["model"] == said["model"]


def test_in_another_language_with_features_they_are_so_too(answered, shared, tmp_path):
    with service.running(tmp_path) as running:
        for path, row in list(rows(answered / "zh").items())[:20]:
            said = running.predict(Path(path).read_bytes(), lang="zh", top=3).json()
            assert [one["label"] for one in row["predictions"]] == [
                one["label"] for one in said["predictions"]
            ]
            assert [one["probability"] for one in row["predictions"]] == pytest.approx(
                [one["probability"] for one in said["predictions"]], abs=1e-5
            )
            assert row["answer"]["label"] == said["answer"]["label"]


def test_errors_are_those_of_predict(shared, tmp_path):
    assert main(["predict", str(shared / "data/hostile"), "--out", str(tmp_path / "rows")]) == 0
    found = rows(tmp_path / "rows")
    assert sum(row["error_code"] is not None for row in found.values()) > 20
    with service.running(tmp_path) as running:
        for path, row in found.items():
            data = Path(path).read_bytes()
            if not data:
                continue  # no upload at all over HTTP
            reply = running.post(
                "/predict", data=data, headers={"Content-Type": "image/jpeg"}
            ).json()
            assert row["error_code"] == reply.get("error", {}).get("code"), path
            assert row["error"] == reply.get("error", {}).get("message"), path


def test_the_size_of_a_photo_is_that_of_its_upright_pixels(shared):
    compared = 0
    for path in [*(shared / "data/photos").rglob("*.*"), *(shared / "data/hostile").iterdir()]:
        data = path.read_bytes() if path.is_file() else b""
        try:
            photo = read(data)
        except ShiwuError:
            continue
        assert read_sized(data, Limits(), 100)[1] == photo.size, path
        compared += 1
    assert compared > 150
