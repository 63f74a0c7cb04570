"""Install the programs, the font and the dictionary that some tests use: on Debian, as root; elsewhere say what is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _program(*names: str) -> Callable[[], bool]:
    return lambda: any(map(shutil.which, names))


def _chinese_font() -> bool:
    """Whether the rarest name can be written; in a process of its own, as fonts are looked for once."""
    question = (
        "from imaging.draw import Line, can_write; raise SystemExit(not can_write([Line('鹟䴕')]))"
    )
    return not subprocess.run([sys.executable, "-c", question], cwd=ROOT, check=False).returncode


# What is needed, whether it is there, the Debian package that brings it, what is left out without it.
NEEDS = (
    ("redis-server", _program("redis-server"), "redis-server", "tests of /image's store in Redis"),
    ("nginx", _program("nginx", "/usr/sbin/nginx"), "nginx-light", "tests of the proxy in front"),
    ("openssl", _program("openssl"), "openssl", "tests of the proxy in front"),
    ("strace", _program("strace"), "strace", "the test that photos leave no trace"),
    ("ImageMagick", _program("convert-im6.q16", "magick"), "imagemagick", "tests of EXIF orientation against another program"),
    ("wrk", _program("wrk"), "wrk", "tests of the benchmarks"),
    ("curl", _program("curl"), "curl", "the README's curl line"),
    ("Chromium", _program("chromium", "chromium-browser", "google-chrome"), "chromium", "tests of the page in a browser"),
    ("WordNet", Path("/usr/share/wordnet/data.noun").is_file, "wordnet-base", "the check of the tree of groups"),
    ("Prometheus", _program("prometheus"), "prometheus", "the dashboard's and the alerts' tests"),
    ("a C compiler", _program("cc", "gcc"), "build-essential", "the test of clocks that jump"),
    ("a Chinese font", _chinese_font, "fonts-droid-fallback", "tests of Chinese names drawn on photos"),
)  # fmt: skip


def _missing() -> list[tuple[str, str, str]]:
    return [(need, package, without) for need, found, package, without in NEEDS if not found()]


def main() -> None:
    missing = _missing()
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [package for _, package, _ in missing]
        print("Installing for the tests:", *packages, flush=True)
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            quiet = ["apt-get", "-qq", *command]
            subprocess.run(quiet, stdout=subprocess.DEVNULL, stderr=sys.stderr, check=False)
        missing = _missing()
    for need, package, left_out in missing:
        print(f"Missing: {need} (Debian: apt-get install {package}); left out: {left_out}")


if __name__ == "__main__":
    main()
