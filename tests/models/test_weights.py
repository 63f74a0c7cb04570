"""Where weights come from, in which order, and what is said when they can't be had."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from models import zoo
from models.card import Card, Weights
from models.weights import WeightsMissing, digest, find, keras_cache

CONTENT = b"\x89HDF\r\n\x1a\n" + b"weights" * 10_000
MD5 = hashlib.md5(CONTENT).hexdigest()
FILE = "net.h5"


@pytest.fixture
def card(server) -> Card:
    """A published network whose weights are on the test's own server."""
    server.content = CONTENT
    published = Weights(file=FILE, url=server.address(f"published/{FILE}"), md5=MD5)
    return replace(zoo.card("MobileNet"), weights=published)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "keras" / "models"


def put(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(content)
    return folder / FILE


def test_a_file_the_user_gave_is_taken_as_it_is(card, cache, server, tmp_path):
    """Also the user's own training: no checksum could know it."""
    own = put(tmp_path, b"weights of my own")

    assert find(card, given=own, cache=cache) == own
    assert server.asked == []


def test_a_path_stays_right_when_the_process_changes_folders(card, tmp_path, monkeypatch):
    """The export runs elsewhere, in a process of its own."""
    put(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert find(card, given=Path(FILE)) == tmp_path / FILE


def test_a_folder_the_user_gave_is_searched_by_keras_names(card, cache, tmp_path):
    """One folder of weights can serve every network."""
    path = put(tmp_path / "all")

    assert find(card, given=tmp_path / "all", cache=cache) == path


def test_a_given_folder_without_the_file_names_the_file(card, cache, server, tmp_path):
    """And nothing is fetched behind the user's back."""
    with pytest.raises(WeightsMissing, match=f"SHIWU_WEIGHTS={tmp_path}.* has no {FILE}"):
        find(card, given=tmp_path, cache=cache)

    assert server.asked == []


def test_a_given_path_that_is_nowhere_is_named(card, cache, tmp_path):
    """A typing error must not end in a silent download."""
    with pytest.raises(WeightsMissing, match=r"SHIWU_WEIGHTS=.*nowhere.*no such file or folder"):
        find(card, given=tmp_path / "nowhere", cache=cache)


def test_a_network_in_a_folder_brings_its_own_weights(card, tmp_path):
    """What is in the box never asks for anything."""
    boxed = replace(card, weights=None, folder=tmp_path)
    path = tmp_path / "weights.weights.h5"
    path.write_bytes(b"")

    assert find(boxed) == path
    assert find(boxed, given=tmp_path) == path  # a folder for the other networks


def test_a_network_in_a_folder_without_weights_says_so(card, tmp_path):
    """A folder copied by halves."""
    boxed = replace(card, weights=None, folder=tmp_path)

    with pytest.raises(WeightsMissing, match=r"there is no file .*weights\.weights\.h5"):
        find(boxed)


def test_what_keras_has_already_is_used(card, cache, server):
    """Whoever used Keras before downloads nothing."""
    path = put(cache)

    assert find(card, cache=cache) == path
    assert server.asked == []


def test_a_damaged_file_in_the_cache_is_replaced(card, cache, caplog):
    """It is said, and the right one fetched."""
    path = put(cache, CONTENT[:5000])

    assert find(card, cache=cache) == path
    assert path.read_bytes() == CONTENT
    assert f"is not used: its md5 is {hashlib.md5(CONTENT[:5000]).hexdigest()}" in caplog.text


def test_the_published_address_fills_the_cache(card, cache, server):
    """Under the name that Keras will look for."""
    assert find(card, cache=cache).read_bytes() == CONTENT
    assert server.addresses == [f"/published/{FILE}"]
    assert find(card, cache=cache) == cache / FILE
    assert len(server.asked) == 1


def test_the_mirror_comes_first(card, cache, server):
    """Where the published address is blocked, nobody should wait for it."""
    find(card, cache=cache, mirror=server.address("mirror/"))

    assert server.addresses == [f"/mirror/{FILE}"]


def test_a_mirror_that_fails_leaves_the_published_address(card, cache, server):
    """A mirror may lack a file."""
    with type(server)() as gone:
        nobody = gone.address("mirror")

    path = find(card, cache=cache, mirror=nobody, timeout_s=0.5)

    assert path.read_bytes() == CONTENT


def test_offline_never_touches_the_network(card, cache, server):
    """A promise to those who may not."""
    with pytest.raises(WeightsMissing, match="not asked: SHIWU_OFFLINE is set"):
        find(card, cache=cache, offline=True, mirror=server.address("mirror"))

    assert server.asked == []


def test_offline_uses_what_is_in_the_cache(card, cache):
    """The usual way of machines without internet."""
    path = put(cache)

    assert find(card, cache=cache, offline=True) == path


def test_a_wrong_checksum_names_both(card, cache, server):
    """So that a mirror's keeper can see which file it has."""
    server.content = b"another file"
    found = hashlib.md5(b"another file").hexdigest()

    with pytest.raises(WeightsMissing, match=f"its md5 is {found}, it should be {MD5}"):
        find(card, cache=cache)

    assert not (cache / FILE).exists()


def test_the_longer_checksum_is_checked_where_keras_lists_it(card, cache, server):
    """For ConvNeXt it is SHA-256."""
    right = hashlib.sha256(CONTENT).hexdigest()
    longer = replace(card, weights=replace(card.weights, md5=None, sha256=right))
    server.content = b"another file"
    with pytest.raises(WeightsMissing, match=f"its sha256 is .*, it should be {right}"):
        find(longer, cache=cache)

    server.content = CONTENT

    assert find(longer, cache=cache).read_bytes() == CONTENT


def test_a_web_page_is_not_taken_for_weights_even_without_a_checksum(card, cache, server):
    """Hotel networks and company proxies answer anything with a page, and with 200."""
    server.content = b"<html>please log in</html>"
    unchecked = replace(card, weights=replace(card.weights, md5=None))

    with pytest.raises(WeightsMissing, match="it is no HDF5 file"):
        find(unchecked, cache=cache)

    assert not (cache / FILE).exists()


def test_the_last_word_names_what_was_tried_and_three_ways_out(card, cache, server):
    """It is read by somebody whose service just didn't start."""
    server.status = 404

    with pytest.raises(WeightsMissing) as caught:
        find(card, cache=cache, mirror=server.address("mirror"))

    said = str(caught.value)
    assert f"no weights for MobileNet ({FILE})" in said
    assert f"{cache / FILE} (there is no such file)" in said
    assert f"{server.address(f'mirror/{FILE}')} (the server says 404 Not Found)" in said
    assert f"{server.address(f'published/{FILE}')} (the server says 404 Not Found)" in said
    for way_out in ("set SHIWU_WEIGHTS", f"put the file into {cache}", "SHIWU_MIRROR"):
        assert way_out in said


def test_a_cache_that_cannot_be_written_is_told(card, tmp_path):
    """A read-only home is common in containers; here a file stands in its way."""
    (tmp_path / "keras").write_text("")

    with pytest.raises(WeightsMissing, match="can't be written: Not a directory"):
        find(card, cache=tmp_path / "keras" / "models")


def test_two_processes_at_once_download_once(card, cache, server):
    """The first start of a service with several workers."""
    program = f"""
import sys
from dataclasses import replace
from pathlib import Path
from models import zoo
from models.card import Weights
from models.weights import find
weights = Weights(file={FILE!r}, url={card.weights.url!r}, md5={MD5!r})
print("ready", flush=True)
print(find(replace(zoo.card("MobileNet"), weights=weights), cache=Path({str(cache)!r})))
"""
    server.silent_after = 1000  # until both processes are there
    both = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    server.silent_after = None
    server.let_go.set()

    for process in both:
        assert process.communicate(timeout=30)[0].strip() == str(cache / FILE)
        assert process.returncode == 0
    assert (cache / FILE).read_bytes() == CONTENT
    whole = [asked for asked in server.asked if asked == ""]
    assert len(whole) == 1


def test_keras_home_moves_the_cache(monkeypatch, tmp_path):
    """As it does for Keras."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert keras_cache() == tmp_path / "models"

    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keras_cache() == tmp_path / ".keras" / "models"


def test_the_digest_is_sha256(tmp_path):
    """Part of the key of compiled networks: the same for everybody."""
    path = put(tmp_path, b"abc")

    assert digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
