"""deploy/compose.yaml holds together, and Compose would read it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from settings import Settings, table

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy/compose.yaml"
SERVICES = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
NGINX = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
MB = 2**20


def megabytes(text: str) -> int:
    return int(text.removesuffix("m"))


def temporary(service: str) -> int:
    """Megabytes of memory that are the container's /tmp."""
    (size,) = re.findall(r"^/tmp:size=(\d+)m,", SERVICES[service]["tmpfs"])
    return int(size)


def test_the_published_schema_allows_it():
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            COMPOSE,
        ],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_can_write_or_become_more_than_it_is(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert temporary(name) < megabytes(service["mem_limit"])


def test_only_the_proxy_can_be_reached_and_only_it_can_reach_shiwu():
    networks = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["networks"]
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert set(SERVICES["shiwu"]["networks"]) == {"inside"}
    assert networks["inside"]["internal"] is True


def test_the_proxy_finds_shiwu_where_the_image_listens():
    (port,) = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.M)
    assert re.findall(r"^ +server (\S+);", NGINX, re.M) == [f"shiwu:{port}"]


def test_the_proxy_writes_only_to_its_memory():
    written = re.findall(r"(?:_temp_path|pid) (\S+);", NGINX)
    assert len(written) == 6
    assert all(Path(path).is_relative_to("/tmp") for path in written)


def test_the_files_that_it_mounts_are_those_that_nginx_names():
    mounted = [volume.split(":") for volume in SERVICES["proxy"]["volumes"]]
    assert ["./nginx.conf", "/etc/nginx/nginx.conf", "ro"] in mounted
    assert ["./tls", "/etc/nginx/tls", "ro"] in mounted  # relative to nginx.conf
    assert re.findall(r"ssl_certificate\w* (\w+)/", NGINX) == ["tls", "tls"]
    (acme,) = re.findall(r"root (\S+);", NGINX)
    assert ["./acme", acme, "ro"] in mounted


def test_private_keys_are_not_committed():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "deploy/tls/" in ignored


def test_it_builds_with_arguments_that_the_dockerfile_knows():
    known = set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.M))
    assert set(SERVICES["shiwu"]["build"]["args"]) <= known


def test_it_sets_only_what_is_a_setting():
    assert set(SERVICES["shiwu"]["environment"]) <= {variable for variable, *_ in table()}


def test_a_photo_that_was_accepted_is_answered_before_the_end():
    defaults = Settings()
    (grace,) = re.findall(r"^(\d+)s$", SERVICES["shiwu"]["stop_grace_period"])
    assert int(grace) >= 2 * defaults.drain_s + defaults.deadline_s + 5


def test_the_pictures_that_are_kept_have_room():
    assert temporary("shiwu") * MB > 1.1 * Settings().images_bytes
