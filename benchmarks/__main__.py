"""`python -m benchmarks`: limit, serve, peers and start, one after the other.

`python -m benchmarks serve --seconds 1` runs one of them, with its options.
"""

import sys

from benchmarks import limit, peers, serve, start

COMMANDS = {"limit": limit.main, "serve": serve.main, "peers": peers.main, "start": start.main}

if __name__ == "__main__":
    words = sys.argv[1:]
    if words and words[0] in COMMANDS:
        COMMANDS[words[0]](words[1:])
    elif words:
        sys.exit(f"{words[0]!r} is none of {', '.join(COMMANDS)}; without a name, all of them run")
    else:
        for command in COMMANDS.values():
            command([])
