"""Errors in three families; the answer to Pub/Sub follows from the family alone.

Retryable: answer 5xx, the message comes again. Permanent: acknowledge, the outcome is recorded for a person.
Superseded: acknowledge, a newer generation or run owns the document.
"""

from __future__ import annotations


class HeadraceError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        """Use the class's docstring if the caller has nothing more precise to say."""
        self.message = message or (type(self).__doc__ or "").strip()
        super().__init__(self.message)


class Retryable(HeadraceError):
    """This could not be done now; the same message will be delivered again."""


class LeaseHeld(Retryable):
    """Another delivery is doing this step right now."""


class Superseded(HeadraceError):
    """A newer generation or run owns this document; what was computed is dropped."""


class Conflict(HeadraceError):
    """Somebody changed this since you looked; look again, and decide anew."""


class Permanent(HeadraceError):
    """This can never succeed as it stands; `code`, `message` and `hint` tell a person why and what to do."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        """`code` is stable and lower_snake_case; `message` and `hint` are sentences."""
        super().__init__(message)
        self.code = code
        self.hint = hint


class Missing(Permanent):
    """There is no such document, message or digest."""


class Rejected(Permanent):
    """The input is at fault: the document ends as `rejected`."""


class Malformed(Permanent):
    """The message does not have our schema; it is dead-lettered at once."""


class SetupError(HeadraceError):
    """Headrace is not set up correctly; the message says what to do."""
