"""From a window to a digest that is stored, whole, once, and waits to be told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shared.digests.compute import fingerprint, make
from shared.digests.narrative import narrate
from shared.digests.records import StoredDigest
from shared.digests.redact import redact
from shared.digests.store import COLLECTION, address, read, to_fields, write_files
from shared.digests.tell import enqueue
from shared.documents import COLLECTION as DOCUMENTS
from shared.documents import Documents, now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import firestore

    from shared.digests.compute import Request
    from shared.digests.schedules import Target


def issue(client: firestore.Client, request: Request, tell: Sequence[Target] = ()) -> StoredDigest:
    """Make a digest, store it, and put down whom to tell; of many callers one does, and all get the same.

    Args:
        client: Firestore.
        request: the window, and what of it. Its id makes it one digest, however often it is asked for.
        tell: people and addresses that `tell_pending` is to send it to.

    Raises:
        Retryable: Firestore is contended or cannot be reached; what was done is no harm to the next attempt.
    """
    if known := read(client, request.id):
        return _without_erased(client, known)
    started = time.monotonic()
    made = make(client, request)
    narrative, note = narrate(made.digest)
    notes = [*made.digest.notes, note] if note else made.digest.notes
    digest = made.digest.model_copy(update={"narrative": narrative, "notes": notes})
    stored = StoredDigest(
        digest=digest,
        schedule=digest.schedule,
        end=digest.window.end,
        statistics=made.statistics,
        asked=fingerprint(request.filter),
        quoted=digest.documents(),
        html=address(digest),
        reads=made.reads,
        seconds=round(time.monotonic() - started, 3),
        made_at=now(),
    )
    write_files(digest)
    reference = client.collection(COLLECTION).document(request.id)

    def create(transaction: firestore.Transaction) -> bool:
        if reference.get([], transaction=transaction).exists:
            return False
        transaction.create(reference, to_fields(stored))
        enqueue(transaction, reference, tell)
        return True

    if not Documents(client).run(create):
        known = read(client, request.id)
        assert known is not None
        write_files(known.digest)
        stored = known
    return _without_erased(client, stored)


def _without_erased(client: firestore.Client, stored: StoredDigest) -> StoredDigest:
    """Take out what was erased while the digest was being made: the erasure did not find it yet."""
    references = [client.collection(DOCUMENTS).document(document) for document in stored.quoted]
    gone = [snapshot.id for snapshot in client.get_all(references, []) if not snapshot.exists]
    for document in gone:
        redact(client, document)
    return (read(client, stored.digest.id) or stored) if gone else stored
