"""The ceiling without HTTP, measured for real as short as can be."""

import time

import pytest

from benchmarks import networks, photos
from benchmarks.limit import Limit, precisions
from serving import cores
from settings import Settings
from tests.benchmarks import commands


@pytest.fixture
def limit(tmp_path):
    subject = networks.subject("ShiwuNet", Settings(cache=tmp_path))
    with Limit(subject) as opened:
        yield opened


def test_a_pace_is_what_all_threads_did_in_the_time_that_each_took(limit):
    """Threads that sleep 20 ms do 50 things a second each, and need no processor for it."""
    pace = limit.pace(lambda _: time.sleep(0.02), [None], 0.5)
    assert 0.3 < pace.per_s / (50 * cores.runners(cores.available())) <= 1.0
    assert pace.cpu_ms < 10


def test_every_photo_is_worked_on_in_turn(limit):
    seen = []
    limit.pace(lambda one: (seen.append(one), time.sleep(0.01)), ["a", "b"], 0.3)
    assert len(seen) > 2
    assert abs(seen.count("a") - seen.count("b")) <= cores.runners(cores.available())


def test_the_work_is_the_services_own(limit):
    """A photo of any size comes out as the square that the network takes."""
    (small,) = photos.small(None)[:1]
    squares = [limit.decode(photos.enlarged([small], size)[0]) for size in photos.SIZES]
    assert {(square.shape, str(square.dtype)) for square in squares} == {((64, 64, 3), "uint8")}
    alone = limit.alone([small], 0.0)
    assert alone.both_ms == alone.decode_ms + alone.infer_ms > 0


def test_the_command_measures_every_precision_and_says_which_it_could_not(tmp_path):
    short = ["--models", "ShiwuNet", "--sizes", "500x375", "--rounds", 2, "--seconds", 0.2]
    result = commands.measured("limit", tmp_path, *short, SHIWU_CACHE=tmp_path / "cache")
    medians, every = result.tables
    shown = {row[1] for row in medians}
    said = [precision for precision in precisions() if f"ShiwuNet in {precision}" in result.text]
    assert sorted([*shown, *said]) == sorted(precisions())
    assert "f32" in shown
    assert [row[2] for row in medians[:2]] == ["already decoded", "500x375"]
    assert all(float(row[3]) > 0 and float(row[4]) > 0 for row in medians)
    assert len(every) == len(result.found["rounds"]) == 2 * len(medians)
    for fact in ("processor", "versions", "its own weights", "python -m benchmarks.limit"):
        assert fact in result.text
    assert min(result.picture) > 200


def test_tables_and_picture_can_be_made_anew_from_the_figures(tmp_path):
    short = ["--models", "ShiwuNet", "--sizes", "500x375", "--rounds", 1, "--seconds", 0.1]
    first = commands.measured("limit", tmp_path, *short, SHIWU_CACHE=tmp_path / "cache")
    (tmp_path / "limit.md").unlink()
    assert commands.measured("limit", tmp_path, "--draw") == first


def test_a_network_without_weights_to_be_had_is_measured_with_random_ones(tmp_path, monkeypatch):
    """How fast it is doesn't depend on them; which they are is said."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    settings = Settings(cache=tmp_path / "compiled", offline=True)
    subject = networks.subject("MobileNet_0.25_128", settings)
    assert subject.said == networks.RANDOM
    with Limit(subject) as opened:
        assert opened.alone(photos.small(None)[:1], 0.0).infer_ms > 0
