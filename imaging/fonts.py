"""Which of this machine's fonts can write a text; none comes with Shiwu.

Pillow brings letters for plain English. For anything else the system is searched once: by
fontconfig where there is one, else where systems keep the fonts listed here.
"""

import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

# The smallest Debian package with every Chinese name in `models/labels`.
PACKAGE = "fonts-droid-fallback"

# Files by name, the face inside that is for simplified Chinese; better ones first.
_KNOWN = {
    "NotoSansCJK-Regular.ttc": 2,
    "NotoSansSC-Regular.otf": 0,
    "SourceHanSansSC-Regular.otf": 0,
    "PingFang.ttc": 0,
    "Hiragino Sans GB.ttc": 0,
    "msyh.ttc": 0,
    "DroidSansFallbackFull.ttf": 0,
    "wqy-microhei.ttc": 0,
    "wqy-zenhei.ttc": 0,
    "simhei.ttf": 0,
    "DejaVuSans.ttf": 0,
}
_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)
_FONTCONFIG_CHOICES = 8
# No character: what a font draws for it, it draws for all that it lacks.
_NO_CHARACTER = "\U0010fffe"
_SAMPLE_PX = 24

_looking = threading.Lock()
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Face:
    """A font of this machine; without a path, Pillow's own."""

    path: Path | None = None
    index: int = 0

    def at(self, size_px: int) -> ImageFont.FreeTypeFont:
        """The font in a size; made for each drawing, as its state isn't for several threads.

        Raises:
            OSError: the file is gone, or is no font.
        """
        if self.path is not None:
            return ImageFont.truetype(self.path, size_px, self.index)
        own = ImageFont.load_default(size_px)
        assert isinstance(own, ImageFont.FreeTypeFont)  # noqa: S101 - Pillow's wheels have FreeType
        return own

    def lacks(self, text: str) -> set[str]:
        """The characters of a text that it can't write."""
        try:
            font = self.at(_SAMPLE_PX)
        except OSError as error:
            _log.debug("%s can't be used: %s", self.path, error)
            return set(text)
        missing = bytes(font.getmask(_NO_CHARACTER))
        visible = {one for one in text if not one.isspace()}
        return {one for one in visible if bytes(font.getmask(one)) == missing}


def finding(text: str) -> dict[str, Face]:
    """For each visible character the first font that has it; what none has is left out."""
    left = {one for one in text if not one.isspace()}
    found: dict[str, Face] = {}
    for face in faces():
        if not left:
            break
        lacking = face.lacks("".join(left))
        found |= dict.fromkeys(left - lacking, face)
        left = lacking
    return found


def faces() -> tuple[Face, ...]:
    """The fonts that there are, Pillow's own first; looked for once, however many ask at once."""
    with _looking:
        return _found()


@lru_cache(maxsize=1)
def _found() -> tuple[Face, ...]:
    return tuple(dict.fromkeys([Face(), *_named_by_fontconfig(), *known()]))


def _named_by_fontconfig() -> Iterator[Face]:
    """The fonts for Chinese that fontconfig likes best; none where it isn't installed."""
    program = shutil.which("fc-match")
    if program is None:
        return
    command = [program, "--sort", "--format", "%{file}\t%{index}\n", "sans-serif:lang=zh-cn"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        _log.info("fontconfig couldn't be asked for fonts: %s", error)
        return
    for line in said.stdout.splitlines()[:_FONTCONFIG_CHOICES]:
        path, _, index = line.partition("\t")
        # The upper half of the index numbers a variable font's named instances.
        yield Face(Path(path), int(index) & 0xFFFF if index.isdigit() else 0)


def known(folders: Sequence[str | Path] = _FOLDERS) -> list[Face]:
    """The fonts of the list that lie in the folders, in the list's order."""
    found: dict[str, Path] = {}
    for folder in folders:
        # Path.expanduser fails where a user has no home; this leaves the "~" alone.
        for path in Path(os.path.expanduser(folder)).rglob(  # noqa: PTH111 - above
            "*.[to]t[cf]"
        ):
            found.setdefault(path.name, path)
    return [Face(found[name], index) for name, index in _KNOWN.items() if name in found]
