"""What goes wrong is real; the network is small, so that starting is quick."""

import subprocess

import pytest

from tests.small import colours


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    return colours(tmp_path_factory.mktemp("networks") / "colours")


@pytest.fixture(scope="session")
def after_mounting():
    """What a service is started under, so that it alone sees what a command has mounted."""
    apart = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*apart, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs a system that lets `unshare` make mounts of one's own")

    def under(mount: str, then: str = 'exec "$@"') -> list[str]:
        return [*apart, "sh", "-c", f"mount {mount} && {then}", "sh"]

    return under
