"""Pictures made for the tests, down to single bytes where an encoder wouldn't write them."""

import io
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()  # so that the tests can write HEIF


def scene(width=96, height=64):
    """A smooth picture, different in every corner and in every colour."""
    y, x = np.mgrid[0 : 1 : 1j * height, 0 : 1 : 1j * width]
    wave = 0.5 + 0.4 * np.sin(9 * x + 5 * y)
    return Image.fromarray((np.dstack([x, wave, 1 - y * x]) * 255).round().astype(np.uint8))


def encoded(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def pixels(image):
    return np.asarray(image).astype(int)


def distance(one, other):
    """Mean difference of two pictures, in steps of 0 to 255."""
    return np.abs(pixels(one) - pixels(other)).mean()


# ---------------------------------------------------------------- PNG


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows, *extra):
    """A PNG of packed rows; `colour` as in the format: 0 grey, 2 RGB, 3 palette, 4 LA, 6 RGBA."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    idat = zlib.compress(b"".join(b"\0" + row for row in rows))
    middle = b"".join(extra) + chunk(b"IDAT", idat)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle + chunk(b"IEND")


def transparent(*samples):
    return chunk(b"tRNS", struct.pack(f">{len(samples)}H", *samples))


# ---------------------------------------------------------------- JPEG


def segment(marker, body=b""):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(jpeg, *segments):
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


# ---------------------------------------------------------------- TIFF and EXIF


def directory(entries, order="<"):
    """Entries are (tag, type, count, value); a SHORT stands at the start of its four bytes."""
    body = b""
    for tag, kind, count, value in sorted(entries):
        short = kind == 3 and count == 1
        content = struct.pack(
            order + ("HH" if short else "I"), *((value, 0) if short else (value,))
        )
        body += struct.pack(order + "HHI", tag, kind, count) + content
    return struct.pack(order + "H", len(entries)) + body + bytes(4)


def tiff(width, height, data, *, order="<", bits=8, samples=1, photometric=1, extra=()):
    """An uncompressed TIFF of one strip; `extra` are more entries, which replace ours."""
    tags = {
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, 1, bits),
        259: (3, 1, 1),
        262: (3, 1, photometric),
        277: (3, 1, samples),
        278: (4, 1, height),
        279: (4, 1, len(data)),
    }
    tags.update({tag: rest for tag, *rest in extra})
    at = 8 + 2 + 12 * (len(tags) + (273 not in tags)) + 4
    tags.setdefault(273, (4, 1, at))
    head = b"II*\0" if order == "<" else b"MM\0*"
    entries = [(tag, *rest) for tag, rest in tags.items()]
    return head + struct.pack(order + "I", 8) + directory(entries, order) + data


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


# ---------------------------------------------------------------- ICC profiles


def _profile(space, pcs, kind, tags):
    """A version 2 profile of the given tags (ICC.1:2001-04)."""
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s12s4s", 0, b"lcms", 0x02400000, kind, space, pcs, b"", b"acsp")
    head = (head + bytes(28) + _xyz(0.9642, 1.0, 0.8249)[8:]).ljust(128, b"\0")
    whole = head + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def _xyz(*values):
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _gamma(value):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def rgb_profile(gamma, red, green, blue):
    """Of a display with these primaries (XYZ, adapted to D50) and this gamma."""
    tags = {b"wtpt": _xyz(0.9642, 1.0, 0.8249)}
    for letter, primary in zip(b"rgb", (red, green, blue)):
        tags[bytes([letter]) + b"XYZ"] = _xyz(*primary)
        tags[bytes([letter]) + b"TRC"] = _gamma(gamma)
    return _profile(b"RGB ", b"XYZ ", b"mntr", tags)


# Display P3's primaries, adapted to D50 (as in Apple's profile), with a plain gamma
P3_PRIMARIES = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))


def grey_profile(gamma):
    tags = {b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"kTRC": _gamma(gamma)}
    return _profile(b"GRAY", b"XYZ ", b"mntr", tags)


def cmyk_profile(paper=100):
    """Of a press whose cyan, magenta and yellow can't be seen, on paper of this lightness."""
    ramp = bytes(range(256))
    corners = b"".join(bytes([round(paper * 2.55) * (1 - n % 2), 128, 128]) for n in range(2**4))
    identity = struct.pack(">9i", *(65536 if n % 4 == 0 else 0 for n in range(9)))
    table = struct.pack(">4sIBBBx", b"mft1", 0, 4, 3, 2) + identity + ramp * 4 + corners + ramp * 3
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"wtpt": _xyz(0.9642, 1.0, 0.8249), b"A2B0": table})
