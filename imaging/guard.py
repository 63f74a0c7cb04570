"""What an upload may ask of a decoder, checked on its bytes before the decoder sees them.

Pixels alone don't bound the work. Each rule here stands for a file of at most 16 MB that kept
Pillow 13.0 or pillow-heif 1.8 busy for many seconds, or took gigabytes, for a few pixels. No
camera, phone or editor writes such files; the limits are far above what those do write.
"""

import io
import re
import struct
from collections.abc import Callable

_MAX_READS = 100_000
_MAX_READS_BMP = 400_000  # two for each run of pixels of one colour
_MAX_SEGMENTS = 4096
_MAX_EXIF_SEGMENTS = 16
_MAX_SCAN_PIXELS = 600_000_000
_FEW_SCANS = 16
_MAX_COMPRESSED_CHUNKS = 100
_MAX_TAG_VALUES = 100_000
_MAX_TILE_PIXELS = 2**24
_MAX_RUN_LENGTH_PIXELS = 4_000_000
_MAX_DESCRIPTIONS = 32
_MAX_TILES = 4096


class TooMuchWork(Exception):
    """The file asks for far more than its pixels explain; the text says what."""


class BoundedFile(io.BytesIO):
    """The upload, as a file that can be read from a limited number of times.

    Pillow parses segments, chunks and runs in Python, some of them byte by byte: 16 MB of
    padding took it 17 s. A real photo needs some thousands of reads.
    """

    def __init__(self, data: bytes, reads: int) -> None:
        super().__init__(data)
        self._left = self._reads = reads

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file; raises TooMuchWork once it was called too often."""
        self._left -= 1
        if self._left < 0:
            raise TooMuchWork(f"it takes more than {self._reads:,} reads")
        return super().read(size)


def guarded(kind: str, data: bytes) -> BoundedFile:
    """The upload as its decoder may see it.

    Args:
        kind: the format, as `read.py` names them.
    Raises:
        TooMuchWork: it would take a decoder too long.
        struct.error: its header is cut short.
    """
    check = _CHECKS.get(kind)
    if check is not None:
        check(data)
    if kind in ("AVIF", "HEIF"):
        data = _primary_only(kind, data)
    return BoundedFile(data, _MAX_READS_BMP if kind == "BMP" else _MAX_READS)


def _check_jpeg(data: bytes) -> None:
    """Walk the segments up to the first scan, just as Pillow does.

    Joining many EXIF segments takes it a time that grows with their square. Every scan of a
    progressive picture visits every pixel, however few bytes it has (LJT-01-003 in
    libjpeg-turbo's report on the JPEG standard): 100 scans of 50 megapixels took 11 s.
    """
    at, exif_segments, width, height, components, progressive = 2, 0, 0, 0, 0, False
    for _ in range(_MAX_SEGMENTS):
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 == len(data):
            return
        marker = data[at + 1]
        if marker in _BARE_MARKERS:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _FRAME_MARKERS:
            height, width, components = struct.unpack_from(">HHB", data, at + 5)
            progressive = marker & 0x03 == 0x02
        elif marker == 0xDA:  # start of scan
            if progressive or data[at + 4] < components:
                _check_scans(data.count(b"\xff\xda", at), width, height)
            return
        exif_segments += data[at + 4 : at + 10] == b"Exif\0\0"
        if exif_segments > _MAX_EXIF_SEGMENTS:
            raise TooMuchWork(f"it has more than {_MAX_EXIF_SEGMENTS} EXIF segments")
        at += 2 + max(length, 2)
    raise TooMuchWork(f"it has more than {_MAX_SEGMENTS:,} segments before its pixels")


# Markers that no length follows (as Pillow takes them): fill bytes, RSTn, SOI, EOI, JPGn
_BARE_MARKERS = frozenset([0x00, 0xFF, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)])
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _check_scans(scans: int, width: int, height: int) -> None:
    if scans > _FEW_SCANS and scans * width * height > _MAX_SCAN_PIXELS:
        raise TooMuchWork(f"it paints its {width}×{height} px in {scans:,} scans")


def _check_png(data: bytes) -> None:
    """Each compressed text or profile is inflated, up to 1 MB, even if it isn't valid."""
    chunks = sum(data.count(name) for name in (b"iCCP", b"zTXt", b"iTXt"))
    if chunks > _MAX_COMPRESSED_CHUNKS:
        raise TooMuchWork(f"it has {chunks:,} compressed texts or profiles")


def _check_bmp(data: bytes) -> None:
    """Pillow unpacks run-length BMPs in Python: 50 megapixels took it 10 s."""
    if len(data) < 34:
        return
    header, width, height, _, _, compression = struct.unpack_from("<IiiHHI", data, 14)
    runs = header >= 40 and compression in (1, 2)  # shorter headers know no compression
    if runs and width * abs(height) > _MAX_RUN_LENGTH_PIXELS:
        raise TooMuchWork(
            f"a run-length BMP may have {_MAX_RUN_LENGTH_PIXELS:,} px, this has {width}×{height}"
        )


def _check_tiff(data: bytes) -> None:
    """Bound the values and the tile of the first page.

    Pillow makes several Python objects for each strip, number or fraction that a tag holds
    (4 million strips: 30 s, 1.2 GB), and one tile is unpacked whole, whatever the picture's size.
    """
    order = "<" if data[:2] == b"II" else ">"
    if data[2] == 0x2B:  # BigTIFF
        (at,) = struct.unpack_from(order + "Q", data, 8)
        (count,) = struct.unpack_from(order + "Q", data, at)
        entry, at = order + "HHQ8s", at + 8
    else:
        (at,) = struct.unpack_from(order + "L", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        entry, at = order + "HHL4s", at + 2
    size = struct.calcsize(entry)
    count = min(count, (len(data) - at) // size)
    tile = {322: 0, 323: 0}  # TileWidth, TileLength
    for tag, kind, values, content in struct.iter_unpack(entry, data[at : at + count * size]):
        if kind not in _BYTE_TYPES and values > _MAX_TAG_VALUES:
            raise TooMuchWork(f"its tag {tag} has {values:,} values")
        if tag in tile:
            number = content[: {3: 2, 4: 4}.get(kind, 8)]
            value = int.from_bytes(number, "little" if order == "<" else "big")
            tile[tag] = max(tile[tag], value)
    if tile[322] * tile[323] > _MAX_TILE_PIXELS:
        raise TooMuchWork(f"its tiles have {tile[322]}×{tile[323]} px")


_BYTE_TYPES = (1, 2, 6, 7)  # BYTE, ASCII, SBYTE, UNDEFINED: one value a byte, kept as bytes

_CHECKS: dict[str, Callable[[bytes], None]] = {
    "JPEG": _check_jpeg,
    "PNG": _check_png,
    "BMP": _check_bmp,
    "TIFF": _check_tiff,
}


def check_tiles(tiling: dict[str, int] | None) -> None:
    """Refuse a HEIF made of far more tiles than it shows; each is decoded, even out of sight.

    Args:
        tiling: pillow-heif's `info["tiling"]`, once the file is open.
    """
    if tiling is None:
        return
    tiles = tiling["num_columns"] * tiling["num_rows"]
    shown = tiling["image_width"] * tiling["image_height"]
    decoded = tiles * tiling["tile_width"] * tiling["tile_height"]
    if tiles > _MAX_TILES or decoded > 2 * shown + _MAX_TILE_PIXELS:
        raise TooMuchWork(f"it is made of {tiles:,} tiles of {decoded // tiles:,} px")


def _primary_only(kind: str, data: bytes) -> bytes:
    """An AVIF or HEIF file with only its primary picture in sight (ISO/IEC 23008-12).

    pillow-heif copies EXIF, XMP and ICC profile once for each picture in the file: 8 MB with 450
    pictures that share one EXIF block took 7 GB. So all pictures but one are hidden, and so are
    the descriptions, which are not needed: what turns the picture is a property of its own
    (irot, imir), and EXIF must not turn it again. Compressed descriptions (in `mime` items) have
    no bound once inflated. Overlays (`iovl`), and grids inside a grid, may name one large picture
    thousands of times.
    """
    start, end = _meta_box(data)
    meta = bytearray(data[start:end].replace(b"mime", b"none"))
    if kind == "AVIF":
        return data[:start] + meta.replace(b"Exif", b"none") + data[end:]
    meta = meta.replace(b"cdsc", b"none").replace(b"iovl", b"none")
    if meta.count(b"infe") - len(_PICTURE_ITEM.findall(meta)) > _MAX_DESCRIPTIONS:
        raise TooMuchWork(f"it holds more than {_MAX_DESCRIPTIONS} descriptions")
    primary = _PRIMARY.search(meta)
    number = int.from_bytes(primary[primary.lastindex or 0]) if primary else -1
    for item in re.finditer(rb"infe[\x02\x03]", meta):
        at = item.start() + 8
        type_at = at + (4 if meta[at - 4] == 2 else 6)  # behind the item's number, 16 or 32 bits
        if int.from_bytes(meta[at : type_at - 2]) != number:
            meta[at - 1] |= 1  # the hidden flag
            if meta[type_at : type_at + 4] == b"grid":
                meta[type_at : type_at + 4] = b"none"
    return data[:start] + meta + data[end:]


_PICTURE_ITEM = re.compile(rb"infe(?:\x02.{7}|\x03.{9})(?:hvc1|grid|iden|av01|jpeg|unci)", re.S)
_PRIMARY = re.compile(rb"pitm(?:\x00...(..)|\x01...(....))", re.S)


def _meta_box(data: bytes) -> tuple[int, int]:
    """Start and end of the first top-level `meta` box; an empty range if there is none."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
        end = at + size if size else len(data)
        if name == b"meta":
            return at, end
        at = max(end, at + 8)
    return len(data), len(data)
