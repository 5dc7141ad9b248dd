"""All targets of a digest are notified; what fails is tried again, or given up, without its address."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64decode
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.digests.notify.outbox import MAX_ATTEMPTS
from shared.digests.schedules import Webhook
from shared.platform.settings import settings
from tests.integration.digest_outbox import (
    CALL,
    HOST,
    MAIL,
    deliveries,
    emptied,
    issue,
    keep,
    name_webhook,
    notify,
    notifying,
    soon,
)
from tests.integration.pubsub_server import ROOT
from tests.misbehaving import Authority, HttpServer, Reply, SmtpServer, reply
from tests.misbehaving import serving as answering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore


@pytest.fixture(scope="module", autouse=True)
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with notifying(tmp_path_factory.mktemp("notify")) as authority:
        yield authority


@pytest.fixture(autouse=True)
def client() -> Iterator[firestore.Client]:
    with emptied() as client:
        yield client


def test_all_kinds_of_targets_are_notified_once(client: firestore.Client, known: Authority) -> None:
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
        assert notify(client) == 3
        assert notify(client, soon() + timedelta(days=1)) == 0
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


def test_one_that_fails_waits_longer_each_time_and_then_is_given_up(
    client: firestore.Client, known: Authority
) -> None:
    """A minute, doubled; after ten attempts it is undelivered, and says why without an address."""
    at = soon()
    waits = []
    with answering(HttpServer(reply(500, b"key-of-the-team"), known.context())) as server:
        issue(client, name_webhook(server.port))
        for _ in range(MAX_ATTEMPTS):
            assert notify(client, at) == 0
            (one,) = deliveries(client)
            waits.append(round((one.next_at - at).total_seconds(), -1))
            assert notify(client, one.next_at - timedelta(seconds=1)) == 0  # not yet
            at = one.next_at
        assert len(server.heard) == MAX_ATTEMPTS
        assert {one.headers["headrace-delivery"] for one in server.heard} == {"weekly-20261123-0"}
    assert waits[: MAX_ATTEMPTS - 1] == [60 * 2**number for number in range(MAX_ATTEMPTS - 1)]
    (one,) = deliveries(client)
    assert (one.state, one.attempts) == ("undelivered", MAX_ATTEMPTS)
    assert one.reason == "The webhook answered 500; given up after 10 attempts"
    assert notify(client, at + timedelta(days=1)) == 0


def test_a_missing_secret_is_named(client: firestore.Client) -> None:
    """Nobody has to search for which; it may be created until the attempts are over."""
    at = soon()
    issue(client, Webhook(kind="webhook", secret="no-such-hook/7"))
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert notify(client, at) == 0
        (one,) = deliveries(client)
        assert (one.attempts, one.state) == (attempt, "pending" if attempt < MAX_ATTEMPTS else "undelivered")
        assert one.reason is not None
        assert "no-such-hook/7" in one.reason
        at = one.next_at


def test_mail_waits_where_its_login_is_refused(client: firestore.Client, known: Authority) -> None:
    """Until the password is the right one."""
    with answering(SmtpServer(known.context())) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_SMTP_PORT", str(server.port))
        patch.setenv("HEADRACE_SMTP_USER", "acme")
        settings.cache_clear()
        server.replies = {"AUTH": "535 wrong"}
        issue(client, MAIL)
        assert notify(client) == 0
        (one,) = deliveries(client)
        assert (one.state, one.attempts) == ("pending", 1)
        assert one.reason is not None
        assert "535" in one.reason
        assert "HEADRACE_SMTP_PASSWORD" in one.reason
        server.replies = {}
        assert notify(client, one.next_at) == 1


def test_a_password_is_said_without_the_end_of_its_line(client: firestore.Client, known: Authority) -> None:
    """As `echo` or an editor put it into the secret; a space may be a part of it."""
    with answering(SmtpServer(known.context())) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_SMTP_PORT", str(server.port))
        patch.setenv("HEADRACE_SMTP_USER", "acme")
        patch.setenv("HEADRACE_SMTP_PASSWORD", keep("password", " word \r\n"))
        settings.cache_clear()
        issue(client, MAIL)
        assert notify(client) == 1
        (said,) = [line for line in server.commands if line.startswith("AUTH PLAIN")]
    assert b64decode(said.split()[2]) == b"\0acme\0 word "


@pytest.mark.parametrize("variable", ["HEADRACE_SMTP_HOST", "HEADRACE_SMTP_FROM"])
def test_without_a_mail_server_mail_waits_until_there_is_one(
    client: firestore.Client, known: Authority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """It names the setting that is missing, and is sent once that is there."""
    with monkeypatch.context() as patch:
        patch.delenv(variable)
        settings.cache_clear()
        issue(client, MAIL)
        assert notify(client) == 0
    (one,) = deliveries(client)
    assert (one.state, one.attempts) == ("pending", 1)
    assert one.reason is not None
    assert variable in one.reason
    assert "example" not in one.reason
    with answering(SmtpServer(known.context())) as server:
        monkeypatch.setenv("HEADRACE_SMTP_PORT", str(server.port))
        settings.cache_clear()
        assert notify(client, one.next_at) == 1


def test_a_message_that_nobody_has_comes_again_the_same(client: firestore.Client, known: Authority) -> None:
    """With the same headers, by which a server knows a copy."""
    with answering(SmtpServer(known.context())) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_SMTP_PORT", str(server.port))
        settings.cache_clear()
        server.replies = {"DATA": "452 full"}
        issue(client, MAIL)
        assert notify(client) == 0
        server.replies = {}
        assert notify(client, soon() + timedelta(minutes=2)) == 1
        [taken] = [sent for sent in server.mails if sent.content]
    assert taken.to == MAIL.to
    assert [(one.state, one.reason) for one in deliveries(client)] == [("delivered", None)]


def test_a_recipient_that_is_rejected_is_named_by_code_when_the_others_have_it(
    client: firestore.Client, known: Authority
) -> None:
    """The message ends as undelivered, and is not sent again."""
    with answering(SmtpServer(known.context())) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_SMTP_PORT", str(server.port))
        settings.cache_clear()
        server.replies = {"RCPT TO:<bo": "550 unknown"}
        issue(client, MAIL)
        assert notify(client) == 0
        assert notify(client, soon() + timedelta(minutes=2)) == 0
        assert [taken.to for taken in server.mails] == [MAIL.to[:1]]
    (ended,) = deliveries(client)
    assert (ended.state, ended.target) == ("undelivered", MAIL)
    assert ended.reason is not None
    assert ended.reason.startswith("The mail server refused 1 of 2 recipients (550)")
    assert "example" not in ended.reason


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
