"""`make audit` tells "nothing is known" from "nobody could be asked"; the database's answers are written here."""

import json

import pytest

from tests.audit import of_python

FINE = {"name": "flask", "version": "3.1.3", "vulns": []}
FAULTY = {"name": "x", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
UNKNOWN = {"name": "y", "skip_reason": "y was not found"}


@pytest.mark.parametrize(
    ("packages", "outcome"),
    [
        ([FINE], (1, [], "")),
        ([FINE, FAULTY], (2, ["x 1: PYSEC-1, mended in 2"], "")),
        ([FINE, UNKNOWN], (1, [], "1 of 2, the first: y was not found")),
        (None, (0, [], "no connection")),
    ],
)
def test_a_silence_is_no_good_news(tmp_path, packages, outcome):
    said = "" if packages is None else json.dumps({"dependencies": packages})
    pip_audit = tmp_path / "pip-audit"
    pip_audit.write_text(f"#!/bin/sh\necho no connection >&2\ncat <<'END'\n{said}\nEND\n")
    pip_audit.chmod(0o755)
    assert of_python(str(pip_audit)) == outcome
