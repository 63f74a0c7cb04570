"""deploy/nginx.conf in the real nginx, in front of the real service."""

import contextlib
import http.client
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import pytest
import requests

from api.upload import ENVELOPE_BYTES
from settings import Settings
from tests import small
from tests.service import Service, free_port, running

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
HSTS = "Strict-Transport-Security"
READY_WITHIN_S = 30


@dataclass
class Proxy:
    """A running nginx with our configuration, its ports, names and paths changed for this machine."""

    folder: Path
    port: int
    plain_port: int

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def get(self, path: str, **options) -> requests.Response:
        return requests.get(self.address + path, timeout=60, verify=self._certificate, **options)

    def predict(self, photo: bytes, **options) -> requests.Response:
        return self.post("/predict", photo, **options)

    def post(self, path: str, body: bytes, kind: str = "image/jpeg") -> requests.Response:
        return requests.post(
            self.address + path,
            data=body,
            headers={"Content-Type": kind},
            timeout=60,
            verify=self._certificate,
        )

    def connect(self) -> ssl.SSLSocket:
        """A bare connection, for requests that no client would make."""
        bare = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return self._context.wrap_socket(bare, server_hostname="localhost")

    def ask(self, request: str) -> http.client.HTTPResponse:
        """The reply to a request written out by hand, its body read."""
        with self.connect() as connection:
            connection.sendall(request.encode())
            reply = http.client.HTTPResponse(connection)
            reply.begin()
            reply.text = reply.read().decode()
            return reply

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._certificate)

    @property
    def _certificate(self) -> str:
        return str(self.folder / "tls/fullchain.pem")


def put_for(configuration: str, changes: Mapping[str, str]) -> str:
    """The configuration with each key's place, which must be there, taken by its value."""
    for there, instead in changes.items():
        assert there in configuration
        configuration = configuration.replace(there, instead)
    return configuration


@contextlib.contextmanager
def in_front_of(
    nginx: str, upstream: str, others: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Proxy]:
    """nginx, in front of host:port; its folder is open to its unprivileged workers."""
    folder = Path(tempfile.mkdtemp(prefix="shiwu-proxy-"))
    folder.chmod(0o755)
    try:
        proxy = Proxy(folder, free_port(), free_port())
        (folder / "tls").mkdir()
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", folder / "tls/privkey.pem", "-out", folder / "tls/fullchain.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
        changes = {
            "shiwu:5000": upstream,
            "listen 80;": f"listen 127.0.0.1:{proxy.plain_port};",
            "listen 443 ssl;": f"listen 127.0.0.1:{proxy.port} ssl;",
            "worker_processes auto;": "worker_processes 1;",  # so that connections can be counted
            "/tmp/nginx": f"{folder}/nginx",
            "/var/www/acme": f"{folder}/acme",
        }
        (folder / "nginx.conf").write_text(
            put_for(CONFIGURATION, changes | others), encoding="utf-8"
        )
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [nginx, "-c", folder / "nginx.conf", "-p", folder, "-g", "daemon off;"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                _wait_until_it_listens(process, proxy)
                yield proxy
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=30)
    finally:
        shutil.rmtree(folder)


def _wait_until_it_listens(process: subprocess.Popen, proxy: Proxy) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", proxy.port), timeout=1).close()
            return
        time.sleep(0.02)
    raise AssertionError(proxy.log)


@pytest.fixture(scope="module")
def nginx(program) -> str:
    program("openssl")
    return program("nginx", "/usr/sbin/nginx")


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    return small.colours(tmp_path_factory.mktemp("network") / "colours")


@pytest.fixture(scope="module")
def service(network, tmp_path_factory) -> Iterator[Service]:
    """With one core and a queue of one, so that there are three places."""
    with running(
        tmp_path_factory.mktemp("service"), model=network, cores=1, queue=1, deadline_s=5
    ) as started:
        yield started


@pytest.fixture(scope="module")
def proxy(nginx, service) -> Iterator[Proxy]:
    with in_front_of(nginx, service.address.removeprefix("http://")) as started:
        yield started


@contextlib.contextmanager
def recorder() -> Iterator[tuple[str, list[list[str]]]]:
    """An address that answers every request with 200, and what came: heads, by connection."""
    came: list[list[str]] = []

    def serve(connection: socket.socket, heads: list[str]) -> None:
        with connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                head = [line]
                while (line := stream.readline()) not in (b"\r\n", b""):
                    head.append(line)
                heads.append(b"".join(head).decode())
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def accept() -> None:
        with contextlib.suppress(OSError):  # closed: the end
            while True:
                connection, _ = listener.accept()
                came.append([])
                threading.Thread(target=serve, args=[connection, came[-1]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", came
        listener.shutdown(socket.SHUT_RDWR)
    accepting.join(timeout=10)


def head_of_a_photo(length: int, path: str = "/predict") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def test_a_photo_is_answered_over_tls(proxy):
    reply = proxy.predict(small.photo("green"))
    assert reply.status_code == 200
    assert reply.json()["predictions"][0]["label"] == "green"


def test_a_form_is_answered_over_tls(proxy):
    """As browsers and WeChat's wx.uploadFile send it."""
    form = requests.Request("POST", proxy.address, files={"image": small.photo("red")}).prepare()
    reply = proxy.post("/predict", form.body, form.headers["Content-Type"])
    assert reply.json()["predictions"][0]["label"] == "red"


def test_browsers_are_told_to_stay_with_tls(proxy):
    assert proxy.get("/healthz").headers[HSTS].startswith("max-age=")
    assert proxy.get("/metrics").headers[HSTS].startswith("max-age=")


def test_plain_http_is_sent_to_https_with_its_method_path_and_query(proxy):
    reply = requests.post(
        f"http://127.0.0.1:{proxy.plain_port}/predict?top=1",
        headers={"Host": "photos.example"},
        allow_redirects=False,
        timeout=30,
    )
    assert reply.status_code == 308
    assert reply.headers["Location"] == "https://photos.example/predict?top=1"


def test_a_certificate_can_be_had_by_acme(proxy):
    """Who issues it looks for a file of ours, on port 80."""
    challenges = proxy.folder / "acme/.well-known/acme-challenge"
    challenges.mkdir(parents=True)
    (challenges / "token").write_text("token.thumbprint")
    address = f"http://127.0.0.1:{proxy.plain_port}/.well-known/acme-challenge/token"
    assert requests.get(address, timeout=30).text == "token.thumbprint"


def test_a_photo_of_the_largest_size_comes_through(proxy):
    reply = proxy.predict(bytes(Settings().max_bytes))
    assert reply.json()["error"]["code"] == "unsupported_image"


def test_a_photo_a_little_too_large_is_refused_by_the_service(proxy):
    reply = proxy.predict(bytes(Settings().max_bytes + 1))
    assert reply.status_code == 413
    assert "SHIWU_MAX_BYTES" in reply.json()["error"]["message"]


@pytest.mark.parametrize("length", [Settings().max_bytes + ENVELOPE_BYTES + 1, 10**10])
def test_what_the_service_would_refuse_unread_is_refused_before_it_in_the_same_shape(proxy, length):
    with proxy.connect() as connection:
        connection.sendall(head_of_a_photo(length))
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        error = json.loads(reply.read())["error"]
    assert (reply.status, error["code"]) == (413, "too_large")
    assert reply.headers["Content-Type"] == "application/json"
    assert re.fullmatch("[0-9a-f]{32}", error["request_id"])


def test_a_body_of_unknown_length_is_answered(proxy):
    """The service wants to know how long a body is; nginx knows when it has it."""
    pieces = iter([small.photo("blue")])
    assert proxy.predict(pieces).json()["predictions"][0]["label"] == "blue"


def test_phones_on_slow_lines_hold_no_place_in_the_queue(proxy):
    """The service has three places; without nginx in between, slow bodies would fill them."""
    photo = small.photo("green")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(proxy.connect()) for _ in range(6)]
        for connection in slow:
            connection.sendall(head_of_a_photo(len(photo)) + photo[:100])
        for _ in range(3):
            assert proxy.predict(photo).status_code == 200
        slow[0].sendall(photo[100:])
        assert slow[0].recv(100).startswith(b"HTTP/1.1 200 ")


def test_busy_and_when_to_come_again_pass_through(proxy, service):
    """All three places are held by bodies that went to the service itself."""
    host, port = service.address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            held = stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
            held.sendall(head_of_a_photo(1000) + b"\xff\xd8\xff")
        end = time.monotonic() + 10
        while (reply := proxy.predict(small.photo("red"))).status_code == 200:
            assert time.monotonic() < end
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "busy")
    assert int(reply.headers["Retry-After"]) >= 1


def test_a_service_that_is_away_is_said_in_the_same_shape(nginx):
    with in_front_of(nginx, f"127.0.0.1:{free_port()}") as alone:
        reply = alone.predict(small.photo("red"))
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "not_ready")
    assert reply.headers["Retry-After"] == "5"
    assert HSTS in reply.headers


def test_the_service_is_told_who_asks_whatever_a_stranger_writes(nginx):
    with recorder() as (address, came), in_front_of(nginx, address) as proxy:
        proxy.get(
            "/models",
            headers={"X-Forwarded-For": "1.2.3.4, 5.6.7.8", "Forwarded": "for=1.2.3.4",
                     "X-Forwarded-Proto": "http", "X-Request-Id": "mine"},
        )  # fmt: skip
    ((head,),) = came
    assert re.findall("^X-Forwarded-For: (.*)\r$", head, re.M) == ["127.0.0.1"]
    assert re.findall("^X-Forwarded-Proto: (.*)\r$", head, re.M) == ["https"]
    assert re.findall("^X-Request-Id: (.*)\r$", head, re.M) == ["mine"]
    assert "1.2.3.4" not in head


def test_connections_to_the_service_are_used_again(nginx):
    with recorder() as (address, came), in_front_of(nginx, address) as proxy:
        for _ in range(3):
            assert proxy.get("/healthz").status_code == 200
    assert [len(heads) for heads in came] == [3]


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/metrics?name[]=x", "//metrics", "/./metrics", "/docs/../metrics", "/%6detrics",
     "/metrics/", "/metrics%2f", "/%2e/metrics", "/%2fmetrics", "http://localhost/metrics"],
)  # fmt: skip
def test_strangers_see_no_metrics(proxy, service, path):
    reply = proxy.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert reply.status == 404
    assert json.loads(reply.text)["error"]["code"] == "not_found"
    assert "shiwu_requests_total" in service.get("/metrics").text


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("\0\1\2 nonsense\r\n\r\n", 400),
        ("GET /models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /../../x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /metrics%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (f"GET /models HTTP/1.1\r\nHost: a\r\nX: {'x' * 10_000}\r\n\r\n", 400),
        (f"GET /{'x' * 10_000} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: odd\r\n\r\n", 501),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
    ],
    ids=range(9),
)
def test_what_nginx_refuses_by_itself_is_answered_in_the_same_shape(proxy, request_, status):
    reply = proxy.ask(request_)
    assert (reply.status, json.loads(reply.text)["error"]["code"]) == (status, "bad_request")
    assert reply.headers["Content-Type"] == "application/json"


def test_one_address_has_only_so_many_connections(nginx, service):
    """So that nobody can have them all; here four instead of 128."""
    few = {"limit_conn addresses 128;": "limit_conn addresses 4;"}
    upstream = service.address.removeprefix("http://")
    with in_front_of(nginx, upstream, few) as proxy, contextlib.ExitStack() as stack:
        for _ in range(4):
            held = stack.enter_context(proxy.connect())
            held.sendall(head_of_a_photo(1000) + b"\xff\xd8\xff")
        end = time.monotonic() + 10
        while (reply := proxy.predict(small.photo("red"))).status_code == 200:
            assert time.monotonic() < end
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "too_many_requests")
    assert reply.headers["Retry-After"] == "5"


def test_its_log_has_a_line_for_what_the_service_never_saw_and_no_address(proxy):
    """Of what the service did see, its own log tells."""
    proxy.get("/models")
    with proxy.connect() as connection:
        connection.sendall(head_of_a_photo(10**10, "/predict?secret"))
        connection.recv(1000)
    end = time.monotonic() + 10
    while '"status": 413' not in proxy.log:
        assert time.monotonic() < end, proxy.log
        time.sleep(0.02)
    lines = [json.loads(line) for line in proxy.log.splitlines() if line.startswith("{")]
    assert {line["logger"] for line in lines} == {"proxy"}
    assert 200 not in {line["status"] for line in lines if line["method"] == "GET"}
    assert "secret" not in "".join(map(str, lines))
    assert "127.0.0.1" not in "".join(map(str, lines))


def seconds(name: str) -> list[int]:
    return [int(found) for found in re.findall(rf"\b{name} (\d+)s;", CONFIGURATION)]


def test_its_times_fit_those_of_the_service():
    """It waits longer for an answer than an answer may take, and lets go of connections first."""
    (answer,) = seconds("proxy_read_timeout")
    assert answer > Settings().deadline_s + 30
    ours = re.search(r"^keepalive = (\d+)", (ROOT / "gunicorn.conf.py").read_text(), re.M)
    assert min(seconds("keepalive_timeout")) < int(ours[1])


def test_bodies_wait_in_memory_only():
    """Where compose.yaml puts a tmpfs."""
    paths = re.findall(r"_temp_path (\S+);", CONFIGURATION)
    assert len(paths) == 5
    assert all(path.startswith("/tmp/") for path in paths)
    assert "proxy_max_temp_file_size 0;" in CONFIGURATION
