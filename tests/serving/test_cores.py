"""Cores that the process may really use, from files as the kernel writes them."""

import os

import pytest

from serving import cores


def cgroup(root, line, **files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(line + "\n")
    for path, text in files.items():
        where = root / "sys/fs/cgroup" / path.replace("__", "/").replace("DOT", ".")
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text + "\n")


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("300000 100000", 3), ("250000 100000", 2), ("50000 100000", 1)],
)
def test_version_2_quota(tmp_path, eight_cores, quota, expected):
    cgroup(tmp_path, "0::/", cpuDOTmax=quota)
    assert cores.available(tmp_path) == expected


def test_the_strictest_group_on_the_way_up_counts(tmp_path, eight_cores):
    cgroup(
        tmp_path, "0::/pod/box", pod__box__cpuDOTmax="max 100000", pod__cpuDOTmax="200000 100000"
    )
    assert cores.available(tmp_path) == 2


@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("400000", 4)])
def test_version_1_quota(tmp_path, eight_cores, quota, expected):
    files = {"cpu,cpuacct__box__cpu.cfs_quota_us": quota}
    files["cpu,cpuacct__box__cpu.cfs_period_us"] = "100000"
    cgroup(tmp_path, "4:cpu,cpuacct:/box", **files)
    assert cores.available(tmp_path) == expected


def test_without_control_groups_the_affinity_mask_counts(tmp_path, eight_cores):
    assert cores.available(tmp_path) == 8


def test_files_that_make_no_sense_set_no_limit(tmp_path, eight_cores):
    cgroup(tmp_path, "0::/", cpuDOTmax="lots of it")
    assert cores.available(tmp_path) == 8


def test_here_it_is_at_least_one_and_at_most_what_the_mask_says():
    assert 1 <= cores.available() <= len(os.sched_getaffinity(0))
