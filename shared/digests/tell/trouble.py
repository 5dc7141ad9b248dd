"""A message that could not be sent now, and when it may be."""

from __future__ import annotations

from shared.platform.errors import Retryable


class Later(Retryable):
    """The receiver asks to come again later."""

    def __init__(
        self,
        message: str,
        wait: float = 0,
        left: list[str] | None = None,
        refused: dict[str, int] | None = None,
    ) -> None:
        """What is to be kept for the next attempt.

        Args:
            message: what the receiver said, without addresses.
            wait: seconds, at least.
            left: the recipients of an e-mail that are to be told then; None: the same as now.
            refused: those that were refused for good meanwhile, with the reply's code.
        """
        super().__init__(message)
        self.wait = wait
        self.left = left
        self.refused = refused or {}
