"""An engine that throws, one that gives no numbers, one that never comes back: real graphs."""

import json

import pytest
import requests

from tests import small
from tests.faults import networks
from tests.faults.clients import wait_until
from tests.service import running

RED, BLUE = small.photo("red"), small.photo("blue")


@pytest.mark.parametrize("make", [networks.that_throws, networks.that_gives_no_numbers])
def test_a_photo_on_which_the_engine_fails_is_our_fault_and_the_next_one_is_answered(
    tmp_path, make
):
    with running(tmp_path, model=make(tmp_path / "network"), cores=1) as service:
        workers = service.worker_pids()
        reply = service.predict(RED)
        assert (reply.status_code, reply.json()["error"]["code"]) == (500, "internal")
        assert "openvino" not in reply.text.lower()
        assert reply.json()["error"]["request_id"] in service.log.read_text()
        for _ in range(5):
            assert service.predict(BLUE).json()["predictions"][0]["label"] == "blue"
            again = service.predict(RED)
            if again.status_code == 200:  # OpenVINO doesn't throw every time it should
                assert again.json()["predictions"][0]["label"] == "red", "never the last photo's"
        assert service.worker_pids() == workers
        heat = service.post(
            "/explain", files={"image": RED}, headers={"Accept": "application/json"}
        )
        assert heat.status_code in (400, 500), "never a map of nothing"


def test_no_numbers_are_no_answer_to_programs_either(tmp_path):
    """/v2 gives all probabilities as they are."""
    made = networks.that_gives_no_numbers(tmp_path / "network")
    pixels = [[[[254, 0, 0]] * small.SIZE] * small.SIZE]
    shape = [1, small.SIZE, small.SIZE, 3]
    asked = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": shape, "data": pixels}]}
    with running(tmp_path, model=made, cores=1) as service:
        reply = service.post("/v2/models/Moody/infer", json=asked)
        assert (reply.status_code, reply.json()["code"]) == (500, "internal")
        assert "gave no numbers" in service.log.read_text()


def test_an_engine_that_hangs_costs_one_504_and_then_its_worker_is_replaced(tmp_path):
    made = networks.that_hangs(tmp_path / "network")
    with running(tmp_path, model=made, deadline_s=1, cores=1) as service:
        (worker,) = service.worker_pids()
        assert service.predict(BLUE).status_code == 200
        late = service.predict(RED)
        assert (late.status_code, late.json()["error"]["code"]) == (504, "too_late")
        assert service.predict(BLUE).status_code == 504, "the one runner is gone"
        assert service.get("/healthz").status_code == 200
        wait_until(lambda: service.worker_pids() not in ([], [worker]), "another worker")
        wait_until(lambda: _answers(service), "an answer by it")
        said = [json.loads(line) for line in service.log.read_text().splitlines() if "{" in line]
        (critical,) = [line for line in said if line["level"] == "CRITICAL"]
        print(critical["message"])
        assert "stuck" in critical["message"]


def _answers(service):
    try:
        return service.predict(BLUE).status_code == 200
    except requests.ConnectionError:
        return False
