"""What is said of photos before anybody trusts a figure."""

from pathlib import Path

import numpy as np
import pytest

from training.audit import audit, copies
from training.data import Data, Sample
from training.features import GLANCE, Seen

IDS = ("cats", "dogs")


def seen(count: int, seed: int, classes: int = 2, **more) -> Seen:
    """Photos of nothing in particular, each another."""
    random = np.random.default_rng(seed)
    samples = tuple(Sample(Path(f"{seed}/{i:03}.jpg"), i % classes) for i in range(count))
    glances = random.integers(0, 256, (count, GLANCE * GLANCE * 3), dtype=np.uint8)
    digests = tuple(f"{seed} {i}" for i in range(count))
    given = {"glances": glances, "digests": digests, "broken": (), **more}
    return Seen(samples, np.zeros((count, 4), np.float32), **given)


def codes(train: Seen, validation: Seen | None) -> list[str]:
    return [odd.code for odd in audit(Data(IDS, (), (), {}), train, validation)]


def test_photos_that_are_all_right_get_no_warning():
    """Who is warned for nothing stops reading warnings."""
    assert codes(seen(60, 1), seen(120, 2)) == []


def test_a_photo_stored_anew_is_still_the_same_photo():
    """Another program's JPEG moves every pixel by a little; the bytes all differ."""
    one = seen(40, 1)
    random = np.random.default_rng(9)
    noisy = (one.glances[[7, 3]] + random.normal(0, 1.5, (2, one.glances.shape[1]))).clip(0, 255)
    other = seen(2, 2, glances=noisy.round().astype(np.uint8))
    assert copies(other, one) == [(0, 7), (1, 3)]


@pytest.mark.parametrize("level", [0, 128, 255])
def test_pictures_of_one_colour_are_not_called_copies(level):
    """A black photo and another one show nothing that could be the same."""
    plain = np.full((2, GLANCE * GLANCE * 3), level, np.uint8)
    assert copies(seen(2, 1, glances=plain), seen(2, 2, glances=plain)) == []


def test_the_same_bytes_are_copies_whatever_they_show():
    """Also where the picture is plain."""
    plain = np.zeros((2, GLANCE * GLANCE * 3), np.uint8)
    one = seen(2, 1, glances=plain, digests=("a", "b"))
    assert copies(one, seen(2, 2, glances=plain, digests=("c", "a"))) == [(0, 1)]


def test_a_photo_in_two_classes_is_named_with_both():
    """It teaches the network to doubt itself."""
    train = seen(40, 1, digests=("x", "x", *(str(i) for i in range(38))))
    (odd,) = audit(Data(IDS, (), (), {}), train, seen(120, 2))
    assert odd.code == "contradicting"
    assert "1/000.jpg (as cats) is 1/001.jpg (as dogs)" in odd.text


def test_many_broken_files_are_counted_and_a_few_named():
    """A list of a thousand would hide the rest."""
    broken = tuple((Path(f"cats/{i}.jpg"), "it is empty") for i in range(12))
    (odd,) = audit(Data(IDS, (), (), {}), seen(60, 1, broken=broken), seen(120, 2))
    assert odd.text.startswith("12 files left out, as they are no photo that can be read: cats/0")
    assert odd.text.endswith("cats/4.jpg: it is empty (and 7 others).")


def test_few_photos_to_learn_from_or_to_measure_on_are_said():
    """The figures stand on them."""
    assert codes(seen(10, 1), seen(20, 2)) == ["few", "short"]
    assert codes(seen(60, 1), None) == ["short"]
