"""What a result was measured on: a figure without its machine says nothing."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from serving import cores

_ROOT = Path(__file__).resolve().parent.parent


def processor() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())


def name() -> str:
    """The processor and how many cores we may use, as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", f"{processor()} {cores.available()}c".lower()).strip("-")


def described(packages: Sequence[str]) -> dict[str, str]:
    """Processor, load of others, system, and the versions of `packages` and of what measures."""
    return {
        "processor": f"{processor()}, {cores.available()} cores (clients on the same cores)",
        "others' load before the run": f"{os.getloadavg()[0]:.2f} (1-minute average)",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "versions": ", ".join([*map(_version, packages), f"wrk {_wrk()}"]),
        "code": _commit(),
    }


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} not installed"


def _wrk() -> str:
    if shutil.which("wrk") is None:
        return "not installed"
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return next(iter(re.findall(r"\d+\.\d+(?:\.\d+)?", said)), "of unknown version")


def _commit() -> str:
    """The commit that was measured, and whether files differed from it."""
    if shutil.which("git") is None or not (_ROOT / ".git").exists():
        return "not a git checkout"
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    said = subprocess.run(asked, cwd=_ROOT, capture_output=True, text=True, check=False)
    return f"commit {said.stdout.strip()}"
