"""A contact sheet: photos with two lines each, as a PNG and as one HTML file."""

import base64
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from PIL import Image, ImageDraw, ImageFont

from imaging import fonts
from imaging.write import jpeg

SIDE = 200  # pixels of a photo's longer side
_GAP, _TEXT, _LINE = 14, 14, 20
_CAPTION = 2 * _LINE + 4
_TITLE = 34
_PAPER, _INK, _SOFT, _EMPTY = (250, 250, 248), (28, 30, 34), (104, 108, 116), (228, 229, 232)


@dataclass(frozen=True)
class Cell:
    """A photo, by its path, what is said of it, and where it is from."""

    path: str
    said: str
    name: str


@dataclass(frozen=True)
class Strip:
    """Photos that belong together, under a title."""

    title: str
    cells: Sequence[Cell]


def write(
    place: Path,
    title: str,
    strips: Sequence[Strip],
    show: Callable[[str], Image.Image | None],
    columns: int = 6,
) -> tuple[Path, Path]:
    """Write `<place>.png` and `<place>.html`; their paths.

    Args:
        place: where to, without an ending.
        title: of the whole sheet.
        strips: what is on it.
        show: gives a photo by its path, RGB and upright; None if it can't be had any more.
        columns: photos side by side.

    Raises:
        OSError: a file can't be written.
    """
    photos = {cell.path: _small(show(cell.path)) for strip in strips for cell in strip.cells}
    png, page = place.with_name(f"{place.name}.png"), place.with_name(f"{place.name}.html")
    place.parent.mkdir(parents=True, exist_ok=True)
    _drawn(title, strips, photos, columns).save(png)
    page.write_text(_page(title, strips, photos), encoding="utf-8", errors="replace")
    return png, page


def _small(photo: Image.Image | None) -> Image.Image | None:
    if photo is not None:
        photo.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return photo


def _drawn(
    title: str,
    strips: Sequence[Strip],
    photos: dict[str, Image.Image | None],
    columns: int,
) -> Image.Image:
    rows = [
        [strip.cells[i : i + columns] for i in range(0, len(strip.cells), columns)]
        for strip in strips
    ]
    heights = [[max(_height(photos[cell.path]) for cell in row) for row in one] for one in rows]
    below = _CAPTION + _GAP
    whole = _TITLE + sum(_TITLE + sum(height + below for height in one) for one in heights)
    width = _GAP + columns * (SIDE + _GAP)
    sheet = Image.new("RGB", (width, whole), _PAPER)
    _text(sheet, (_GAP, 26), title, 20, _INK, width - 2 * _GAP)
    top = _TITLE
    for strip, of_strip, of_heights in zip(strips, rows, heights, strict=True):
        _text(sheet, (_GAP, top + 23), strip.title, 16, _SOFT, width - 2 * _GAP)
        top += _TITLE
        for row, height in zip(of_strip, of_heights, strict=True):
            for i, cell in enumerate(row):
                ground = (_GAP + i * (SIDE + _GAP), top + height)
                _draw_cell(sheet, ground, cell, photos[cell.path])
            top += height + below
    return sheet


def _height(photo: Image.Image | None) -> int:
    return photo.height if photo is not None else SIDE // 2


def _draw_cell(
    sheet: Image.Image, at: tuple[int, int], cell: Cell, photo: Image.Image | None
) -> None:
    """A photo standing on a line, whatever its height, so that its words are right below it."""
    left, ground = at
    if photo is None:
        ImageDraw.Draw(sheet).rectangle((left, ground - SIDE // 2, left + SIDE, ground), _EMPTY)
        _text(sheet, (left + 12, ground - SIDE // 4), "not there any more", _TEXT, _SOFT, SIDE)
    else:
        sheet.paste(photo, (left, ground - photo.height))
    _text(sheet, (left, ground + _LINE - 2), cell.said, _TEXT, _INK, SIDE)
    _text(sheet, (left, ground + 2 * _LINE - 2), cell.name, _TEXT, _SOFT, SIDE)


def _text(
    sheet: Image.Image,
    at: tuple[int, int],
    text: str,
    size_px: int,
    colour: tuple[int, int, int],
    most_px: int,
) -> None:
    """Write a line from a left end on a baseline; what is too long loses its middle."""
    faces = fonts.finding(text + "…?")
    made: dict[fonts.Face, ImageFont.FreeTypeFont] = {}

    def font(one: str) -> ImageFont.FreeTypeFont:
        face = faces.get(one, faces["?"])
        return made.setdefault(face, face.at(size_px))

    written = [one if one.isspace() or one in faces else "?" for one in text]
    widths = [font(one).getlength(one) for one in written]
    if sum(widths) > most_px:
        written = _shortened(written, widths, most_px)
    pen, left = ImageDraw.Draw(sheet), float(at[0])
    for one in written:
        pen.text((left, at[1]), one, colour, font(one), anchor="ls")
        left += font(one).getlength(one)


def _shortened(written: list[str], widths: list[float], most_px: int) -> list[str]:
    """The beginning and the end, as much of both as there is room for."""
    head, tail = written[: len(written) // 2], written[len(written) // 2 :]
    left = sum(widths) + max(widths)
    of_head, of_tail = widths[: len(head)], widths[len(head) :]
    while left > most_px and (head or tail):
        if len(head) >= len(tail):
            head.pop()
            left -= of_head.pop()
        else:
            tail.pop(0)
            left -= of_tail.pop(0)
    return [*head, "…", *tail]


def _page(title: str, strips: Sequence[Strip], photos: dict[str, Image.Image | None]) -> str:
    body = "".join(
        f"<section><h2>{html.escape(strip.title)}</h2><div>"
        + "".join(_figure(cell, photos[cell.path]) for cell in strip.cells)
        + "</div></section>"
        for strip in strips
    )
    shown = html.escape(title)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{shown}</title><style>{_STYLE}</style><h1>{shown}</h1>{body}</html>\n"
    )


def _figure(cell: Cell, photo: Image.Image | None) -> str:
    said, name, path = (html.escape(text) for text in (cell.said, cell.name, cell.path))
    if photo is None:
        picture = "<p>not there any more</p>"
    else:
        data = base64.b64encode(jpeg(photo)).decode()
        width, height = photo.size
        picture = (
            f'<img src="data:image/jpeg;base64,{data}" alt="{said}" width={width} height={height}>'
        )
        if Path(cell.path).is_file():
            address = "file://" + quote(cell.path)
            picture = f'<a href="{html.escape(address)}">{picture}</a>'
    caption = f'<figcaption>{said}<br><small title="{path}">{name}</small></figcaption>'
    return f"<figure>{picture}{caption}</figure>"


_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; font-weight: 500; opacity: .75 }
div { display: flex; flex-wrap: wrap; gap: 1rem; align-items: end }
figure { margin: 0; width: 200px } img { max-width: 100%; border-radius: 4px; display: block }
figure p { height: 160px; display: grid; place-content: center; background: #8883; margin: 0 }
figcaption { overflow-wrap: anywhere } small { opacity: .7 }
"""
