"""Pictures made to break decoders, each by multipart: an answer or a sentence, soon."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest

ALLOWED = {200, 400, 413, 415, 422}
ANSWERED_WITHIN_S = 2.0
# Decoding 50 megapixels of RGBA takes 200 MB, its RGB copy 150; two may be at work at once.
PEAK_MB = 1200


@pytest.fixture(scope="session")
def hostile(shared, tmp_path_factory):
    more = tmp_path_factory.mktemp("hostile")
    make = [sys.executable, str(shared / "data/hostile/make_more.py"), str(more)]
    subprocess.run(make, check=True, capture_output=True)
    own = [p for p in (shared / "data/hostile").iterdir() if "__" in p.name]
    return sorted(own) + sorted(p for p in more.rglob("*") if p.is_file())


def peak_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def test_no_file_breaks_the_service_or_takes_long(service, hostile, elephant):
    before = service.worker_pids()
    slow, wrong = [], []
    for path in hostile:
        begun = time.monotonic()
        reply = service.predict(path.read_bytes())
        took = time.monotonic() - begun
        if took > ANSWERED_WITHIN_S:
            slow.append((path.name, round(took, 1)))
        if (
            reply.status_code not in ALLOWED
            or "application/json" not in reply.headers["Content-Type"]
        ):
            wrong.append((path.name, reply.status_code))
    assert not wrong
    assert not slow
    assert service.worker_pids() == before
    peaks = [peak_mb(pid) for pid in before]
    print(f"{len(hostile)} hostile files; the worker's peak: {max(peaks):.0f} MB")
    assert max(peaks) < PEAK_MB
    first = service.predict(elephant).json()["predictions"][0]
    assert first["label"] == "African_elephant"


def test_what_pillow_reads_in_an_allowed_format_gets_an_answer(service, shared):
    with (shared / "data/hostile/manifest.csv").open(encoding="utf-8") as rows:
        opened = [row for row in csv.DictReader(rows) if row["result"] == "opened"]
    assert opened
    refused = {}
    for row in opened:
        reply = service.predict((shared / "data/hostile" / row["file"]).read_bytes())
        if reply.status_code != 200:
            refused[row["file"]] = reply.json()["error"]["message"]
    print(f"{len(opened) - len(refused)} of {len(opened)} answered")
    assert not refused
