"""A kept sentence as a digest quotes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.compute.pool import distinct
from shared.digests.records import Quote
from shared.text.figures import figures

if TYPE_CHECKING:
    from shared.digests.compute.pool import Best, Found


def quote(found: Found, also: int = 0, *, more: bool = False) -> Quote:
    """With its figures, and where it stands.

    Args:
        found: the sentence.
        also: near-duplicates of it.
        more: whether there may be more of these.
    """
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
        also_at_least=more and also > 0,
    )


def quotes(best: Best[Found], limit: int, per_document: int) -> list[Quote]:
    """The best that are `distinct`, each with the number of those like it."""
    several = distinct(best.all(), limit, per_document)
    return [quote(one.found, one.also, more=best.left_out) for one in several]


_TAKEN = ("index", "page", "row", "text", "topics", "action", "negative", "positive")
