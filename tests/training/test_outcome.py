"""What a run came to, in figures and for people."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.card import Card
from training.data import Sample
from training.evaluate import interval
from training.outcome import Outcome
from training.report import report

CARD = Card(
    name="Mine", builder="convnet", input_size=32, scaling="tf", classes=3, labels="labels.tsv",
    licence="none",
)  # fmt: skip


def outcome(probabilities, shown, labels=("a", "b", "c"), **more) -> Outcome:
    samples = [Sample(Path(f"{i}.jpg"), index) for i, index in enumerate(shown)]
    given = np.array(probabilities, np.float32).reshape(len(shown), len(labels))
    return Outcome("bottleneck", {}, labels, samples, given, counts=[5] * len(labels), **more)


@pytest.fixture
def four() -> Outcome:
    """Two right, one wrong and sure, one wrong and unsure."""
    rows = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.05, 0.9, 0.05], [0.3, 0.3, 0.4]]
    return outcome(rows, [0, 1, 0, 1], similarity=np.float32([0.9, 0.9, 0.2, 0.9]), threshold=0.5)


def test_photos_are_counted_by_what_they_show_and_what_they_were_called(four):
    assert four.confusion().tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_recall_and_precision_come_with_their_intervals(four):
    """A class of which nothing was measured has none to speak of."""
    first, _, third = four.by_class()
    assert (first["recall"], first["precision"]) == (0.5, 1.0)
    assert first["recall_interval"] == list(interval(0.5, 2))
    assert third["recall_interval"] == [0.0, 1.0]


def test_the_worst_mistake_is_the_surest(four):
    assert four.worst(5) == [2, 3]
    assert four.worst(1) == [2]


def test_the_share_kept_is_of_photos_that_are_alike_enough(four):
    assert four.kept == 0.75


def test_a_temperature_changes_what_is_said_and_not_what_is_right(four):
    hot = outcome(four.probabilities, [0, 1, 0, 1], temperature=3.0)
    assert hot.figures()["top1"] == four.figures()["top1"]
    assert hot.calibrated.max() < four.calibrated.max()


def test_every_answer_is_in_one_bin(four):
    bins = four.reliability()
    assert sum(one["photos"] for one in bins) == 4
    assert all(one["interval"][0] <= one["right"] <= one["interval"][1] for one in bins)


def test_with_nothing_to_measure_on_there_is_still_a_report():
    """Who keeps no photo apart gets a network, and no figure that means nothing."""
    none = outcome([], [])
    assert json.loads(json.dumps(none.figures()))["measured_on"] == 0
    assert "How it was made" in report(CARD, none)


def test_names_of_classes_are_text_and_never_html():
    """A folder's name comes from whoever made the folder."""
    page = report(CARD, outcome([[1, 0]], [0], labels=("<script>x</script>", "b & c")))
    assert "<script>" not in page
    assert "&lt;script&gt;x" in page
    assert "b &amp; c" in page


def test_of_very_many_classes_only_what_was_mixed_up_is_shown():
    """A matrix of a thousand columns helps nobody."""
    labels = tuple(f"class {i}" for i in range(60))
    given = np.eye(60, dtype=np.float32)[[1, 1, 2]]
    page = report(CARD, outcome(given, [0, 1, 2], labels=labels))
    assert "<td>class 0</td><td>class 1</td><td>1</td>" in page
    assert 'class="confusion"' not in page


def test_learning_is_drawn_as_lines():
    history = [{"epoch": i, "loss": 1 / (i + 1), "right": i / 4} for i in range(4)]
    page = report(CARD, outcome([[1, 0, 0]], [0], history=history))
    assert page.count("<polyline") == 2
    assert "0.0,150.0" in page  # the share right begins at its lowest


def test_a_figure_that_never_changed_is_drawn_against_nought():
    """Else its axis would say the same at both ends."""
    history = [{"epoch": number, "right": 1.0} for number in range(3)]
    page = report(CARD, outcome([[1, 0, 0]], [0], history=history))
    assert 'points="0.0,0.0 150.0,0.0 300.0,0.0"' in page
    assert '<text x="-6" y="154" text-anchor="end">0</text>' in page
