"""E-mails as they are made, and as a real SMTP session hands them over."""

import email
import email.policy
import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.digests.exchange import Unanswered
from shared.digests.records import Quote
from shared.digests.tell import mail
from shared.digests.tell.trouble import Later
from shared.errors import Permanent, SetupError
from shared.settings import Settings, settings
from tests.misbehaving import Authority, SmtpServer, authority, dripping, serving
from tests.told import digest, quote, stored

PAGE = "https://storage.cloud.google.com/acme-results/d.html"
TO = ["ann@example.com", "bo@example.org"]
SECONDS = 5.0


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("known"), "localhost", "127.0.0.1")


@pytest.fixture(autouse=True)
def set_up(monkeypatch: pytest.MonkeyPatch, known: Authority) -> Iterator[None]:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme")
    monkeypatch.setenv("HEADRACE_SMTP_HOST", "localhost")
    monkeypatch.setenv("HEADRACE_SMTP_FROM", "digests@acme.example")
    monkeypatch.setenv("HEADRACE_CA_FILE", str(known.ca))
    settings.cache_clear()
    yield
    settings.cache_clear()


def setting(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"HEADRACE_{name.upper()}", str(value))
    settings.cache_clear()


def link(told: Quote) -> str:
    return f"https://storage.cloud.google.com/{told.bucket}/x"


def compose(line: str | None = None) -> EmailMessage:
    return mail.compose(stored(digest(line=line)), link, PAGE, TO, "weekly-20261123-0")


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_a_message_has_text_a_short_page_and_the_whole_page_as_a_file() -> None:
    """What a mail program does not draw is in the file."""
    message = parsed(compose().as_bytes())
    assert message["Subject"].startswith("Digest “weekly”, 16 to 22 November 2026")
    assert message["From"] == "digests@acme.example"
    assert message["To"] == "ann@example.com, bo@example.org"
    assert message["Date"] == "Mon, 23 Nov 2026 00:05:00 +0000"  # when the digest was made, at every attempt
    text, page = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "We cut emissions of our three mills by 18% against 2019." in text.get_content()
    short = page.get_content()
    assert PAGE in short
    assert "3 documents completed" in short
    assert "<svg" not in short
    (file,) = message.iter_attachments()
    assert file.get_filename() == "weekly-20261123.html"
    assert "<svg" in file.get_content()


def test_the_same_delivery_has_the_same_id() -> None:
    """By which a server or a mailbox knows a copy; another delivery has another."""
    first, second = compose(), compose()
    assert first["Message-ID"] == second["Message-ID"] == "<weekly-20261123-0@acme.example>"
    assert first["Headrace-Delivery"] == "weekly-20261123-0"
    other = mail.compose(stored(digest()), link, PAGE, TO, "weekly-20261123-1")
    assert other["Message-ID"] != first["Message-ID"]


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=200),
    st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40),
)
def test_no_text_can_make_a_header(text: str, identifier: str) -> None:
    """Whatever stands in a digest, its line, its name, and its id."""
    nasty = f"{text}\r\nBcc: eve@example.net\r\n\r\n"
    told = digest(identifier=f"{identifier}\r\nBcc: eve@example.net", line=nasty)
    told = told.model_copy(update={"schedule": nasty})
    message = parsed(
        mail.compose(stored(told), link, PAGE, TO, f"{identifier}\r\nBcc: eve@example.net").as_bytes()
    )
    assert message["Bcc"] is None
    assert sorted(set(map(str.lower, message))) == [
        "auto-submitted", "content-type", "date", "from", "headrace-delivery", "message-id", "mime-version",
        "subject", "to",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "address", ["a\x00b@example.com", "a@b@c", "@", "a@", "(a@example.com", "a@[", '"@x']
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """Without quoting it."""
    with pytest.raises(Permanent) as caught:
        mail.compose(stored(digest()), link, PAGE, [address], "weekly-0")
    assert "example" not in caught.value.message


def test_a_page_that_is_too_large_is_linked_to_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many servers refuse large messages."""
    monkeypatch.setattr(mail, "MAX_PAGE", 1000)
    assert list(compose().iter_attachments()) == []


def test_markup_in_a_digest_is_text() -> None:
    """In the short page too."""
    page = compose(line="<script>alert(1)</script>").get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content()


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
        with pytest.raises(Permanent):
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


def test_mail_to_another_machine_has_to_be_encrypted() -> None:
    """The process does not start with such a setting."""
    environ = {"GOOGLE_CLOUD_PROJECT": "acme", "HEADRACE_SMTP_SECURITY": "none"}
    for host in ("mail.example.com", ""):
        with pytest.raises(SetupError, match="HEADRACE_SMTP_SECURITY"):
            Settings.from_environment(environ | {"HEADRACE_SMTP_HOST": host})


@pytest.mark.parametrize("missing", ["HEADRACE_SMTP_HOST", "HEADRACE_SMTP_FROM"])
def test_without_a_mail_server_the_hint_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Trying again would not help."""
    monkeypatch.delenv(missing)
    settings.cache_clear()
    with pytest.raises(Permanent) as caught:
        mail.check_set_up()
    assert missing in caught.value.hint


@pytest.mark.parametrize(
    ("command", "said", "passes"),
    [
        ("MAIL", "451 busy", True),
        ("MAIL", "550 no", False),
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


THREE = [*TO, "cy@example.net"]


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
            mail.send(compose(), TO, None, seconds=0.6)
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


def test_smtplib_reports_refusals_as_this_code_reads_them() -> None:
    """The one exception that has no code of its own."""
    assert not issubclass(smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException)
