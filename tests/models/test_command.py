"""`python -m models`: what a user sees of the table, and how weights get here."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models import zoo
from models.__main__ import main, page

ROOT = Path(__file__).resolve().parents[2]
QUARTER = "MobileNet_0.25_128"
FILE = "mobilenet_2_5_128_tf.h5"
CONTENT = b"\x89HDF\r\n\x1a\n" + b"weights" * 10_000


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty folder of weights, as Keras uses it."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path / "models"


def put(cache: Path, name: str, content: bytes) -> Path:
    cache.mkdir(exist_ok=True)
    path = cache / zoo.card(name).weights.file
    path.write_bytes(content)
    return path


def test_the_list_has_a_line_for_every_network(cache, capsys):
    assert main(["list"]) == 0

    head, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(zoo.names())
    assert head.split()[:4] == ["name", "input", "classes", "parameters"]
    vgg = next(line.split() for line in lines if line.startswith("VGG16"))
    assert vgg == ["VGG16", "224", "1000", "138,357,544", "0.713", "0.901", "553", "CC-BY-4.0"]


def test_the_list_tells_which_weights_are_here(cache, capsys):
    put(cache, QUARTER, CONTENT)

    main(["list", "--json"])

    here = [row["name"] for row in json.loads(capsys.readouterr().out) if row["here"]]
    assert here == ["ShiwuNet", QUARTER]


def test_programs_get_all_that_is_known(cache, capsys):
    main(["list", "--json"])

    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    row = rows["ConvNeXtTiny"]
    assert (row["input_size"], row["min_size"], row["scaling"]) == (224, 32, "none")
    assert row["sha256"].startswith("8ae6e78c")
    assert row["url"].endswith("/convnext/convnext_tiny.h5")
    assert row["place"] == str(cache / "convnext_tiny.h5")


def test_one_network_is_shown_a_fact_a_line(cache, capsys):
    assert main(["show", "ResNeXt50"]) == 0

    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["parameters"] == "25,097,128"
    assert shown["md5"] == "67a5b30d522ed92f75a1f16eef299d1a"
    assert shown["place"].endswith("/resnext50_weights_tf_dim_ordering_tf_kernels.h5")
    assert "sha256" not in shown


def test_a_name_that_is_none_gets_a_sentence(cache, capsys):
    assert main(["show", "resnext-50"]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert "no network 'resnext-50' (nearest: ResNeXt50" in said.err


def test_weights_are_fetched_from_a_mirror_into_keras_cache(cache, server, capsys):
    """A real server, by the address that the option gives."""
    server.content = CONTENT

    assert main(["fetch", QUARTER, "--mirror", server.address("mirror")]) == 0

    assert (cache / FILE).read_bytes() == CONTENT
    assert server.addresses == [f"/mirror/{FILE}"]
    assert capsys.readouterr().out == f"{QUARTER}: {cache / FILE}\n"


def test_one_that_fails_does_not_keep_the_others_from_being_fetched(cache, server, capsys):
    """The first has a checksum, which this server's file hasn't."""
    server.content = CONTENT
    right = zoo.card("DenseNet121").weights.md5

    mirror = ["--mirror", server.address("mirror")]

    fetched = subprocess.run(
        [sys.executable, "-m", "models", "fetch", "DenseNet121", QUARTER, *mirror],
        cwd=ROOT,
        # The published address can't be reached either: not from here, and not from elsewhere.
        env=os.environ | {"KERAS_HOME": str(cache.parent), "https_proxy": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
    )

    assert fetched.returncode == 1
    assert f"{QUARTER}: {cache / FILE}" in fetched.stdout
    found = hashlib.md5(CONTENT).hexdigest()
    assert f"its md5 is {found}, it should be {right}" in fetched.stderr
    assert "Traceback" not in fetched.stderr


def test_a_wrong_name_ends_it_before_anything_is_fetched(cache, server, capsys):
    assert main(["fetch", QUARTER, "MobilNet", "--mirror", server.address("")]) == 1

    assert server.asked == []


def test_verify_finds_the_damaged_among_what_is_there(cache, capsys):
    """Half a download, a disk that forgets: the others are checked all the same."""
    put(cache, "ResNet50", CONTENT)
    put(cache, "ConvNeXtTiny", CONTENT)
    put(cache, QUARTER, CONTENT)

    assert main(["verify"]) == 1

    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"{QUARTER}: {cache / FILE}: there; Keras lists no checksum for it"
    ]
    assert [line.split(":")[0] for line in said.err.splitlines()] == ["ResNet50", "ConvNeXtTiny"]
    assert "its md5 is" in said.err
    assert f"its sha256 is {hashlib.sha256(CONTENT).hexdigest()}" in said.err


def test_verify_of_one_that_is_not_there_fails(cache, capsys):
    assert main(["verify", "VGG16"]) == 1

    assert "there is no such file" in capsys.readouterr().err


def test_verify_with_nothing_there_says_how_to_get_some(cache, capsys):
    assert main(["verify"]) == 0

    assert f"no weights in {cache}; python -m models fetch NAME" in capsys.readouterr().out


def test_the_page_of_networks_is_the_table():
    written = (ROOT / "docs/networks.md").read_text(encoding="utf-8")

    assert written == page(), "run: python -m models list --markdown > docs/networks.md"


def test_it_needs_no_tensorflow(cache):
    """It is run where nothing but the service is installed."""
    code = "import sys; from models.__main__ import main; main(['list']); "
    code += "assert not {'keras', 'tensorflow', 'h5py'} & set(sys.modules)"

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_a_reader_who_has_seen_enough_ends_the_list_without_a_traceback():
    """`python -m models list | head`."""
    command = [sys.executable, "-m", "models", "list"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as listing:
        listing.stdout.close()
        assert listing.stderr.read() == ""
    assert listing.returncode == 0
