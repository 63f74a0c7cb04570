"""Install the programs that some tests use: on Debian, as root; elsewhere say what is missing."""

import os
import shutil
import subprocess
import sys

# A program (or several, of which one will do), the Debian package that brings it, and what is left out without it.
NEEDS = (
    ("redis-server", "redis-server", "tests of /image's store in Redis"),
    ("convert-im6.q16 magick", "imagemagick", "tests of EXIF orientation against another program"),
    ("wrk", "wrk", "tests of the benchmarks"),
    ("curl", "curl", "the README's curl line"),
)


def _missing() -> list[tuple[str, str, str]]:
    return [need for need in NEEDS if not any(map(shutil.which, need[0].split()))]


def main() -> None:
    missing = _missing()
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [package for _, package, _ in missing]
        print("Installing for the tests:", *packages, flush=True)
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            quiet = ["apt-get", "-qq", *command]
            subprocess.run(quiet, stdout=subprocess.DEVNULL, stderr=sys.stderr, check=False)
        missing = _missing()
    for program, package, left_out in missing:
        print(f"Missing: {program} (Debian: apt-get install {package}); left out: {left_out}")


if __name__ == "__main__":
    main()
