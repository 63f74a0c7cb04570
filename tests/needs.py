"""Install the programs that some tests use: on Debian, as root; elsewhere say what is missing."""

import os
import shutil
import subprocess
import sys

# A program, the Debian package that brings it, and what is left out without it.
NEEDS = (
    ("redis-server", "redis-server", "tests of /image's store in Redis"),
    ("convert-im6.q16", "imagemagick", "tests of EXIF orientation against another program"),
    ("wrk", "wrk", "tests of the benchmarks"),
    ("curl", "curl", "the README's curl line"),
)


def main() -> None:
    missing = [need for need in NEEDS if shutil.which(need[0]) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [package for _, package, _ in missing]
        print("Installing for the tests:", *packages, flush=True)
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            quiet = ["apt-get", "-qq", *command]
            subprocess.run(quiet, stdout=subprocess.DEVNULL, stderr=sys.stderr, check=False)
        missing = [need for need in NEEDS if shutil.which(need[0]) is None]
    for program, package, left_out in missing:
        print(f"Missing: {program} (Debian: apt-get install {package}); left out: {left_out}")


if __name__ == "__main__":
    main()
