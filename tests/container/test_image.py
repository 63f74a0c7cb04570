"""The container image, built and run for real, read-only and without a network.

No container engine is needed: a tool beside the project builds the Dockerfile, on a base made
from Debian's packages, and runs the result. It needs root, and takes a minute or two.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from models import zoo
from version import VERSION

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).resolve().parents[2]
# Bytes, uncompressed, on top of the Python base; 90 % of it is OpenVINO, NumPy and decoders.
OWN_LAYERS = 250_000_000
USER = 10001


# Asked from outside the container, but within its network, which is a loopback and nothing else.
READY = """
import http.client, time
end = time.monotonic() + 60
status = None
while status != 200 and time.monotonic() < end:
    time.sleep(0.05)
    try:
        service = http.client.HTTPConnection("127.0.0.1", 5000, timeout=5)
        service.request("GET", "/readyz")
        status = service.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        status = error
raise SystemExit(0 if status == 200 else str(status))
"""
POST = """
import http.client, pathlib, sys
photo = pathlib.Path(sys.argv[1]).read_bytes()
service = http.client.HTTPConnection("127.0.0.1", 5000, timeout=30)
said = {"Content-Type": "image/jpeg", "Accept": "application/json"}
service.request("POST", sys.argv[2], photo, said)
print(service.getresponse().read().decode())
"""


class Tool:
    """The program that builds and runs images: `tool("run", …)`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, *arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, self._path, *arguments]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True)

    def must(self, *arguments: object) -> str:
        """What it prints; its words are the error when it fails."""
        ran = self(*arguments)
        assert ran.returncode == 0, f"{arguments}\n{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"
        return ran.stdout


class Container:
    """A running container: read-only, with no network but its own loopback."""

    def __init__(self, tool: Tool, name: str) -> None:
        self._tool = tool
        self._name = name

    def wait_until_ready(self) -> None:
        ready = self._tool(*self._within_its_network(READY))
        logs = self._tool("logs", self._name)
        said = f"{ready.stderr}{logs.stdout}{logs.stderr}"
        assert ready.returncode == 0, f"not ready in time:\n{said}"

    def predict(self, photo: Path) -> dict:
        return self.post(photo, "/predict")

    def post(self, photo: Path, address: str) -> dict:
        return json.loads(self._tool.must(*self._within_its_network(POST), photo, address))

    def check_health(self) -> None:
        self._tool.must("health", self._name)

    def python(self, program: str) -> object:
        """What a program finds inside; it prints JSON."""
        return json.loads(self._tool.must("exec", self._name, "--", "python", "-c", program))

    def stop(self) -> int:
        """SIGTERM, and the exit status; after 30 s it is killed, and the status is 137."""
        return self._tool("stop", self._name, "-t", 30).returncode

    def _within_its_network(self, program: str) -> list[str]:
        return ["probe", self._name, "--", sys.executable, "-c", program]


class Image:
    """A built image."""

    def __init__(self, tool: Tool, folder: Path, name: str, *arguments: str) -> None:
        self._tool = tool
        self._folder = folder
        given = [word for argument in arguments for word in ("--build-arg", argument)]
        self._tool.must("build", ROOT, "-t", name, "-o", folder, *given)
        self.facts = json.loads((folder / "image.json").read_text())  # sizes and configuration

    @contextlib.contextmanager
    def running(self) -> Iterator[Container]:
        """A container, ready; stopped at the end whatever happens."""
        name = f"shiwu-test-{uuid4().hex[:8]}"
        self._tool.must("run", self._folder, "-d", "--name", name, "--network", "none")
        container = Container(self._tool, name)
        try:
            container.wait_until_ready()
            yield container
        finally:
            container.stop()

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """A container in the foreground, with arguments, until it ends."""
        return self._tool("run", self._folder, "--network", "none", "--", *arguments)


@pytest.fixture(scope="module")
def image(shared, tmp_path_factory) -> Image:
    if os.geteuid() != 0:
        pytest.skip("needs root, to build and run the image")
    return Image(
        Tool(shared / "tools/build_image.py"), tmp_path_factory.mktemp("image"), "shiwu-test"
    )


@pytest.fixture(scope="module")
def container(image):
    with image.running() as started:
        yield started


def test_what_is_in_the_image_unless_asked_is_what_is_served_unless_asked():
    """The Dockerfile can't read Python, so the two are kept equal here."""
    given = dict(re.findall(r"^ARG (\w+)=(.*)$", (ROOT / "Dockerfile").read_text(), re.M))
    assert given["MODEL"] == zoo.DEFAULT
    assert given["VERSION"] == VERSION


def test_it_names_the_elephant(container, shared):
    """Read-only, with no network, as a user without a name: all that a first request needs."""
    reply = container.predict(shared / "data/photos/elephant.jpg")
    assert reply["model"] == zoo.DEFAULT
    assert reply["predictions"][0]["label"] == "African_elephant"


def test_its_health_check_passes(container):
    container.check_health()


def test_it_runs_as_a_numbered_user_without_capabilities(container):
    found = container.python(
        "import json, os; status = open('/proc/1/status').read();"
        "print(json.dumps([os.getuid(), os.getgid(), status.split('CapEff:')[1].split()[0]]))"
    )
    assert found == [USER, USER, "0" * 16]


def test_nothing_that_it_runs_could_be_changed_by_it(container):
    """Also where the root is not mounted read-only."""
    changeable = container.python(
        "import json, os; "
        "paths = [os.path.join(folder, name) for top in ('/app', '/venv', '/network')"
        " for folder, folders, files in os.walk(top) for name in folders + files];"
        "found = [(path, os.lstat(path)) for path in paths if not os.path.islink(path)];"
        "print(json.dumps([p for p, s in found if s.st_uid or s.st_gid or s.st_mode & 0o022]))"
    )
    assert changeable == []


def test_it_writes_only_its_own_folders(container):
    """OpenVINO's converter would leave an identifier to report with."""
    written = container.python("import json, os; print(json.dumps(os.listdir('/tmp')))")
    assert [name for name in written if not name.startswith("shiwu-")] == []


def test_what_only_building_needs_is_left_out(container):
    present = container.python(
        "import importlib.util, json; names = 'tensorflow', 'keras', 'h5py', 'openvino_telemetry';"
        "print(json.dumps([name for name in names if importlib.util.find_spec(name)]))"
    )
    assert present == []


def test_it_brings_a_font_for_all_chinese_names(container):
    """The rarest of their characters; Debian's other small fonts for Chinese lack it."""
    written = container.python(
        "import json; from imaging.draw import Line, can_write;"
        "print(json.dumps(can_write([Line('鹟䴕')])))"
    )
    assert written is True


def test_its_bytecode_is_in_the_image(container):
    """Compiling at every start would double its time, as nothing can be kept."""
    cached = container.python(
        "import json, os, app, settings;"
        "print(json.dumps([os.path.exists(module.__cached__) for module in (app, settings)]))"
    )
    assert cached == [True, True]


def test_sigterm_ends_it_with_status_0(image):
    """The signal must reach the server, and not a shell in front of it."""
    with image.running() as container:
        assert container.stop() == 0


def test_options_can_follow_the_images_name(image):
    """`docker run shiwu --port 80x` says what is wrong, as `python app.py` does."""
    said = image.run("--port", "80x")
    assert said.returncode == 1
    assert "--port='80x'" in said.stdout + said.stderr


def test_its_own_layers_stay_small(image):
    """The Python base is the same for everybody; the rest is ours to carry."""
    layers = [layer for layer in image.facts["layers"] if not layer["base"]]
    assert image.facts["own_bytes"] <= OWN_LAYERS, layers


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "docs/operations.md"])
def test_its_size_is_what_the_documents_say(image, page):
    (said,) = re.findall(r"\b(24\d|25\d) MB \(10⁶", (ROOT / page).read_text(encoding="utf-8"))
    assert abs(int(said) - image.facts["own_bytes"] / 1e6) <= 3


def test_it_says_what_it_is(image):
    config = image.facts["config"]
    assert config["Labels"]["org.opencontainers.image.version"] == VERSION
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert list(config["ExposedPorts"]) == ["5000/tcp"]
    assert config["Entrypoint"] == ["python", "app.py"]


@pytest.mark.slow
def test_every_layer_and_traces_can_be_had_if_asked_for(image, shared, tmp_path):
    """And cost what the documents say: the network once more, and OpenTelemetry."""
    tool = Tool(shared / "tools/build_image.py")
    full = Image(tool, tmp_path, "shiwu-test-full", "EVERY_LAYER=1", "TRACES=1")
    with full.running() as container:
        photo = shared / "data/photos/elephant.jpg"
        features = container.post(photo, "/features?layer=re_lu_6&pooling=avg")
        assert features["layer"] == "re_lu_6"
        assert container.python("import json, opentelemetry.sdk; print(json.dumps(True))") is True
    assert full.facts["own_bytes"] - image.facts["own_bytes"] < 25_000_000
