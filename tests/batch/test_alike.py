"""The nearest photos and nearly the same ones, on real photos and spoiled copies of them."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from batch.alike import groups, nearest
from batch.answers import parts
from batch.command import main
from tests import small
from tests.batch.conftest import put

COUNT = 12


@pytest.fixture(scope="module")
def archive(shared, tmp_path_factory):
    """Photos, three copies of each of the first four, and a file that is no photo."""
    folder = tmp_path_factory.mktemp("archive")
    for i, path in enumerate(sorted((shared / "data/photos").glob("*.JPEG"))[:COUNT]):
        (folder / f"{i}.jpg").write_bytes(path.read_bytes())
        if i < 4:
            photo = Image.open(path).convert("RGB")
            (folder / f"{i} 副本.jpg").write_bytes(path.read_bytes())
            photo.resize((photo.width // 2, photo.height // 2)).save(folder / f"{i} half.jpg")
            ImageEnhance.Brightness(photo).enhance(1.1).save(folder / f"{i} bright.jpg", quality=50)
    (folder / "text.jpg").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def answers(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("answers") / "answers"
    assert main(["features", str(archive), "--out", str(out)]) == 0
    return out


def test_the_nearest_are_those_that_comparing_all_finds(answers, archive):
    paths, features = [], []
    for table in parts(answers, ("path", "features")):
        for row in table.to_pylist():
            if row["features"] is not None:
                paths.append(row["path"])
                features.append(np.array(row["features"], np.float64))
    units = np.array([one / np.linalg.norm(one) for one in features])
    expected = sorted(zip(units @ units[5], paths), reverse=True)[:7]
    found = nearest(answers, np.array(features[5], np.float32), 7)
    assert {one.path for one in found} == {path for _, path in expected}
    assert [one.likeness for one in found] == pytest.approx(
        [much for much, _ in expected], abs=1e-5
    )


def test_search_finds_the_copies_of_a_photo_and_shows_them(answers, archive, tmp_path, capsys):
    sheet = tmp_path / "sheets/结果"
    words = ["search", str(answers), str(archive / "2 half.jpg"), "--count", "4"]
    assert main([*words, "--sheet", str(sheet)]) == 0
    found = {line.split("\t")[2] for line in capsys.readouterr().out.splitlines()}
    assert found == {str(archive / f"2{copy}.jpg") for copy in ("", " 副本", " half", " bright")}
    with Image.open(f"{sheet}.png") as png:
        assert png.width > 1000
        assert len(png.convert("RGB").getcolors(png.width * png.height)) > 1000
    page = (tmp_path / "sheets/结果.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 5
    assert "2 副本.jpg" in page
    assert "http" not in page


def test_duplicates_are_the_copies_and_nothing_else(answers, archive, tmp_path, capsys):
    assert main(["duplicates", str(answers), "--sheet", str(tmp_path / "sheet")]) == 0
    of_group = {}
    for line in capsys.readouterr().out.splitlines():
        number, _, path = line.split("\t")
        of_group.setdefault(number, set()).add(path)
    copies = [
        {str(archive / f"{i}{copy}.jpg") for copy in ("", " 副本", " half", " bright")}
        for i in range(4)
    ]
    assert sorted(map(sorted, of_group.values())) == sorted(map(sorted, copies))
    assert (tmp_path / "sheet.png").is_file()


def test_groups_are_the_same_however_the_rows_are_divided(archive, tmp_path, monkeypatch, answers):
    monkeypatch.setattr("batch.answers.MOST_ROWS", 5)
    out = tmp_path / "answers"
    assert main(["features", str(archive), "--out", str(out)]) == 0
    monkeypatch.setattr("batch.alike._AT_ONCE", 3)
    assert len(list(out.glob("*.parquet"))) > 4
    told = [{frozenset(one.path for one in group) for group in groups(at)} for at in (answers, out)]
    assert told[0] == told[1]
    assert len(told[0]) == 4


def test_a_photo_gone_since_is_told_on_the_sheet(archive, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("one.jpg", "two.jpg"):
        (photos / name).write_bytes((archive / "1.jpg").read_bytes())
    out = tmp_path / "answers"
    main(["features", str(photos), "--out", str(out)])
    (photos / "two.jpg").unlink()
    assert main(["duplicates", str(out), "--sheet", str(tmp_path / "sheet")]) == 0
    assert "not there any more" in (tmp_path / "sheet.html").read_text("utf-8")


def test_names_can_not_put_code_into_the_page(archive, tmp_path):
    photos = tmp_path / "<script>alert(1)</script>&"
    photos.mkdir(parents=True)
    for name in ('"><img src=x>.jpg', "two.jpg"):
        (photos / name).write_bytes((archive / "1.jpg").read_bytes())
    main(["features", str(photos), "--out", str(tmp_path / "answers")])
    assert main(["duplicates", str(tmp_path / "answers"), "--sheet", str(tmp_path / "sheet")]) == 0
    page = (tmp_path / "sheet.html").read_text("utf-8")
    assert "<script>" not in page
    assert "<img src=x" not in page


def test_answers_without_features_say_how_to_have_them(
    network, archive, tmp_path, predict, out, capsys
):
    predict(put(tmp_path / "photos", {"a.jpg": "red"}))
    for words in (["search", str(out), str(archive / "1.jpg")], ["duplicates", str(out)]):
        assert main(words) == 1
        assert "features" in capsys.readouterr().err


def test_a_folder_that_holds_no_answers_is_named(archive, capsys):
    assert main(["search", str(archive), str(archive / "1.jpg")]) == 1
    assert f"{archive} is no folder of answers" in capsys.readouterr().err
    assert main(["duplicates", str(archive)]) == 1
    assert f"{archive} is no folder of answers" in capsys.readouterr().err


def test_a_photo_to_search_by_that_can_not_be_read_is_told(answers, tmp_path, capsys):
    assert main(["search", str(answers), str(tmp_path / "gone.jpg")]) == 1
    assert "can't be read (No such file or directory)" in capsys.readouterr().err
    (tmp_path / "cut.jpg").write_bytes(small.photo("red", (640, 480))[:900])
    assert main(["search", str(answers), str(tmp_path / "cut.jpg")]) == 1
    assert "is cut short" in capsys.readouterr().err
