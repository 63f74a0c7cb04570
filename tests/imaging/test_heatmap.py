"""A heat map laid on its photo: at the right place, and so that both can be read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging.heatmap import colours, enlarged, overlay

GREY = (128, 128, 128)


def hot_at(row: int, column: int, shape=(7, 7)) -> np.ndarray:
    heat = np.zeros(shape, np.float32)
    heat[row, column] = 1
    return heat


def grey(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), GREY)


def changed(laid: Image.Image) -> np.ndarray:
    """By how much each pixel differs from the grey photo, (height, width)."""
    return np.abs(np.asarray(laid, int) - GREY[0]).sum(axis=2)


def middle(strength: np.ndarray) -> tuple[float, float]:
    """Row and column of the middle of what is strongest."""
    rows, columns = np.nonzero(strength >= 0.9 * strength.max())
    return float(rows.mean() + 0.5), float(columns.mean() + 0.5)


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Relative luminance of sRGB, as WCAG defines it."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def test_hotter_is_always_lighter():
    """So the map reads in grey, and for those who don't tell red from green."""
    light = luminance(colours(np.linspace(0, 1, 64)))
    assert (np.diff(light) > 0).all()
    assert light[0] < 0.06
    assert light[-1] > 0.8


def test_no_step_of_heat_is_a_jump_of_colour():
    steps = np.abs(np.diff(colours(np.linspace(0, 1, 256)).astype(int), axis=0))
    assert steps.max() <= 12


def test_the_colour_lies_where_the_heat_is():
    laid = overlay(grey(210, 140), hot_at(1, 5))
    assert middle(changed(laid)) == (pytest.approx(30, abs=1), pytest.approx(165, abs=1))


def test_where_it_is_cold_the_photo_is_as_it_was():
    laid = overlay(grey(210, 140), hot_at(0, 0))
    assert (changed(laid)[60:, 100:] == 0).all()


def test_what_is_under_the_hottest_place_can_still_be_seen():
    photo = grey(70, 70)
    photo.paste((0, 0, 0), (0, 0, 35, 70))
    laid = np.asarray(overlay(photo, np.ones((7, 7), np.float32)), int)
    assert (laid[35, 60] - laid[35, 10]).sum() > 60


def test_a_map_of_a_part_of_the_photo_lies_on_that_part_and_the_rest_is_darker():
    """What the network didn't look at must not seem to be cold."""
    laid = overlay(grey(300, 100), hot_at(3, 3), (100, 0, 200, 100), (100, 0, 200, 100))
    inside = changed(laid)[:, 100:200]
    assert middle(inside) == (pytest.approx(50, abs=1), pytest.approx(50, abs=1))
    assert (np.asarray(laid)[:, :100] < GREY[0]).all()
    assert (np.asarray(laid)[:, 200:] < GREY[0]).all()
    assert laid.getpixel((102, 2)) == GREY


def test_a_map_may_reach_over_the_photo_or_end_before_it():
    """Networks that pad nothing see less of the edge than an even division would give them."""
    over = np.asarray(enlarged(hot_at(0, 0), (-16, -16, 208, 208), (0, 0, 224, 224)))
    assert np.unravel_index(over.argmax(), over.shape) <= (2, 2)
    before = np.asarray(enlarged(hot_at(0, 0, (2, 2)), (90, 90, 134, 134), (0, 0, 224, 224)))
    assert before[0, 0] == 255
    assert before[-1, -1] == 0


def test_what_the_network_did_not_look_at_keeps_six_tenths_of_its_light():
    """On all four sides, and no pixel twice."""
    laid = np.asarray(overlay(grey(50, 40), np.zeros((2, 2), np.float32), None, (10, 5, 35, 30)))
    assert (laid[5:30, 10:35] == GREY[0]).all()
    outside = np.ones((40, 50), bool)
    outside[5:30, 10:35] = False
    assert np.unique(laid[outside]).tolist() == pytest.approx([0.6 * GREY[0]], abs=1)


@settings(deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(1, 9),
    st.integers(1, 9),
    st.floats(0.05, 1),
)
def test_any_photo_takes_any_map_and_keeps_its_size(width, height, rows, columns, share):
    side = min(width, height) * share
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    heat = np.linspace(0, 1, rows * columns, dtype=np.float32).reshape(rows, columns)
    assert overlay(grey(width, height), heat, box, box).size == (width, height)
