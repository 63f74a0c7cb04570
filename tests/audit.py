"""Ask the public advisory databases about every package we pin: Python's and the mini-program's.

Exits with 0 when nothing is known against any, 1 when something is, and 2 when a database could
not be asked about all of them: a silence is no good news. pip-audit by itself ends with "no known
vulnerabilities" also where the database answered nothing at all.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def of_python(pip_audit: str) -> tuple[int, list[str], str]:
    """How many packages were asked about, what is known against them, and why some could not be."""
    command = [pip_audit, "-r", "requirements.lock", "--no-deps", "--disable-pip", "-f", "json"]
    ran = subprocess.run(
        [*command, "--progress-spinner", "off"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        packages = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError):
        return 0, [], (ran.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
    known = [
        f"{one['name']} {one['version']}: {fault['id']}, mended in {', '.join(fault['fix_versions'])}"
        for one in packages
        for fault in one.get("vulns", ())
    ]
    unasked = [one["skip_reason"] for one in packages if "skip_reason" in one]
    why = f"{len(unasked)} of {len(packages)}, the first: {unasked[0]}" if unasked else ""
    return len(packages) - len(unasked), known, why


def of_the_mini_program() -> tuple[int, list[str], str]:
    """The same of miniprogram/package-lock.json; its packages only build and test, none is shipped."""
    try:
        ran = subprocess.run(
            ["npm", "audit", "--json"],
            cwd=ROOT / "miniprogram",
            capture_output=True,
            text=True,
            check=False,
        )
        report = json.loads(ran.stdout)
        found = report["vulnerabilities"]
        count = report["metadata"]["dependencies"]["total"]
    except FileNotFoundError:
        return 0, [], "npm is not installed"
    except (ValueError, KeyError):
        lines = [line for line in ran.stderr.splitlines() if "audit" in line]
        return 0, [], (lines or ["npm said nothing"])[0]
    return count, [f"{name}: {one['severity']}" for name, one in found.items()], ""


def main() -> None:
    outcome = 0
    for name, (count, known, why) in (
        ("requirements.lock", of_python(sys.argv[1])),
        ("miniprogram/package-lock.json", of_the_mini_program()),
    ):
        print(f"{name}: {count} packages asked about, {len(known)} advisories")
        for line in known:
            print(f"  {line}")
        if why:
            print(f"  could not be asked about all: {why}")
        outcome = 1 if known or outcome == 1 else 2 if why else outcome
    sys.exit(outcome)


if __name__ == "__main__":
    main()
