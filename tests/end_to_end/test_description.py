"""The service does what its OpenAPI description says: schemathesis asks, the real server answers."""

import subprocess
import sys
from pathlib import Path

from tests.service import running
from tests.small import colours


def test_schemathesis_finds_no_reply_that_the_description_does_not_allow(tmp_path):
    network = colours(tmp_path / "network")
    command = [str(Path(sys.executable).parent / "schemathesis"), "run"]
    checks = [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
    ]
    options = ["--checks", ",".join(checks), "--max-examples", "20", "--seed", "1"]
    options += ["--no-color", "--generation-database", "none"]
    with running(tmp_path, model=network) as service:
        ran = subprocess.run(
            [*command, f"{service.address}/openapi.json", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout[-6000:]
