"""Networks come and go: each loaded once, the one not asked for longest makes room."""

import threading
import time
from dataclasses import replace

import pytest

from engines.openvino_engine import OpenVinoEngine
from errors import EngineError, SettingsError
from models import folder
from serving.answer import Naming
from serving.forms import Forms, NotReady
from serving.shelf import Network, NotLoaded, Shelf, resident_bytes
from tests.small import colours


class Loader:
    """Loads real networks, counts, and waits or fails if a test says so."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.broken: set[str] = set()

    def __call__(self, card) -> Network:
        assert self.go_on.wait(60)
        self.loaded.append(card.name)
        if card.name in self.broken:
            raise EngineError(f"{card.name} is broken")
        engine = OpenVinoEngine(card.name, card.folder / "compiled", "f32", 1)
        return Network(card, Naming.of(card), engine)


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    where = tmp_path_factory.mktemp("networks")
    found = [folder.load(colours(where / name, name)) for name in ("One", "Two", "Three")]
    # Said to be large: a test process grows by some megabytes of its own.
    return [replace(card, parameters=50_000_000) for card in found]


def wait_for(shelf: Shelf, name: str) -> Network:
    end = time.monotonic() + 60
    while True:
        try:
            return shelf.get(name)
        except NotReady:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_a_network_on_request_is_loaded_once_however_many_ask(cards, loader):
    shelf = Shelf(cards[:1], loader, on_request=cards[1:])
    shelf.load()
    loader.go_on.clear()
    refused = []

    def ask():
        try:
            shelf.get("Two")
        except NotReady as error:
            refused.append(error.retry_after_s)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [1] * 10
    assert shelf.get("One").card.name == "One"  # which goes on meanwhile
    loader.go_on.set()
    assert wait_for(shelf, "Two").card.name == "Two"
    assert loader.loaded == ["One", "Two"]


def test_the_one_not_asked_for_longest_makes_room(cards, loader):
    room = 2 * resident_bytes(cards[0]) + 1000
    shelf = Shelf(cards[:1], loader, on_request=cards[1:], memory=room)
    shelf.load()
    for name in ("Two", "One", "Three"):
        wait_for(shelf, name)
        assert sum(network.bytes for network in shelf.networks.values()) <= room
    assert list(shelf.networks) == ["One", "Three"]
    assert wait_for(shelf, "Two").card.name == "Two"
    assert loader.loaded == ["One", "Two", "Three", "Two"]


def test_a_network_that_is_being_asked_leaves_when_it_has_answered(cards, loader):
    """Its memory comes back before the next one is loaded, and not before its answer is there."""
    shelf = Shelf(cards[:1], loader, on_request=cards[1:], memory=resident_bytes(cards[0]) + 1000)
    shelf.load()
    asking = shelf.get("One")
    with pytest.raises(NotReady):
        shelf.get("Two")
    while "One" in shelf.networks:
        time.sleep(0.001)
    assert asking.engine.run(_black()).shape == (1, 3)
    assert loader.loaded == ["One"]
    del asking
    wait_for(shelf, "Two")


def test_other_forms_count_and_go_with_their_network(cards, loader):
    shelf = Shelf(cards[:1], loader, on_request=cards[1:], memory=3 * resident_bytes(cards[0]))
    shelf.load()
    wait_for(shelf, "Two")
    shelf.get("Two").forms.get("testing", object, 60)
    assert shelf.get("Two").bytes == 2 * resident_bytes(cards[1])
    wait_for(shelf, "Three")  # the fourth that would be there
    assert list(shelf.networks) == ["Two", "Three"]


def test_a_network_that_can_t_be_loaded_is_left_alone_for_a_minute(cards, loader, caplog):
    loader.broken = {"Two"}
    shelf = Shelf(cards[:1], loader, on_request=cards[1:])
    shelf.load()
    with pytest.raises(NotReady, match="being loaded"):
        shelf.get("Two")
    while shelf.is_loading:
        time.sleep(0.001)
    for _ in range(3):
        with pytest.raises(NotReady, match="Two could not be loaded; the log says why") as refused:
            shelf.get("Two")
    assert 1 < refused.value.retry_after_s <= 61
    assert loader.loaded == ["One", "Two"]
    assert "Two is broken" in caplog.text


def test_what_is_not_served_is_named_with_what_is(cards, loader):
    shelf = Shelf(cards[:1], loader, on_request=cards[1:2])
    with pytest.raises(NotLoaded, match="'Three' is not served here; served: Two, One"):
        shelf.get("Three")


def test_a_network_larger_than_all_the_room_is_refused_with_both_figures(cards, loader):
    large = replace(cards[1], parameters=100_000_000)
    shelf = Shelf(cards[:1], loader, on_request=[large], memory=2**29)
    shelf.load()
    with pytest.raises(NotLoaded, match=r"Two takes about 8\d\d MB, and .* 512 MB here"):
        shelf.get("Two")


def test_more_at_the_start_than_there_is_room_for_stops_the_start(cards, loader):
    large = [replace(card, parameters=100_000_000) for card in cards]
    with pytest.raises(SettingsError, match=r"take about 2\d\d\d MB together.*1024 MB"):
        Shelf(large, loader, memory=2**30)


def test_of_other_forms_the_longest_unasked_goes_first():
    forms, made = Forms("One", kept=2), []

    def make(purpose):
        return lambda: made.append(purpose) or purpose

    for purpose in ("a", "b", "a", "c", "a", "b"):
        assert forms.get(purpose, make(purpose), 60) == purpose
    assert made == ["a", "b", "c", "b"]


def _black():
    import numpy as np

    return np.zeros((1, 32, 32, 3), np.uint8)
