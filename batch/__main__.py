"""`python -m batch`: names for very many photos, in Parquet; the nearest ones; the same ones.

python -m batch predict photos/ --out answers/      a row a photo; again: only what is new
python -m batch features photos/ --out answers/     the same, and with each row its features
python -m batch search answers/ photo.jpg           the photos most like one
python -m batch duplicates answers/                 groups of nearly the same photo

A source is a folder, a file, a pattern in quotes, a tar, a .parquet with a column of bytes, or a
.txt with a path a line. A run that is stopped or killed goes on when the same command is given.
"""

import sys

try:
    from batch.command import main
except ModuleNotFoundError as error:
    if error.name != "pyarrow":
        raise
    sys.exit(
        "batch: pyarrow, which writes Parquet, is not installed here; run: "
        f"{sys.executable} -m pip install -r requirements-batch.txt"
    )

if __name__ == "__main__":
    sys.exit(main(help_text=__doc__))
