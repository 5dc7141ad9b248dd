"""Find uploaded files whose notification was lost, and publish it again.

A bucket whose notification is missing or misconfigured notifies nobody, and the local Cloud Storage loses
what it has not published when it is killed. Such a file has no document of its generation. Its notification
is published as Cloud Storage would have published it, so the file goes the usual way, and one that is
notified twice becomes one document.

The file of an erased document also has no document; only its tombstone tells it apart. A tombstone is kept
for `TOMBSTONE_KEPT` from the erasure, which comes after the upload. Files that were uploaded within the
shorter `LOOK_BACK` therefore have the tombstone of every erasure, and older files are never notified again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.documents.store import document_id, erased_generations, expiry, fields_of, now
from shared.documents.uploads import event_of, is_file, notify_all
from shared.platform.clients import storage_client
from shared.platform.retry import storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from google.cloud import firestore
    from google.cloud.storage import Blob

    from shared.platform.records import UploadEvent

COLLECTION = "reconciliations"
"""`reconciliations/{bucket}`: how far the pass over a bucket is."""
LOOK_BACK = timedelta(days=14)
"""Files uploaded before that are left alone: see above. A day shorter than `TOMBSTONE_KEPT`, for clocks."""
GRACE = timedelta(minutes=10)
"""Files uploaded since are left alone: their notification is probably on its way."""
EVERY = timedelta(hours=1)
"""Between the beginnings of two passes over the bucket."""
PAGE = 1_000
"""Files in one list call, the most that Cloud Storage returns."""
PAGES = 5
"""Pages that one tick looks through; the next tick goes on from there."""
FIELDS = "items(name,generation,timeCreated,size,contentType,metadata),nextPageToken"
"""Fields that are asked of a listed object: all that its notification says."""


@dataclass(frozen=True)
class Page:
    """A part of the bucket, in the order of names."""

    files: int
    lost: list[UploadEvent]
    """Files of the page whose generation has no document."""
    last: str | None
    """Name of the last file, where others follow."""


def reconcile(client: firestore.Client, *, at_once: bool) -> int:
    """Go on with the pass over the uploads bucket, notify lost files, and return how many.

    `at_once` begins a new pass, which also looks at files that were uploaded only now.
    """
    bucket = settings().uploads_bucket
    record, moment = client.collection(COLLECTION).document(bucket), now()
    state = record.get().to_dict()
    if at_once or state is None or (state["last"] is None and state["begun_at"] + EVERY <= moment):
        state = {"begun_at": moment, "until": moment if at_once else moment - GRACE, "last": ""}
    elif state["last"] is None:
        return 0
    notified, last = 0, None
    for page in islice(lost(client, bucket, until=state["until"], start=state["last"]), PAGES):
        notify_all(page.lost)
        notified += len(page.lost)
        last = page.last
    record.set(state | {"last": last})  # whoever is killed before has notified some files twice
    return notified


def lost(  # noqa: PLR0913 - which files, and how patiently
    client: firestore.Client,
    bucket: str,
    *,
    until: datetime,
    prefix: str = "",
    start: str = "",
    limits: Mapping[str, Any] | None = None,
) -> Iterator[Page]:
    """Look through a bucket page by page, from the name `start` on, at files uploaded `until` then.

    `limits` are those of each call, in place of the usual ones.
    """
    listing = storage_client().list_blobs(
        bucket,
        prefix=prefix,
        start_offset=start or None,
        page_size=PAGE,
        fields=FIELDS,
        **(storage_limits() | dict(limits or {})),
    )
    for page in listing.pages:
        blobs = list(page)
        last = blobs[-1].name if blobs and listing.next_page_token else None
        yield Page(len(blobs), _lost(client, blobs, until, limits or {}), last)


def _lost(
    client: firestore.Client, blobs: list[Blob], until: datetime, limits: Mapping[str, Any]
) -> list[UploadEvent]:
    moment = now()
    looked_at = {
        document_id(blob.bucket.name, blob.name): blob
        for blob in blobs
        if moment - LOOK_BACK < blob.time_created <= until and is_file(blob) and not _is_over(blob, moment)
    }
    known = fields_of(client, looked_at, ["generation"], **limits)
    missing = {
        document: blob
        for document, blob in looked_at.items()
        if document not in known or int(known[document]["generation"]) < blob.generation
    }
    erased = erased_generations(client, missing, limits) if missing else {}
    return [event_of(blob) for document, blob in missing.items() if erased.get(document, 0) < blob.generation]


def _is_over(blob: Blob, moment: datetime) -> bool:
    """Whether results of the file would have expired by now."""
    expires = expiry(blob.name, blob.time_created)
    return expires is not None and expires <= moment
