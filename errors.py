"""The roots of every error that Shiwu raises on purpose.

    ShiwuError
    ├── RequestError    the caller can mend it: a bad picture, a bad option, a full queue
    ├── SettingsError   the operator can mend it: a bad setting, missing weights
    └── EngineError     ours: a network that does not compute what it should

Each room defines its own classes below these, beside the code that raises them, and every
message is a sentence a person can act on. Only `api/errors.py` knows what HTTP makes of them.
"""


class ShiwuError(Exception):
    """The root: anything that Shiwu says is wrong, in words for people."""


class RequestError(ShiwuError):
    """The request can't be answered as sent; the sentence says how to mend it."""


class SettingsError(ShiwuError):
    """The service can't start as configured; the sentence says how to mend it."""


class EngineError(ShiwuError):
    """A network can't be run, or doesn't compute what its reference computes."""
