"""Digests that are being made: `drafts/{random}`, one for each attempt, from before its files to its record.

By them an erasure finds files that no record tells of, and the sweep those that an attempt left behind which
died. An attempt that lives has the last word: it writes its files again with what was erased taken out.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.documents.store import now
from shared.platform.clients import storage_client
from shared.platform.retry import storage_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.cloud import firestore

    from shared.digests.records import Digest
    from shared.digests.stored import StoredDigest

COLLECTION = "drafts"
ABANDONED = timedelta(days=1)
"""Longer than anybody is at a digest."""
PER_CALL = 50


def begin(client: firestore.Client, digest: Digest) -> firestore.DocumentReference:
    """Put down whose sentences the files will have; to be deleted with the commit that makes the record."""
    from shared.digests.store import address

    reference: firestore.DocumentReference = client.collection(COLLECTION).document()
    fields = {"digest": digest.id, "html": address(digest), "quoted": digest.documents(), "begun_at": now()}
    reference.create(fields)
    return reference


def forget(client: firestore.Client, document: str) -> None:
    """Remove the files of attempts that name a document which is being erased; may be repeated.

    Their drafts stay: one that lives may write once more before it finds the document gone, and die.
    """
    from google.cloud.firestore_v1.base_query import FieldFilter

    naming = FieldFilter("quoted", "array_contains", document)
    for draft in client.collection(COLLECTION).where(filter=naming).stream():
        _clear(client, draft.to_dict() or {}, lambda other: document in other["quoted"])


def remove_abandoned(client: firestore.Client) -> int:
    """Remove what attempts left behind that ended without a record long ago; how many these were."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    until = now() - ABANDONED
    query = client.collection(COLLECTION).where(filter=FieldFilter("begun_at", "<", until))
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
    same = client.collection(COLLECTION).where(filter=FieldFilter("digest", "==", draft["digest"]))
    if not all(harmless(other.to_dict() or {}) for other in same.stream()):
        return
    if write_again(client, draft["digest"]):
        return
    for blob in blobs:
        with suppress(NotFound):
            blob.delete(**storage_limits())
