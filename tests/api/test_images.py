"""The store behind /image: shared, short-lived, bounded; in a folder and in a real Redis."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import redis

from api.images import ImageTooLarge, StoreUnavailable, open_store
from errors import SettingsError
from tests.service import free_port


@pytest.fixture(scope="session")
def redis_address(tmp_path_factory, program):
    server = program("redis-server")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    end = time.monotonic() + 20
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            assert time.monotonic() < end, "Redis did not start"
            time.sleep(0.02)
    yield f"redis://127.0.0.1:{port}/0"
    client.close()
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(params=["folder", "redis"])
def where(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path / "images")
    address = request.getfixturevalue("redis_address")
    with redis.Redis.from_url(address) as client:
        client.flushall()
    return address


def test_a_picture_put_by_one_worker_is_got_by_another(where):
    image_id = open_store(where, 600, 1000).put(b"picture")
    assert open_store(where, 600, 1000).get(image_id) == b"picture"


def test_ids_are_long_and_never_the_same(where):
    store = open_store(where, 600, 1000)
    ids = {store.put(b"picture") for _ in range(20)}
    assert len(ids) == 20
    assert all(len(image_id) == 22 for image_id in ids)


def test_the_oldest_pictures_make_room_for_new_ones(where):
    store = open_store(where, 600, 100)
    ids = [store.put(bytes(40)) for _ in range(5)]
    assert [store.get(image_id) is not None for image_id in ids] == [False] * 3 + [True] * 2


def test_a_picture_larger_than_the_whole_store_is_refused_in_numbers(where):
    with pytest.raises(
        ImageTooLarge, match=r"101 bytes, over the limit of 100 .*SHIWU_IMAGES_BYTES"
    ):
        open_store(where, 600, 100).put(bytes(101))


def test_pictures_left_by_a_process_that_is_gone_go_in_their_time_though_nobody_asks(tmp_path):
    folder = tmp_path / "images"
    open_store(str(folder), 600, 1000).put(b"picture")
    store = open_store(str(folder), 1, 1000)
    assert list(folder.iterdir())
    end = time.monotonic() + 20
    while list(folder.iterdir()):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert store.ttl_s == 1


def test_expired_pictures_are_gone(where):
    """The folder looks at the files' age, which the test changes; Redis counts by itself."""
    store = open_store(where, 600 if where.startswith("/") else 0.001, 1000)
    image_id = store.put(b"picture")
    if where.startswith("/"):
        os.utime(f"{where}/{image_id}", (0, time.time() - 601))
    end = time.monotonic() + 5
    while store.get(image_id) is not None:
        assert time.monotonic() < end
    store.put(b"another")
    if where.startswith("/"):
        assert len(list(Path(where).iterdir())) == 1


@pytest.mark.parametrize("image_id", ["", "..", "../x", "a/b", "x" * 22 + "\n", "é" * 22])
def test_what_is_no_id_finds_nothing(where, image_id):
    assert open_store(where, 600, 1000).get(image_id) is None


def test_what_is_not_ours_in_the_folder_is_left_alone(tmp_path):
    """Someone may name a folder that they use for other things, too."""
    (tmp_path / "images" / "letters").mkdir(parents=True)
    (tmp_path / "images").chmod(0o700)
    thesis = tmp_path / "images/thesis.docx"
    thesis.write_bytes(bytes(5000))
    os.utime(thesis, (0, 0))
    store = open_store(str(tmp_path / "images"), 600, 100)
    for _ in range(3):
        store.put(bytes(90))
    assert thesis.exists()
    assert len(list((tmp_path / "images").iterdir())) == 3


def test_a_folder_that_others_can_open_is_refused(tmp_path):
    (tmp_path / "images").mkdir(mode=0o755)
    with pytest.raises(SettingsError, match="chmod 700"):
        open_store(str(tmp_path / "images"), 600, 1000)


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="is not a folder"):
        open_store(str(tmp_path / "images"), 600, 1000)


def test_a_redis_that_is_gone_is_said_and_not_a_crash():
    store = open_store(f"redis://127.0.0.1:{free_port()}/0", 600, 1000)
    with pytest.raises(StoreUnavailable):
        store.put(b"picture")
    with pytest.raises(StoreUnavailable):
        store.get("A" * 22)
