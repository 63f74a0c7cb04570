"""How often each hint is given."""

import pytest
from PIL import Image, ImageStat

from benchmarks.hints import SPOILT, main
from imaging.hints import CODES
from tests import small


@pytest.fixture
def colourful(tmp_path):
    folder = tmp_path / "photos"
    for class_id, colour in small.CLASSES:
        (folder / class_id).mkdir(parents=True)
        for number in range(10):
            (folder / class_id / f"{number}.jpg").write_bytes(small.photo(colour))
    return folder


def test_each_way_to_spoil_photos_has_a_row(tmp_path, colourful, capsys):
    network = small.colours(tmp_path / "colours")
    main(["--model", str(network), "--data", str(colourful)])
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
    ]
    shares = {row[0]: dict(zip(rows[2][1:], row[1:])) for row in rows if row}
    assert set(SPOILT) < set(shares)
    assert set(CODES) < set(shares["as they are"])
    assert shares["as they are"] == {"first answer right": "1.000", **dict.fromkeys(CODES, "0.000")}
    assert shares["dimmed to 0.1"]["too_dark"] == "1.000"


def test_nothing_to_measure_on_is_told(tmp_path):
    network = small.colours(tmp_path / "colours")
    with pytest.raises(SystemExit, match="Not measured: there is nothing at"):
        main(["--model", str(network), "--data", str(tmp_path / "nowhere")])


@pytest.mark.parametrize("name", SPOILT)
def test_spoiling_leaves_a_photo_of_the_same_shape(name):
    photo = Image.effect_noise((320, 240), 80).convert("RGB")
    spoilt = SPOILT[name](photo)
    assert spoilt.mode == "RGB"
    assert spoilt.width / spoilt.height == pytest.approx(4 / 3, rel=0.02)
    changed = {"dimmed": "mean", "contrast": "mean", "blurred": "stddev", "moved": "stddev"}.get(
        name.split()[0]
    )
    if changed:
        before, after = (getattr(ImageStat.Stat(one), changed)[0] for one in (photo, spoilt))
        assert abs(after - before) > 0.05 * before
