"""Reading photos in processes of their own, which a decoder may crash, spin or fill at will.

The formats in `Limits.apart` are read by `python -m imaging.apart`: a process that knows no secret
of the service's, that the kernel ends when it takes too much memory or processor time, and that
is ended here when it stands still. Whoever sent the photo gets a BrokenImage, and the next photo a
new process. A process is started when it is first needed and kept for the photos that follow;
there are as many as photos were ever read at once.

Between the two go plain bytes with lengths, checked here: a decoder that was taken over can lie
about pixels, and no more.
"""

import atexit
import logging
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from PIL import AvifImagePlugin, Image

from errors import RequestError
from imaging import read
from imaging.read import BrokenImage, Limits, PictureTooLarge, UnsupportedImage

# Of one photo, of which no good one has been seen to take a third.
PROCESSOR_S = 5
# Of one photo, where other processes leave little of the processor; and of a process' start.
CLOCK_S = 20.0
_FAREWELL_S = 0.5
# The rest of the process, and what decoders hold of a picture of `max_pixels` (docs/trust.md).
_BASE_BYTES = 512 * 2**20
_BYTES_A_PIXEL = 16
# What leaks in decoders goes with their process.
_MOST_PHOTOS = 1000

_ROOT = Path(__file__).resolve().parent.parent
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME")

# A request: bytes of the photo, limits, number of sides; then a number for each side, the photo.
_ASKED = struct.Struct(">QQQB")
_SIDE = struct.Struct(">Q")  # 0 is None
# A reply: 0 and for each side sizes and RGB pixels, or the number of an error and its sentence.
_SIZES = struct.Struct(">4I")
_LENGTH = struct.Struct(">H")
_ERRORS = (UnsupportedImage, PictureTooLarge, BrokenImage)
_READY = b"\xaa"

_log = logging.getLogger(__name__)


class DecoderUnavailable(RequestError):
    """The process that should read the photo can't be started now."""

    retry_after_s = 1


class _Gone(Exception):
    """The process ended, or was ended, before it replied."""


class Decoder:
    """One process that reads photos, one after the other."""

    def __init__(self, clock_s: float = CLOCK_S) -> None:
        """Start it; it is ready within some tenths of a second.

        Raises:
            OSError: there is no process, memory or file descriptor for it.
        """
        self._clock_s = clock_s
        self.photos = 0
        ours, theirs = socket.socketpair()
        with theirs:
            self._socket = ours
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "imaging.apart"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=_ROOT,
                    env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                )
            except BaseException:
                ours.close()
                raise
        self._end = time.monotonic() + CLOCK_S
        with suppress(_Gone):
            self._receive(len(_READY))
            return
        raise OSError(self.close())

    def ask(self, data: bytes, limits: Limits, sides: Sequence[int | None]) -> None:
        """Send a photo.

        Raises:
            OSError: the process has gone.
        """
        self.photos += 1
        self._end = time.monotonic() + self._clock_s
        self._socket.settimeout(self._clock_s)
        head = _ASKED.pack(len(data), limits.max_bytes, limits.max_pixels, len(sides))
        self._socket.sendall(head + b"".join(_SIDE.pack(side or 0) for side in sides))
        self._socket.sendall(data)

    def answer(
        self, limits: Limits, sides: Sequence[int | None]
    ) -> list[tuple[Image.Image, tuple[int, int]]]:
        """What it replies, as `read.read_sides` would return or raise it.

        Raises:
            _Gone: nothing, or what can't be.
        """
        outcome = self._receive(1)[0]
        if outcome == 0:
            return [self._photo(limits) for _ in sides]
        if outcome > len(_ERRORS):
            raise _Gone
        (length,) = _LENGTH.unpack(self._receive(_LENGTH.size))
        raise _ERRORS[outcome - 1](self._receive(length).decode("utf-8", "replace"))

    def close(self) -> str:
        """End the process; the text says how it ended."""
        self._socket.close()  # which lets it end by itself, if it is still able to
        try:
            status = self._process.wait(_FAREWELL_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "stood still"
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"

    def _photo(self, limits: Limits) -> tuple[Image.Image, tuple[int, int]]:
        width, height, whole_width, whole_height = _SIZES.unpack(self._receive(_SIZES.size))
        if not 0 < width * height <= limits.max_pixels:
            raise _Gone
        pixels = self._receive(width * height * 3)
        photo = Image.frombuffer("RGB", (width, height), pixels, "raw", "RGB", 0, 1)
        return photo, (whole_width, whole_height)

    def _receive(self, count: int) -> bytearray:
        content = bytearray(count)
        rest = memoryview(content)
        while rest:
            self._socket.settimeout(max(0.001, self._end - time.monotonic()))
            try:
                got = self._socket.recv_into(rest)
            except OSError as error:
                raise _Gone from error
            if not got:
                raise _Gone
            rest = rest[got:]
        return content


class Decoders:
    """The processes that wait for photos; the one that was last at work is taken first."""

    def __init__(self, clock_s: float = CLOCK_S) -> None:
        self._clock_s = clock_s
        self._waiting: deque[Decoder] = deque()

    def read_sides(
        self, data: bytes, limits: Limits, sides: Sequence[int | None]
    ) -> list[tuple[Image.Image, tuple[int, int]]]:
        """As `read.read_sides`, in another process.

        Raises:
            UnsupportedImage, PictureTooLarge: as of `read.read`.
            BrokenImage: also if the process crashed, stood still, or took too much.
            DecoderUnavailable: no process can be started.
        """
        decoder = self._asked(data, limits, sides)
        try:
            photos = decoder.answer(limits, sides)
        except RequestError:
            self._keep(decoder)
            raise
        except _Gone as error:
            ended = decoder.close()
            _log.warning("a decoder ended (%s) on a photo of %d bytes", ended, len(data))
            raise BrokenImage(
                "the picture took its decoder too long, too much memory, or made it fail "
                f"({len(data):,} bytes came); save it again as JPEG or PNG"
            ) from error
        except BaseException:
            decoder.close()
            raise
        self._keep(decoder)
        return photos

    def close(self) -> None:
        """End those that wait."""
        while self._waiting:
            self._waiting.pop().close()

    def _asked(self, data: bytes, limits: Limits, sides: Sequence[int | None]) -> Decoder:
        while self._waiting:
            with suppress(IndexError):  # another thread was faster
                decoder = self._waiting.pop()
                try:
                    decoder.ask(data, limits, sides)
                except OSError:  # ended while it waited, which is not this photo's fault
                    decoder.close()
                else:
                    return decoder
        try:
            decoder = Decoder(self._clock_s)
            decoder.ask(data, limits, sides)
        except OSError as error:
            _log.error("no decoder can be started: %s", error)
            raise DecoderUnavailable(
                "the picture can't be read at the moment; send it again in a second, "
                "or as JPEG or PNG"
            ) from error
        return decoder

    def _keep(self, decoder: Decoder) -> None:
        if decoder.photos < _MOST_PHOTOS:
            self._waiting.append(decoder)
        else:
            decoder.close()


_decoders = Decoders()
atexit.register(_decoders.close)
read_sides = _decoders.read_sides


def main() -> None:
    """Read photos from standard input, a socket, until its other end is closed."""
    for sent_to_all in (signal.SIGINT, signal.SIGTERM):  # by Ctrl+C, by systemd: not meant for us,
        signal.signal(sent_to_all, signal.SIG_IGN)  # as the end of our input is
    with suppress(OSError):  # if memory runs out, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    for forbidden in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(forbidden, (0, 0))
    AvifImagePlugin.DEFAULT_MAX_THREADS = 4  # not one for each core: they count as memory
    with socket.socket(fileno=0) as connection, connection.makefile("rb") as asked:
        connection.sendall(_READY)
        while head := asked.read(_ASKED.size):
            length, max_bytes, max_pixels, count = _ASKED.unpack(head)
            sides = [_SIDE.unpack(asked.read(_SIDE.size))[0] or None for _ in range(count)]
            data = asked.read(length)
            limits = Limits(max_bytes, max_pixels)
            _bound_this_process(max_pixels)
            for part in _reply(data, limits, sides):
                connection.sendall(part)
            del data


def _reply(data: bytes, limits: Limits, sides: Sequence[int | None]) -> Iterable[bytes]:
    try:
        photos = read.read_sides(data, limits, sides)
    except _ERRORS as error:
        said = str(error).encode()[: 2**16 - 1]
        return [bytes([_ERRORS.index(type(error)) + 1]), _LENGTH.pack(len(said)), said]
    parts = [b"\0"]
    for photo, whole in photos:
        parts += [_SIZES.pack(*photo.size, *whole), photo.tobytes()]
    return parts


def _bound_this_process(max_pixels: int) -> None:
    """Of now on: so much memory in all, and so much processor time more."""
    _limit(resource.RLIMIT_AS, _BASE_BYTES + _BYTES_A_PIXEL * max_pixels)
    _limit(resource.RLIMIT_CPU, int(time.process_time()) + 1 + PROCESSOR_S)


def _limit(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main()
