"""Hostile pictures without end: made in memory, by rules, from good ones; the same for a seed.

Each family is a way to be hostile and gives its case number `n`. `cases` takes from all families
in turns, by their weights, so that any number of cases is a fair sample of all of them.
"""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from PIL import Image

from tests.hostile.drawn import encoded, good_jpeg, good_pictures, srgb
from tests.imaging.pictures import chunk, cmyk_profile, directory, segment, tiff, with_segments

# Numbers at which parsers break: 0, the ends of signed and unsigned ranges, and their neighbours.
ODD_NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
HTML = b"<html><script>alert(1)</script></html>"


@dataclass(frozen=True)
class Case:
    """A file to send; `name` says how to make it again: family, number, seed."""

    name: str
    data: bytes


def cases(count: int, seed: int = 1) -> Iterator[Case]:
    """`count` cases. Of those that cost a decoder much, a few hundred at most."""
    turn = [family for family, weight in FAMILIES.items() for _ in range(weight)]
    Random(0).shuffle(turn)
    made = dict.fromkeys(FAMILIES, 0)
    for number in range(count):
        family = turn[number % len(turn)]
        if family is costly and made[family] >= 2 * len(_costly_files()):
            family = flipped
        n = made[family]
        made[family] += 1
        name = f"{family.__name__}-{n}-{seed}"
        yield Case(name, family(n, Random(name)))


def _good(rng: Random, *kinds: str) -> bytes:
    return rng.choice(
        [data for name, data in good_pictures().items() if not kinds or name.endswith(kinds)]
    )


# ---------------------------------------------------------------- damage to any format


def truncated(n: int, _rng: Random) -> bytes:
    """Every picture cut at every 1 %; neighbours in number are far apart."""
    files = list(good_pictures().values())
    which, percent = divmod(n * 1009 % (len(files) * 100), 100)  # 1009 is prime: all are met
    return files[which][: len(files[which]) * percent // 100]


def flipped(n: int, rng: Random) -> bytes:
    """Some bits turned over; in every second one near the start, where the headers are."""
    data = bytearray(_good(rng))
    reach = min(len(data), 120) if n % 2 else len(data)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 10, 40))):
        data[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(data)


def renumbered(n: int, rng: Random) -> bytes:
    """One or two numbers of 1, 2 or 4 bytes replaced by ones at which parsers break."""
    data = bytearray(_good(rng))
    for _ in range(1 + n % 2):
        size = rng.choice((1, 2, 4))
        at = rng.randrange(min(len(data), 400) - size)
        number = rng.choice(ODD_NUMBERS) & (256**size - 1)
        data[at : at + size] = number.to_bytes(size, rng.choice(("big", "little")))
    return bytes(data)


def spliced(_n: int, rng: Random) -> bytes:
    """The start of one picture, the end of another."""
    one, other = _good(rng), _good(rng)
    return one[: rng.randrange(len(one))] + other[rng.randrange(len(other)) :]


def repeated(_n: int, rng: Random) -> bytes:
    """A piece left out, doubled, or there a thousand times."""
    data = _good(rng)
    start = rng.randrange(len(data))
    end = start + rng.randrange(1, 200)
    return data[:start] + data[start:end] * rng.choice((0, 2, 3, 1000)) + data[end:]


def wrong_header(_n: int, rng: Random) -> bytes:
    """The first bytes of one format before the rest of another, or before noise."""
    head = _good(rng)[: rng.choice((2, 3, 4, 8, 12, 16, 32, 64))]
    return head + (_good(rng)[len(head) :] if rng.random() < 0.7 else rng.randbytes(500))


def no_picture(n: int, rng: Random) -> bytes:
    """Nothing, one byte, noise, zeros, texts."""
    size = rng.choice((1, 2, 3, 8, 100, 5000, 100_000))
    made = (
        b"",
        bytes(size),
        rng.randbytes(size),
        b"\xff" * size,
        HTML,
        b"%PDF-1.7\n",
        b"#!/bin/sh\n",
    )
    return made[n % len(made)]


# ---------------------------------------------------------------- claimed sizes


def huge_claim(n: int, rng: Random) -> bytes:
    """A small picture whose header says that it is enormous, or has no pixels."""
    width, height = (rng.choice((0, 1, 7000, 20_000, 65_535, 2**31 - 1, 2**32 - 1)) for _ in "wh")
    kind, patch = list(_CLAIMS.items())[n % len(_CLAIMS)]
    data = bytearray(_good(rng, kind))
    patch(data, width, height)
    return bytes(data)


def _claim_jpeg(data, width, height):
    at = next(i for i in range(len(data)) if data[i] == 0xFF and data[i + 1] in (0xC0, 0xC2))
    struct.pack_into(">HH", data, at + 5, height & 0xFFFF, width & 0xFFFF)


def _claim_png(data, width, height):
    struct.pack_into(">II", data, 16, width, height)
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))


def _claim_gif(data, width, height):
    struct.pack_into("<HH", data, 6, width & 0xFFFF, height & 0xFFFF)
    frame = data.index(b"\x2c", 13)
    struct.pack_into("<HH", data, frame + 5, width & 0xFFFF, height & 0xFFFF)


def _claim_bmp(data, width, height):
    struct.pack_into("<II", data, 18, width, height)


def _claim_tiff(data, width, height):
    order = "<" if data[:2] == b"II" else ">"
    for tag, value in ((256, width), (257, height)):
        at = data.find(struct.pack(order + "HH", tag, 4))
        at = at if at >= 0 else data.find(struct.pack(order + "HH", tag, 3))
        if 0 <= at < len(data) - 12:
            struct.pack_into(order + "HHII", data, at, tag, 4, 1, value)


def _claim_webp(data, width, height):
    at = data.find(b"VP8X")
    if at > 0:
        sides = (width & 0xFFFFFF).to_bytes(3, "little") + (height & 0xFFFFFF).to_bytes(3, "little")
        data[at + 12 : at + 18] = sides
    elif (at := data.find(b"\x9d\x01\x2a")) > 0:
        struct.pack_into("<HH", data, at + 3, width & 0x3FFF, height & 0x3FFF)


def _claim_boxes(data, width, height):
    at = data.find(b"ispe")
    struct.pack_into(">II", data, at + 8, width, height)


_CLAIMS = {
    ".jpg": _claim_jpeg,
    ".png": _claim_png,
    ".gif": _claim_gif,
    ".bmp": _claim_bmp,
    ".tif": _claim_tiff,
    ".webp": _claim_webp,
    ".avif": _claim_boxes,
    ".heic": _claim_boxes,
}


# ---------------------------------------------------------------- nonsense in a format's own terms


def jpeg_segments(_n: int, rng: Random) -> bytes:
    """Segments dropped, doubled, moved, of wrong length, or of random content."""
    data = _good(rng, ".jpg")
    at, parts = 2, []
    while data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        parts.append(data[at : at + 2 + length])
        at += 2 + length
    return b"\xff\xd8" + b"".join(_shuffled(parts, rng, _new_segment, at_length=2)) + data[at:]


def _new_segment(rng: Random) -> bytes:
    marker = rng.choice(
        (0xC0, 0xC1, 0xC2, 0xC4, 0xC9, 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xE1, 0xE2, 0xEE)
    )
    head = rng.choice((b"", b"Exif\0\0II*\0", b"ICC_PROFILE\0\1\1", b"MPF\0MM\0*", b"Adobe\0d"))
    return segment(marker, head + rng.randbytes(rng.randrange(80)))


def png_chunks(_n: int, rng: Random) -> bytes:
    """Chunks dropped, doubled, moved, of wrong length, or of random content."""
    data = _good(rng, ".png")
    at, parts = 8, []
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        parts.append(data[at : at + 12 + length])
        at += 12 + length
    return data[:8] + b"".join(_shuffled(parts, rng, _new_chunk, at_length=0))


def _new_chunk(rng: Random) -> bytes:
    name = rng.choice(
        [
            "IHDR",
            "PLTE",
            "IDAT",
            "IEND",
            "tRNS",
            "gAMA",
            "cHRM",
            "sRGB",
            "iCCP",
            "tEXt",
            "zTXt",
            "iTXt",
            "bKGD",
            "pHYs",
            "tIME",
            "acTL",
            "fcTL",
            "fdAT",
            "eXIf",
            "sBIT",
            "hIST",
            "sPLT",
            "cICP",
            "ABCD",
        ]
    )
    body = rng.randbytes(rng.randrange(60))
    packed = zlib.compress(body) if rng.random() < 0.5 else body
    return chunk(name.encode(), rng.choice((b"", b"a\0\0", b"a\0")) + packed)


def riff_chunks(_n: int, rng: Random) -> bytes:
    """The same in a WebP."""
    data = _good(rng, ".webp")
    at, parts = 12, []
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        length += length % 2
        parts.append(data[at : at + 8 + length])
        at += 8 + length
    body = b"WEBP" + b"".join(_shuffled(parts, rng, _new_riff, at_length=4))
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _new_riff(rng: Random) -> bytes:
    name = rng.choice(
        (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ")
    )
    body = rng.randbytes(2 * rng.randrange(30))
    return name + struct.pack("<I", len(body)) + body


def boxes(_n: int, rng: Random) -> bytes:
    """Boxes of an AVIF or HEIC, at any depth: dropped, doubled, renamed, of wrong size, nested."""
    data = _good(rng, ".avif", ".heic")
    for _ in range(rng.choice((1, 1, 2, 4))):
        found = list(_boxes(data, 0, len(data)))
        if not found:
            break
        at, size = rng.choice(found)
        box = data[at : at + size]
        made = rng.choice((
            b"",
            box * rng.choice((2, 50)),
            box[:4] + rng.choice(found_names(data, found)) + box[8:],
            struct.pack(">I", rng.choice(ODD_NUMBERS)) + box[4:],
            struct.pack(">I4sQ", 1, box[4:8], rng.choice(ODD_NUMBERS) << 16) + box[8:],
            box[:8] + rng.randbytes(size - 8),
            struct.pack(">I4s", size + 8, box[4:8]) * rng.choice((1, 500)) + box,
            rng.choice([data[a : a + s] for a, s in found]) + box,
        ))  # fmt: skip
        data = data[:at] + made + data[at + size :]
    return data


def found_names(data: bytes, found: list[tuple[int, int]]) -> list[bytes]:
    return [data[at + 4 : at + 8] for at, _ in found] + [b"grid", b"iovl", b"mdat", b"free"]


_WITH_BOXES = {
    b"meta": 12,
    b"iprp": 8,
    b"ipco": 8,
    b"iinf": 14,
    b"moov": 8,
    b"trak": 8,
    b"iref": 12,
    b"mdia": 8,
    b"minf": 8,
    b"stbl": 8,
}


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and size of each box, those inside others included."""
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, start)
        if not 8 <= size <= end - start:
            return
        yield start, size
        if name in _WITH_BOXES:
            yield from _boxes(data, start + _WITH_BOXES[name], start + size)
        start += size


def tiff_tags(n: int, rng: Random) -> bytes:
    """Tags of a TIFF with other types, counts and values; and new ones."""
    if n % 3 == 0:
        tags = [
            (rng.choice(_TIFF_TAGS), rng.randrange(20), rng.choice(ODD_NUMBERS[:9]), rng.choice(ODD_NUMBERS[:9]))
            for _ in range(rng.randrange(1, 8))
        ]  # fmt: skip
        tags = [tag for tag in tags if not (tag[1] == 3 and tag[2] == 1 and tag[3] > 0xFFFF)]
        return tiff(8, 8, bytes(64), order=rng.choice("<>"), extra=tags)
    data = bytearray(_good(rng, ".tif"))
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    if at + 2 > len(data):
        return bytes(data)
    (count,) = struct.unpack_from(order + "H", data, at)
    for _ in range(rng.choice((1, 1, 2, 3))):
        entry = at + 2 + 12 * rng.randrange(max(1, count))
        field, size = rng.choice(((0, 2), (2, 2), (4, 4), (8, 4)))
        number = rng.choice(ODD_NUMBERS) if size == 4 else rng.choice((*_TIFF_TAGS, *range(20)))
        if entry + field + size <= len(data):
            struct.pack_into(order + ("I" if size == 4 else "H"), data, entry + field, number)
    return bytes(data)


_TIFF_TAGS = (
    254,
    256,
    257,
    258,
    259,
    262,
    266,
    273,
    274,
    277,
    278,
    279,
    282,
    284,
    292,
    317,
    320,
    322,
    323,
    324,
    325,
    330,
    338,
    339,
    347,
    512,
    513,
    514,
    529,
    530,
    532,
    33723,
    34377,
    34665,
    34675,
    34853,
)


def gif_blocks(n: int, rng: Random) -> bytes:
    """A GIF whose blocks are random: extensions, frames of odd sizes and places, LZW nonsense."""
    made = b"GIF89a" + struct.pack(
        "<HHBBB", 40, 30, rng.choice((0, 0x80, 0xF7)), rng.randrange(256), 0
    )
    made += rng.randbytes(6 if made[10] & 0x80 else 0)
    for _ in range(rng.randrange(1, 6)):
        kind = rng.randrange(4)
        if kind == 0:
            made += b"\x21" + rng.randbytes(1) + _sub_blocks(rng)
        elif kind == 1:
            made += b"\x21\xf9\x04" + rng.randbytes(4) + b"\0"
        elif kind == 2:
            place = [rng.choice((0, 1, 30, 40, 65535)) for _ in range(4)]
            made += b"\x2c" + struct.pack("<HHHHB", *place, rng.choice((0, 0x40, 0x80)))
            made += bytes([rng.choice((0, 2, 8, 11, 12, 255))]) + _sub_blocks(rng)
        else:
            made += rng.randbytes(rng.randrange(10))
    return made + b";" * (n % 2)


def _sub_blocks(rng: Random) -> bytes:
    sizes = [rng.randrange(1, 256) for _ in range(rng.randrange(4))]
    return b"".join(bytes([size]) + rng.randbytes(size) for size in sizes) + b"\0"


def bmp_header(_n: int, rng: Random) -> bytes:
    """A BMP header of any length, depth and compression; run-lengths that leave the picture."""
    head = struct.pack(
        "<IiiHHIIiiII",
        rng.choice((12, 40, 52, 56, 64, 108, 124, 0, 2**31)),
        rng.choice((0, 1, 40, -40, 2**31 - 1)),
        rng.choice((0, 1, 30, -30, 2**31 - 1)),
        rng.choice((0, 1, 9)),
        rng.choice((0, 1, 2, 4, 8, 16, 24, 32, 64)),
        rng.choice((0, 0, 1, 2, 3, 4, 5, 6, 11)),
        *(rng.choice((0, 1, 100, 2**32 - 1)) for _ in range(1)),
        0,
        0,
        rng.choice((0, 2, 256, 2**32 - 1)),
        0,
    )
    start = struct.pack("<IHHI", 5000, 0, 0, rng.choice((0, 14, 54, 54 + 1024, 2**32 - 1)))
    return b"BM" + start + head + rng.randbytes(rng.randrange(4000))


def _shuffled(parts, rng: Random, new, at_length: int) -> list[bytes]:
    """Some of: one part dropped, doubled, moved, given a wrong length; a new one put in."""
    parts = list(parts)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, kind = rng.randrange(len(parts)), rng.randrange(5)
        if kind == 0 and len(parts) > 1:
            del parts[at]
        elif kind == 1:
            parts.insert(at, parts[at])
        elif kind == 2:
            parts.insert(rng.randrange(len(parts)), parts.pop(at))
        elif kind == 3:
            part = bytearray(parts[at])
            part[at_length : at_length + 2] = rng.randbytes(2)
            parts[at] = bytes(part)
        else:
            parts.insert(rng.randrange(len(parts) + 1), new(rng))
    return parts


# ---------------------------------------------------------------- metadata


def exif_block(n: int, rng: Random) -> bytes:
    """EXIF with directories in rings and in one another, counts that lie, fractions of 0/0."""
    order = rng.choice("<>")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    kinds = (
        lambda: directory([(274, 3, 1, rng.randrange(12))], order),
        lambda: directory([(34665, 4, 1, 8), (34853, 4, 1, 8)], order),
        lambda: b"".join(directory([(34665, 4, 1, 8 + 18 * k)], order) for k in range(1, 3000)),
        lambda: directory([(270, 2, rng.choice(ODD_NUMBERS), rng.choice(ODD_NUMBERS))], order),
        lambda: directory([(282, 5, 1, 26), (283, 10, 1, 26)], order) + bytes(8),
        lambda: directory([(274, rng.randrange(16), rng.randrange(9), rng.choice(ODD_NUMBERS[:9]))], order)
        if rng.random() < 2 else b"",
        lambda: rng.randbytes(200),
        lambda: struct.pack(order + "H", 0xFFFF) + rng.randbytes(2000),
    )  # fmt: skip
    try:
        block = head + kinds[n % len(kinds)]()
    except struct.error:  # a number that its type can't hold: noise will do
        block = head + rng.randbytes(100)
    return _carrying(rng, exif=b"Exif\0\0" + block[: 2**16 - 100])


def colour_profile(n: int, rng: Random) -> bytes:
    """ICC profiles: noise, cut, with flipped bits, with tags that lie outside or overlap."""
    profile = bytearray(cmyk_profile() if n % 3 == 0 else srgb())
    kind = rng.randrange(4)
    if kind == 0:
        profile = bytearray(rng.randbytes(rng.randrange(1, 3000)))
    elif kind == 1:
        profile = profile[: rng.randrange(len(profile))]
    elif kind == 2:
        for _ in range(rng.choice((1, 3, 10))):
            profile[rng.randrange(len(profile))] ^= 1 << rng.randrange(8)
    else:  # a number in the table of tags
        at = 128 + 4 * rng.randrange(20)
        profile[at : at + 4] = struct.pack(">I", rng.choice(ODD_NUMBERS))
    return _carrying(rng, icc_profile=bytes(profile))


def _carrying(rng: Random, **metadata: bytes) -> bytes:
    image = Image.open(io.BytesIO(_good(rng, "rgb.png", "rgba.png")))
    image.info.clear()
    kind = rng.choice(("JPEG", "JPEG", "PNG", "WEBP", "TIFF"))
    try:
        if "exif" in metadata and kind == "JPEG":
            plain = encoded(image.convert("RGB"), "JPEG")
            return with_segments(plain, segment(0xE1, metadata["exif"][: 2**16 - 3]))
        return encoded(image.convert("RGB"), kind, **metadata)
    except Exception:  # an encoder that refuses it: then as a JPEG's bare segments
        plain = encoded(image.convert("RGB"), "JPEG")
        (content,) = metadata.values()
        return with_segments(plain, segment(0xE2, b"ICC_PROFILE\0\1\1" + content[:60_000]))


# ---------------------------------------------------------------- not only a picture


def polyglot(n: int, rng: Random) -> bytes:
    """A picture that is also a page, an archive, a script or a document."""
    data = _good(rng)
    others = (
        HTML,
        _zip(),
        b"%PDF-1.4\n1 0 obj<<>>endobj\n",
        b"/*",
        b"<?php system($_GET[0]); ?>",
        b"MZ",
        b"\x7fELF",
    )
    other = others[n % len(others)]
    return rng.choice((
        data + other,
        other + data,
        with_segments(data, segment(0xFE, other)) if data[:2] == b"\xff\xd8" else data + other * 3,
        data[:10] + other + data[10:],
    ))  # fmt: skip


def archive(n: int, rng: Random) -> bytes:
    """An archive or a packed bomb under a picture's name."""
    made = _archives()
    data = made[n % len(made)]
    return data if n < len(made) else data[: rng.randrange(1, len(data))]


@lru_cache(maxsize=1)
def _archives() -> tuple[bytes, ...]:
    zeros = bytes(10_000_000)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as out:
        out.addfile(tarfile.TarInfo("../../evil"), io.BytesIO())
    heads = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\1\0", b"\x28\xb5\x2f\xfd", b"MSCF")
    packed = (
        _zip(),
        tar.getvalue(),
        gzip.compress(zeros, mtime=0),
        bz2.compress(zeros),
        lzma.compress(zeros),
    )
    return (*packed, *(head + bytes(200) for head in heads))


@lru_cache(maxsize=1)
def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(zipfile.ZipInfo("../../evil.txt"), "climbs out of its folder")
        made.writestr(zipfile.ZipInfo("zeros"), bytes(5_000_000), zipfile.ZIP_DEFLATED)
    return out.getvalue()


# ---------------------------------------------------------------- what costs a decoder much


def costly(n: int, _rng: Random) -> bytes:
    """Bombs, scans, frames, tiles: the most work for a file of moderate size."""
    files = _costly_files()
    return files[n * 7 % len(files)]


@lru_cache(maxsize=1)
def _costly_files() -> tuple[bytes, ...]:
    return (*_thin(), *_bombs(), *_many_scans(), *_many_frames(), *_many_parts())


def _thin() -> Iterator[bytes]:
    """One pixel across."""
    for size in ((1, 50_000), (50_000, 1), (1, 65_501), (16_383, 1)):
        image = Image.linear_gradient("L").resize(size).convert("RGB")
        for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"):
            if max(size) > {"WEBP": 16_383, "JPEG": 65_500}.get(kind, 10**6):
                continue  # it can't be written
            yield encoded(image.quantize(16) if kind == "GIF" else image, kind)


def _zeros(count: int) -> bytes:
    """`count` zeros, deflated: a packed megabyte again and again (RFC 1950, 1951)."""
    packer = zlib.compressobj(9, wbits=-15)
    megabyte = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(count % 2**20)) + packer.flush()
    checksum = struct.pack(">HH", count % 65_521, 1)  # Adler-32 of zeros
    return b"\x78\xda" + megabyte * (count >> 20) + rest + checksum


def _bombs() -> Iterator[bytes]:
    """Millions of pixels, or megabytes of text, out of a few bytes."""
    for width, height, colour, samples in (
        (7000, 7000, 6, 4),
        (7000, 7100, 0, 1),
        (20_000, 20_000, 0, 1),
        (60_000, 800, 2, 3),
    ):
        header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
        idat = _zeros((width * samples + 1) * height)
        yield b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", idat) + chunk(b"IEND")
    small = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    text = chunk(b"zTXt", b"a\0\0" + _zeros(100 << 20))
    profile = chunk(b"iCCP", b"a\0\0" + _zeros(100 << 20))
    for extra in (text, profile, text * 50, chunk(b"IDAT", _zeros(200 << 20))):
        yield b"\x89PNG\r\n\x1a\n" + small + extra + chunk(b"IDAT", _zeros(72)) + chunk(b"IEND")
    for order in "<>":
        deflated = _zeros(7000 * 7000)
        tags = [(259, 3, 1, 8), (279, 4, 1, len(deflated))]
        yield tiff(7000, 7000, deflated, order=order, extra=tags)
    yield encoded(Image.new("L", (7000, 7000)), "JPEG", quality=30)
    yield encoded(Image.new("P", (7000, 7000)), "GIF", optimize=False)
    flat = Image.new("RGB", (1000, 1000), "red")
    yield encoded(flat, "WEBP", lossless=True, method=0)
    yield encoded(flat, "AVIF", speed=10)
    yield encoded(flat, "HEIF", quality=10)


def _many_scans() -> Iterator[bytes]:
    """Progressive JPEGs of a thousand scans; the first few are allowed, the others refused."""
    for side, count in ((100, 1000), (700, 1000), (3000, 60), (3000, 1000)):
        jpeg = encoded(Image.new("RGB", (side, side)), "JPEG", progressive=True)
        end = jpeg.rindex(b"\xff\xd9")
        yield jpeg[:end] + jpeg[jpeg.rindex(b"\xff\xda") : end] * count + jpeg[end:]


def _many_frames() -> Iterator[bytes]:
    """GIF, APNG and TIFF with frames without end."""
    gif = good_pictures()["animated.gif"]
    frame = gif[gif.index(b"\x21\xf9") : -1]
    yield gif[:-1] + frame * 500 + b";"
    png = good_pictures()["animated.png"]
    start = png.index(b"fcTL", png.index(b"IDAT")) - 4
    yield png[:start] + png[start:-12] * 500 + png[-12:]
    page = directory([(256, 4, 1, 8), (257, 4, 1, 8)])
    pages = b"".join(page[:-4] + struct.pack("<I", 8 + len(page) * k) for k in range(1, 5000))
    yield b"II*\0\x08\0\0\0" + pages
    yield tiff(8, 8, bytes(64))[:-68] + struct.pack("<I", 8) + bytes(64)  # its own successor


def _many_parts() -> Iterator[bytes]:
    """Segments, chunks, values, tiles and runs in great number."""
    good = good_jpeg()
    yield with_segments(good, segment(0xE1, b"Exif\0\0x") * 5000)
    yield with_segments(good, segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(60_000)) * 50)
    yield with_segments(good, bytes(2_000_000))
    yield with_segments(good, b"\xff" * 2_000_000)
    png = good_pictures()["rgb.png"]
    yield png[:33] + chunk(b"prVt") * 200_000 + png[33:]
    yield png[:33] + chunk(b"tEXt", b"a\0b") * 100_000 + png[33:]
    gif = good_pictures()["still.gif"]
    at = gif.index(b"\x2c")
    yield gif[:at] + b"\x21\xfe" + b"\1a" * 1_000_000 + b"\0" + gif[at:]
    for tag in (273, 279, 258, 320):
        yield tiff(8, 8, bytes(500_000), extra=[(tag, 4, 99_000, 200)])
    yield tiff(
        8,
        8,
        bytes(64),
        extra=[(322, 4, 1, 40_000), (323, 4, 1, 40_000), (324, 4, 1, 8), (325, 4, 1, 64)],
    )
    head = struct.pack("<IiiHHIIiiII", 40, 1900, 2000, 1, 8, 1, 0, 0, 0, 256, 0)
    start = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + head + bytes(1024)
    yield start + b"\1\1" * 3_800_000
    yield start + b"\0\2\1\0" * 100_000
    heic = good_pictures()["plain.heic"]
    yield heic + struct.pack(">I4s", 8, b"free") * 500_000


FAMILIES = {
    truncated: 32,  # so that 20,000 cases hold every cut of every picture
    flipped: 20,
    renumbered: 12,
    spliced: 5,
    repeated: 4,
    wrong_header: 4,
    no_picture: 2,
    huge_claim: 6,
    jpeg_segments: 6,
    png_chunks: 6,
    riff_chunks: 4,
    boxes: 10,
    tiff_tags: 8,
    gif_blocks: 5,
    bmp_header: 4,
    exif_block: 4,
    colour_profile: 5,
    polyglot: 3,
    archive: 1,
    costly: 2,
}
