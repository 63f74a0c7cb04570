"""How a request's body leaves gunicorn: straight to where it is wanted, or not at all."""

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser


# gunicorn has no types, so its classes are Any to mypy.
class StraightBody(Body):  # type: ignore[misc]
    """A body of known length, read from the socket into the reader's own memory.

    gunicorn's own copies 2 MB some six times on their way.
    """

    def readinto(self, view: memoryview) -> int:
        """Read what has come, at least one byte; 0 means that no more will come."""
        unreader = self.reader.unreader
        wanted = min(len(view), self.reader.length)
        count: int
        if held := unreader.take_buffered():  # it came with the head
            count = min(len(held), wanted)
            view[:count] = held[:count]
            unreader.unread(held[count:])
        else:
            count = unreader.sock.recv_into(view[:wanted]) if wanted else 0
        self.reader.length -= count
        return count

    @property
    def is_unread(self) -> bool:
        """Whether more of it is to come than is here already."""
        here = len(self.reader.unreader.buf.getbuffer())
        return bool(self.reader.length > here)


class BodyRequest(Request):  # type: ignore[misc]
    """A request whose connection closes behind an answer that didn't wait for its body.

    Whoever is told *busy* may have megabytes still to send, and would keep a thread until then.
    """

    body: Body

    def set_body_reader(self) -> None:
        """Decide by the head how the body is read."""
        super().set_body_reader()
        if isinstance(self.body.reader, LengthReader):
            self.body = StraightBody(self.body.reader)

    def should_close(self) -> bool:
        """Whether the connection ends with this request; the answer's head says so."""
        has_length = isinstance(self.body, StraightBody)
        return super().should_close() or not has_length or self.body.is_unread


def install() -> None:
    """Make gunicorn read requests so; it has no setting for it."""
    RequestParser.mesg_class = BodyRequest
