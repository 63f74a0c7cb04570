"""What each precision costs, as the benchmark shows it."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import precision
from engines.quantised import Figures
from tests.small import CLASSES, colours


@pytest.fixture
def photos(tmp_path):
    """Eight photos of each colour, in class folders."""
    random = np.random.default_rng(0)
    for number, (class_id, _) in enumerate(CLASSES):
        (tmp_path / "photos" / class_id).mkdir(parents=True)
        for photo in range(8):
            pixels = random.integers(0, 90, (48, 48, 3), np.uint8)
            pixels[..., number] += 150
            Image.fromarray(pixels).save(tmp_path / "photos" / class_id / f"{photo}.png")
    return tmp_path / "photos"


def test_every_precision_gets_a_row_and_the_result_names_its_photos(photos, tmp_path, capsys):
    network = colours(tmp_path / "network")
    results, cache = tmp_path / "results", tmp_path / "cache"
    given = ["--model", str(network), "--photos", str(photos), "--labelled", str(photos)]
    quick = ["--rounds", "1", "--seconds", "0.05"]
    precision.main([*given, *quick, "--cache", str(cache), "--results", str(results)])
    (written,) = results.iterdir()
    told = written.read_text(encoding="utf-8")
    assert "12 to calibrate on, 12 others to judge by" in told
    assert "12 are labelled" in told
    rows = [line.split("|")[1].strip() for line in told.splitlines() if line.startswith("| ")]
    assert [name for name in rows if name not in ("precision", "bf16")] == [
        "f32",
        "int8",
        "int8, NNCF's defaults",
    ]
    assert told.splitlines()[-1] in capsys.readouterr().out


def test_shares_come_with_their_intervals_and_the_verdict_with_its_reason():
    f32 = Figures(1200, 1200, 1000, 1000, 500, 400, 100.0)
    int8 = Figures(1200, 1140, 1000, 990, 500, 398, 190.0)
    row = next(
        line for line in precision.shown({"f32": f32, "int8": int8}).splitlines() if "int8" in line
    )
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:6] == [
        "int8",
        "190",
        "1.90",
        "0.9500 (0.936 to 0.961)",
        "0.9900 (0.982 to 0.995)",
        "0.7960 (0.758 to 0.829)",
    ]
    assert cells[6].startswith("10 of 1,000 photos")


def test_without_photos_it_says_so(tmp_path):
    with pytest.raises(SystemExit, match="Not measured: there is no folder"):
        precision.main(
            [
                "--model",
                str(colours(tmp_path / "network")),
                "--photos",
                str(tmp_path / "none"),
                "--cache",
                str(tmp_path),
            ]
        )
