"""A lease: who works on a record, and until when nobody else may.

It is stored as a map in the record that it guards, and read and written in one transaction with it. A lease
says only that somebody is at work; results are committed elsewhere. So a lease that is lost, or outlived by
its holder, costs time and never a result.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from pydantic import AwareDatetime, PositiveInt

from shared.platform.errors import LeaseHeld
from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Lease(Record):
    """The right of one holder to work on a record until `expires_at`."""

    token: PositiveInt
    """Fencing token: each new holder gets the next, so that a late write by an earlier one is refused."""
    holder: str
    expires_at: AwareDatetime

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> Self | None:
        """Return a lease as Firestore has it; None where the record has none."""
        return cls.model_validate(stored) if stored else None

    def renewed(self, seconds: float, moment: datetime) -> Lease:
        """Return the same lease, valid for `seconds` from `moment`."""
        return self.model_copy(update={"expires_at": moment + timedelta(seconds=seconds)})

    def released(self, moment: datetime) -> Lease:
        """Return the same lease, at its end: the next holder need not wait, and gets a greater token."""
        return self.model_copy(update={"expires_at": moment})


def take(lease: Lease | None, holder: str, seconds: float, moment: datetime) -> Lease:
    """Return the lease of `holder`, valid for `seconds` from `moment`.

    Who holds it already renews it and keeps the token: a commit whose answer was lost may be repeated.

    Args:
        lease: the record's lease now.
        holder: who takes it.
        seconds: how long it is valid.
        moment: the current time.

    Raises:
        LeaseHeld: it is another's, and has not expired.
    """
    if lease is None:
        return Lease(token=1, holder=holder, expires_at=moment + timedelta(seconds=seconds))
    if lease.holder == holder:
        return lease.renewed(seconds, moment)
    if is_held(lease, moment):
        raise LeaseHeld
    return Lease(token=lease.token + 1, holder=holder, expires_at=moment + timedelta(seconds=seconds))


def is_held(lease: Lease | None, moment: datetime) -> bool:
    """Return whether somebody holds a lease that has not expired."""
    return lease is not None and lease.expires_at > moment
