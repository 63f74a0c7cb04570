"""How fast to learn, and on pictures of which size, as training goes on.

`progress` runs from 0 to 1: the share of the steps that are done, or of the minutes that were
given, whichever is further. So a run on a slow or busy machine still ends with the slow steps
that settle the weights.
"""

WARMUP = 0.2
FIRST_RATE = 0.05  # share of the peak to begin with
SMALL_UNTIL = 0.8
STRIDE = 16  # the network halves its picture four times


def learning_rate(progress: float) -> float:
    """Share of the peak: one cycle, up to 1 at `WARMUP`, then straight down to 0.

    After Smith and Topin 2017, "Super-Convergence", arXiv 1708.07120.
    """
    if progress < WARMUP:
        return FIRST_RATE + (1 - FIRST_RATE) * progress / WARMUP
    return max(0.0, (1 - progress) / (1 - WARMUP))


def size_at(progress: float, size: int, share: float = 1.0) -> int:
    """Side of the training pictures in pixels: three quarters at first, then the whole.

    The small pictures cost a little over half as much, and what is learned on them holds for
    the large ones.

    Args:
        progress: 0-1.
        size: side that the network is served at.
        share: of that side, what counts as the whole in training.
    """
    whole = _halved_four_times(size * share)
    return min(_halved_four_times(whole * 0.75), whole) if progress < SMALL_UNTIL else whole


def _halved_four_times(side: float) -> int:
    return max(round(side / STRIDE) * STRIDE, 2 * STRIDE)
