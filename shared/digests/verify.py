"""Check a stored digest: compute it again, from what is stored now, and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from shared.digests.compute.make import Request, make
from shared.digests.compute.rows import Rows
from shared.digests.records import Filter
from shared.digests.store import RULES
from shared.documents.outcomes import COLLECTION as OUTCOMES
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore

    from shared.digests.store import StoredDigest

MAX_READ_AGAIN = 100
"""Documents that are named as read again; a backfill can leave thousands."""
_UNKNOWABLE: dict[str, Any] = {
    "overview": {"waiting", "oldest"},
    "line": True,
    "narrative": True,
    "notes": True,
}
"""What held only at the moment the digest was made, or follows from the rest."""
_QUOTED = ("initiatives", "incidents", "positives", "novel", "novel_among", "summary")
"""Parts that quote; after an erasure some of their quotes are gone."""


class Difference(Record):
    """One thing in which a digest differs from what is stored now, or one reason why it may."""

    kind: Literal["number", "gone", "again"]
    """`gone` and `again` are reasons: a document was erased, or read again, after the digest was made."""
    what: str
    document: str | None
    """The document's id, where the difference is about one."""
    stored: str
    found: str


def verify(client: firestore.Client, stored: StoredDigest) -> list[Difference]:
    """Return every difference between a digest and the same digest made now; none where it is right.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: Firestore refuses or cannot be reached.
    """
    digest = stored.digest
    earlier = [one.window for one in reversed(digest.trend[:-1])]
    request = Request(
        id=digest.id,
        schedule=digest.schedule,
        zone=digest.zone,
        window=digest.window,
        filter=digest.filter,
        earlier=earlier,
    )
    again = make(client, request)
    before, after = (one.model_dump(mode="json", exclude=_UNKNOWABLE) for one in (digest, again.digest))
    if stored.redacted:
        before, after = (
            {key: value for key, value in one.items() if key not in _QUOTED} for one in (before, after)
        )
    if stored.rules != RULES:
        for one in (before, after):
            for part in ("followed", "followed_counts", "compared"):
                one.get("initiatives", {}).pop(part, None)
    if digest.overview.waiting or digest.filter != Filter():
        # A file that was not read yet had no organisation: whether it counts was not known.
        for one in (before, after):
            one["overview"].pop("received")
    statistics = (one.statistics.model_dump(mode="json") for one in (stored, again))
    found = [*_compare("", before, after), *_compare("statistics", *statistics)]
    return [*found, *_reasons(client, stored)] if found else []


def _compare(where: str, stored: Any, found: Any) -> Iterator[Difference]:  # noqa: ANN401 - JSON
    """Yield each value of two structures that differs, named by its path."""
    if isinstance(stored, dict) and isinstance(found, dict):
        for name in sorted({*stored, *found}):
            yield from _compare(f"{where}.{name}".lstrip("."), stored.get(name), found.get(name))
    elif isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        for at, pair in enumerate(zip(stored, found, strict=True)):
            yield from _compare(f"{where}[{at}]", *pair)
    elif stored != found:
        yield Difference(kind="number", what=where, document=None, stored=str(stored), found=str(found))


def _reasons(client: firestore.Client, stored: StoredDigest) -> Iterator[Difference]:
    """Yield the documents that were erased or read again after the digest was made."""
    rows = Rows(client)
    named = {*stored.digest.documents()}
    present = {row[""] for row in rows.named(DOCUMENTS, sorted(named), ["id"])}
    for document in sorted({*stored.erased} | (named - present)):
        yield Difference(
            kind="gone", what="was erased since", document=document, stored="named", found="nothing"
        )
    since: dict[str, str] = {}
    for collection, field in ((DOCUMENTS, "timings.completed_at"), (OUTCOMES, "completed_at")):
        after = [(field, ">", stored.made_at if collection == DOCUMENTS else stored.digest.window.end)]
        for row in rows.range(collection, field, after, ["name", "run"], limit=MAX_READ_AGAIN):
            if row.get("run", 1) > 1 or row[""] in named:
                since[row[""]] = row["name"]
    for document, name in sorted(since.items()):
        yield Difference(
            kind="again",
            what=f"{name} was read since",
            document=document,
            stored="counted",
            found="read again",
        )
