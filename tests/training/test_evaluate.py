"""How often a network is right, and what is said of it."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engines.load import load
from models import folder, weights
from tests.small import colours
from tests.training.conftest import draw
from training.data import Data, Sample
from training.evaluate import interval, measure
from training.export import named


@pytest.fixture
def card(tmp_path):
    """The three-class network of the tests: red, green, blue."""
    return folder.load(colours(tmp_path / "Colours"))


@pytest.fixture
def engine(card, compiled):
    loaded = load(card, lambda: weights.find(card), compiled=compiled, cores=1)
    yield loaded
    loaded.close()


def test_right_answers_are_counted(card, engine, tmp_path):
    """Three of four pictures are labelled as the network sees them."""
    draw(tmp_path / "red", (250, 0, 0), 3)
    draw(tmp_path / "blue", (0, 0, 250), 1)
    samples = [Sample(path, 0) for path in sorted(tmp_path.glob("*/*.png"))]
    figures = measure(card, engine, samples)
    assert (figures.pictures, figures.top1, figures.top5) == (4, 0.75, 1.0)


def test_a_broken_picture_is_named_and_not_counted(card, engine, tmp_path, caplog):
    """Counted as wrong it would blame the network for the data."""
    draw(tmp_path / "red", (250, 0, 0), 2)
    (tmp_path / "red" / "000.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    samples = [Sample(path, 0) for path in sorted((tmp_path / "red").iterdir())]
    with caplog.at_level(logging.WARNING):
        figures = measure(card, engine, samples)
    assert (figures.pictures, figures.top1) == (1, 1.0)
    assert "000.png is left out" in caplog.text


def test_equal_probabilities_rank_by_class_index(card, engine, tmp_path):
    """As the service's answers do."""
    sample = tmp_path / "black.png"
    Image.new("RGB", (32, 32)).save(sample)
    assert measure(card, engine, [Sample(sample, 0)]).top1 == 1.0
    assert measure(card, engine, [Sample(sample, 1)]).top1 == 0.0


@given(right=st.integers(0, 500), count=st.integers(1, 500))
def test_the_interval_holds_what_was_counted(right, count):
    """Also where nothing, or everything, was right."""
    right = min(right, count)
    low, high = interval(right / count, count)
    assert -1e-9 <= low <= right / count <= high + 1e-9 <= 1 + 2e-9


def test_the_interval_is_wilsons():
    """Against a published example: 10 of 20 gives 0.299 to 0.701."""
    assert interval(0.5, 20) == pytest.approx((0.299, 0.701), abs=5e-4)


def test_imagenets_classes_have_imagenets_names():
    """A class is called the same by every network."""
    data = Data(("n02504458", "n99999999", "spoon"), (), (), {"n99999999": "odd_thing"})
    assert [label for _, label in named(data)] == ["African_elephant", "odd_thing", "spoon"]
