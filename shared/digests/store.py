"""Store digests, and take erased documents out of them.

A digest has a record in Firestore, `digests/{id}`, and three files in the results bucket.

The record comes first and is the truth: it is created once, however many attempts there are. Its files are
written from it, and again if an erasure changed it meanwhile, so a file never keeps what the record has lost.
`unwritten_since` is set until the files are written; if the process dies before, the next attempt or the
sweep writes them.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import AwareDatetime, Field, NonNegativeInt

from shared.digests.records import Digest, ListedDigest, Sorted
from shared.documents.erasure import erase_stored
from shared.documents.store import Documents, now
from shared.documents.views import object_link
from shared.platform.clients import emulator, storage_client, where
from shared.platform.errors import HeadraceError, Superseded
from shared.platform.records import Record, SentimentLabel
from shared.platform.retry import storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from google.cloud import firestore

    from shared.digests.records import Source
    from shared.documents.erasure import Seen
    from shared.platform.transaction import ShortTransaction

R = TypeVar("R", bound=Record)

COLLECTION = "digests"
TYPES = {"html": "text/html; charset=utf-8", "json": "application/json", "md": "text/markdown; charset=utf-8"}
ABANDONED = timedelta(hours=1)
"""Longer than any attempt takes to write the files of its digest."""
PER_SWEEP = 50


class Statistics(Record):
    """What later windows need of this one: sums over its documents, which can be added up.

    A document is the unit of the test, because passages of one document are not independent of each other:
    with x the passages of a measure and n those it is a share of, a document adds x, n, x², x·n and n².
    """

    documents: NonNegativeInt = 0
    passages: NonNegativeInt = 0
    sentiment: Sorted[SentimentLabel, NonNegativeInt] = Field(default_factory=dict)
    topics: Sorted[str, NonNegativeInt] = Field(default_factory=dict)
    sums: Sorted[str, list[int]] = Field(default_factory=dict)
    """By measure: [documents with n > 0, Σx, Σn, Σx², Σx·n, Σn²]."""


class StoredDigest(Record):
    """`digests/{id}`: a digest, and what belongs to it but is not shown."""

    digest: Digest
    schedule: str
    """The digest's schedule, to be queried."""
    end: AwareDatetime
    """End of the digest's window, to be queried."""
    statistics: Statistics
    asked: str
    """Fingerprint of the filter: windows of the same schedule and filter can be compared."""
    redacted: bool = False
    """Whether quotes were taken out since, because their documents were erased."""
    erased: list[str] = Field(default_factory=list)
    """Ids of those documents: why its counts cannot be found again."""
    quoted: list[str]
    """Ids of the documents that it names, so that an erasure finds it."""
    html: str
    """gs:// address; beside it lie the same name with .json and .md."""
    reads: NonNegativeInt
    """Documents that were read from Firestore to make it."""
    seconds: float
    """How long it took to make it."""
    made_at: AwareDatetime
    unwritten_since: AwareDatetime | None = None
    """When the making of the digest began; None once its files are written."""


def source_link(source: Source) -> str:
    """Return the address of a document, opened at a page."""
    return object_link(source.bucket, source.name, source.page, emulator("STORAGE_EMULATOR_HOST"))


def page_link(stored: StoredDigest) -> str:
    """Return the address of a digest's page."""
    return object_link(*split_address(stored.html), None, emulator("STORAGE_EMULATOR_HOST"))


def to_fields(stored: StoredDigest) -> dict[str, Any]:
    """Return what Firestore stores: moments that are queried as such, the rest as the JSON of the files."""
    moments = {name: getattr(stored, name) for name in ("end", "made_at", "unwritten_since")}
    return stored.model_dump(mode="json") | moments


def read(client: firestore.Client, identifier: str) -> StoredDigest | None:
    """Return a digest by its id, or None."""
    fields = client.collection(COLLECTION).document(identifier).get().to_dict()
    return StoredDigest.model_validate(fields) if fields else None


def _of_schedule(client: firestore.Client, schedule: str | None) -> Any:  # noqa: ANN401 - untyped
    digests = client.collection(COLLECTION).order_by("end", direction="DESCENDING")
    return where(digests, None if schedule is None else ("schedule", "==", schedule))


def newest(client: firestore.Client, limit: int, schedule: str | None = None) -> Iterator[StoredDigest]:
    """Yield digests of one schedule or of all, by the end of their window, the last first."""
    query = _of_schedule(client, schedule)
    for snapshot in query.limit(limit).stream():
        yield StoredDigest.model_validate(snapshot.to_dict())


def listed(
    client: firestore.Client, limit: int, *, schedule: str | None = None, after: str | None = None
) -> list[ListedDigest]:
    """Return digests by the end of their window, the last first, without reading them whole.

    Args:
        client: the process's own.
        limit: how many at most.
        schedule: only digests of this one.
        after: id of the digest that the list follows.

    Raises:
        Superseded: that one is gone.
    """
    digests = client.collection(COLLECTION)
    query = _of_schedule(client, schedule)
    if after is not None:
        last = digests.document(after).get(["end"])
        if not last.exists:
            raise Superseded("The digest that this page follows is gone.")
        query = query.start_after(last)
    found = query.select(["schedule", "end", "made_at", "digest.line"]).limit(limit).stream()
    return [
        ListedDigest(
            id=each.id,
            line=each.get("digest.line"),
            **{name: each.get(name) for name in ("schedule", "end", "made_at")},
        )
        for each in found
    ]


def address(digest: Digest) -> str:
    """Return the gs:// address of a digest's HTML file."""
    return f"gs://{settings().results_bucket}/digests/{digest.schedule}/{digest.id}.html"


def split_address(html: str) -> tuple[str, str]:
    """Return the bucket and the name of a gs:// address."""
    bucket, _, name = html.removeprefix("gs://").partition("/")
    return bucket, name


def write_files(stored: StoredDigest) -> None:
    """Write the digest's HTML, JSON and Markdown, over what is there."""
    from shared.digests import render

    texts = {
        "html": render.html(stored.digest, source_link),
        "json": render.as_json(stored.digest),
        "md": render.markdown(stored.digest, source_link),
    }
    bucket, name = split_address(stored.html)
    for suffix, text in texts.items():
        blob = storage_client().bucket(bucket).blob(name.removesuffix("html") + suffix)
        blob.upload_from_string(text.encode(), content_type=TYPES[suffix], **storage_limits())


def write_current(client: firestore.Client, identifier: str) -> StoredDigest | None:
    """Write the files as the record is, once more if an erasure changed it meanwhile; None if it is gone."""
    stored = read(client, identifier)
    while stored is not None:
        write_files(stored)
        written, stored = stored, read(client, identifier)
        if stored is not None and stored.digest == written.digest:
            break
    return stored


def complete(client: firestore.Client, identifier: str) -> StoredDigest | None:
    """Write the files of a digest, and record that they are written; None if the digest is gone."""
    stored = write_current(client, identifier)
    if stored is not None and stored.unwritten_since is not None:
        client.collection(COLLECTION).document(identifier).update({"unwritten_since": None})
    return stored


def unwritten(client: firestore.Client) -> list[dict[str, Any]]:
    """Return `id` of digests that were stored a while ago and whose files were not written."""
    overdue = where(client.collection(COLLECTION), ("unwritten_since", "<", now() - ABANDONED))
    query = overdue.select([]).limit(PER_SWEEP)
    return [{"id": snapshot.id} for snapshot in query.stream()]


def read_file(html: str) -> bytes:
    """Return the content of the file at a gs:// address.

    Raises:
        HeadraceError: it is gone.
    """
    from google.api_core.exceptions import NotFound

    bucket, name = split_address(html)
    try:
        content: bytes = storage_client().bucket(bucket).blob(name).download_as_bytes(**storage_limits())
    except NotFound:
        raise HeadraceError(f"There is no {html} any more; the digest itself is stored: --json") from None
    return content


NOTE = "Sentences of documents that were erased since were taken out."
PER_QUERY = 50
"""Digests read at once."""


def without(digest: Digest, document: str) -> Digest:
    """Return the digest without a document's sentences and names, and what rests on them alone."""

    def others(items: Sequence[R]) -> list[R]:
        return [item for item in items if document not in item.model_dump_json()]

    overview, initiatives, narrative = digest.overview, digest.initiatives, digest.narrative
    quoted = [group.model_copy(update={"quotes": others(group.quotes)}) for group in initiatives.groups]
    # Where all sentences of a group go, the erased document may be the only one that names its organisation.
    pairs = zip(initiatives.groups, quoted, strict=True)
    groups = [after for before, after in pairs if after.quotes or not before.quotes]
    if narrative:
        sentences = others(narrative.sentences)
        narrative = narrative.model_copy(update={"sentences": sentences}) if sentences else None
    waiting = others([overview.oldest]) if overview.oldest else []
    update = {
        "overview": overview.model_copy(
            update={"problems": others(overview.problems), "oldest": waiting[0] if waiting else None}
        ),
        "initiatives": initiatives.model_copy(
            update={
                "groups": groups,
                "groups_left": initiatives.groups_left + len(quoted) - len(groups),
                "followed": others(initiatives.followed),
            }
        ),
        "datapoints": digest.datapoints.model_copy(update={"changes": others(digest.datapoints.changes)}),
        "incidents": others(digest.incidents),
        "positives": others(digest.positives),
        "novel": others(digest.novel),
        "summary": others(digest.summary),
        "narrative": narrative,
        "notes": [*(note for note in digest.notes if note != NOTE), NOTE],
    }
    return digest.model_copy(update=update)


def without_documents(stored: StoredDigest, documents: Iterable[str]) -> StoredDigest:
    """Return a stored digest without these documents; it keeps their ids, which explain its counts."""
    gone = {*documents}
    update = {
        "digest": reduce(without, sorted(gone), stored.digest),
        "erased": sorted({*stored.erased, *gone}),
        "redacted": True,
    }
    return stored.model_copy(update=update)


def erase(client: firestore.Client, document: str, expected: Seen | None = None, *, deleted: int = 0) -> None:
    """Delete a document, as `erase_stored` does, and take its sentences out of every digest.

    Raises:
        Superseded: it was uploaded or replayed since, or while it is erased; the new run is left alone.
    """
    erase_stored(client, document, expected, deleted=deleted, also=lambda: redact(client, document))


def redact(client: firestore.Client, document: str) -> int:
    """Take a document out of every digest that names it, and return how many did; may be repeated.

    `quoted` keeps the document until the files are written, so an erasure that was killed finds the digest
    again.
    """
    from google.cloud import firestore as fields

    changed = 0
    naming = where(client.collection(COLLECTION), ("quoted", "array_contains", document))
    query = naming.select([]).limit(PER_QUERY)
    while references := [snapshot.reference for snapshot in query.stream()]:
        for reference in references:
            Documents(client).run(partial(_rewrite, reference=reference, document=document))
            if write_current(client, reference.id) is not None:
                reference.update({"quoted": fields.ArrayRemove([document])})
            changed += 1
    return changed


def _rewrite(transaction: ShortTransaction, reference: firestore.DocumentReference, document: str) -> None:
    [fields] = transaction.read(reference)
    if fields is not None:
        stored = without_documents(StoredDigest.model_validate(fields), [document])
        transaction.set(reference, to_fields(stored))
