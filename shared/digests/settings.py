"""The settings of telling people of digests, and of the narrative: a part of `shared.platform.settings.Settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    Field,
    Json,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts to which nothing has to be encrypted."""
Pinned = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,255}/[1-9]\d*$")]
"""Name and version of a secret, as `smtp-password/1`."""


class Telling(BaseModel):
    """How digests are told, and by what language model they are put into words."""

    tell_seconds: PositiveFloat = 120.0
    """For all that one heartbeat sends; what is left is sent by the next."""
    tell_target_seconds: PositiveFloat = Field(default=20.0, le=120.0)
    """For one message to one webhook or mail server."""
    webhook_allowed_hosts: Json[list[str]] = Field(default_factory=list)
    """Hosts of webhooks that may have private addresses and any port: ["hooks.corp.example"]. All others must
    have public addresses, and port 443 or 8443."""
    ca_file: Path | None = Field(default=None, examples=["/etc/ssl/corporate.pem"])
    """PEM file of authorities besides the public ones, for webhooks, the mail server and the language
    model."""
    smtp_host: str = Field(default="", examples=["smtp.example.org"])
    """The mail server that digests are handed to; empty: there is none."""
    smtp_port: PositiveInt = Field(default=587, le=65_535)
    """587 is for `starttls`, 465 for `tls`."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """`tls`: from the first byte, mostly at port 465. `none` is for a relay on this machine alone."""
    smtp_from: str = Field(
        default="", pattern=r"^$|^[^@\s,;<>]+@[^@\s,;<>]+$", examples=["headrace@example.org"]
    )
    """The sender's address."""
    smtp_user: str = Field(default="", examples=["headrace"])
    """Empty: the server wants no login."""
    smtp_password: Pinned | None = Field(default=None, examples=["smtp-password/1"])
    """The secret with the user's password."""

    narrative_model: str = Field(default="", examples=["gpt-5-mini"])
    """The language model's name, as its server knows it."""
    narrative_key: Pinned | None = Field(default=None, examples=["narrative-key/1"])
    """The secret with its server's key; None: the server wants none."""
    narrative_max_tokens: PositiveInt = Field(default=16_000, le=1_000_000)
    """Prompt and answer together. A byte counts as a token, of which no text has more than bytes: English has
    some four times fewer."""
    narrative_answer_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """What the server calls the limit of an answer; older ones know `max_tokens` alone."""
    narrative_max_usd: NonNegativeFloat | None = Field(default=None, examples=[0.1])
    """Of one digest, all attempts together; where the worst case is above it, nothing is sent."""
    narrative_usd_per_million_in: NonNegativeFloat | None = Field(default=None, examples=[0.25])
    """The model's price of a million tokens of a prompt; 0 where it costs nothing."""
    narrative_usd_per_million_out: NonNegativeFloat | None = Field(default=None, examples=[2.0])
    """And of an answer."""
    narrative_seconds: PositiveFloat = Field(default=60.0, le=300.0)
    """For all attempts."""
    narrative_url: str = Field(default="", examples=["https://api.openai.com/v1"])
    """Base address of a server that speaks OpenAI's Chat Completions: https://api.openai.com/v1. Empty: no
    narratives. It needs `narrative_model`, `narrative_max_usd` and the two prices beside it."""

    @field_validator("smtp_security")
    @classmethod
    def _encrypted(cls, security: str, info: ValidationInfo) -> str:
        if security == "none" and info.data.get("smtp_host") not in LOOPBACK:
            raise ValueError("none is for a mail server on localhost; say starttls or tls")
        return security

    @field_validator("narrative_url")
    @classmethod
    def _priced(cls, url: str, info: ValidationInfo) -> str:
        if not url:
            return url
        place = urlsplit(url)
        _ = place.port  # raises ValueError where it is no number
        plain = place.scheme == "http" and place.hostname in LOOPBACK
        if not (place.scheme == "https" or plain) or not place.hostname or place.query or place.fragment:
            raise ValueError("must be https://HOST/PATH, or http:// to this machine")
        if place.username is not None or place.password is not None:
            raise ValueError("must name no user; a key goes into the secret that narrative_key names")
        if not info.data.get("narrative_model"):
            raise ValueError("needs HEADRACE_NARRATIVE_MODEL beside it")
        for name in ("max_usd", "usd_per_million_in", "usd_per_million_out"):
            if info.data.get(f"narrative_{name}") is None:
                raise ValueError(f"needs HEADRACE_NARRATIVE_{name.upper()} beside it")
        return url
