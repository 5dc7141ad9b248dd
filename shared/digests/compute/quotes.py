"""A kept sentence as a digest quotes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.records import Quote
from shared.figures import figures

if TYPE_CHECKING:
    from shared.digests.compute.pool import Distinct, Found


def quote(found: Found, also: int = 0) -> Quote:
    """With its figures, and where it stands."""
    doc, kept = found.doc, found.kept
    return Quote(
        document=doc.document,
        bucket=doc.bucket,
        name=doc.name,
        title=doc.title,
        organisation=doc.organisation,
        year=doc.year,
        **{name: kept[name] for name in _TAKEN},
        figures=figures(kept["text"]),
        also=also,
    )


def quotes(several: list[Distinct]) -> list[Quote]:
    """All of them."""
    return [quote(one.found, one.also) for one in several]


_TAKEN = ("index", "page", "row", "text", "topics", "action", "negative", "positive")
