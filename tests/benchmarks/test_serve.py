"""Our server under load, measured for real as short as can be."""

import pytest

from benchmarks import load, report, serve
from tests.benchmarks import commands


@pytest.fixture(scope="module")
def result(program, tmp_path_factory):
    program("wrk")
    folder = tmp_path_factory.mktemp("serve")
    short = ["--models", "ShiwuNet", "--sizes", "500x375", "--rounds", 1, "--seconds", 0.4]
    return commands.measured("serve", folder, *short, SHIWU_CACHE=folder / "cache")


def test_the_command_loads_the_server_in_every_way_and_measures_the_limit_beside(result):
    closed, opened, limits, every_closed, every_open = result.tables
    assert [row[2:4] for row in closed] == [
        ["multipart", "1"], ["multipart", "8"], ["multipart", "64"], ["raw", "8"], ["base64", "8"],
    ]  # fmt: skip
    assert [row[2] for row in opened] == ["50%", "80%", "120%"]
    assert len(limits) == 1
    assert (len(every_closed), len(every_open)) == (5, 3)
    for row in closed:
        assert all(float(cell) > 0 for cell in row[4:8])
    assert "ShiwuNet: its own weights; openvino, f32" in result.text
    assert min(result.picture) > 200


def test_shares_and_overhead_are_of_the_same_rounds_limit(result):
    """The sums, on the figures of a real run."""
    rounds = result.found["rounds"]
    limit, *closed = [row for row in rounds if "load" not in row]
    one, *several = closed
    for row in closed:
        assert row["of_limit"] == pytest.approx(row["per_s"] / limit["per_s"])
        assert row["overhead_cpu_ms"] == pytest.approx(row["cpu_ms"] - limit["cpu_ms"])
    alone_ms = limit["decode_ms"] + limit["infer_ms"]
    assert one["overhead_ms"] == pytest.approx(one["p50_ms"] - alone_ms)
    assert one["times_alone"] == pytest.approx(one["p50_ms"] / alone_ms)
    assert not any("overhead_ms" in row for row in several)
    best = max(row["per_s"] for row in closed if row["sent"] == "multipart")
    opened = [row for row in rounds if "load" in row]
    assert [row["rate"] / best for row in opened] == pytest.approx(serve.LOADS)
    assert all(row["of_best"] == pytest.approx(row["per_s"] / best) for row in opened)


def test_what_is_answered_after_the_last_arrival_is_no_throughput():
    """A full queue is emptied afterwards; counted in, it would flatter short rounds."""
    answers = [["photo", 200, 0.5, 80.0], ["photo", 200, 1.4, 900.0], ["photo", 503, 0.6, 3.0]]
    answers += [["healthz", 200, 0.7, 2.0], ["healthz", 500, 0.8, 2.0]]
    said = {"arrived": 6, "answers": answers, "late_ms": [0.1] * 6}
    found = load._arrivals(3.0, 1.0, said)
    assert (found.per_s, found.refused, found.failed, found.unanswered) == (1.0, 1, 1, 1)
    assert (found.p50_ms, found.p99_ms) == (80.0, 900.0)
    assert (found.refused_p99_ms, found.refused_max_ms) == (3.0, 3.0)
    assert (found.healthz_p99_ms, found.healthz_max_ms) == (2.0, 2.0)


def test_a_table_holds_the_medians_of_each_kind_in_the_order_they_came():
    rounds = [
        {"a": "y", "f": 1.0},
        {"a": "x", "f": 5.0},
        {"a": "y", "f": 2.0},
        {"a": "y", "f": 9.0},
    ]
    table = report.medians(rounds, {"A": "a"}, {"F": "f", "G": "g"})
    assert commands.tables(table) == [[["y", "2", ""], ["x", "5", ""]]]


@pytest.mark.parametrize(
    ("value", "said"), [(None, ""), (0, "0"), (0.0413, "0.0413"), (8.765, "8.77"), (228.4, "228")]
)
def test_figures_have_three_digits_that_count(value, said):
    assert report.figure(value) == said
