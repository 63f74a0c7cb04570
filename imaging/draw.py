"""What is on a photo, written on it: names, bars and percentages, for sharing."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from imaging import fonts
from imaging.fonts import Face

_Colour = tuple[int, int, int]

MOST_LINES = 6
LEAST_WIDTH_PX = 320
# Text under this isn't read; a photo that has no room for it gets some.
_LEAST_TEXT_PX = 14
# Shares of the photo's sides: the text's size, and what the panel may hide.
_OF_WIDTH, _OF_HEIGHT = 0.036, 0.034
_OF_PANORAMA_WIDTH, _OF_PANORAMA_HEIGHT = 0.011, 0.05
_MOST_OF_PHOTO = 0.5

# The rest is measured in the text's size.
_HEADLINE = 1.55
_PADDING = 1.1
_LINE_HEIGHT = 1.3
_ASCENT = 1.02
_BAR = 0.16
_BAR_GAP = 0.22
_LINE_GAP = 0.55
_GAP = 0.8
_COLUMN = 26.0  # further apart, a name and its figure don't look as one
_MARGIN = 0.7
_CORNER = 0.9

_LEAST_SHRUNK = 0.7  # what is still too long is cut short
_MOST_CHARACTERS = 200
_FIGURES = "0123456789<>%…?"
_STEERING = ("Cc", "Cf", "Cs")  # Unicode's categories: control, format, surrogate
_MOST_JPEG_PX = 65_500  # libjpeg's JPEG_MAX_DIMENSION

_GROUND = (18, 20, 24)
_TINT = 0.64  # the ground's share of the panel: white text keeps a contrast of 5 on white snow
_WHITE = (255, 255, 255)
_SOFT = (232, 234, 237)
_ACCENT = (94, 234, 178)
_BAR_LEFT_OVER = 0.24


class Line(NamedTuple):
    """A name and its probability (0-1); without one, it gets neither bar nor figure."""

    text: str
    probability: float | None = None


def can_write(lines: Sequence[Line]) -> bool:
    """Whether some font of this machine has every character of the lines."""
    return not _Pen([_plain(line) for line in lines]).lacks


def labels(photo: Image.Image, lines: Sequence[Line]) -> Image.Image:
    """The photo with the lines on a dark, translucent panel at its bottom.

    The first line is the largest. What is too long is written smaller, then cut short; what no
    font can write is written as "?" (ask `can_write` first). A photo under 320 pixels in width is
    enlarged or stands on a wider ground, and one too low for the panel has it below.

    Args:
        photo: RGB, upright; of a photo large enough, the pixels are drawn on.
        lines: 1 to 6 of them.

    Returns:
        RGB: the same picture, or a new and larger one.
    """
    lines = [_plain(line) for line in lines]
    photo = _enlarged(photo)
    sheet = _Sheet.of(photo.size, lines)
    canvas = _with_room(photo, sheet)
    _tint(canvas, sheet)
    _write(canvas, sheet, lines)
    return canvas


def percent(probability: float) -> str:
    """A probability (0-1) as it is written: never "100%" or "0%" of what isn't quite sure."""
    whole = round(100 * probability)
    if whole == 0:
        return "<1%"
    return ">99%" if whole == 100 else f"{whole}%"


class _Pen:
    """Writes in as many fonts as the characters of some lines need; for one drawing."""

    def __init__(self, lines: Sequence[Line]) -> None:
        text = _FIGURES + "".join(line.text for line in lines)
        self._faces = fonts.finding(text)
        self.lacks = {one for one in text if not one.isspace()} - set(self._faces)
        self._marks = str.maketrans(dict.fromkeys(self.lacks, "?"))
        self._fonts: dict[tuple[Face, int], ImageFont.FreeTypeFont] = {}

    def length(self, text: str, size_px: int) -> float:
        """The width of a text in pixels."""
        return sum(font.getlength(run) for font, run in self._runs(text, size_px))

    def write(
        self, canvas: Image.Image, at: tuple[int, int], text: str, size_px: int, colour: _Colour
    ) -> None:
        """A text that begins at a place, given as left and baseline."""
        left, baseline = float(at[0]), at[1]
        pen = ImageDraw.Draw(canvas)
        for font, run in self._runs(text, size_px):
            pen.text((left, baseline), run, colour, font, anchor="ls")
            left += font.getlength(run)

    def _runs(self, text: str, size_px: int) -> Iterator[tuple[ImageFont.FreeTypeFont, str]]:
        """The parts of a text that one font writes; a space goes with what is before it."""
        run, face = "", Face()
        for one in text.translate(self._marks):
            needed = face if one.isspace() else self._faces[one]
            if run and needed != face:
                yield self._font(face, size_px), run
                run = ""
            run, face = run + one, needed
        if run:
            yield self._font(face, size_px), run

    def _font(self, face: Face, size_px: int) -> ImageFont.FreeTypeFont:
        if (face, size_px) not in self._fonts:
            self._fonts[face, size_px] = face.at(size_px)
        return self._fonts[face, size_px]


@dataclass(frozen=True)
class _Sheet:
    """Where things go, in pixels: the whole picture, the panel, and the text's size and column."""

    size: tuple[int, int]
    panel: tuple[int, int, int, int]
    text: int
    is_below: bool

    @classmethod
    def of(cls, size: tuple[int, int], lines: Sequence[Line]) -> "_Sheet":
        width, height = size
        text = _text_px(width, height)
        panel_height = round(text * _panel_height(lines))
        is_below = panel_height > _MOST_OF_PHOTO * height
        whole = (max(width, LEAST_WIDTH_PX), height + panel_height * is_below)
        margin = 0 if is_below else round(text * _MARGIN)
        column = min(whole[0] - 2 * margin, round(text * (_COLUMN + 2 * _PADDING)))
        bottom = whole[1] - margin
        panel = (margin, bottom - panel_height, margin + column, bottom)
        return cls(whole, panel, text, is_below)

    def px(self, texts: float) -> int:
        """A length given in the text's size, in pixels."""
        return max(1, round(texts * self.text))

    @property
    def column(self) -> tuple[int, int]:
        """Left and right end of what is written."""
        left, _, right, _ = self.panel
        return left + self.px(_PADDING), right - self.px(_PADDING)


def _text_px(width: int, height: int) -> int:
    """The size of all lines but the first, for a photo of that size."""
    of_panorama = min(_OF_PANORAMA_WIDTH * width, _OF_PANORAMA_HEIGHT * height)
    return max(_LEAST_TEXT_PX, round(min(_OF_WIDTH * width, max(_OF_HEIGHT * height, of_panorama))))


def _panel_height(lines: Sequence[Line]) -> float:
    """In the text's size."""
    return 2 * _PADDING + sum(_line_height(lines, i) for i in range(len(lines)))


def _line_height(lines: Sequence[Line], i: int) -> float:
    bar = 0 if lines[i].probability is None else _BAR_GAP + _BAR
    gap = _LINE_GAP if i + 1 < len(lines) else 0
    return (_HEADLINE if i == 0 else 1) * _LINE_HEIGHT + bar + gap


def _enlarged(photo: Image.Image) -> Image.Image:
    """A small photo brought to the least width; a high one at most doubled."""
    width, height = photo.size
    high = max(2.0, 2 * LEAST_WIDTH_PX / height)
    factor = min(LEAST_WIDTH_PX / width, high, _MOST_JPEG_PX / height)
    if factor <= 1:
        return photo
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return photo.resize(size, Image.Resampling.BICUBIC)


def _with_room(photo: Image.Image, sheet: _Sheet) -> Image.Image:
    if photo.size == sheet.size:
        return photo
    canvas = Image.new("RGB", sheet.size, _GROUND)
    canvas.paste(photo, ((sheet.size[0] - photo.width) // 2, 0))
    return canvas


def _tint(canvas: Image.Image, sheet: _Sheet) -> None:
    """Darken and blur what is under the panel, so that no photo shines through the words."""
    if sheet.is_below:
        return
    under = canvas.crop(sheet.panel)
    coarse = max(1, sheet.text // 4)
    small = under.reduce(coarse).filter(ImageFilter.GaussianBlur(2))
    small = Image.blend(small, Image.new("RGB", small.size, _GROUND), _TINT)
    panel = small.resize(under.size, Image.Resampling.BICUBIC)
    canvas.paste(panel, sheet.panel, _rounded(under.size, sheet.px(_CORNER)))


def _write(canvas: Image.Image, sheet: _Sheet, lines: Sequence[Line]) -> None:
    pen = _Pen(lines)
    top = float(sheet.panel[1] + sheet.px(_PADDING))
    for i, line in enumerate(lines):
        _write_line(canvas, sheet, pen, line, round(top), is_first=i == 0)
        top += sheet.text * _line_height(lines, i)


def _write_line(
    canvas: Image.Image, sheet: _Sheet, pen: _Pen, line: Line, top: int, *, is_first: bool
) -> None:
    size = _HEADLINE if is_first else 1.0
    colour = _WHITE if is_first else _SOFT
    left, right = sheet.column
    baseline = top + sheet.px(size * _ASCENT)
    width, text_px = right - left, sheet.px(size)
    if line.probability is not None:
        figure = percent(line.probability)
        taken = round(pen.length(figure, text_px))
        pen.write(canvas, (right - taken, baseline), figure, text_px, colour)
        width -= taken + sheet.px(_GAP)
        bar_top = top + sheet.px(size * _LINE_HEIGHT + _BAR_GAP)
        bar = (left, bar_top, right, bar_top + max(2, sheet.px(_BAR)))
        _draw_bar(canvas, bar, line.probability, _ACCENT if is_first else _SOFT)
    pen.write(canvas, (left, baseline), *_fitted(line.text, pen, text_px, width), colour)


def _fitted(text: str, pen: _Pen, size_px: int, width_px: int) -> tuple[str, int]:
    """The text and a size in which it fits, cut short if it would become too small."""
    length = pen.length(text, size_px)
    if length <= width_px:
        return text, size_px
    least = max(_LEAST_SHRUNK, min(1.0, _LEAST_TEXT_PX / size_px))
    size_px = int(size_px * max(least, width_px / length))
    kept = len(text)
    while kept > 1 and pen.length(_cut(text, kept), size_px) > width_px:
        kept -= 1
    return _cut(text, kept), size_px


def _cut(text: str, kept: int) -> str:
    return text if kept >= len(text) else text[:kept].rstrip() + "…"


def _draw_bar(
    canvas: Image.Image, box: tuple[int, int, int, int], share: float, colour: _Colour
) -> None:
    left, top, right, bottom = box
    height = bottom - top
    filled = max(height, round((right - left) * share))  # at least a dot
    left_over = _rounded((right - left, height), height / 2)
    canvas.paste(_WHITE, box, left_over.point(lambda value: round(value * _BAR_LEFT_OVER)))
    canvas.paste(colour, (left, top, left + filled, bottom), _rounded((filled, height), height / 2))


def _rounded(size: tuple[int, int], corner: float) -> Image.Image:
    """A mask, L: a rectangle with smooth round corners."""
    finer = 4 if max(size) < 4096 else 1
    width, height = size[0] * finer, size[1] * finer
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width - 1, height - 1), corner * finer, 255)
    return mask.reduce(finer) if finer > 1 else mask


def _plain(line: Line) -> Line:
    """On one line, and without characters that only steer how others are laid out."""
    kept = (
        one for one in " ".join(line.text.split()) if unicodedata.category(one) not in _STEERING
    )
    return line._replace(text="".join(kept)[:_MOST_CHARACTERS])
