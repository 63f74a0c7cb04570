"""Names, bars and figures on a photo: readable on any, and nothing spoilt beside them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imaging import draw, fonts
from imaging.draw import LEAST_WIDTH_PX, MOST_LINES, Line
from imaging.write import jpeg
from models import labels
from models.labels import groups
from tests.imaging.pictures import pixels, scene

LINES = [Line("African elephant", 0.59), Line("tusker", 0.27), Line("Indian elephant", 0.004)]
SIZES = [
    (1, 1),
    (64, 64),
    (320, 240),
    (525, 351),
    (900, 1600),
    (1800, 600),
    (1, 3000),
    (3000, 1),
]


@pytest.fixture
def chinese():
    if not draw.can_write([Line("鹟䴕")]):  # the rarest of all characters in the names
        pytest.skip(
            f"needs a font with rare Chinese characters; Debian: apt-get install {fonts.PACKAGE}"
        )


def drawn(lines, size=(525, 351), colour="white"):
    return draw.labels(Image.new("RGB", size, colour), lines)


def ink(lines, size=(525, 351), colour="white"):
    """Where the words are: what changes if they are left out. Shape (height, width)."""
    empty = [line._replace(text="") for line in lines]
    return (pixels(drawn(lines, size, colour)) != pixels(drawn(empty, size, colour))).any(axis=2)


def box(mask):
    rows, columns = np.nonzero(mask)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def luminance(colours):
    """Relative luminance of sRGB colours, shape (…, 3) (WCAG 2.2)."""
    shares = np.asarray(colours) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    """WCAG 2.2's contrast of two colours: from 1 to 21."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, MOST_LINES])
def test_on_a_photo_of_any_size_the_words_are_whole_and_the_photo_still_to_be_seen(size, count):
    lines = [Line("tusker", 0.5)] * count
    picture = drawn(lines, size, "orange")
    mask = ink(lines, size, "orange")
    left, top, right, bottom = box(mask)
    assert picture.width >= LEAST_WIDTH_PX
    assert 5 <= left < right <= picture.width - 5
    assert 5 <= top < bottom <= picture.height - 5
    assert bottom - top >= 9 * count
    orange = (pixels(picture) == (255, 165, 0)).all(axis=2).sum()
    assert orange >= 0.45 * size[0] * size[1]


@pytest.mark.parametrize("size", [(8000, 6125), (65_500, 1), (1, 65_500)])
def test_the_largest_photos_and_the_longest_sides_can_still_be_saved(size):
    picture = draw.labels(Image.new("RGB", size, "orange"), LINES)
    assert jpeg(picture, width=1000)
    assert max(picture.size) <= 65_500


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 1500),
    st.integers(1, 1500),
    st.lists(
        st.tuples(st.text(max_size=60), st.none() | st.floats(0, 1)),
        min_size=1,
        max_size=MOST_LINES,
    ),
)
def test_any_words_on_any_photo_give_a_picture_no_smaller(width, height, lines):
    picture = drawn([Line(*line) for line in lines], (width, height))
    assert picture.mode == "RGB"
    assert picture.width >= max(width, LEAST_WIDTH_PX)
    assert picture.height >= height


@pytest.mark.parametrize("colour", ["white", "black", "yellow", "grey"])
def test_words_stand_out_from_the_panel_on_bright_and_dark_photos(colour):
    """4.5 is what WCAG 2.2 asks of text (1.4.3)."""
    words = pixels(drawn(LINES, colour=colour))
    ground = pixels(drawn([line._replace(text="") for line in LINES], colour=colour))
    places = np.nonzero(ink(LINES, colour=colour))
    strongest = np.argmax(np.abs(words[places] - ground[places]).sum(axis=1))
    assert contrast(words[places][strongest], ground[places][strongest]) >= 4.5


def test_a_busy_photo_does_not_shine_through_the_panel():
    cells = np.indices((351, 525)).sum(axis=0) // 6 % 2 * 255  # stripes across, 6 pixels wide
    photo = Image.fromarray(cells.astype(np.uint8)).convert("RGB")
    panel = pixels(draw.labels(photo, [Line("")]))[-40:-20, 20:300]
    assert panel.std() < 10
    assert cells.std() > 70


def test_what_is_above_the_panel_is_not_touched():
    photo = scene(600, 800)
    before = pixels(photo)
    after = pixels(draw.labels(photo, LINES))
    changed = (before != after).any(axis=2)
    assert not changed[:550].any()
    assert changed[600:].any()


def test_a_photo_with_no_room_for_the_panel_has_it_below_and_stays_whole():
    photo = scene(1200, 90)
    before = pixels(photo)
    after = pixels(draw.labels(photo, LINES))
    assert after.shape[0] > 90
    assert (after[:90] == before).all()


def test_the_first_line_is_the_largest():
    one = ink([Line("H"), Line("")])
    other = ink([Line(""), Line("H")])
    heights = [bottom - top for _, top, _, bottom in (box(one), box(other))]
    assert heights[0] >= 1.4 * heights[1]
    assert box(one)[3] < box(other)[1]


def test_figures_end_where_the_bars_end_and_a_long_name_keeps_away_from_them():
    bare = pixels(drawn([Line("", 1.0)], colour="black"))
    figure = box((bare > 200).all(axis=2))
    bar = box(bare[:, :, 1] - bare[:, :, 0] > 80)  # green
    name = box(ink([Line("x" * 300, 1.0)], colour="black"))
    assert figure[2] == pytest.approx(bar[2], abs=2)
    assert name[0] == pytest.approx(bar[0], abs=2)
    assert name[2] + 8 <= figure[0]


def bar_length(share):
    """Of a line that is the second: its bar is white, and the lowest thing in the picture."""
    picture = pixels(drawn([Line(""), Line("", share)], colour="black"))
    bright = (picture > 200).all(axis=2)
    rows = np.nonzero(bright.any(axis=1))[0]
    return bright[rows.max() - 1].sum()


def test_a_bar_is_as_long_as_its_probability():
    full = bar_length(1.0)
    assert bar_length(0.5) == pytest.approx(full / 2, abs=2)
    assert bar_length(0.25) == pytest.approx(full / 4, abs=2)
    assert bar_length(0.0001) >= 1


def test_what_is_nearly_sure_is_not_called_100_and_what_is_nearly_out_not_0():
    shares = (1.0, 0.9951, 0.994, 0.59, 0.006, 0.004, 0.0)
    written = [">99%", ">99%", "99%", "59%", "1%", "<1%", "<1%"]
    assert [draw.percent(share) for share in shares] == written


def test_what_no_font_can_write_is_a_question_mark_and_not_a_box():
    strange, plain = [Line("a\U0010fffeb", 0.5)], [Line("a?b", 0.5)]
    assert not draw.can_write(strange)
    assert draw.can_write(plain)
    assert (pixels(drawn(strange)) == pixels(drawn(plain))).all()


def test_chinese_is_written_in_characters_that_differ(chinese):
    names = [[Line(name, 0.5)] for name in ("非洲象", "长牙象", "???")]
    assert all(map(draw.can_write, names))
    one, two, marks = map(drawn, names)
    assert (pixels(one) != pixels(two)).any()
    assert (pixels(one) != pixels(marks)).any()


def test_every_chinese_name_of_imagenet_can_be_written(chinese):
    names = [one.label for one in labels.read("imagenet1k", "zh")]
    names += [one.label for one in groups.read("zh")]
    assert draw.can_write([Line("".join(sorted(set("".join(names)))))])
