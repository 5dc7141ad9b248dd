"""Store digests: their records, their files, and the drafts of those being made.

The record is `digests/{id}` in Firestore; three files lie in the results bucket. The files are written first
and the record last, so a record's files always exist. An attempt that finds another was quicker writes the
files again from the record, since a language model may have given the two different sentences.

`drafts/{random}` exists for each attempt, from before its files to its record. An erasure finds by it files
that no record names, and the sweep those that an attempt left behind which died. An attempt that lives writes
last, with what was erased taken out.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import AwareDatetime, Field, NonNegativeInt

from shared.digests import render
from shared.digests.records import Digest, Sorted
from shared.documents.store import now
from shared.platform.clients import emulator, storage_client
from shared.platform.errors import HeadraceError
from shared.platform.records import Record, SentimentLabel
from shared.platform.retry import storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from google.cloud import firestore

    from shared.digests.records import Quote


RULES = 2
"""By which plans are followed; another number where the same documents make another list of them."""


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
    rules: int = 1
    """`RULES` when it was made: by others, what became of plans is not found again."""
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


BROWSER = "https://storage.cloud.google.com"
"""Serves an object to whoever is signed in and may read it."""


def object_link(bucket: str, name: str, page: int | None, storage_host: str | None) -> str:
    """The object's address in a browser; viewers of PDF open it at the page.

    Args:
        bucket: of the object.
        name: of the object.
        page: 1 is the first; None: the object has no pages.
        storage_host: address of the emulator that serves it; None: Cloud Storage does.
    """
    fragment = f"#page={page}" if page else ""
    if storage_host is None:
        # A browser would resolve "a/../b" and "a//b" before it asks, and ask for another object.
        plain = not {"", ".", ".."} & set(name.split("/"))
        return f"{BROWSER}/{quote(bucket, safe='')}/{quote(name, safe='/' if plain else '')}{fragment}"
    host = storage_host if "://" in storage_host else f"http://{storage_host}"
    path = f"storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"
    return f"{host.rstrip('/')}/{path}?alt=media{fragment}"


COLLECTION = "digests"
TYPES = {"html": "text/html; charset=utf-8", "json": "application/json", "md": "text/markdown; charset=utf-8"}


def to_fields(stored: StoredDigest) -> dict[str, Any]:
    """What Firestore stores: moments that are asked for as such, the rest as the JSON types of its files."""
    return stored.model_dump(mode="json") | {"end": stored.end, "made_at": stored.made_at}


def read(client: firestore.Client, identifier: str) -> StoredDigest | None:
    """A digest by its id; None where there is none."""
    fields = client.collection(COLLECTION).document(identifier).get().to_dict()
    return StoredDigest.model_validate(fields) if fields else None


def newest(client: firestore.Client, limit: int, schedule: str | None = None) -> Iterator[StoredDigest]:
    """Digests by the end of their window, the last first; of one schedule or of all."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    query: firestore.Query = client.collection(COLLECTION).order_by("end", direction="DESCENDING")
    if schedule is not None:
        query = query.where(filter=FieldFilter("schedule", "==", schedule))
    for snapshot in query.limit(limit).stream():
        yield StoredDigest.model_validate(snapshot.to_dict())


def address(digest: Digest) -> str:
    """Where its HTML lies."""
    return f"gs://{settings().results_bucket}/digests/{digest.schedule}/{digest.id}.html"


def write_files(digest: Digest) -> None:
    """Write its three forms, over what is there."""
    link = partial(_link, emulator("STORAGE_EMULATOR_HOST"))
    texts = {
        "html": render.html(digest, link),
        "json": render.as_json(digest),
        "md": render.markdown(digest, link),
    }
    bucket = storage_client().bucket(settings().results_bucket)
    name = address(digest).split("/", 3)[3]
    for suffix, text in texts.items():
        blob = bucket.blob(name.removesuffix("html") + suffix)
        blob.upload_from_string(text.encode(), content_type=TYPES[suffix], **storage_limits())


def read_file(html: str) -> bytes:
    """The file at the address.

    Raises:
        HeadraceError: it is gone.
    """
    from google.api_core.exceptions import NotFound

    bucket, _, name = html.removeprefix("gs://").partition("/")
    try:
        content: bytes = storage_client().bucket(bucket).blob(name).download_as_bytes(**storage_limits())
    except NotFound:
        raise HeadraceError(f"There is no {html} any more; the digest itself is stored: --json") from None
    return content


def _link(storage_host: str | None, quote: Quote) -> str:
    return object_link(quote.bucket, quote.name, quote.page, storage_host)


DRAFTS = "drafts"
ABANDONED = timedelta(days=1)
"""Longer than anybody is at a digest."""
PER_CALL = 50


def begin(client: firestore.Client, digest: Digest) -> firestore.DocumentReference:
    """Put down whose sentences the files will have; to be deleted with the commit that makes the record."""
    from shared.digests.store import address

    reference: firestore.DocumentReference = client.collection(DRAFTS).document()
    fields = {"digest": digest.id, "html": address(digest), "quoted": digest.documents(), "begun_at": now()}
    reference.create(fields)
    return reference


def forget(client: firestore.Client, document: str) -> None:
    """Remove the files of attempts that name a document which is being erased; may be repeated.

    Their drafts stay: one that lives may write once more before it finds the document gone, and die.
    """
    from google.cloud.firestore_v1.base_query import FieldFilter

    naming = FieldFilter("quoted", "array_contains", document)
    for draft in client.collection(DRAFTS).where(filter=naming).stream():
        _clear(client, draft.to_dict() or {}, lambda other: document in other["quoted"])


def remove_abandoned(client: firestore.Client) -> int:
    """Remove what attempts left behind that ended without a record long ago; how many these were."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    until = now() - ABANDONED
    query = client.collection(DRAFTS).where(filter=FieldFilter("begun_at", "<", until))
    found = list(query.limit(PER_CALL).stream())
    for draft in found:
        _clear(client, draft.to_dict() or {}, lambda other: bool(other["begun_at"] < until))
        draft.reference.delete()
    return len(found)


def write_again(client: firestore.Client, identifier: str) -> StoredDigest | None:
    """Write the files as the record says; None where there is no record.

    What an erasure takes out of it meanwhile is not left there.
    """
    from shared.digests.store import read, write_files  # these bring all that draws a digest

    known = read(client, identifier)
    for _ in range(len(known.quoted) + 1 if known else 0):  # an erasure takes one of them out
        assert known is not None
        write_files(known.digest)
        written, known = known, read(client, identifier)
        if known is None or known.digest == written.digest:
            break
    return known


def _clear(
    client: firestore.Client, draft: Mapping[str, Any], harmless: Callable[[Mapping[str, Any]], bool]
) -> None:
    """Remove the files, or write them as their record says; nothing where another attempt may need them.

    Args:
        client: Firestore.
        draft: whose files.
        harmless: whether it is no harm to an attempt that its files are removed.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.firestore_v1.base_query import FieldFilter

    bucket, _, name = draft["html"].removeprefix("gs://").partition("/")
    prefix = name.removesuffix("html")
    # In this order: who begins after the files were listed makes newer ones, which are not deleted.
    try:
        blobs = list(storage_client().list_blobs(bucket, prefix=prefix, **storage_limits()))
    except NotFound:  # the bucket is gone, and they with it
        return
    same = client.collection(DRAFTS).where(filter=FieldFilter("digest", "==", draft["digest"]))
    if not all(harmless(other.to_dict() or {}) for other in same.stream()):
        return
    if write_again(client, draft["digest"]):
        return
    for blob in blobs:
        with suppress(NotFound):
            blob.delete(**storage_limits())
