"""Photos to rows on this machine: threads that keep its cores busy, and one that writes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice

from batch.answers import Answers, Known, Seen
from batch.photos import Photo
from batch.rows import Namer, Row, read, said
from imaging.read import Limits

# Photos that a thread takes at once, and how often that is begun or waiting for each thread: enough
# that no core waits, and that this end is seldom woken; few enough for memory.
_AT_ONCE, _A_THREAD = 8, 2


def run(
    photos: Iterable[Photo],
    namer: Namer,
    answers: Answers,
    limits: Limits,
    count: int,
    told: Callable[[Row | None], bool],
) -> None:
    """Write a row for each photo that has none, in the order that they come.

    Args:
        photos: may be without end; each path is taken once.
        namer: makes the rows.
        answers: where they go.
        limits: what a photo may measure.
        count: of threads.
        told: called with each row, None for a photo that has one already; False ends the run.

    Raises:
        CannotWrite: a part can't be written.
    """
    work = partial(_rows, namer, answers.known, limits)
    new = unseen(photos)
    begun: deque[Future[list[Row | None]]] = deque()
    with ThreadPoolExecutor(count, thread_name_prefix="batch") as pool:
        try:
            while some := list(islice(new, _AT_ONCE)):
                begun.append(pool.submit(work, some))
                if len(begun) > _A_THREAD * count and not _take(begun.popleft(), answers, told):
                    break
            else:
                while begun and _take(begun.popleft(), answers, told):
                    pass
        finally:
            left = [one for one in begun if not one.cancel()]
        for one in left:  # at work when it was told to end
            _take(one, answers, told)
    answers.flush()


def unseen(photos: Iterable[Photo]) -> Iterator[Photo]:
    """Each path once, where it comes first."""
    seen = Seen()
    return (photo for photo in photos if seen.add(said(photo.path)))


def _take(
    made: Future[list[Row | None]], answers: Answers, told: Callable[[Row | None], bool]
) -> bool:
    goes_on = True
    for row in made.result():
        if row is not None:
            answers.add(row)
        goes_on = told(row)
    return goes_on


def _rows(namer: Namer, known: Known, limits: Limits, photos: Iterable[Photo]) -> list[Row | None]:
    """Of each photo its row; None if it has one already."""
    return [_row(namer, known, limits, photo) for photo in photos]


def _row(namer: Namer, known: Known, limits: Limits, photo: Photo) -> Row | None:
    found = read(photo, limits)
    if isinstance(found, dict):
        return found
    digest, data = found
    path = said(photo.path)
    return None if known.has(path, digest) else namer.row(path, digest, data)
