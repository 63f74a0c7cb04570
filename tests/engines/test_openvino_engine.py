"""The fast engine, on a small real network."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino
import pytest

from engines.check import Checks
from engines.engine import Drifted
from engines.openvino_engine import OpenVinoEngine, PrecisionUnsupported
from tests.small import SIZE, answer, colours

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def entry(tmp_path):
    return colours(tmp_path / "network") / "compiled"


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, (7, SIZE, SIZE, 3), np.uint8)


def test_it_computes_what_the_network_computes(entry, pixels):
    engine = OpenVinoEngine("Colours", entry, "f32", cores=1)
    np.testing.assert_allclose(engine.run(pixels), answer(pixels), atol=1e-6)


def test_a_picture_alone_and_in_a_batch_get_the_same_answer(entry, pixels):
    engine = OpenVinoEngine("Colours", entry, "f32", cores=1)
    together = engine.run(pixels)
    for i in range(len(pixels)):
        np.testing.assert_allclose(engine.run(pixels[i : i + 1])[0], together[i], atol=1e-6)


def test_threads_get_their_own_answers(entry, pixels):
    """A shared inference request would hand one thread another's numbers."""
    engine = OpenVinoEngine("Colours", entry, "f32", cores=2)
    expected = answer(pixels)
    with ThreadPoolExecutor(4) as pool:
        rows = [i % len(pixels) for i in range(400)]
        for row, got in zip(rows, pool.map(lambda i: engine.run(pixels[i : i + 1])[0], rows)):
            np.testing.assert_allclose(got, expected[row], atol=1e-6)


def test_an_answer_stays_as_it_was_when_the_next_one_is_computed(entry, pixels):
    engine = OpenVinoEngine("Colours", entry, "f32", cores=1)
    first = engine.run(pixels[:1])
    kept = first.copy()
    engine.run(pixels[1:2])
    np.testing.assert_array_equal(first, kept)


def test_drifted_answers_stop_the_start_and_are_told_in_numbers(entry):
    checks = Checks.load(entry / "checks.npz")
    moved = checks.answers.copy()
    moved[0] = np.roll(moved[0], 1)
    Checks(checks.pictures, moved).save(entry / "checks.npz")
    by = np.abs(moved[0] - checks.answers[0]).max()
    with pytest.raises(Drifted, match=rf"Colours answers differently .* moved by {by:.2g}"):
        OpenVinoEngine("Colours", entry, "f32", cores=1)


def test_answers_that_are_no_numbers_count_as_drifted(entry):
    checks = Checks.load(entry / "checks.npz")
    Checks(checks.pictures, checks.answers * np.float32("nan")).save(entry / "checks.npz")
    with pytest.raises(Drifted, match="nan"):
        OpenVinoEngine("Colours", entry, "f32", cores=1)


def test_bf16_is_refused_in_words_where_the_processor_has_none(entry):
    """Asked for one precision, it never silently takes another."""
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert OpenVinoEngine("Colours", entry, "bf16", cores=1).description.precision == "bf16"
    else:
        with pytest.raises(PrecisionUnsupported, match="no bf16 arithmetic; use f32"):
            OpenVinoEngine("Colours", entry, "bf16", cores=1)


def test_it_says_what_it_is_and_how_far_from_the_reference(entry):
    said = OpenVinoEngine("Colours", entry, "f32", cores=1).description
    assert (said.engine, said.precision) == ("openvino", "f32")
    assert 0 <= said.difference < 1e-6


def test_loading_a_network_reports_nothing_to_anybody(entry, tmp_path):
    """OpenVINO's converter, once imported, writes an id for its makers' statistics at home."""
    code = (
        "import sys; from pathlib import Path; from engines.openvino_engine import OpenVinoEngine; "
        "OpenVinoEngine('Colours', Path(sys.argv[1]), 'f32', cores=1); "
        "assert not sys.modules.get('openvino_telemetry')"
    )
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", code, str(entry)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    assert not (tmp_path / "intel").exists()
