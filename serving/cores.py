"""How many cores this process may really use."""

import os
from pathlib import Path


def available(root: Path = Path("/")) -> int:
    """Whole cores that the affinity mask and the control group's quota both allow; at least 1.

    Args:
        root: where /proc and /sys are found.

    Libraries that count the machine's cores start 64 threads in a container that was given two.
    Sources: the kernel's cgroup-v2.rst (cpu.max) and sched-bwc.rst (cpu.cfs_quota_us).
    """
    quotas = [quota for folder in _groups(root) if (quota := _quota(folder)) is not None]
    return max(1, int(min([float(_affinity()), *quotas])))


def runners(cores: int) -> int:
    """Threads that keep so many cores busy with photos: one more than there are.

    A thread on its way into the engine and back, or to Python's lock, leaves its core to nobody:
    with one more, 14 to 19 % more photos a second were answered on two cores, with two not more.
    """
    return cores + 1


def _affinity() -> int:
    """Cores in the affinity mask; all of them where the system has no such mask (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _groups(root: Path) -> list[Path]:
    """The folders of this process's control groups and of those above, as seen from inside."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            mounts = [root / "sys/fs/cgroup" / controllers, root / "sys/fs/cgroup/cpu"]
            for mount in dict.fromkeys(mounts):
                group = mount / path.lstrip("/")
                folders += [group, *(p for p in group.parents if mount in (p, *p.parents))]
    return folders


def _quota(folder: Path) -> float | None:
    """Cores' worth of time that one control group allows; None where it sets no limit."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return float(quota) / float(period) if quota not in ("max", "-1") else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
