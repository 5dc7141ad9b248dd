"""E-mails of an invented digest, and the settings with which they are sent."""

from __future__ import annotations

import email
import email.policy
from contextlib import contextmanager
from email.message import EmailMessage
from typing import TYPE_CHECKING

from shared.digests.notify import mail
from shared.platform.settings import settings
from tests.sample_digest import digest, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from shared.digests.records import Source

PAGE = "https://storage.cloud.google.com/acme-results/d.html"
TO = ["ann@example.com", "bo@example.org"]


@contextmanager
def mailing(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Mail is set up, with a server on this machine."""
    patch.setenv("GOOGLE_CLOUD_PROJECT", "acme")
    patch.setenv("HEADRACE_SMTP_HOST", "localhost")
    patch.setenv("HEADRACE_SMTP_FROM", "digests@acme.example")
    settings.cache_clear()
    try:
        yield
    finally:
        settings.cache_clear()


def setting(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"HEADRACE_{name.upper()}", str(value))
    settings.cache_clear()


def link(told: Source) -> str:
    return f"https://storage.cloud.google.com/{told.bucket}/x"


def compose(line: str | None = None) -> EmailMessage:
    return mail.compose(stored(digest(line=line)), link, PAGE, TO, "weekly-20261123-0")


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message
