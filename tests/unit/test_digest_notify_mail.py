"""E-mails as they are made, and the settings without which none is sent."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.digests.exchange import Later
from shared.digests.notify import mail
from shared.digests.schedules import Email
from shared.platform.errors import SetupError
from shared.platform.settings import Settings, settings
from tests.sample_digest import digest, stored
from tests.unit.mails import PAGE, TO, compose, link, mailing, parsed


@pytest.fixture(autouse=True)
def set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with mailing(monkeypatch):
        yield


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
    assert '<html lang="en">' in short
    assert "<title>Digest \u201cweekly\u201d, 16 to 22 November 2026" in short
    assert '<th scope="row">' in short
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
    "address", ["a\x00b@example.com", "a@b@c", "@", "a@", "(a@example.com", "a@[", '"@x', "a b@example.com"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        Email(kind="email", to=[address])
    Email(kind="email", to=["ann@example.com", "m\u00fcller@b\u00fccher.example"])


def test_markup_in_a_digest_is_text() -> None:
    """In the short page too."""
    page = compose(line="<script>alert(1)</script>").get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content()


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
    """Once it is set, the message is to be sent."""
    monkeypatch.delenv(missing)
    settings.cache_clear()
    with pytest.raises(Later, match=missing):
        compose()
