"""The outbox over Firestore: written with the digest, emptied by many, and never blocked by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.secretmanager_v1 import Replication, Secret

from shared import clients
from shared.digests.schedules import Email, Webhook
from shared.digests.store import COLLECTION, to_fields
from shared.digests.tell import enqueue, outbox, tell_pending
from shared.digests.tell.outbox import LEASE_SECONDS, MAX_ATTEMPTS, PER_CALL, Delivery
from shared.documents import Documents
from shared.settings import settings
from tests.integration.documents_servers import PROJECT, serving
from tests.integration.pubsub_server import ROOT, running
from tests.misbehaving import Authority, HttpServer, Reply, SmtpServer, authority, reply
from tests.misbehaving import serving as answering
from tests.told import digest, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore

    from shared.digests.schedules import Target

HOST = "hooks.inside.example"
WEBHOOK = Webhook(kind="webhook", secret="digest-hook/1")
SLACK = Webhook(kind="webhook", format="slack", secret="digest-hook/1")
MAIL = Email(kind="email", to=["ann@example.com", "bo@example.org"])


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("known"), HOST, "localhost")


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory, known: Authority) -> Iterator[None]:
    """Firestore and Secret Manager, and settings that let one host be this machine."""
    folder = tmp_path_factory.mktemp("tell")
    with (
        running("secretmanager", folder / "secrets") as secrets,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("SECRET_MANAGER_EMULATOR_HOST", secrets.address)
        patch.setenv("HEADRACE_WEBHOOK_ALLOWED_HOSTS", json.dumps([HOST]))
        patch.setenv("HEADRACE_CA_FILE", str(known.ca))
        patch.setenv("HEADRACE_SMTP_SECURITY", "starttls")
        patch.setenv("HEADRACE_SMTP_HOST", "localhost")
        patch.setenv("HEADRACE_SMTP_FROM", "digests@acme.example")
        clients.secrets.cache_clear()
        with serving(folder):
            yield
        clients.secrets.cache_clear()
        clients.secret.cache_clear()


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    """No digest, and no secret that is remembered."""
    clients.secret.cache_clear()
    settings.cache_clear()
    yield
    for group in (COLLECTION, outbox.COLLECTION):
        for known in clients.firestore_client().collection_group(group).stream():
            known.reference.delete()


@pytest.fixture
def client() -> firestore.Client:
    return clients.firestore_client()


def here(*_: object) -> list[str]:
    return ["127.0.0.1"]


def name_webhook(port: int, path: str = "/hook/key-of-the-team") -> Webhook:
    """A secret with the address of a server here, and the webhook that names it."""
    parent = f"projects/{PROJECT}"
    identifier = f"hook-{port}-{time.monotonic_ns()}"
    automatic = Secret(replication=Replication(automatic=Replication.Automatic()))
    secret = clients.secrets().create_secret(parent=parent, secret_id=identifier, secret=automatic)
    payload = {"data": f"https://{HOST}:{port}{path}\n".encode()}
    clients.secrets().add_secret_version(request={"parent": secret.name, "payload": payload})
    return Webhook(kind="webhook", secret=f"{identifier}/1")


def issue(client: firestore.Client, *targets: Target, identifier: str = "weekly-20261123") -> None:
    """As `shared.digests.issue` does."""
    reference = client.collection(COLLECTION).document(identifier)

    def create(transaction: firestore.Transaction) -> None:
        transaction.create(reference, to_fields(stored(digest(identifier))))
        enqueue(transaction, reference, targets)

    Documents(client).run(create)


def deliveries(client: firestore.Client, identifier: str = "weekly-20261123") -> list[Delivery]:
    found = client.collection(COLLECTION).document(identifier).collection(outbox.COLLECTION).stream()
    ordered = sorted(found, key=lambda snapshot: int(snapshot.id))
    return [Delivery.model_validate(snapshot.to_dict()) for snapshot in ordered]


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def tell(client: firestore.Client, at: datetime | None = None) -> int:
    return tell_pending(client, at or soon(), resolve=here)


def test_deliveries_stand_in_the_order_of_the_schedule(client: firestore.Client) -> None:
    """With a secret's name in place of an address, and nothing tried."""
    issue(client, WEBHOOK, MAIL, SLACK)
    found = deliveries(client)
    assert [one.target for one in found] == [WEBHOOK, MAIL, SLACK]
    assert {(one.state, one.attempts, one.ended_at, one.reason) for one in found} == {
        ("pending", 0, None, None)
    }


def test_a_digest_that_is_not_created_tells_nobody(client: firestore.Client) -> None:
    """Both are one commit."""
    issue(client, WEBHOOK)
    with pytest.raises(Exception, match="exists"):
        issue(client, WEBHOOK, MAIL)
    assert len(deliveries(client)) == 1


def test_all_kinds_of_targets_are_told_once(client: firestore.Client, known: Authority) -> None:
    """A second heartbeat has nothing to do."""
    with (
        answering(HttpServer(reply(), known.context())) as server,
        answering(SmtpServer(known.context())) as mail,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HEADRACE_SMTP_PORT", str(mail.port))
        settings.cache_clear()
        hook = name_webhook(server.port)
        issue(client, hook, hook.model_copy(update={"format": "slack"}), MAIL)
        assert tell(client) == 3
        assert tell(client, soon() + timedelta(days=1)) == 0
        json_message, slack_message = server.heard
        (taken,) = mail.mails
    assert json_message.target == "/hook/key-of-the-team"
    assert json_message.headers["headrace-delivery"] == "weekly-20261123-0"
    assert json_message.json["type"] == "headrace.digest"
    assert json_message.json["html"].startswith(
        "https://storage.cloud.google.com/acme-results/digests/weekly/weekly-20261123.html"
    )
    assert slack_message.headers["headrace-delivery"] == "weekly-20261123-1"
    assert slack_message.json["blocks"]
    assert taken.to == MAIL.to
    assert b"Message-ID: <weekly-20261123-2@acme.example>" in taken.content
    assert [one.state for one in deliveries(client)] == ["delivered"] * 3
    assert all(one.ended_at and one.attempts == 1 and one.reason is None for one in deliveries(client))


def test_of_many_instances_one_tells(client: firestore.Client, known: Authority) -> None:
    """Each message is sent once, though eight heartbeats come at once."""
    with answering(HttpServer(reply(), known.context())) as server:
        hook = name_webhook(server.port)
        issue(client, *[hook] * 6)
        told: list[int] = []
        threads = [threading.Thread(target=lambda: told.append(tell(client))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        heard = Counter(one.headers["headrace-delivery"] for one in server.heard)
    assert heard == {f"weekly-20261123-{number}": 1 for number in range(6)}
    assert sum(told) == 6


def test_one_that_fails_waits_longer_each_time_and_then_is_given_up(
    client: firestore.Client, known: Authority
) -> None:
    """A minute, doubled; after ten attempts it is undelivered, and says why without an address."""
    at = soon()
    waits = []
    with answering(HttpServer(reply(500, b"key-of-the-team"), known.context())) as server:
        issue(client, name_webhook(server.port))
        for _ in range(MAX_ATTEMPTS):
            assert tell(client, at) == 0
            (one,) = deliveries(client)
            waits.append(round((one.next_at - at).total_seconds(), -1))
            assert tell(client, one.next_at - timedelta(seconds=1)) == 0  # not yet
            at = one.next_at
        assert len(server.heard) == MAX_ATTEMPTS
        assert {one.headers["headrace-delivery"] for one in server.heard} == {"weekly-20261123-0"}
    assert waits[: MAX_ATTEMPTS - 1] == [60 * 2**number for number in range(MAX_ATTEMPTS - 1)]
    (one,) = deliveries(client)
    assert (one.state, one.attempts) == ("undelivered", MAX_ATTEMPTS)
    assert one.reason == "The webhook answered 500; given up after 10 attempts"
    assert tell(client, at + timedelta(days=1)) == 0


def test_one_that_fails_does_not_hold_up_the_others(client: firestore.Client, known: Authority) -> None:
    """Nor does a record that cannot be read, a mail server that is not there, or one that is too slow."""
    with (
        answering(HttpServer(reply(), known.context())) as good,
        answering(HttpServer([b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"], known.context())) as slow,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HEADRACE_TELL_TARGET_SECONDS", "0.5")
        patch.setenv("HEADRACE_SMTP_PORT", "1")
        settings.cache_clear()
        issue(client, WEBHOOK, MAIL, name_webhook(slow.port), name_webhook(good.port))
        broken = client.collection(COLLECTION).document("broken").collection(outbox.COLLECTION).document("0")
        broken.set({"state": "pending", "next_at": datetime(2026, 1, 1, tzinfo=UTC), "target": 7})
        assert tell(client) == 1
        assert len(good.heard) == 1
        broken.delete()
    assert [one.state for one in deliveries(client)] == ["undelivered", "pending", "pending", "delivered"]


def test_a_missing_secret_is_named(client: firestore.Client) -> None:
    """Nobody has to search for which."""
    issue(client, Webhook(kind="webhook", secret="no-such-hook/7"))
    assert tell(client) == 0
    (one,) = deliveries(client)
    assert one.state == "undelivered"
    assert one.reason is not None
    assert "no-such-hook/7" in one.reason


@pytest.mark.parametrize("variable", ["HEADRACE_SMTP_HOST", "HEADRACE_SMTP_FROM"])
def test_without_a_mail_server_mail_is_undelivered_at_once(
    client: firestore.Client, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """With the setting that is missing."""
    monkeypatch.delenv(variable)
    settings.cache_clear()
    issue(client, MAIL)
    assert tell(client) == 0
    (one,) = deliveries(client)
    assert one.state == "undelivered"
    assert one.reason is not None
    assert variable in one.reason
    assert "example" not in one.reason


def test_recipients_that_have_it_are_not_told_again(client: firestore.Client, known: Authority) -> None:
    """The mail server took it for one, and asked to wait for the other, whose copy is the same."""
    with answering(SmtpServer(known.context())) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_SMTP_PORT", str(server.port))
        settings.cache_clear()
        server.replies = {"RCPT TO:<bo": "450 greylisted"}
        issue(client, MAIL)
        assert tell(client) == 0
        server.replies = {}
        assert tell(client, soon() + timedelta(minutes=2)) == 1
        assert [taken.to for taken in server.mails] == [["ann@example.com"], ["bo@example.org"]]
    first, second = (message_from_bytes(taken.content) for taken in server.mails)
    for name in ("Message-ID", "Date", "To", "Subject"):
        assert first[name] == second[name]
    assert [(one.state, one.reason) for one in deliveries(client)] == [("delivered", None)]


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ({}, "The mail server refused 1 of 3 recipients for good (550)"),
        ({"RCPT": "553 moved"}, "The mail server refused 2 of 3 recipients for good (550, 553)"),
        ({"DATA": "554 spam"}, "The mail server answered 554"),
    ],
)
def test_a_recipient_that_is_refused_for_good_is_told_of_when_all_is_over(
    client: firestore.Client, known: Authority, then: dict[str, str], reason: str
) -> None:
    """It is not delivered to everybody, whatever becomes of those that had to wait."""
    three = Email(kind="email", to=[*MAIL.to, "cy@example.net"])
    with answering(SmtpServer(known.context())) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_SMTP_PORT", str(server.port))
        settings.cache_clear()
        server.replies = {"RCPT TO:<bo": "550 unknown", "RCPT TO:<cy": "450 later"}
        issue(client, three)
        assert tell(client) == 0
        (one,) = deliveries(client)
        assert (one.state, one.left, one.refused) == ("pending", ["cy@example.net"], {"bo@example.org": 550})
        server.replies = then
        assert tell(client, soon() + timedelta(minutes=2)) == 0
        assert "bo@example.org" not in [known for taken in server.mails[1:] for known in taken.to]
    (one,) = deliveries(client)
    assert (one.state, one.target) == ("undelivered", three)
    assert one.reason is not None
    assert one.reason.startswith(reason)
    assert "of 3 recipients for good (550" in one.reason
    assert "example" not in one.reason


def test_a_digest_that_was_erased_tells_nobody(client: firestore.Client, known: Authority) -> None:
    """Its deliveries may outlive it for a moment."""
    with answering(HttpServer(reply(), known.context())) as server:
        issue(client, name_webhook(server.port))
        client.collection(COLLECTION).document("weekly-20261123").delete()
        assert tell(client) == 0
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
        assert tell(client) == PER_CALL
        assert tell(client) == 30 - PER_CALL
        assert len({one.headers["headrace-delivery"] for one in server.heard}) == 30
        assert server.heard[0].headers["headrace-delivery"].startswith("weekly-0-")


def test_all_of_a_call_is_bounded_in_time(client: firestore.Client, known: Authority) -> None:
    """What there is no time for is left as it is, for the next heartbeat."""
    with (
        answering(HttpServer([b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"], known.context())) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HEADRACE_TELL_SECONDS", "2.5")
        patch.setenv("HEADRACE_TELL_TARGET_SECONDS", "1")
        settings.cache_clear()
        issue(client, *[name_webhook(server.port)] * 10)
        started = time.monotonic()
        assert tell(client) == 0
        assert time.monotonic() - started < 10
    tried = Counter(one.attempts for one in deliveries(client))
    assert 1 <= tried[1] <= 3
    assert tried[0] == 10 - tried[1]


CALL = """
import logging
from datetime import UTC, datetime, timedelta
from shared.clients import firestore_client
from shared.digests.tell import tell_pending
logging.basicConfig(level=logging.DEBUG)
tell_pending(firestore_client(), datetime.now(UTC) + timedelta(seconds=1), resolve=lambda *_: ["127.0.0.1"])
"""


def test_no_address_is_in_a_log_or_a_reason(client: firestore.Client, known: Authority) -> None:
    """Neither a webhook's nor a recipient's, whatever the receivers say."""
    said: dict[str, Reply] = {
        "/a": reply(500, b"key-a"),
        "/b": reply(307, Location=f"https://{HOST}:1/key-b"),
        "/c": None,
    }
    said["/d"] = b"HTTP/1.1 500 OK\r\nkey-d: 1\r\nNo header\r\n\r\n"  # urllib3 would log the address
    with (
        answering(HttpServer(lambda heard: said[heard.target[:2]], known.context())) as server,
        answering(SmtpServer(known.context())) as mail,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HEADRACE_SMTP_PORT", str(mail.port))
        mail.replies = {"RCPT": "550 no such person as ann@example.com"}
        issue(client, *(name_webhook(server.port, f"{path}/key-of-the-team") for path in said), MAIL)
        done = subprocess.run(
            [sys.executable, "-c", CALL], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
    assert done.stderr.count("not delivered") == 5
    for text in (done.stderr, done.stdout, *(str(one.reason) for one in deliveries(client))):
        assert not [known for known in (HOST, "key-", "example.com", "example.org") if known in text]


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
        assert tell(client) == 0  # its lease lives
        assert tell(client, soon() + timedelta(seconds=LEASE_SECONDS)) == 1
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
        assert taken.attempt == number + 1
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
        assert [tell(client, at), tell(client, at)] == [0, 1]
    for _ in range(MAX_ATTEMPTS):
        at += timedelta(seconds=2 * LEASE_SECONDS)
        assert tell(client, at) == 0
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
    outbox.undelivered(client, late, at, "late")
    assert deliveries(client)[0].state == "pending"
    outbox.delivered(client, second, at)
    outbox.postponed(client, second, at, "once more")
    assert (deliveries(client)[0].state, deliveries(client)[0].reason) == ("delivered", None)


def test_without_firestore_nothing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests are made all the same."""

    class Gone:
        def __getattr__(self, name: str) -> Any:
            raise ConnectionError(name)

    gone: Any = Gone()
    monkeypatch.setenv("HEADRACE_TELL_SECONDS", "5")
    assert tell_pending(gone, soon()) == 0
