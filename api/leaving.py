"""Connections that were answered and are to be closed, which takes as long as the client likes.

To close while a client is still sending makes its system throw away the answer it hasn't read yet
(RFC 9112, 9.6). So only our side is closed, and what still comes is read and forgotten until the
client closes, too. gunicorn does that on its only loop, one client after the other, up to two
seconds each; here all of them are waited for at once.
"""

import selectors
import socket
import time
from collections.abc import Callable

# For a phone to send the rest of its photo and then see that it was in vain.
_LEAVE_S = 15.0
# When the service goes down.
_LAST_S = 2.0


class Leaving:
    """Sockets on their way out; to be used on the loop's thread alone."""

    def __init__(self, poller: selectors.BaseSelector, closed: Callable[[], None]) -> None:
        """Nobody is leaving yet.

        Args:
            poller: what the loop waits with; it calls a key's data with the socket.
            closed: called for each socket when it is closed.
        """
        self._poller = poller
        self._closed = closed
        self._ends: dict[socket.socket, float] = {}
        self._waste = bytearray(2**18)

    def add(self, connection: socket.socket) -> None:
        """Send nothing more, and close as soon as the client has."""
        try:
            connection.setblocking(False)
            connection.shutdown(socket.SHUT_WR)
            self._poller.register(connection, selectors.EVENT_READ, self._on_more)
        except (OSError, ValueError):  # it is gone already
            connection.close()
            self._closed()
        else:
            self._ends[connection] = time.monotonic() + _LEAVE_S

    def close_late(self, is_last: bool) -> None:
        """Close those that take too long; `is_last`: the service is going down."""
        now = time.monotonic()
        for connection, end in list(self._ends.items()):
            if end < now + (_LEAVE_S - _LAST_S if is_last else 0):
                self._close(connection)

    def close_oldest(self, count: int) -> None:
        """Close those that have been leaving for longest, as others want to come in."""
        for connection in list(self._ends)[:count]:
            self._close(connection)

    def _on_more(self, connection: socket.socket) -> None:
        try:
            if connection.recv_into(self._waste):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        del self._ends[connection]
        self._poller.unregister(connection)
        connection.close()
        self._closed()
