"""Photos varied by Keras' own layers."""

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import run
from training.vary import USUAL, Variation


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Four pictures of waves, uint8 (4, 48, 48, 3)."""
    y, x = np.mgrid[0:48, 0:48] / 48
    waves = [np.sin(6.28 * (k * x + y))[..., None] * [90, 60, 30] + 128 for k in range(1, 5)]
    return np.stack(waves).astype(np.uint8)


ALL = {
    "rotation": 30.0,
    "width_shift": 0.3,
    "height_shift": 0.3,
    "shear": 0.3,
    "zoom": 0.4,
    "horizontal_flip": True,
    "vertical_flip": True,
    "brightness": 0.3,
    "contrast": 0.5,
    "erasing": 1.0,
    "mixup": 0.5,
}


@pytest.mark.parametrize("name", ALL)
def test_each_setting_changes_pictures_and_the_same_seed_changes_them_alike(name, pictures):
    """A setting that does nothing would be a promise broken."""
    vary = Variation(**{name: ALL[name]}, seed=3)
    varied = vary(pictures)
    assert (varied.shape, varied.dtype) == (pictures.shape, np.uint8)
    others = [vary.numbered(number)(pictures) for number in (1, 2, 3)]
    assert any(not np.array_equal(other, pictures) for other in others)
    assert np.array_equal(varied, Variation(**{name: ALL[name]}, seed=3)(pictures))
    if not name.endswith("flip"):  # which has two outcomes only
        assert not np.array_equal(varied, others[0])


def test_without_settings_pictures_stay_as_they_are(pictures):
    """To the byte."""
    assert np.array_equal(Variation()(pictures), pictures)


@pytest.mark.parametrize("fill_mode", ["reflect", "wrap", "constant", "nearest"])
def test_what_was_not_photographed_is_filled_as_asked(fill_mode, pictures):
    """Black, or what is beside it."""
    white = np.full_like(pictures, 255)
    shifted = Variation(width_shift=0.5, fill_mode=fill_mode, seed=1)(white)
    assert (shifted.min() == 0) == (fill_mode == "constant")


def test_a_contact_sheet_shows_photos_and_what_becomes_of_them(own_photos, tmp_path):
    """Also of class folders with files that are no photos."""
    out = tmp_path / "sheets" / "sheet.png"
    ran = run("preview", "--data", own_photos, "--out", out, "--photos", 2, "--columns", 3)
    assert ran.returncode == 0, ran.stderr
    with Image.open(out) as sheet:
        assert sheet.size == (4 * 166 + 6, 2 * 166 + 6)
        pixels = np.asarray(sheet)
    first, varied = pixels[6:166, 6:166], pixels[6:166, 172:332]
    assert first.std() > 5
    assert not np.array_equal(first, varied)


def test_one_photo_can_be_looked_at(own_photos, tmp_path):
    photo = own_photos / "train" / "blue" / "000.png"
    ran = run("preview", "--data", photo, "--out", tmp_path / "one.png", "--columns", 1)
    assert ran.returncode == 0, ran.stderr
    assert "shows 1 photos" in ran.stdout


def test_nothing_to_look_at_is_said(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("no photo")
    ran = run("preview", "--data", tmp_path / "data", "--out", tmp_path / "sheet.png")
    assert ran.returncode == 1
    assert "can be read, of 1 files; give others" in ran.stderr


def test_the_usual_variation_is_a_gentle_one(pictures):
    """What is learned from must still look like photos."""
    change = np.abs(USUAL(pictures).astype(int) - pictures).mean()
    assert 1 < change < 70
