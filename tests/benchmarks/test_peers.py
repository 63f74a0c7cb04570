"""The comparison with other servers, run for real, as short as can be."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = "data/weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"


def peers(*options, **environment):
    """Run the command to its end; if that is cut short, it must stop its servers itself."""
    command = [sys.executable, "-m", "benchmarks.peers", *map(str, options)]
    variables = os.environ | {name: str(value) for name, value in environment.items()}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=variables, **pipes) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            process.terminate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def rows(text):
    """The cells of the first table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_both_servers_answer_every_photo_and_the_result_names_its_machine(
    shared, program, compiled, tmp_path
):
    """The command that README names works on any machine; how fast is not for a test to say."""
    program("wrk")
    given = ["--photos", shared / "data/photos/elephant.jpg", "--weights", shared / WEIGHTS]
    short = ["--rounds", 1, "--seconds", 0.5, "--results", tmp_path]
    ran = peers(*given, *short, SHIWU_CACHE=compiled)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = rows(ran.stdout)
    assert [row[1] for row in found] == ["Shiwu", "tutorial server"] * 2
    assert [row[0].split(",")[0] for row in found] == ["500x375"] * 2 + ["4032x3024"] * 2
    assert all(float(figure) > 0 for row in found for figure in row[2:])
    (written,) = tmp_path.glob("peers-MobileNetV2-*.md")
    text = written.read_text()
    assert rows(text)[:4] == found
    for fact in ("processor", "versions", "f32", "runner threads", "python -m benchmarks.peers"):
        assert fact in text


def test_what_can_not_be_measured_is_said_in_a_sentence_and_nothing_is_written(program, tmp_path):
    program("wrk")
    missing = tmp_path / "weights.h5"
    ran = peers("--weights", missing, "--results", tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.startswith("Not measured: ")
    assert str(missing) in ran.stderr
    assert not list(tmp_path.iterdir())
