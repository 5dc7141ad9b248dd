"""The outbox over Firestore: written with the digest, emptied by many, and never blocked by one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.digests.exchange import Later
from shared.digests.notify import notify_pending, outbox
from shared.digests.notify.outbox import LEASE_SECONDS, MAX_ATTEMPTS, PER_CALL
from shared.digests.records import DELIVERIES
from shared.digests.store import COLLECTION
from shared.platform.errors import Permanent
from shared.platform.settings import settings
from tests.integration.digest_outbox import (
    CALL,
    MAIL,
    SLACK,
    WEBHOOK,
    deliveries,
    emptied,
    issue,
    name_webhook,
    notify,
    notifying,
    soon,
)
from tests.integration.pubsub_server import ROOT
from tests.misbehaving import Authority, HttpServer, reply
from tests.misbehaving import serving as answering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore


@pytest.fixture(scope="module", autouse=True)
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with notifying(tmp_path_factory.mktemp("outbox")) as authority:
        yield authority


@pytest.fixture(autouse=True)
def client() -> Iterator[firestore.Client]:
    with emptied() as client:
        yield client


def test_deliveries_stand_in_the_order_of_the_schedule(client: firestore.Client) -> None:
    """With a secret's name in place of an address, and nothing tried."""
    issue(client, WEBHOOK, MAIL, SLACK)
    found = deliveries(client)
    assert [one.target for one in found] == [WEBHOOK, MAIL, SLACK]
    assert {(one.state, one.attempts, one.ended_at, one.reason) for one in found} == {
        ("pending", 0, None, None)
    }


def test_a_digest_that_is_not_created_notifies_nobody(client: firestore.Client) -> None:
    """Both are one commit."""
    issue(client, WEBHOOK)
    with pytest.raises(Exception, match="exists"):
        issue(client, WEBHOOK, MAIL)
    assert len(deliveries(client)) == 1


def test_of_many_instances_one_notifies(client: firestore.Client, known: Authority) -> None:
    """Each message is sent once, though eight heartbeats come at once."""
    with answering(HttpServer(reply(), known.context())) as server:
        hook = name_webhook(server.port)
        issue(client, *[hook] * 6)
        notified: list[int] = []
        threads = [threading.Thread(target=lambda: notified.append(notify(client))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        heard = Counter(one.headers["headrace-delivery"] for one in server.heard)
    assert heard == {f"weekly-20261123-{number}": 1 for number in range(6)}
    assert sum(notified) == 6


def test_one_that_fails_does_not_hold_up_the_others(client: firestore.Client, known: Authority) -> None:
    """Nor does a record that cannot be read, a mail server that is not there, or one that is too slow."""
    with (
        answering(HttpServer(reply(), known.context())) as good,
        answering(HttpServer([b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"], known.context())) as slow,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HEADRACE_NOTIFY_TARGET_SECONDS", "0.5")
        patch.setenv("HEADRACE_SMTP_PORT", "1")
        settings.cache_clear()
        issue(client, WEBHOOK, MAIL, name_webhook(slow.port), name_webhook(good.port))
        broken = client.collection(COLLECTION).document("broken").collection(DELIVERIES).document("0")
        broken.set({"state": "pending", "next_at": datetime(2026, 1, 1, tzinfo=UTC), "target": 7})
        assert notify(client) == 1
        assert len(good.heard) == 1
        broken.delete()
    assert [one.state for one in deliveries(client)] == [*["pending"] * 3, "delivered"]


def test_a_digest_that_was_erased_notifies_nobody(client: firestore.Client, known: Authority) -> None:
    """Its deliveries may outlive it for a moment."""
    with answering(HttpServer(reply(), known.context())) as server:
        issue(client, name_webhook(server.port))
        client.collection(COLLECTION).document("weekly-20261123").delete()
        assert notify(client) == 0
        assert server.heard == []
    (one,) = deliveries(client)
    assert one.state == "undelivered"


def test_one_call_takes_a_bounded_part_and_the_next_the_rest(
    client: firestore.Client, known: Authority
) -> None:
    """The longest overdue first."""
    with answering(HttpServer(reply(), known.context())) as server:
        hook = name_webhook(server.port)
        for number in range(3):
            issue(client, *[hook] * 10, identifier=f"weekly-{number}")
        assert notify(client) == PER_CALL
        assert notify(client) == 30 - PER_CALL
        assert len({one.headers["headrace-delivery"] for one in server.heard}) == 30
        assert server.heard[0].headers["headrace-delivery"].startswith("weekly-0-")


def test_all_of_a_call_is_bounded_in_time(client: firestore.Client, known: Authority) -> None:
    """What there is no time for is left as it is, for the next heartbeat."""
    with (
        answering(HttpServer([b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"], known.context())) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HEADRACE_NOTIFY_SECONDS", "2.5")
        patch.setenv("HEADRACE_NOTIFY_TARGET_SECONDS", "1")
        settings.cache_clear()
        issue(client, *[name_webhook(server.port)] * 10)
        started = time.monotonic()
        assert notify(client) == 0
        assert time.monotonic() - started < 10
    tried = Counter(one.attempts for one in deliveries(client))
    assert 1 <= tried[1] <= 3
    assert tried[0] == 10 - tried[1]


def test_one_that_was_killed_while_it_sent_is_sent_again_under_the_same_id(
    client: firestore.Client, known: Authority
) -> None:
    """At least once: the receiver has it, but that could not be noted."""
    asked = threading.Event()

    def answer(_: Any) -> list[bytes]:
        asked.set()
        return [b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"]

    with answering(HttpServer(answer, known.context())) as server:
        issue(client, name_webhook(server.port))
        process = subprocess.Popen([sys.executable, "-c", CALL], cwd=ROOT, env=os.environ.copy())
        assert asked.wait(30)
        process.kill()
        process.wait()
        (one,) = deliveries(client)
        assert (one.state, one.attempts) == ("pending", 1)
        server.answer = reply()
        assert notify(client) == 0  # its lease lives
        assert notify(client, soon() + timedelta(seconds=LEASE_SECONDS)) == 1
        first, second = server.heard
    assert first.headers["headrace-delivery"] == second.headers["headrace-delivery"]
    assert first.body == second.body


def test_one_that_kills_its_sender_every_time_is_given_up(client: firestore.Client) -> None:
    """An attempt is counted before it is made."""
    at = soon()
    issue(client, WEBHOOK)
    (reference,) = outbox.due(client, at)
    for number in range(MAX_ATTEMPTS):
        taken = outbox.take(client, reference, at)
        assert taken is not None
        assert taken.attempts == number + 1
        at += timedelta(seconds=LEASE_SECONDS)
    assert outbox.take(client, reference, at) is None
    (one,) = deliveries(client)
    assert (one.state, one.reason) == ("undelivered", "Every attempt was interrupted")


def test_those_that_cannot_be_read_stand_before_no_other(client: firestore.Client, known: Authority) -> None:
    """Another release wrote as many as one call takes; they are counted, and given up in the end."""
    at = soon() + timedelta(minutes=1)
    issue(client, *[WEBHOOK] * 10, identifier="weekly-0")
    issue(client, *[WEBHOOK] * 10, identifier="weekly-1")
    issue(client, *[WEBHOOK] * 5, identifier="weekly-2")
    unread = outbox.due(client, at)
    assert len(unread) == PER_CALL
    for reference in unread:
        reference.update({"target.later": 1})
    with answering(HttpServer(reply(), known.context())) as server:
        issue(client, name_webhook(server.port))
        assert [notify(client, at), notify(client, at)] == [0, 1]
    for _ in range(MAX_ATTEMPTS):
        at += timedelta(seconds=2 * LEASE_SECONDS)
        assert notify(client, at) == 0
    assert {(one.to_dict() or {})["state"] for one in client.get_all(unread)} == {"undelivered"}


def test_a_sender_that_was_overtaken_notes_nothing(client: firestore.Client) -> None:
    """Its lease had ended, and another has sent it since."""
    at = soon()
    issue(client, WEBHOOK)
    (reference,) = outbox.due(client, at)
    late = outbox.take(client, reference, at)
    second = outbox.take(client, reference, at + timedelta(seconds=LEASE_SECONDS))
    assert late is not None
    assert second is not None
    outbox.record(client, reference, late, Permanent("late", "Too late", "None"), at)
    assert deliveries(client)[0].state == "pending"
    outbox.record(client, reference, second, None, at)
    outbox.record(client, reference, second, Later("once more"), at)
    assert (deliveries(client)[0].state, deliveries(client)[0].reason) == ("delivered", None)


def test_without_firestore_nothing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests are made all the same."""

    class Gone:
        def __getattr__(self, name: str) -> Any:
            raise ConnectionError(name)

    gone: Any = Gone()
    monkeypatch.setenv("HEADRACE_NOTIFY_SECONDS", "5")
    assert notify_pending(gone, soon()) == 0
