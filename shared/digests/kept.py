"""What is kept of a document for the digests to come: few sentences, each for a reason."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from shared.platform.records import ActionLabel, Record

Role = Literal["summary", "initiative", "negative", "positive", "unusual"]


class Kept(Record):
    """A sentence that digests may quote; its vector lies beside it."""

    index: NonNegativeInt
    page: PositiveInt | None
    row: PositiveInt | None
    text: str
    quality: float
    """0 to 1: how well it reads on its own."""
    topics: list[str]
    action: ActionLabel
    negative: float
    positive: float
    roles: list[Role]
