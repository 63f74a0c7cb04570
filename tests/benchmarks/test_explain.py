"""The benchmark of heat maps, on a network whose answers one can work out by hand."""

import re

import pytest
from PIL import Image

from benchmarks import explain
from tests.small import colours


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return colours(tmp_path_factory.mktemp("network") / "colours")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Each is red on one side, which is larger, and blue on the other."""
    where = tmp_path_factory.mktemp("photos")
    for number, (side, split) in enumerate([(0, 40), (1, 38), (0, 36), (1, 42)]):
        photo = Image.new("RGB", (64, 64), "blue")
        box = (0, 0, split, 64) if side == 0 else (64 - split, 0, 64, 64)
        photo.paste("red", box)
        photo.save(where / f"{number}.jpg", quality=95)
    return where


def rows_of(table: str) -> dict[str, list[float]]:
    """The first number of each cell, by the name in the first."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return {
        row[0]: [float(re.match(r"-?[\d.]+", cell).group()) for cell in row[1:] if cell]
        for row in cells
        if len(row) > 1 and re.match(r"-?\d", row[1])
    }


def test_hiding_what_is_hot_costs_most_and_hiding_what_is_cold_helps(
    network, photos, tmp_path, capsys
):
    explain.main(
        ["--model", str(network), "--photos", str(photos), "--no-time", "--results", str(tmp_path)]
    )
    _, in_the_mean_colour = capsys.readouterr().out.split("Hidden parts are in the mean colour:")
    rows = rows_of(in_the_mean_colour)
    hottest, coldest = rows.pop(explain.HOTTEST), rows["its coldest part"]
    assert hottest[0] > 0.1 > 0 > coldest[0]
    for falls, more, left in rows.values():
        assert hottest[0] > falls
        assert more == pytest.approx(hottest[0] - falls, abs=0.0011)
        assert hottest[1] >= left
    (written,) = tmp_path.glob("explain-Colours-*.md")
    assert "4 photos, 20% of each hidden" in written.read_text()


def test_the_cost_is_measured_at_the_service_itself(network, photos, tmp_path, capsys):
    explain.main(
        [
            "--model",
            str(network),
            "--photos",
            str(photos),
            "--timed",
            "2",
            "--count",
            "2",
            "--results",
            str(tmp_path),
        ]
    )
    _, cost = capsys.readouterr().out.split("One client, requests in turns:")
    assert cost.count("/explain, a JPEG") == 2
    assert re.search(r"as given +\| /predict +\| +[\d.]+ +\| 1.00", cost)


def test_a_folder_without_photos_is_named(tmp_path):
    with pytest.raises(
        SystemExit, match=f"Not measured: --photos {tmp_path}: two photos are needed"
    ):
        explain.main(["--model", "ShiwuNet", "--photos", str(tmp_path)])
