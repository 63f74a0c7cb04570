"""Killed at any moment, the same command goes on: no photo is missing, none is there twice."""

import random
import time

import pytest

from batch.answers import Answers
from tests.batch.conftest import put, rows

PHOTOS = 4000


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr("batch.answers.MOST_ROWS", 3)


def _written(out) -> int:
    return sum(path.stat().st_mtime_ns for path in out.glob("part-*.parquet"))


def test_a_run_killed_three_times_at_random_ends_with_a_row_a_photo(tmp_path, begin, predict, out):
    photos = put(tmp_path / "photos", {f"{i}.jpg": "red" for i in range(PHOTOS)})
    chance = random.Random()
    seed = chance.randrange(2**32)
    chance.seed(seed)
    for _ in range(3):
        before = _written(out)
        run = begin(photos)
        end = time.monotonic() + 120
        while _written(out) == before and run.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(chance.random() / 4)  # the moment is what the test is about
        run.kill()
        run.communicate()
        put(photos, {f"{chance.randrange(PHOTOS)}.jpg": "blue"})  # its row has to be replaced
    assert predict(photos)[0] == 0, f"seed {seed}"
    found = rows(out)
    assert len(found) == PHOTOS, f"seed {seed}"
    assert all(row["error_code"] is None for row in found.values())


def test_killed_between_taking_an_old_row_out_and_writing_the_new_one(
    tmp_path, predict, out, small_parts, monkeypatch
):
    photos = put(tmp_path / "photos", {f"{i}.jpg": "red" for i in range(7)})
    predict(photos)
    put(photos, {f"{i}.jpg": "blue" for i in range(7)})
    taken_out = Answers._take_out

    def then_stop(self, paths):
        taken_out(self, paths)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Answers, "_take_out", then_stop)
        with pytest.raises(KeyboardInterrupt):
            predict(photos)
    assert len(rows(out)) == 4
    assert predict(photos)[0] == 0
    assert {row["answer"]["label"] for row in rows(out).values()} == {"blue"}
    assert len(rows(out)) == 7
