"""Many networks in little memory: the real service, and networks of forty megabytes each."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from engines.cache import seal
from models import folder
from tests.service import running
from tests.small import SIZE, colours, photo

COUNT, BUDGET, MORE = 20, 2**30, 300 * 2**20
WIDE = 20_000  # columns of a dense layer with 512 rows: ten million weights


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Twenty network folders, each answering as the small one does, but heavy."""
    where = tmp_path_factory.mktemp("heavy")
    first = colours(where / "Heavy0", "Heavy0")
    openvino.save_model(_heavy(), first / "compiled/network.xml", compress_to_fp16=False)
    seal(first / "compiled", key="made in a test")
    card = replace(folder.load(first), parameters=512 * WIDE)
    for number in range(COUNT):
        made = where / f"Heavy{number}"
        if number:
            shutil.copytree(first, made, copy_function=os.link)
        (made / folder.CARD).unlink()
        folder.save(replace(card, name=made.name), made)
    return [where / f"Heavy{number}" for number in range(COUNT)]


def _heavy() -> openvino.Model:
    """The mean colour by way of a large dense layer, which only copies it."""
    pixels = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="pixels")
    mean = ops.reduce_mean(ops.convert(pixels, "f32"), np.array([1, 2]), keep_dims=False)
    some = ops.matmul(mean, np.eye(3, 512, dtype=np.float32), False, False)
    copies = np.tile(np.eye(512, dtype=np.float32), WIDE // 512 + 1)[:, :WIDE]
    many = ops.relu(ops.matmul(some, copies, False, False))
    first_three = np.eye(WIDE, 3, dtype=np.float32) / np.float32(32)
    few = ops.matmul(many, first_three, False, False)
    return openvino.Model([ops.softmax(few, 1)], [pixels], "heavy")


def resident(service) -> int:
    """The most bytes that the workers had in memory until now."""
    statuses = (Path(f"/proc/{pid}/status").read_text() for pid in service.worker_pids())
    lines = (line for status in statuses for line in status.splitlines())
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def first_answer(service, name: str):
    """The answer, however often the service says that the network is still being loaded."""
    end = time.monotonic() + 120
    while True:
        reply = service.predict(photo("blue"), model=name)
        if reply.status_code == 200:
            return reply.json()
        assert reply.status_code == 503, reply.text
        assert reply.json()["error"]["code"] == "not_ready"
        assert int(reply.headers["Retry-After"]) >= 1
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.timeout(900)
def test_twenty_networks_asked_for_in_turn_stay_within_their_memory(networks, tmp_path):
    names = [one.name for one in networks]
    settings = {
        "model": networks[0],
        "on_request": ",".join(map(str, networks[1:])),
        "memory": BUDGET,
    }
    with running(tmp_path, **settings) as service:
        for name in [*names, *names[::-1]]:
            assert first_answer(service, name)["predictions"][0]["label"] == "blue"
        most, log = resident(service), service.log.read_text()
    print(f"{COUNT} networks, at most {most / 2**20:.0f} MB resident")
    assert most < BUDGET + MORE
    assert "leaves to make room" in log
