"""A message that could not be sent now, and when it may be."""

from __future__ import annotations

from shared.errors import Retryable


class Later(Retryable):
    """The receiver asks to come again later."""

    def __init__(self, message: str, wait: float = 0, left: list[str] | None = None) -> None:
        """`wait` in seconds, at least; `left`: the recipients that have not got it, where others have."""
        super().__init__(message)
        self.wait = wait
        self.left = left
