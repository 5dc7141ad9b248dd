"""What is listed of schedules: their last digest, and those that failed."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

import cli.digest
from cli.digest import listing, make, show_listing
from shared.api.findings import DIGESTS_SHOWN, DIGESTS_SINCE, check_digests, check_notified
from shared.digests.store import COLLECTION as DIGESTS
from shared.digests.store import to_fields
from shared.digests.ticks import TICKS
from shared.documents.store import now
from shared.platform.errors import HeadraceError
from tests.integration.digest_window import Store, fresh, stored_digest
from tests.integration.firestore_server import firestore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.pubsub_server import LocalServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with firestore(tmp_path_factory.mktemp("firestore")) as running:
        yield running


@pytest.fixture
def store(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The database that the commands ask."""
    with fresh(server) as store:
        monkeypatch.setattr(cli.digest, "firestore_client", lambda: store.client)
        yield store


def test_the_doctor_names_the_newest_that_failed(store: Store) -> None:
    """Their records stay for ever, and their ids are not in the order of time."""
    moment = now()
    ticks = store.client.collection(TICKS)
    ticks.document("a-long-ago").set({"state": "failed", "slot": moment - DIGESTS_SINCE - timedelta(days=1)})
    [finding] = check_digests(store.client)
    assert finding.status == "ok"
    for at in range(DIGESTS_SHOWN):
        ticks.document(f"a-{at:02}").set({"state": "failed", "slot": moment - timedelta(days=2, hours=at)})
    ticks.document("weekly-new").set({"state": "failed", "slot": moment - timedelta(days=1)})
    ticks.document("done").set({"state": "done", "slot": moment})
    [finding] = check_digests(store.client)
    assert finding.status == "warning"
    named = [f"a-{at:02}" for at in range(DIGESTS_SHOWN - 1)]
    assert f"made: {', '.join(['weekly-new', *named])} and others before these;" in finding.detail


def test_the_doctor_counts_the_messages_given_up_of_late(store: Store) -> None:
    """Up to a number, and names the newest one's digest; those of long ago nobody can mend."""
    moment = now()

    def give_up(digest: str, when: datetime) -> None:
        fields = {"state": "undelivered", "next_at": when, "reason": f"no server for {digest}"}
        store.client.document(f"digests/{digest}/deliveries/0").set(fields)

    give_up("long-ago", moment - DIGESTS_SINCE - timedelta(days=1))
    [finding] = check_notified(store.client)
    assert finding.status == "ok"
    give_up("newest", moment + timedelta(minutes=5))  # the lease of its last attempt
    [finding] = check_notified(store.client)
    assert finding.status == "warning"
    assert "given up: 1; the newest, 0 days ago, of newest: no server for newest" in finding.detail
    for at in range(1, DIGESTS_SHOWN):
        give_up(f"weekly-{at}", moment - timedelta(days=at))
    [finding] = check_notified(store.client)
    assert f"given up: {DIGESTS_SHOWN};" in finding.detail
    give_up("weekly-more", moment - timedelta(days=1))
    [finding] = check_notified(store.client)
    assert f"given up: {DIGESTS_SHOWN} or more;" in finding.detail


def test_a_schedule_that_is_not_there_is_listed_beside_those_that_are(store: Store) -> None:
    """But what was made of one that is gone is listed, and so is what is wrong with one that is malformed."""
    store.client.document("schedules/fine").set(
        {"cron": "0 8 * * 1", "zone": "UTC", "window": "week", "filter": {}, "notify": []}
    )
    store.client.document("schedules/odd").set({"cron": "never"})
    with pytest.raises(HeadraceError, match=r"no schedule nope; there are: .*fine"):
        listing("nope")
    of = stored_digest(store.make(schedule="gone"))
    store.client.collection(DIGESTS).document(of.digest.id).set(to_fields(of))
    assert len(listing("gone")["digests"]) == 1
    assert "odd" in [one["name"] for one in listing("odd")["problems"]]
    page = StringIO()
    show_listing(Console(file=page), listing("fine"), "fine")
    assert (
        "No digest of fine has been made yet. Make one now: headrace digest --schedule fine"
        in page.getvalue()
    )
    assert listing("now")["digests"] == []


def test_a_schedule_that_stands_still_is_listed(store: Store) -> None:
    """And of the one that comes with Headrace nothing."""
    store.client.document("schedules/workdays").set({"cron": "0 8 * * 1-5", "window": "day"})
    store.client.document("clocks/workdays").set({"upto": now() + timedelta(days=3650)})
    store.client.document("clocks/weekly").set({"upto": now() - timedelta(days=3)})
    listed = listing(None)
    warnings = {one["name"]: one["warning"] for one in listed["schedules"]}
    assert warnings["workdays"].startswith("Nothing is made before 20")
    assert warnings["weekly"] is None
    page = StringIO()
    show_listing(Console(file=page, width=200), listed)
    assert f"  {warnings['workdays']}" in page.getvalue()


def test_nothing_is_no_span(store: Store) -> None:  # noqa: ARG001 - the database
    with pytest.raises(HeadraceError, match="12h, 7d, 4w"):
        make(None, "")
