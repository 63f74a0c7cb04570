"""Networks come and go: each loaded once, the one not asked for longest makes room."""

import gc
import threading
import time
import weakref
from dataclasses import replace

import numpy as np
import pytest

from engines.openvino_engine import OpenVinoEngine
from errors import EngineError, SettingsError
from models import folder
from serving.answer import Naming
from serving.forms import FormFailed, Forms, NotReady
from serving.room import resident_bytes
from serving.shelf import Network, NoRoom, NotLoaded, Shelf
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
    found = [folder.load(colours(where / name, name)) for name in ("One", "Two", "Three", "Four")]
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


def one_more_than(cards, loader, count: int) -> Shelf:
    """A shelf with One on it and room for so many more, and a bit."""
    room = int((count + 1.2) * resident_bytes(cards[0]))
    shelf = Shelf(cards[:1], loader, on_request=cards[1:], memory=room, stays_s=0)
    shelf.load()
    return shelf


def test_the_one_not_asked_for_longest_makes_room_and_the_first_ones_stay(cards, loader):
    shelf = one_more_than(cards, loader, 2)
    for name in ("Two", "Three", "Two", "Four"):
        wait_for(shelf, name)
    assert list(shelf.networks) == ["One", "Two", "Four"]
    wait_for(shelf, "Three")
    assert list(shelf.networks) == ["One", "Four", "Three"]
    assert loader.loaded == ["One", "Two", "Three", "Four", "Three"]


def test_a_network_that_is_being_asked_leaves_when_it_has_answered(cards, loader):
    """Its memory comes back before the next one is loaded, and not before its answer is there."""
    shelf = one_more_than(cards, loader, 1)
    asking = wait_for(shelf, "Two")
    with pytest.raises(NotReady):
        shelf.get("Three")
    while "Two" in shelf.networks:
        time.sleep(0.001)
    assert asking.engine.run(_black()).shape == (1, 3)
    assert loader.loaded == ["One", "Two"]
    del asking
    wait_for(shelf, "Three")


def test_other_forms_count_and_go_with_their_network(cards, loader):
    shelf = one_more_than(cards, loader, 3)
    for name in ("Two", "Three"):
        wait_for(shelf, name)
    two = shelf.get("Two")
    two.forms.get("testing", object, 60)
    wait_for(shelf, "Four")  # the fifth that would be there
    assert list(shelf.networks) == ["One", "Two", "Four"]


def test_for_another_form_others_leave_then_older_forms_and_else_it_is_refused(cards, loader):
    shelf = one_more_than(cards, loader, 2)
    wait_for(shelf, "Two")
    one = shelf.get("One")

    def form(purpose):
        def make():
            shelf.make_room(one)
            return purpose

        return one.forms.get(purpose, make, 60)

    assert form("a") == "a"
    assert set(shelf.networks) == {"One", "Two"}
    assert form("b") == "b"
    assert list(shelf.networks) == ["One"]
    assert form("c") == "c"
    assert len(one.forms) == 2  # "a" has gone
    narrow = Shelf(cards[:1], loader, memory=int(1.5 * resident_bytes(cards[0])))
    narrow.load()
    alone = narrow.get("One")
    with pytest.raises(NoRoom, match="SHIWU_MEMORY"):
        alone.forms.get("a", lambda: narrow.make_room(alone), 60)


def test_a_network_whose_form_failed_leaves_as_soon_as_any(cards, loader):
    """What failed is remembered in words: an exception would hold all that it passed."""
    shelf = one_more_than(cards, loader, 1)

    def fail():
        photo = bytearray(1000)
        raise SettingsError(f"no Keras for {len(photo)} bytes")

    two = wait_for(shelf, "Two")
    with pytest.raises(FormFailed, match="Two can't be prepared for failing; the log says why"):
        two.forms.get("failing", fail, 60)
    gone = threading.Event()
    weakref.finalize(two.engine, gone.set)
    del two
    gc.disable()
    try:
        with pytest.raises(NotReady):
            shelf.get("Three")
        assert gone.wait(10)
    finally:
        gc.enable()


def test_what_can_t_be_loaded_makes_no_other_leave(cards, loader):
    def prepare(card):
        if card.name == "Three":
            raise SettingsError("no weights")

    room = int(2.2 * resident_bytes(cards[0]))
    shelf = Shelf(cards[:1], loader, on_request=cards[1:], memory=room, prepare=prepare, stays_s=0)
    shelf.load()
    wait_for(shelf, "Two")
    with pytest.raises(NotReady):
        shelf.get("Three")
    while shelf.is_loading:
        time.sleep(0.001)
    assert list(shelf.networks) == ["One", "Two"]


def test_a_network_stays_for_a_while_before_it_makes_room(cards, loader):
    """Else two that exclude one another would come and go, and never answer."""
    room = int(2.2 * resident_bytes(cards[0]))
    shelf = Shelf(cards[:1], loader, on_request=cards[1:], memory=room, stays_s=1.0)
    shelf.load()
    wait_for(shelf, "Two")
    came = time.monotonic()
    wait_for(shelf, "Three")
    assert time.monotonic() - came >= 0.9


def test_the_default_stays_whatever_the_process_has_grown_by(cards, loader):
    """OpenVINO itself takes more than a small network does."""
    small = [replace(card, parameters=3) for card in cards]
    shelf = Shelf(small[:2], loader, on_request=small[2:], memory=4 * resident_bytes(small[0]))
    shelf.load()
    wait_for(shelf, "Three")
    assert list(shelf.networks) == ["One", "Two", "Three"]


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
    with pytest.raises(NotLoaded, match=r"Two takes about 8\d\d MB, and 110 MB are left"):
        shelf.get("Two")


def test_more_at_the_start_than_there_is_room_for_stops_the_start(cards, loader):
    large = [replace(card, parameters=100_000_000) for card in cards]
    with pytest.raises(SettingsError, match=r"take about \d\d\d\d MB together.*1024 MB"):
        Shelf(large, loader, memory=2**30)


def test_of_other_forms_the_longest_unasked_goes_first():
    forms, made = Forms("One", kept=2), []

    def make(purpose):
        return lambda: made.append(purpose) or purpose

    for purpose in ("a", "b", "a", "c", "a", "b"):
        assert forms.get(purpose, make(purpose), 60) == purpose
    assert made == ["a", "b", "c", "b"]


def test_forms_that_are_being_made_are_bounded_too():
    forms, go_on = Forms("One", kept=3), threading.Event()
    for number in range(10):
        with pytest.raises(NotReady, match="other things" if number >= 3 else "try again"):
            forms.get(str(number), lambda: go_on.wait(60), 0.01)
    assert (len(forms), forms.is_making) == (3, True)
    go_on.set()
    assert forms.get("2", object, 60) is True
    assert forms.get("a", object, 60)
    assert len(forms) == 3


def _black():
    return np.zeros((1, 32, 32, 3), np.uint8)
