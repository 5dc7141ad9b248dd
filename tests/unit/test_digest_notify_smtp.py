"""E-mails as a real SMTP session hands them over: encrypted, refused, put off and cut off."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.digests.exchange import Later, Unanswered
from shared.digests.notify import mail
from shared.platform.errors import Permanent
from tests.misbehaving import Authority, SmtpServer, authority, serving
from tests.sample_digest import digest, quote, stored
from tests.unit.mails import PAGE, TO, compose, link, mailing, parsed, setting

THREE = [*TO, "cy@example.net"]
SECONDS = 5.0


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("known"), "localhost", "127.0.0.1")


@pytest.fixture(autouse=True)
def set_up(monkeypatch: pytest.MonkeyPatch, known: Authority) -> Iterator[None]:
    with mailing(monkeypatch):
        setting(monkeypatch, ca_file=known.ca)
        yield


def test_mail_is_handed_over_encrypted(monkeypatch: pytest.MonkeyPatch, known: Authority) -> None:
    """By STARTTLS unless something else is set, to all recipients at once, after a login."""
    with serving(SmtpServer(known.context())) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_user="acme")
        mail.send(compose(), TO, "word", seconds=SECONDS)
        (taken,) = server.mails
    assert taken.encrypted
    assert taken.user
    assert taken.to == TO
    assert parsed(taken.content)["Message-ID"] == "<weekly-20261123-0@acme.example>"


def test_mail_may_be_encrypted_from_the_first_byte(monkeypatch: pytest.MonkeyPatch, known: Authority) -> None:
    """As at port 465; the certificate is checked for the host all the same."""
    with serving(SmtpServer(known.context(), at_once=True)) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="tls", smtp_user="acme")
        mail.send(compose(), TO, "word", seconds=SECONDS)
        assert [(taken.encrypted, taken.user) for taken in server.mails] == [(True, True)]
        setting(monkeypatch, smtp_host="localhost.", smtp_port=server.port)
        with pytest.raises(Unanswered):
            mail.send(compose(), TO, "word", seconds=SECONDS)
        assert len(server.mails) == 1


def test_without_starttls_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server, or somebody in between, that hides it gets neither the password nor the digest."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_user="acme")
        with pytest.raises(Later, match="HEADRACE_SMTP_SECURITY"):
            mail.send(compose(), TO, "word", seconds=SECONDS)
        assert server.mails == []
        assert not [line for line in server.commands if line.startswith(("AUTH", "MAIL"))]


def test_a_certificate_for_another_host_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before the login."""
    stranger = authority(tmp_path, "mail.elsewhere.example")
    with serving(SmtpServer(stranger.context())) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_user="acme", ca_file=stranger.ca)
        with pytest.raises(Unanswered):
            mail.send(compose(), TO, "word", seconds=SECONDS)
        assert not [line for line in server.commands if line.startswith(("AUTH", "MAIL"))]


def test_a_relay_on_this_machine_may_go_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one case of `none`."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        mail.send(compose(), TO, None, seconds=SECONDS)
        assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("command", "said", "passes"),
    [
        ("MAIL", "451 busy", True),
        ("MAIL", "550 no", False),
        ("MAIL", "530 authentication required", True),  # somebody has to set it up, and may
        ("DATA", "452 full", True),
        ("DATA", "554 spam", False),
        ("EHLO", "421 closing", True),
        ("RCPT", "450 greylisted", True),
        ("RCPT", "421 closing", True),
    ],
)
def test_a_reply_decides_whether_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, command: str, said: str, *, passes: bool
) -> None:
    """4xx asks to come again, 5xx not to; neither reason quotes what the server said."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        server.replies = {command: said, "HELO": said}
        with pytest.raises(Later if passes else Permanent) as caught:
            mail.send(compose(), TO, None, seconds=SECONDS)
        assert server.mails == []
    assert said[4:] not in str(caught.value)


@pytest.mark.parametrize(
    "replies",
    [
        {"ann": "421 closing"},  # the server closes the connection, so nobody has it
        {"cy": "421 closing"},
        {"ann": "550 unknown", "bo": "450 later", "cy": "452 full"},  # it wants no message without recipients
    ],
)
def test_a_message_that_nobody_has_is_tried_later(
    monkeypatch: pytest.MonkeyPatch, replies: dict[str, str]
) -> None:
    """With all recipients again."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        server.replies = {f"RCPT TO:<{name}": said for name, said in replies.items()}
        with pytest.raises(Later) as caught:
            mail.send(compose(), THREE, None, seconds=SECONDS)
        assert not [sent for sent in server.mails if sent.content]
    assert "example" not in caught.value.message


@pytest.mark.parametrize("said", ["450 greylisted", "550 unknown"])
def test_a_message_that_some_have_is_not_sent_again(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """They would have it twice."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        server.replies = {"RCPT TO:<bo": said}
        with pytest.raises(Permanent, match="refused 1 of 3 recipients"):
            mail.send(compose(), THREE, None, seconds=SECONDS)
        assert [sent.to for sent in server.mails if sent.content] == [["ann@example.com", "cy@example.net"]]


@pytest.mark.parametrize(("command", "refused"), [("RCPT TO:<bo", 1), ("RCPT", 2)])
def test_recipients_that_are_rejected_are_given_up(
    monkeypatch: pytest.MonkeyPatch, command: str, refused: int
) -> None:
    """The reason has their number and the codes of the replies; the others have the message."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        server.replies = {command: "550 unknown"}
        with pytest.raises(Permanent, match=rf"refused {refused} of 2 recipients \(550\)") as caught:
            mail.send(compose(), TO, None, seconds=SECONDS)
        assert len(server.mails) == (1 if refused < len(TO) else 0)
    assert "example" not in caught.value.message


def test_a_server_may_take_all_of_the_time_with_a_message(
    monkeypatch: pytest.MonkeyPatch, known: Authority
) -> None:
    """It has the message by then: one that is given up early would get it again at every attempt."""
    monkeypatch.setattr(mail, "CONNECT_SECONDS", 1.0)
    with serving(SmtpServer(known.context())) as server:
        server.pause = 1.5
        setting(monkeypatch, smtp_port=server.port)
        mail.send(compose(), TO, None, seconds=30)
        assert len(server.mails) == 1


def test_a_mail_server_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time limit for each read would never end."""
    started = time.monotonic()
    with serving(SmtpServer()) as server:
        server.drips = True
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        with pytest.raises(Unanswered):
            mail.send(compose(), TO, None, seconds=1.0)
    assert 0.5 < time.monotonic() - started < SECONDS


def test_letters_beyond_ascii_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the text and in the subject."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        told = digest(quotes=[quote(1, "Énergie: 40 % de moins, łącznie."), quote(2, "b"), quote(3, "c")])
        mail.send(mail.compose(stored(told), link, PAGE, TO, "weekly-0"), TO, None, seconds=SECONDS)
        text = parsed(server.mails[0].content).get_body(("plain",))
    assert text is not None
    assert "łącznie" in text.get_content()


@pytest.mark.parametrize(
    ("to", "values", "password"),
    [
        (TO, {"smtp_user": "acme"}, "p\u00e4ssword"),
        (TO, {"smtp_user": "\u00e4cme"}, "word"),
        (TO, {"smtp_from": "d\u00efgests@acme.example"}, None),
        (["m\u00fcller@example.org"], {}, None),
    ],
)
def test_letters_that_smtp_cannot_carry_are_a_fault_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, to: list[str], values: dict[str, str], password: str | None
) -> None:
    """They may be corrected, and the message waits for that."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none", **values)
        server.offers = ["AUTH PLAIN"]
        message = mail.compose(stored(digest()), link, PAGE, to, "weekly-0")
        with pytest.raises(Later, match="HEADRACE_SMTP_USER") as caught:
            mail.send(message, to, password, seconds=SECONDS)
        assert server.mails == []
    assert "no answer" not in caught.value.message
    assert "example" not in caught.value.message


def test_an_address_beyond_ascii_is_sent_to_where_the_server_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the extension SMTPUTF8."""
    to = [*TO, "m\u00fcller@example.org"]
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        mail.send(mail.compose(stored(digest()), link, PAGE, to, "weekly-0"), to, None, seconds=SECONDS)
        (taken,) = server.mails
    assert taken.to == to
