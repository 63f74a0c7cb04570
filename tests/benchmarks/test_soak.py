"""The soak's verdict on made runs, and a short real one."""

import itertools
import random
import subprocess
import sys

import pytest

from benchmarks import soak
from benchmarks.soak import Done, Sample
from tests.service import ROOT

SECONDS = 1800


def requests(ms=lambda _: 50.0, status=200, good=True):
    return [Done(at, at + ms(at) / 1000, status, good) for at in range(SECONDS)]


def samples(own=lambda _: 200.0, threads=lambda _: 60, files=lambda _: 40):
    return [Sample(at, own(at), 300.0, threads(at), files(at)) for at in range(0, SECONDS, 5)]


def failing(done, seen, replaced=0):
    return [
        one.what.split()[0].rstrip(",") for one in soak.judge(done, seen, replaced) if not one.holds
    ]


def test_a_steady_run_holds():
    assert failing(requests(), samples()) == []


def test_busy_and_refused_hostile_ones_are_no_failure():
    done = requests() + requests(status=503) + requests(status=422, good=False)
    assert failing(done, samples()) == []


@pytest.mark.parametrize(
    ("done", "seen", "what"),
    [
        (requests(), samples(own=lambda at: 200 + at / 100), "memory"),
        (requests(), samples(own=lambda at: 100 + at / 250), "memory"),  # 5.8 of 104 MB
        (requests(ms=lambda at: 50 if at < 1500 else 70), samples(), "p99"),
        (requests(), samples(threads=lambda at: 60 + at // 300), "threads"),
        (requests(), samples(files=lambda at: 40 + at // 300), "files"),
        (requests() + requests(status=500, good=False), samples(), "requests"),
        (requests() + requests(status=422), samples(), "requests"),
        (requests() + requests(status=0), samples(), "requests"),
    ],
)
def test_what_is_wrong_is_named(done, seen, what):
    assert failing(done, seen) == [what]


def test_a_replaced_worker_is_told():
    assert failing(requests(), samples(), replaced=1) == ["workers"]


def test_memory_that_fills_in_the_first_fifth_is_no_leak():
    assert failing(requests(), samples(own=lambda at: 200 if at > 300 else 100 + at / 3)) == []


def test_requests_come_at_the_rate_that_was_asked_for():
    times = list(soak.at_rate(100, 60))
    assert times == sorted(times)
    assert len(times) == pytest.approx(6000, rel=0.05)


def test_the_mixture_is_the_same_each_time_and_holds_both_kinds():
    good = [random.Random(seed).randbytes(5000) for seed in (1, 2)]
    first, again = (list(itertools.islice(soak.bodies(good), 500)) for _ in range(2))
    assert first == again
    share = sum(not one.good for one in first) / 500
    assert share == pytest.approx(soak.HOSTILE_SHARE, abs=0.06)


def test_a_folder_of_hostile_files_is_mixed_in(tmp_path):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/one.gif").write_bytes(b"GIF89a, and no more")
    assert b"GIF89a, and no more" in soak.hostile([bytes(100)], tmp_path)


@pytest.mark.slow
def test_a_short_run_writes_what_it_really_measured(tmp_path):
    page = tmp_path / "soak.md"
    command = [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.2", "--out", str(page)]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = page.read_text()
    assert "# Soak: 0.2 minutes under load" in said
    assert page.with_suffix(".png").stat().st_size > 10_000
