"""Leases: one holder at a time, until it gives the lease back or lets it expire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.platform.errors import LeaseHeld
from shared.platform.lease import Lease, is_held, take

MOMENT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_record_without_a_lease_can_be_taken() -> None:
    """By the first who comes, with the first token."""
    lease = take(None, "one", 60, MOMENT)
    assert lease == Lease(token=1, holder="one", expires_at=MOMENT + timedelta(seconds=60))
    assert is_held(lease, MOMENT + timedelta(seconds=59))
    assert not is_held(lease, MOMENT + timedelta(seconds=60))
    assert not is_held(None, MOMENT)


def test_a_lease_of_another_is_refused_until_it_expires_or_is_released() -> None:
    """The next holder gets a greater token, so writes of the earlier one can be told from its own."""
    lease = take(None, "one", 60, MOMENT)
    with pytest.raises(LeaseHeld):
        take(lease, "other", 60, MOMENT + timedelta(seconds=59))
    expired = take(lease, "other", 60, MOMENT + timedelta(seconds=60))
    released = take(lease.released(MOMENT), "other", 60, MOMENT)
    assert (expired.token, expired.holder, released.token) == (2, "other", 2)


def test_the_holder_renews_its_lease() -> None:
    """Also after it expired, as long as nobody else took it; the token stays."""
    lease = take(None, "one", 60, MOMENT)
    later = MOMENT + timedelta(seconds=90)
    assert take(lease, "one", 60, later) == lease.renewed(60, later)
    assert lease.renewed(60, later).expires_at == later + timedelta(seconds=60)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), min_size=1, max_size=30))
def test_no_two_holders_are_alive_at_once(attempts: list[tuple[str, int]]) -> None:
    """Whoever tries, and whenever: a lease changes hands only once it has expired."""
    lease: Lease | None = None
    moment = MOMENT
    for holder, seconds in attempts:
        moment += timedelta(seconds=seconds)
        before = lease
        try:
            lease = take(lease, holder, 30, moment)
        except LeaseHeld:
            assert before is not None
            assert before.holder != holder
            assert is_held(before, moment)
            continue
        if before and before.holder != holder:
            assert not is_held(before, moment)
            assert lease.token == before.token + 1


def test_a_lease_is_stored_as_a_map() -> None:
    """As the record that it guards has it."""
    lease = take(None, "one", 60, MOMENT)
    assert Lease.read(lease.model_dump()) == lease
    assert Lease.read(None) is None
