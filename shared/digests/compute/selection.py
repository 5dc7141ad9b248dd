"""Which documents does a filter mean?"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.documents.outcomes import organisation_key
from shared.platform.lanes import is_sample

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shared.digests.compute.rows import Condition
    from shared.digests.records import Filter

DOCUMENT = (
    "document", "bucket", "name", "title", "organisation", "organisation_key", "year", "received_at",
    "completed_at", "space",
)  # fmt: skip
SELECTION = ("name", "organisation_key", "language", "members", "duplicate_of")
"""What is asked of an outcome to know whether it counts."""


class Doc(NamedTuple):
    """A document with results of its own: what has to be known of it to quote it and to compare it."""

    document: str
    bucket: str
    name: str
    title: str | None
    organisation: str | None
    organisation_key: str | None
    year: int | None
    received_at: datetime
    completed_at: datetime
    space: str | None


def doc(row: Mapping[str, Any]) -> Doc:
    """Of an outcome that has completed."""
    return Doc(*(row.get(name) for name in DOCUMENT))  # type: ignore[arg-type]


def fits(row: Mapping[str, Any], asked: Filter) -> bool:
    """Whether an outcome, or a document's record, is of a document that the filter means. No sample is."""
    key = organisation_key(asked.organisation)
    return (
        str(row["name"]).startswith(asked.prefix)
        and not is_sample(row["name"])
        and (key is None or organisation_key(row.get("organisation")) == key)
        and (asked.language is None or row.get("language") == asked.language)
    )


def counts(row: Mapping[str, Any]) -> bool:
    """Whether its passages count: an archive has none of its own, a copy those of another document."""
    return row.get("members") is None and row.get("duplicate_of") is None


def between(field: str, start: datetime, end: datetime) -> list[Condition]:
    """That a moment lies in [start, end)."""
    return [(field, ">=", start), (field, "<", end)]


def of_organisation(asked: Filter) -> list[Condition]:
    """The part of a filter that Firestore applies to `outcomes`; `fits` applies the rest."""
    key = organisation_key(asked.organisation)
    return [("organisation_key", "==", key)] if key else []


def everything(asked: Filter) -> bool:
    """Whether the filter leaves no document out."""
    return not (asked.prefix or asked.language or organisation_key(asked.organisation))


def fingerprint(asked: Filter) -> str:
    """The same for filters that mean the same: windows that were asked alike can be compared."""
    same = asked.model_copy(update={"organisation": organisation_key(asked.organisation)})
    return hashlib.sha256(same.model_dump_json().encode()).hexdigest()[:16]
