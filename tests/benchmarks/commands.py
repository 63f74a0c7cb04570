"""Commands of benchmarks, run for real as short as can be, and their results read back."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Result:
    """What a command wrote: its figures, and the cells of each table without its head."""

    found: dict
    tables: list[list[list[str]]]
    picture: tuple[int, int]
    text: str


def run(name, *options, **environment):
    """Run `python -m benchmarks.NAME` to its end; cut short, it must stop its servers itself."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, options)]
    variables = os.environ | {name: str(value) for name, value in environment.items()}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=variables, **pipes) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            process.terminate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def measured(name, folder, *options, **environment):
    """Run it so that the result goes into `folder`, and read that."""
    ran = run(name, *options, "--results", folder, **environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    text = (folder / f"{name}.md").read_text()
    found = json.loads((folder / f"{name}.json").read_text())
    with Image.open(folder / f"{name}.png") as picture:
        return Result(found, tables(text), picture.size, text)


def tables(text):
    """The cells of every Markdown table, without heads."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            found.append(rows[2:])
            rows = []
    return found
