"""The mini-program's own tests, so that `make test` runs them; they start the service themselves."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent.parent / "miniprogram"
OLDEST_NODE = 20


@pytest.fixture
def npm(program):
    """Run npm in the mini-program's folder; what it said, when it fails, is what the test says."""
    npm, node = program("npm"), program("node")
    chromium = program("chromium", "chromium-browser", "google-chrome")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(re.findall(r"\d+", version)[0]) < OLDEST_NODE:
        pytest.skip(f"needs Node {OLDEST_NODE} or newer; this is {version.strip()}")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [npm, *arguments],
            cwd=FOLDER,
            env=os.environ | {"SHIWU_PYTHON": sys.executable, "CHROMIUM": chromium},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"npm {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.mark.timeout(1200)
def test_the_mini_program_passes_its_own_tests(npm):
    """Lint, types, components, and every page in Chromium against the real service."""
    installed = FOLDER / "node_modules/.package-lock.json"
    lock = FOLDER / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        npm("ci", "--no-audit", "--no-fund")
    said = npm("test")
    # As node's runner counts: one suite of unit tests, one of end-to-end tests.
    assert len(re.findall(r"^ℹ fail 0$", said, flags=re.MULTILINE)) == 2
    assert all(int(count) > 0 for count in re.findall(r"^ℹ pass (\d+)$", said, flags=re.MULTILINE))
