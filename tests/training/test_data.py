"""What pictures are found, and what is said of those that can't be used."""

import os
import tarfile
import unicodedata

import pytest

from tests.training.conftest import COLOURS, class_folders, draw, run
from training.data import BadData, find, find_to_measure


def test_class_folders_give_sorted_classes_and_a_fifth_of_each_is_kept_apart(folders, tmp_path):
    """Without a validation folder the figures must still be of pictures never learned from."""
    found = find(folders, tmp_path / "unpacked")
    assert found.ids == ("blue", "green", "red")
    assert [sample.class_index for sample in found.validation] == [0, 0, 1, 1, 2, 2]
    assert len(found.train) == 30
    assert not {s.path for s in found.train} & {s.path for s in found.validation}


def test_the_seed_decides_which_photos_are_kept_apart(folders, tmp_path):
    """The same command must give the same figures, and another draw must be possible."""
    first, again, other = (find(folders, tmp_path / "unpacked", seed) for seed in (1, 1, 2))
    assert first == again
    assert first.validation != other.validation


def test_a_class_of_one_photo_is_named(folders, tmp_path):
    """It can't be both learned from and measured on."""
    draw(folders / "white cats", (250, 250, 250), 1)
    with pytest.raises(BadData, match=r"class 'white cats' has one photo, 000\.png; at least two"):
        find(folders, tmp_path / "unpacked")


def test_validation_may_be_spelt_out(split, tmp_path):
    """Keras' tutorials call the folder so."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train").symlink_to(split / "train")
    (tmp_path / "data" / "validation").symlink_to(split / "val")
    assert find(tmp_path / "data", tmp_path / "unpacked").validation[0].path.parts[-3:] == (
        "validation",
        "blue",
        "000.png",
    )


def test_the_parts_may_come_as_a_tar_each(split, tmp_path):
    """A large set is often handed on so."""
    (tmp_path / "data").mkdir()
    for part, name in (("train", "train.tar"), ("val", "validation.tar.gz")):
        with tarfile.open(tmp_path / "data" / name, "w:gz" if name.endswith("gz") else "w") as tar:
            for inner in COLOURS:
                tar.add(split / part / inner, inner)
    found = find(tmp_path / "data", tmp_path / "unpacked")
    assert (len(found.train), len(found.validation)) == (390, 12)
    assert find(tmp_path / "data", tmp_path / "unpacked") == found  # what is unpacked stays


@pytest.mark.parametrize("column", ["class", "label", "wnid"])
def test_a_csv_file_lists_photos_wherever_they_lie(folders, tmp_path, column):
    """Names may hold blanks and be in any language."""
    (folders / "red").rename(folders / "红 色")
    paths = sorted(folders.rglob("*.png"))
    rows = [f"{path.relative_to(tmp_path)},{path.parent.name}" for path in paths]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join([f"file,{column}", *rows]), encoding="utf-8")
    found = find(listed, tmp_path / "unpacked")
    assert found.ids == ("blue", "green", "红 色")
    assert (len(found.train), len(found.validation)) == (30, 6)


def test_a_csv_file_may_say_which_part_a_photo_is_of(tmp_path):
    """And then nobody else splits."""
    rows = "file,class,split\na,x,train\nb,y,train\nc,x,val\nd,y,validation\n"
    (tmp_path / "list.csv").write_text(rows)
    found = find(tmp_path / "list.csv", tmp_path / "unpacked")
    assert [sample.path.name for sample in found.train] == ["a", "b"]
    assert [sample.path.name for sample in found.validation] == ["c", "d"]
    measured = find_to_measure(tmp_path / "list.csv", tmp_path / "unpacked", ("y",))
    assert [sample.path.name for sample in measured] == ["d"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must have lines under the columns file and class"),
        ("name,class\na,x\n", "must have lines under the columns file and class"),
        ("file,class\na,x\n", "names 1 classes to learn; at least two"),
        ("file,class,split\na,x,\nb,y,\nc,x,test\n", r"line 4: .* it says c, x, test"),
        ("file,class\na,x\n,y\n", "line 3: there must be a file, a class"),
        ("file,class,split\na,x,\nb,y,\nc,z,val\n", "no picture to learn the class 'z' from"),
        ("file,class\na,x\na2,x\nb,X\nb2,X\n", "with one name"),
    ],
)
def test_a_csv_file_that_can_not_be_used_is_refused_with_the_place(tmp_path, text, said):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(BadData, match=said):
        find(tmp_path / "list.csv", tmp_path / "unpacked")


def test_class_folders_alone_are_measured_on_whole(folders, tmp_path):
    """Photos of one's own to try a network on are not split."""
    assert len(find_to_measure(folders, tmp_path / "unpacked", ("red", "blue"))) == 24


def test_train_and_val_are_taken_as_they_are(split, tmp_path):
    """A published split must be kept, or figures can't be compared."""
    found = find(split, tmp_path / "unpacked")
    assert (len(found.train), len(found.validation)) == (390, 12)


def test_tiny_imagenets_own_layout_is_read(tmp_path):
    """Its pictures lie a folder deeper, beside lists of boxes; val has a list of answers."""
    root = tmp_path / "tiny-imagenet-200"
    for name, colour in COLOURS.items():
        draw(root / "train" / name / "images", colour, 3)
        (root / "train" / name / f"{name}_boxes.txt").write_text("000.png 0 0 9 9\n")
    draw(root / "val" / "images", (9, 9, 9), 2)
    rows = "000.png\tred\t0\t0\t9\t9\n001.png\tblue\t0\t0\t9\t9\n"
    (root / "val" / "val_annotations.txt").write_text(rows)
    (root / "words.txt").write_text("red\tfire truck, red thing\n")
    found = find(tmp_path, tmp_path / "unpacked")
    assert len(found.train) == 9
    assert [sample.class_index for sample in found.validation] == [2, 0]
    assert found.words == {"red": "fire_truck"}


@pytest.mark.parametrize("inside", ["colours/train", "colours", "."])
def test_a_tar_gives_what_its_folder_gives(folders, tmp_path, inside):
    """People pass data sets on as archives."""
    packed = tmp_path / "colours.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(folders, inside)
    found = find(packed, tmp_path / "unpacked")
    assert found.ids == ("blue", "green", "red")
    assert len(found.train) + len(found.validation) == 36


def test_photos_with_a_list_of_labels_can_be_measured_on(tmp_path):
    """Pictures of classes that the network doesn't know say nothing about it."""
    draw(tmp_path / "photos", (1, 2, 3), 2)
    rows = "file,wnid\n000.png,red\n001.png,unknown\n"
    (tmp_path / "photos" / "labels.csv").write_text(rows)
    (sample,) = find_to_measure(tmp_path / "photos", tmp_path / "unpacked", ("blue", "red"))
    assert (sample.path.name, sample.class_index) == ("000.png", 1)


def test_a_network_is_measured_by_its_own_class_order(split, tmp_path):
    """A class index of the data is not one of the network."""
    samples = find_to_measure(split, tmp_path / "unpacked", ("red", "blue", "green"))
    assert {s.path.parent.name: s.class_index for s in samples} == {"red": 0, "blue": 1, "green": 2}


def test_an_empty_class_folder_is_named(folders, tmp_path):
    """A class without a picture can't be learned, and is most likely a mistake."""
    (folders / "empty").mkdir()
    with pytest.raises(BadData, match=r"class folder .*colours/empty; fill or remove it"):
        find(folders, tmp_path / "unpacked")


@pytest.mark.parametrize("twin", ["RED", "red "])
def test_two_folders_with_one_name_are_refused(folders, tmp_path, twin):
    """The pictures of one class in two would teach the network to doubt itself."""
    draw(folders / twin, (200, 30, 30), 2)
    with pytest.raises(BadData, match="two folders with one name"):
        find(folders, tmp_path / "unpacked")


def test_a_name_composed_in_two_ways_is_one_name(folders, tmp_path):
    """macOS writes é as e and an accent, Linux as one letter; they look the same."""
    for form in ("NFC", "NFD"):
        draw(folders / unicodedata.normalize(form, "café"), (90, 60, 30), 2)
    with pytest.raises(BadData, match="two folders with one name"):
        find(folders, tmp_path / "unpacked")


def test_two_data_sets_in_one_folder_are_not_chosen_between(tmp_path):
    """Which one was meant only the user knows."""
    class_folders(tmp_path / "both" / "one" / "train", 1)
    class_folders(tmp_path / "both" / "two" / "train", 1)
    with pytest.raises(BadData, match="one, two; give one"):
        find(tmp_path / "both", tmp_path / "unpacked")


def test_nothing_there_is_said_with_the_path(tmp_path):
    """The commonest mistake is a wrong path."""
    with pytest.raises(BadData, match=r"there is nothing at .*absent"):
        find(tmp_path / "absent", tmp_path / "unpacked")


def test_a_single_class_is_not_enough(tmp_path):
    """Between one class and nothing there is nothing to learn."""
    draw(tmp_path / "one" / "red", (200, 0, 0), 2)
    with pytest.raises(BadData, match="1 class folder; at least two"):
        find(tmp_path / "one", tmp_path / "unpacked")


def test_half_a_tar_is_refused(folders, tmp_path):
    """A download that broke off must not train on half the classes."""
    whole = tmp_path / "whole.tar.gz"
    with tarfile.open(whole, "w:gz") as archive:
        archive.add(folders, "colours")
    os.truncate(whole, whole.stat().st_size // 2)
    with pytest.raises(BadData, match="neither a folder nor a whole tar"):
        find(whole, tmp_path / "unpacked")
    assert not (tmp_path / "unpacked").exists()


def test_a_validation_class_that_train_lacks_is_named(folders, tmp_path):
    """It could never be answered rightly."""
    class_folders(tmp_path / "data" / "val", 1)
    (tmp_path / "data" / "train").mkdir()
    for name in ("red", "blue"):
        (folders / name).rename(tmp_path / "data" / "train" / name)
    with pytest.raises(BadData, match="'green', which train does not have"):
        find(tmp_path / "data", tmp_path / "unpacked")


def test_a_network_is_not_written_among_the_photos(folders):
    """It would be a class of theirs next time."""
    for out in (folders, folders / "red" / "mine"):
        ran = run("bottleneck", "--data", folders, "--out", out)
        assert ran.returncode == 1
        assert "lies in the photos' own folder" in ran.stderr
    assert sorted(path.name for path in folders.iterdir()) == ["blue", "green", "red"]


def test_a_csv_in_another_encoding_says_how_to_save_it(tmp_path):
    """Excel in China writes GBK unless it is told otherwise."""
    listed = tmp_path / "listed.csv"
    listed.write_bytes("file,class\n照片.jpg,小狗\n".encode("gbk"))
    with pytest.raises(BadData, match="CSV UTF-8"):
        find(listed, tmp_path / "unpacked")


def test_a_link_that_leads_out_of_a_tar_is_left_out_and_a_path_is_refused(
    folders, tmp_path, caplog
):
    def packed(name, member):
        path = tmp_path / name
        with tarfile.open(path, "w") as archive:
            archive.add(folders, "colours")
            archive.addfile(member)
        return path

    link = tarfile.TarInfo("colours/red/elsewhere.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    found = find(packed("link.tar", link), tmp_path / "unpacked")
    assert found.ids == ("blue", "green", "red")
    assert "elsewhere.jpg is a link that leads out of the tar" in caplog.text
    outside = tarfile.TarInfo("../outside.jpg")
    with pytest.raises(BadData, match="would write outside"):
        find(packed("path.tar", outside), tmp_path / "other")
    assert not (tmp_path / "outside.jpg").exists()
