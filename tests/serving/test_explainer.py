"""Explanations: prepared once, on the side, a few kept; and what they say of a photo."""

import threading
import time

import numpy as np
import pytest

from engines.engine import ClassMap, Grid
from engines.openvino_engine import OpenVinoEngine
from imaging.fit import Fit
from imaging.read import Limits
from models import folder
from serving.answer import Naming
from serving.explain import Explainer, area_of, heat_of
from serving.forms import FormFailed, NotReady
from serving.predictor import Predictor
from serving.queue import Queue, TooLate
from serving.shelf import Network
from tests.small import colours, photo


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    where = tmp_path_factory.mktemp("networks")
    return [colours(where / name, name) for name in ("One", "Two", "Three")]


@pytest.fixture
def predictor_of():
    """Make a loaded predictor; its threads end with the test."""
    made = []

    def make(folders, engine=None, deadline_s=10.0):
        def load(card):
            running = engine or OpenVinoEngine(card.name, card.folder / "compiled", "f32", 1)
            return Network(card, Naming.of(card), running)

        cards = [folder.load(one) for one in folders]
        predictor = Predictor(
            cards, load, Queue(32, 2), deadline_s=deadline_s, limits=Limits(), fit=None
        )
        predictor.load()
        made.append(predictor)
        return predictor

    yield make
    for predictor in made:
        predictor.close()


class SlowEngine(OpenVinoEngine):
    """The real engine, whose form that explains is made when a test says so, or fails at first."""

    def __init__(self, network, fails: int = 0) -> None:
        super().__init__("One", network / "compiled", "f32", 1)
        self.go_on = threading.Event()
        self.asked = 0
        self.fails = fails

    def explaining(self):
        self.asked += 1
        assert self.go_on.wait(60)
        if self.asked <= self.fails:
            raise MemoryError("no room")
        return super().explaining()


def test_answers_go_on_while_a_network_is_being_prepared_to_explain(predictor_of, folders):
    engine = SlowEngine(folders[0])
    predictor = predictor_of(folders[:1], engine)
    explainer, got = Explainer(predictor), []
    asking = threading.Thread(target=lambda: got.append(explainer.explain(photo("red"))))
    asking.start()
    for _ in range(5):  # more than there are runners
        (said,) = predictor.predict([photo("green")])
        assert said.predictions[0].id == "c1"
    assert got == []
    engine.go_on.set()
    asking.join()
    assert got[0].prediction.id == "c0"


def test_who_waits_longer_than_the_deadline_is_told_to_come_again(predictor_of, folders):
    engine = SlowEngine(folders[0])
    explainer = Explainer(predictor_of(folders[:1], engine, deadline_s=0.2))
    for _ in range(2):
        begun = time.monotonic()
        with pytest.raises(NotReady, match="One is being prepared for explaining") as refused:
            explainer.explain(photo("red"))
        assert time.monotonic() - begun >= 0.2
        assert refused.value.retry_after_s >= 1
    engine.go_on.set()
    assert wait_for(explainer).prediction.id == "c0"
    assert engine.asked == 1


def wait_for(explainer):
    """The first explanation after the preparing went on: it may still take a moment."""
    end = time.monotonic() + 60
    while True:
        try:
            return explainer.explain(photo("red"))
        except (NotReady, TooLate):  # its deadline is short
            assert time.monotonic() < end


def test_what_failed_for_want_of_memory_is_tried_again(predictor_of, folders):
    engine = SlowEngine(folders[0], fails=1)
    engine.go_on.set()
    explainer = Explainer(predictor_of(folders[:1], engine))
    with pytest.raises(FormFailed):
        explainer.explain(photo("red"))
    assert explainer.explain(photo("red")).prediction.id == "c0"


def test_heat_is_the_share_of_the_strongest_and_nothing_is_below_cold():
    evidence = np.array([[4, -8], [1, 0]], np.float32)
    np.testing.assert_array_equal(heat_of(evidence), [[1, 0], [0.25, 0]])


@pytest.mark.parametrize("nothing", [0.0, -3.0, float("nan")])
def test_where_nothing_speaks_for_a_class_all_is_cold(nothing):
    np.testing.assert_array_equal(heat_of(np.full((2, 3), nothing, np.float32)), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("size", "how", "expected"),
    [
        ((100, 100), Fit(32, "stretch"), (0, 0, 1, 1)),
        ((400, 100), Fit(32, "stretch"), (0, 0, 1, 1)),
        ((400, 100), Fit(32, "crop", 1.0), (0.375, 0, 0.625, 1)),
        ((100, 200), Fit(32, "crop", 0.5), (0.25, 0.375, 0.75, 0.625)),
    ],
)
def test_the_map_lies_on_what_the_network_saw(size, how, expected):
    said = ClassMap(
        np.ones(3, np.float32), 0, np.ones((2, 2), np.float32), Grid((8, 8), (16, 16)), "cam"
    )
    assert area_of(said, size, how) == pytest.approx(expected)


def test_a_map_beside_the_middle_is_laid_beside_it():
    """By a quarter of a place to the right: an eighth of what was seen."""
    said = ClassMap(
        np.ones(3, np.float32), 0, np.ones((2, 2), np.float32), Grid((8, 12), (16, 16)), "cam"
    )
    how = Fit(32, "crop", 1.0)
    assert area_of(said, (200, 100), how) == pytest.approx((0.3125, 0, 0.8125, 1))
