"""The tutorial's server as it starts itself: `python -m benchmarks.others.on_flask PORT`."""

import sys

from benchmarks.others import tutorial
from benchmarks.others.answers import load_tutorial

if __name__ == "__main__":
    load_tutorial()
    tutorial.app.run(host="127.0.0.1", port=int(sys.argv[1]))
