"""How often a network is right when it says something."""

import csv
import re

import numpy as np
import pytest

from benchmarks import honesty
from benchmarks.honesty import (
    Measured,
    Said,
    answers,
    at_thresholds_of_others,
    cross_validated,
    folds,
    least_threshold,
    main,
    measure,
)
from models import labels, zoo
from serving.predictor import CERTAIN_AT
from settings import Settings
from tests import small

IMAGENET = zoo.card("MobileNetV2")
INDEX = {one.label: index for index, one in enumerate(labels.read(IMAGENET))}


@pytest.fixture
def network(tmp_path):
    return small.colours(tmp_path / "colours")


@pytest.fixture
def colourful(tmp_path):
    """40 photos of three colours, a quarter of them under a wrong name."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rows = []
    for number in range(40):
        index = number % 3
        shown = (index + (number % 4 == 0)) % 3
        file = f"{number}.jpg"
        (folder / file).write_bytes(small.photo(small.CLASSES[shown][1]))
        rows.append({"file": file, "wnid": small.CLASSES[index][0]})
    with (folder / "labels.csv").open("w", newline="") as table:
        writer = csv.DictWriter(table, ["file", "wnid"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def said(*rows: tuple[bool, bool]) -> Said:
    """Answers by whether anything was said, and whether it is so."""
    answered, right = np.array(rows).T
    return Said(np.ones(len(rows)), right, answered.astype(int), answered)


def test_a_network_that_is_too_sure_is_made_less_so(network, colourful, capsys):
    """It says 0.999 and is right three times in four."""
    main(["--model", str(network), "--data", str(colourful)])
    told = capsys.readouterr().out
    assert "Colours on 40 pictures of photos" in told
    assert "first answers right: 0.7500" in told
    assert float(re.search(r"temperature ([\d.]+);", told)[1]) > 2
    assert "first answer: 0.237 before" in told  # 0.9875 said on average, 0.75 so


def test_what_was_found_is_stored_in_the_card_when_asked_for(network, colourful, capsys):
    main(["--model", str(network), "--data", str(colourful)])
    assert zoo.card(str(network)).temperature == 1
    main(["--model", str(network), "--data", str(colourful), "--write"])
    card = zoo.card(str(network))
    assert card.temperature > 2
    assert (card.calibration.data, card.calibration.pictures) == ("photos", 40)
    assert card.calibration.certain_at == CERTAIN_AT


def test_a_row_of_the_zoo_is_not_written(colourful):
    """It is code; and whoever asks should hear so before a minute of measuring."""
    with pytest.raises(SystemExit, match=r"MobileNetV2 is a row of models/zoo\.py"):
        main(["--model", "MobileNetV2", "--data", str(colourful), "--write"])


def test_pictures_that_are_not_there_are_told(network, tmp_path):
    with pytest.raises(SystemExit, match="Not measured: there is nothing at"):
        main(["--model", str(network), "--data", str(tmp_path / "nowhere")])


def test_an_answer_is_right_if_the_picture_shows_the_class_or_is_in_the_group():
    """A beagle taken for a terrier: *a dog* is right, *a terrier* is not."""
    shown = ["beagle", "beagle", "beagle", "tabby"]
    probabilities = np.zeros((4, 1000), np.float32)
    probabilities[0, [INDEX["Airedale"], INDEX["beagle"]]] = 0.5
    probabilities[1, [INDEX["Airedale"], INDEX["cairn"]]] = 0.5
    probabilities[2, INDEX["beagle"]] = 1
    probabilities[3, [INDEX["tabby"], INDEX["tractor"]]] = 0.5

    found = answers(IMAGENET, probabilities, np.array([INDEX[name] for name in shown]), 0.9)
    assert found.right.tolist() == [True, False, True, False]
    assert found.depth.tolist() == [
        2,
        3,
        4,
        0,
    ]  # dog, terrier, a class in a group of a dog, nothing
    assert found.by_class.tolist() == [False, False, True, False]
    assert found.accuracy() == pytest.approx(2 / 3)


def test_the_least_threshold_is_the_one_above_which_all_are_good_enough():
    """A lucky one far below doesn't count."""
    good, bad = said(*[(True, True)] * 20), said(*[(True, True)] * 9, (True, False))
    assert least_threshold({0.5: good, 0.6: bad, 0.7: good, 0.8: good}) == 0.7
    assert least_threshold({0.5: bad, 0.6: bad}) == 1


def test_each_picture_is_kept_apart_once():
    """Else a network would be measured on what its temperature was fitted to."""
    kept = np.concatenate([kept for _, kept in folds(33)])
    assert sorted(kept) == list(range(33))
    assert all(not set(rest) & set(kept) for rest, kept in folds(33))


def test_a_threshold_chosen_on_others_may_disappoint():
    """The last picture's fold is measured at what the others ask for, which is too little for it."""
    easy = said(*[(True, True)] * 39, (True, False))
    none = said(*[(False, False)] * 40)
    answered, right = at_thresholds_of_others(dict.fromkeys(honesty.GRID, easy) | {0.99: none})
    assert (answered, right) == (1.0, 39 / 40)


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNet_0.25_224"])
def test_answers_are_right_95_times_in_100_on_unseen_photos(shared, compiled, name):
    """At the default threshold, cross-validated; and the card says what is measured here."""
    data = shared / "data"
    settings = Settings(weights=data / "weights", cache=compiled, offline=True)
    card = zoo.card(name)
    measured: Measured = measure(card, data / "photos-val", settings)
    found = answers(card, cross_validated(measured), measured.classes, CERTAIN_AT)
    print(f"{name}: right {found.accuracy():.3f} of {found.answered.mean():.3f} answered")

    assert found.accuracy() >= 0.95
    assert found.answered.mean() >= {"MobileNetV2": 0.75}.get(name, 0.6)
    assert found.accuracy() == pytest.approx(card.calibration.right, abs=0.01)
    assert found.answered.mean() == pytest.approx(card.calibration.answered, abs=0.02)
