"""E-mails as a real SMTP session hands them over: encrypted, refused, put off and cut off."""

import smtplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.digests.exchange import Later, Unanswered
from shared.digests.tell import mail
from shared.platform.errors import Permanent
from tests.misbehaving import Authority, SmtpServer, authority, dripping, serving
from tests.told import digest, quote, stored
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
        assert mail.send(compose(), TO, "word", seconds=SECONDS) == {}
        (taken,) = server.mails
    assert taken.encrypted
    assert taken.user
    assert taken.to == TO
    assert parsed(taken.content)["Message-ID"] == "<weekly-20261123-0@acme.example>"


def test_mail_may_be_encrypted_from_the_first_byte(monkeypatch: pytest.MonkeyPatch, known: Authority) -> None:
    """As at port 465; the certificate is checked for the host all the same."""
    with serving(SmtpServer(known.context(), at_once=True)) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="tls", smtp_user="acme")
        assert mail.send(compose(), TO, "word", seconds=SECONDS) == {}
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
        assert mail.send(compose(), TO, None, seconds=SECONDS) == {}
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
    ("replies", "left", "refused", "taken"),
    [
        ({"bo": "450 greylisted"}, ["bo@example.org"], {}, [["ann@example.com", "cy@example.net"]]),
        ({"bo": "550 unknown", "cy": "450 later"}, ["cy@example.net"], {"bo@example.org": 550}, [TO[:1]]),
        # The server closes the connection, so nobody has it.
        ({"ann": "421 closing"}, THREE, {}, []),
        ({"bo": "421 closing"}, THREE, {}, []),
        ({"cy": "421 closing"}, THREE, {}, []),
        ({"ann": "550 unknown", "bo": "421 closing"}, THREE[1:], {"ann@example.com": 550}, []),
        # It wants no message without recipients.
        (
            {"ann": "550 unknown", "bo": "450 later", "cy": "452 full"},
            THREE[1:],
            {"ann@example.com": 550},
            [],
        ),
    ],
)
def test_whoever_has_not_got_it_is_told_later(
    monkeypatch: pytest.MonkeyPatch,
    replies: dict[str, str],
    left: list[str],
    refused: dict[str, int],
    taken: list[list[str]],
) -> None:
    """Whoever has it is not told again, and whom the server refused for good is not forgotten."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        server.replies = {f"RCPT TO:<{name}": said for name, said in replies.items()}
        with pytest.raises(Later) as caught:
            mail.send(compose(), THREE, None, seconds=SECONDS)
        assert [one.to for one in server.mails if one.content] == taken
    assert (caught.value.left, caught.value.refused) == (left, refused)


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        ("RCPT TO:<bo", {"bo@example.org": 550}),
        ("RCPT", {"ann@example.com": 550, "bo@example.org": 550}),
    ],
)
def test_recipients_that_are_refused_for_good_are_named(
    monkeypatch: pytest.MonkeyPatch, command: str, refused: dict[str, int]
) -> None:
    """With the code of the reply; one that is named twice is asked for once."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        server.replies = {command: "550 unknown"}
        assert mail.send(compose(), [*TO, *TO], None, seconds=SECONDS) == refused
        assert len(server.mails) == (1 if len(refused) < len(TO) else 0)


def test_a_server_may_take_all_of_the_time_with_a_message(
    monkeypatch: pytest.MonkeyPatch, known: Authority
) -> None:
    """It has the message by then: one that is given up early would get it again at every attempt."""
    monkeypatch.setattr(mail, "CONNECT_SECONDS", 1.0)
    with serving(SmtpServer(known.context())) as server:
        server.pause = 1.5
        setting(monkeypatch, smtp_port=server.port)
        assert mail.send(compose(), TO, None, seconds=30) == {}
        assert len(server.mails) == 1


@pytest.mark.parametrize("part", [b"220-wait\r\n", b"2"])
def test_a_server_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch, part: bytes) -> None:
    """A greeting without end, line by line and byte by byte."""
    started = time.monotonic()
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        server.greeting = dripping(server, part)
        with pytest.raises(Unanswered, match=r"too long|no reply"):
            mail.send(compose(), TO, None, seconds=1.5)
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


def hand_over(to: list[str], password: str | None = None) -> dict[str, int]:
    return mail.send(
        mail.compose(stored(digest()), link, PAGE, to, "weekly-0"), to, password, seconds=SECONDS
    )


@pytest.mark.parametrize("extended", [True, False])
def test_a_domain_beyond_ascii_is_sent_to_by_every_server(
    monkeypatch: pytest.MonkeyPatch, *, extended: bool
) -> None:
    """In the spelling of DNS, as the sender's; and one that the server refuses is named as it is written."""
    to = ["ann@example.com", "bo@m\u00fcnchen.example", "cy@m\u00fcnchen.example"]
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none", smtp_from="d@b\u00fccher.example")
        server.offers = ["SMTPUTF8"] if extended else []
        server.replies = {"RCPT TO:<cy": "550 unknown"}
        assert hand_over(to) == {to[2]: 550}
        (taken,) = server.mails
        (said,) = [line for line in server.commands if line.startswith("MAIL")]
    assert taken.to == ["ann@example.com", "bo@xn--mnchen-3ya.example"]
    assert "d@xn--bcher-kva.example" in said.lower()
    assert "SMTPUTF8" not in said
    assert parsed(taken.content)["From"] == "d@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "other", ["m\u00fcller@example.org", "m\u00fcller@b\u00fccher.example", "bo@\u00fc\u05d0.example"]
)
def test_an_address_that_the_server_cannot_read_keeps_the_mail_from_nobody_else(
    monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """It counts as refused, also beside one that is to wait; without others nothing is sent."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        server.offers = []
        assert hand_over([other, *TO]) == {other: mail.NOT_ASCII}
        (taken,) = server.mails
        assert taken.to == TO
        assert parsed(taken.content)["To"] == ", ".join(TO)
        server.replies = {"RCPT TO:<bo@example.org": "450 greylisted"}
        with pytest.raises(Later) as caught:
            hand_over([other, *TO])
        assert (caught.value.left, caught.value.refused) == (TO[1:], {other: mail.NOT_ASCII})
        assert len(server.mails) == 2
        assert hand_over([other]) == {other: mail.NOT_ASCII}
        assert len(server.mails) == 2


def test_an_address_beyond_ascii_is_sent_to_where_the_server_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With all others in one message, whose head names them all."""
    to = [*TO, "m\u00fcller@example.org"]
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        assert hand_over(to) == {}
        (taken,) = server.mails
    assert taken.to == to
    assert "m\u00fcller@example.org" in taken.content.decode()


def test_a_mail_to_those_that_are_left_names_no_address_that_they_cannot_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one in other letters has it already: for it alone all would have to read SMTPUTF8."""
    message = mail.compose(stored(digest()), link, PAGE, [*TO, "m\u00fcller@example.org"], "weekly-0")
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none")
        assert mail.send(message, TO[1:], None, seconds=SECONDS) == {}
        (taken,) = server.mails
        (said,) = [line for line in server.commands if line.startswith("MAIL")]
    assert taken.to == TO[1:]
    assert parsed(taken.content)["To"] == ", ".join(TO)
    assert "SMTPUTF8" not in said


@pytest.mark.parametrize(
    ("values", "password"),
    [
        ({"smtp_user": "acme"}, "p\u00e4ssword"),
        ({"smtp_user": "\u00e4cme"}, "word"),
        ({"smtp_from": "d\u00efgests@acme.example"}, None),
    ],
)
def test_what_is_set_here_is_not_told_as_a_fault_of_the_server(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], password: str | None
) -> None:
    """Somebody has to set it anew, and the message waits for that."""
    with serving(SmtpServer()) as server:
        setting(monkeypatch, smtp_port=server.port, smtp_security="none", **values)
        server.offers = ["AUTH PLAIN"]
        with pytest.raises(Later, match="HEADRACE_SMTP_USER") as caught:
            hand_over(TO, password)
        assert server.mails == []
    assert "no answer" not in caught.value.message
    assert "example" not in caught.value.message


def test_smtplib_reports_refusals_as_this_code_reads_them() -> None:
    """The one exception that has no code of its own."""
    assert not issubclass(smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException)
