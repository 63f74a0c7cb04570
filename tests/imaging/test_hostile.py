"""Files made to break decoders, from the test suites of many of them (../shared/data/hostile)."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Reads each file as the service does, one after the other, and tells how each went, how many
# seconds of a processor it took (those of a clock depend on who else computes here) and how much
# memory was ever held. A process of its own: a crash is seen, and the memory is the decoders'.
READ_ALL = """
import json, sys, time
from pathlib import Path
from errors import RequestError
from imaging.fit import Fit, fit
from imaging.read import read

ended = {}
for path in map(Path, sys.argv[1:]):
    for file in sorted(path.iterdir()):
        data, started = file.read_bytes(), time.process_time()
        try:
            result = str(fit(read(data, at_least=256), Fit(224)).shape)
        except RequestError as error:
            result = type(error).__name__
        ended[file.name] = [result, time.process_time() - started]
# Not ru_maxrss: a process inherits that from the one that started it.
status = Path("/proc/self/status").read_text()
peak_kb = int(status.partition("VmHWM:")[2].split()[0])
print(json.dumps({"files": ended, "peak_mb": peak_kb / 1024}))
"""
REFUSALS = {"UnsupportedImage", "PictureTooLarge", "BrokenImage"}


@pytest.fixture(scope="module")
def hostile(shared):
    return shared / "data" / "hostile"


@pytest.fixture(scope="module")
def outcome(hostile, tmp_path_factory):
    more = tmp_path_factory.mktemp("more")
    subprocess.run(
        [sys.executable, hostile / "make_more.py", more], check=True, capture_output=True
    )
    command = [sys.executable, "-W", "error", "-c", READ_ALL, hostile, more]
    done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return json.loads(done.stdout)


def test_every_hostile_file_is_read_or_refused(outcome):
    results = {result for result, _ in outcome["files"].values()}
    assert results == {"(224, 224, 3)", *REFUSALS}
    assert len(outcome["files"]) > 450


def test_what_pillow_reads_in_an_allowed_format_is_read(outcome, hostile):
    with (hostile / "manifest.csv").open(encoding="utf-8", newline="") as manifest:
        opened = [row["file"] for row in csv.DictReader(manifest) if row["result"] == "opened"]
    assert len(opened) > 130
    assert [name for name in opened if outcome["files"][name][0] in REFUSALS] == []


def test_no_hostile_file_takes_two_seconds(outcome):
    seconds, name = max((seconds, name) for name, (_, seconds) in outcome["files"].items())
    assert seconds < 2, name


def test_the_memory_they_take_is_bounded(outcome):
    """The largest decodes to 196 MB; nothing may be kept from one file to the next."""
    assert outcome["peak_mb"] < 400
