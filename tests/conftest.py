"""What tests share: the real data, where it is, and the real service."""

import os
import shutil
import sys
from pathlib import Path

import pytest

# OpenVINO's converter reports its use to its makers; without this module it doesn't.
sys.modules.setdefault("openvino_telemetry", None)

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real weights and photos; tests that use it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the folder of real weights and photos, ../shared")
    return SHARED


@pytest.fixture(scope="session")
def compiled(tmp_path_factory) -> Path:
    """A folder of compiled networks that all tests of a run share."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="session", autouse=True)
def _own_environment():
    """Settings of the person who runs the tests must not change what the tests see."""
    for name in [name for name in os.environ if name.startswith("SHIWU_")]:
        del os.environ[name]


def pytest_sessionfinish(session, exitstatus):
    """In CI nothing may be left out: a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line("CI: tests were skipped, so this run fails", red=True)


@pytest.fixture(scope="session")
def program():
    """The path of a program; tests that need one skip where it is not installed."""

    def find(*names: str) -> str:
        found = next(filter(None, map(shutil.which, names)), None)
        if found is None:
            pytest.skip(f"needs {' or '.join(names)}; `make test` installs it on Debian, as root")
        return found

    return find
