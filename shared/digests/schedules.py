"""What a schedule of digests says: when, of which window, of which documents, and who is told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.digests.records import Filter
from shared.platform.records import Record
from shared.platform.settings import Pinned

MAX_TARGETS = 10

Span = Literal["day", "week", "month", "since-last"]
"""The time before a digest: a calendar day, seven of them, a calendar month, or all since the last one."""


class Webhook(Record):
    """An address that is sent the digest by POST."""

    kind: Literal["webhook"]
    format: Literal["json", "slack"] = "json"
    secret: Pinned
    """Name and pinned version of the secret with the address, as `digest-slack/1`: who knows it may post."""


class Email(Record):
    """People who are sent the digest by SMTP."""

    kind: Literal["email"]
    to: Annotated[
        list[Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]], Field(min_length=1, max_length=50)
    ]


Target = Annotated[Webhook | Email, Field(discriminator="kind")]


class Schedule(Record):
    """A digest that comes again and again."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    cron: str
    """Five fields, read in `zone`."""
    zone: str = "UTC"
    """Of the IANA time zone database."""
    window: Span = "week"
    filter: Filter = Filter()
    tell: list[Target] = Field(default_factory=list, max_length=MAX_TARGETS)
