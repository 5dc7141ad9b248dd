"""The doctor on digests: a schedule that cannot be used, one that could not be made, a message given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.api.findings import DIGESTS_SINCE, check_digests, check_notified, check_schedules
from shared.platform.clients import firestore_client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("clients")
LAST_DAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def stored(request: pytest.FixtureRequest) -> Iterator[None]:
    """A record in Firestore for the time of a test."""
    path, fields = request.param
    reference = firestore_client().document(path)
    reference.set(fields)
    yield
    reference.delete()


FAILED = {"state": "failed", "slot": datetime.now(UTC) - timedelta(days=1)}
UNDELIVERED: dict[str, Any] = {"state": "undelivered", "next_at": LAST_DAY, "reason": "The server said no"}


def test_where_nothing_is_wrong_it_says_so() -> None:
    """One line each."""
    client = firestore_client()
    found = [*check_schedules(client), *check_digests(client), *check_notified(client)]
    assert [finding.check for finding in found] == ["schedules", "digests", "notified"]
    assert {finding.status for finding in found} == {"ok"}


@pytest.mark.parametrize("stored", [("schedules/nightly", {"cron": "at night"})], indirect=True)
@pytest.mark.usefixtures("stored")
def test_a_schedule_that_cannot_be_used_is_named() -> None:
    """With where it stands, and what is wrong with it."""
    [finding] = check_schedules(firestore_client())
    assert finding.status == "wrong"
    assert "nightly of Firestore" in finding.detail


@pytest.mark.parametrize("stored", [("ticks/weekly-20200106T0800Z", FAILED)], indirect=True)
@pytest.mark.usefixtures("stored")
def test_a_digest_that_could_not_be_made_is_named() -> None:
    """With what makes one of the same documents."""
    [finding] = check_digests(firestore_client())
    assert finding.status == "warning"
    assert "weekly-20200106T0800Z" in finding.detail
    assert "headrace digest" in (finding.fix or "")


@pytest.mark.parametrize("stored", [("digests/weekly-x/deliveries/0", UNDELIVERED)], indirect=True)
@pytest.mark.usefixtures("stored")
def test_a_message_that_was_given_up_is_counted() -> None:
    """With the reason of the newest, whichever order they were stored in."""
    older = UNDELIVERED | {"next_at": LAST_DAY - timedelta(days=1), "reason": "There was no server"}
    long_ago = older | {"next_at": LAST_DAY - DIGESTS_SINCE}
    records = {"w": older, "y": older, "v": long_ago}
    references = [firestore_client().document(f"digests/weekly-{name}/deliveries/0") for name in records]
    for reference, fields in zip(references, records.values(), strict=True):
        reference.set(fields)
    [finding] = check_notified(firestore_client())
    for reference in references:
        reference.delete()
    assert finding.status == "warning"
    assert "messages that were given up: 3;" in finding.detail
    assert "of weekly-x: The server said no" in finding.detail
