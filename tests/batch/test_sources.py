"""Whatever is named as a source becomes photos, each once; what can't is said in a sentence."""

import io
import os
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch import photos
from tests import small
from tests.batch.conftest import put, rows


def _paths(*sources) -> list[str]:
    return [photo.path for photo in photos.find([str(one) for one in sources])]


def test_a_folder_gives_what_ends_like_a_picture_at_any_depth(tmp_path):
    put(tmp_path, {"a.jpg": "red", "below/b.JPEG": "red", "below/deep/c.png": "red"})
    (tmp_path / "notes.txt").write_text("not a photo")
    found = _paths(tmp_path)
    assert sorted(found) == [
        str(tmp_path / name) for name in ("a.jpg", "below/b.JPEG", "below/deep/c.png")
    ]


def test_links_that_lead_in_circles_give_each_photo_once(tmp_path, predict, out):
    photos_at = put(tmp_path / "photos", {"a.jpg": "red", "below/b.jpg": "green"})
    (photos_at / "below/up").symlink_to(photos_at)
    (photos_at / "again").symlink_to(photos_at / "below")
    (photos_at / "itself.jpg").symlink_to(photos_at / "itself.jpg")
    assert predict(photos_at)[0] == 0
    found = rows(out)
    assert {path for path, row in found.items() if row["error_code"] is None} == {
        str(photos_at / "a.jpg"),
        str(photos_at / "below/b.jpg"),
    }
    assert found[str(photos_at / "itself.jpg")]["error_code"] == "unreadable"


def test_a_folder_reached_by_a_link_alone_is_walked(tmp_path):
    put(tmp_path / "elsewhere", {"a.jpg": "red"})
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/linked").symlink_to(tmp_path / "elsewhere")
    assert _paths(tmp_path / "photos") == [str(tmp_path / "photos/linked/a.jpg")]


def test_a_pipe_named_like_a_photo_is_not_waited_for(tmp_path, predict, out):
    put(tmp_path / "photos", {"a.jpg": "red"})
    os.mkfifo(tmp_path / "photos/pipe.jpg")
    os.mkfifo(tmp_path / "named.jpg")
    assert predict(tmp_path / "photos", tmp_path / "named.jpg")[0] == 0
    found = rows(out)
    assert len(found) == 2
    assert found[str(tmp_path / "named.jpg")]["error_code"] == "unreadable"


def test_what_is_named_itself_is_taken_whatever_its_name(tmp_path):
    named = put(tmp_path, {"scan.0001": "red"}) / "scan.0001"
    assert _paths(named) == [str(named)]


def test_patterns_are_followed_also_through_folders(tmp_path, monkeypatch):
    put(tmp_path, {"a.jpg": "red", "below/b.jpg": "red", "below/c.png": "red"})
    assert _paths(tmp_path / "*.jpg") == [str(tmp_path / "a.jpg")]
    assert len(_paths(tmp_path / "**")) == 3
    monkeypatch.chdir(tmp_path)
    assert sorted(_paths("**/*.jpg")) == [str(tmp_path / "a.jpg"), str(tmp_path / "below/b.jpg")]


def test_a_list_of_paths_is_read_with_any_line_ends(tmp_path):
    put(tmp_path, {"照片 1.jpg": "red", "b.jpg": "red"})
    named = [str(tmp_path / "照片 1.jpg"), str(tmp_path / "b.jpg")]
    (tmp_path / "list.txt").write_bytes(("\ufeff" + "\r\n".join(named) + "\r\n\r\n").encode())
    assert _paths(tmp_path / "list.txt") == named


def _tar(path, mode, names):
    with tarfile.open(path, mode) as tar:
        for name in names:
            data = small.photo("green")
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.txz", "w:xz")]
)
def test_tars_are_read_compressed_or_not(tmp_path, predict, out, name, mode):
    tar = _tar(tmp_path / name, mode, ["cats/猫.jpg", "README.md", "dogs/1.png"])
    assert predict(tar)[0] == 0
    found = rows(out)
    assert set(found) == {f"{tar}!cats/猫.jpg", f"{tar}!dogs/1.png"}
    assert {row["answer"]["label"] for row in found.values()} == {"green"}
    assert photos.read_again(f"{tar}!dogs/1.png", 2**20) == small.photo("green")


def test_a_tar_cut_short_gives_what_it_has_and_a_row_that_says_so(tmp_path, predict, out):
    tar = _tar(tmp_path / "a.tar", "w", [f"{i}.jpg" for i in range(30)])
    tar.write_bytes(tar.read_bytes()[: 10 * 1536 + 700])
    assert predict(tar)[0] == 0
    found = rows(out)
    assert found[str(tar)]["error_code"] == "unreadable"
    assert sum(row["error_code"] is None for row in found.values()) > 5


def test_parquet_gives_the_photos_of_its_column_of_bytes(tmp_path, predict, out):
    struct = [{"bytes": small.photo("red"), "path": "a/红.jpg"}, {"bytes": None, "path": "b.jpg"}]
    pq.write_table(pa.table({"label": [1, 2], "image": struct}), tmp_path / "struct.parquet")
    plain = pa.table({"name": ["x"], "photo": [small.photo("blue")]})
    pq.write_table(plain, tmp_path / "plain.parquet")
    assert predict(tmp_path / "struct.parquet", tmp_path / "plain.parquet")[0] == 0
    found = rows(out)
    of_struct = str(tmp_path / "struct.parquet")
    assert found[f"{of_struct}!0/a/红.jpg"]["answer"]["label"] == "red"
    assert found[f"{of_struct}!1/b.jpg"]["error_code"] == "unreadable"
    assert found[f"{tmp_path / 'plain.parquet'}!0"]["answer"]["label"] == "blue"


def test_photos_named_by_several_sources_are_taken_once(tmp_path, predict, out):
    put(tmp_path, {"a.jpg": "red", "below/b.jpg": "red"})
    assert predict(tmp_path, tmp_path / "below", tmp_path / "a.jpg", tmp_path / "*.jpg")[0] == 0
    assert len(rows(out)) == 2


def test_an_empty_folder_and_one_of_text_files_are_told_in_a_sentence(tmp_path, predict, out):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text/notes.txt").write_text("no photo")
    for folder in ("empty", "text"):
        status, said = predict(tmp_path / folder)
        assert status == 1
        assert f"there are no photos in {tmp_path / folder}: nothing there ends like" in said
    assert not out.exists()


def test_a_source_that_is_not_there_is_told_before_anything_begins(tmp_path, predict, out):
    assert predict(tmp_path / "gone") == (
        1,
        f"batch: {tmp_path / 'gone'}: there is no such file or folder\n",
    )
    status, said = predict(tmp_path / "*.jpg")
    assert status == 1
    assert "nothing fits this pattern" in said
    assert not out.exists()
