"""The service on a real Ray Serve: the same answers and errors, several requests at once."""

import concurrent.futures
import contextlib
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests import small
from tests.service import free_port

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (importlib.util.find_spec("ray") and importlib.util.find_spec("a2wsgi")),
        reason="needs Ray Serve: pip install -r deploy/ray/requirements.txt",
    ),
]

_SERVE = """
import sys, tempfile
import ray
from ray import serve
port = int(sys.argv[1])
with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as spare:
    ray.init(address="local", num_cpus=4, include_dashboard=False, _temp_dir=spare,
             object_store_memory=2**28, logging_level="ERROR")
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    from deploy.ray.service import app
    serve.run(app)
    print("served", flush=True)
    sys.stdin.read()
    serve.shutdown()
    ray.shutdown()
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    network = small.colours(tmp_path_factory.mktemp("network") / "colours")
    log = tmp_path_factory.mktemp("log") / "serve.log"
    port = free_port()
    settings = {"SHIWU_MODEL": str(network), "SHIWU_CORES": "1", "REPLICAS": "2"}
    private = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(port)],
            cwd=ROOT,
            env=os.environ | settings | private | {"RAY_USAGE_STATS_ENABLED": "0"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 240
        while "served" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_photo_is_answered(address):
    reply = requests.post(
        f"{address}/predict", files={"image": small.photo("green")}, params={"top": 1}, timeout=60
    )
    assert reply.status_code == 200
    assert reply.json()["predictions"][0]["label"] == "green"
    assert reply.headers["X-Request-Id"]


def test_errors_and_other_addresses_are_those_of_the_service(address):
    reply = requests.post(f"{address}/predict", files={"image": b"no picture"}, timeout=60)
    assert (reply.status_code, reply.json()["error"]["code"]) == (415, "unsupported_image")
    assert requests.get(f"{address}/readyz", timeout=60).json()["status"] == "ready"
    assert requests.get(f"{address}/nowhere", timeout=60).json()["error"]["code"] == "not_found"
    kept = requests.post(f"{address}/image", files={"image": small.photo("red")}, timeout=60)
    assert kept.content.startswith(b"\xff\xd8\xff")


def test_requests_are_answered_beside_one_that_takes_its_time(address):
    """A body that stands still holds one thread; asgiref's adapter would let all others wait."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n".encode() + b"\xff\xd8\xff")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            quick = [
                pool.submit(requests.post, f"{address}/predict", files={"image": photo}, timeout=30)
                for photo in [small.photo("red")] * 8
            ]
            assert {one.result().status_code for one in quick} == {200}
        slow.sendall(bytes(97))
        assert slow.recv(1000).startswith(b"HTTP/1.1 422")
