"""From a window to a digest that is stored, whole, once, and waits to be told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shared.digests.compute import fingerprint, make
from shared.digests.narrative import narrate
from shared.digests.redact import erased
from shared.digests.store import COLLECTION, address, read, to_fields, write_files
from shared.digests.stored import StoredDigest
from shared.digests.tell import enqueue
from shared.digests.ticks import TICKS
from shared.documents import COLLECTION as DOCUMENTS
from shared.documents import Documents, now
from shared.erasure import BEGUN
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import firestore

    from shared.digests.compute import Request
    from shared.digests.records import Digest
    from shared.digests.schedules import Target

ASKED_BEFORE = "There is no narrative: an attempt that asked for it ended before the digest was stored."


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
        return known
    started = time.monotonic()
    made = make(client, request)
    # Before a model is paid for: where the bucket cannot be written, no attempt gets that far.
    write_files(made.digest)
    digest = _narrated(client, made.digest)
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
    if digest != made.digest:
        write_files(digest)
    reference = client.collection(COLLECTION).document(request.id)

    def create(transaction: firestore.Transaction) -> StoredDigest | None:
        if reference.get([], transaction=transaction).exists:
            return None
        kept = _without_erased(client, transaction, stored)
        transaction.create(reference, to_fields(kept))
        enqueue(transaction, reference, tell)
        return kept

    return Documents(client).run(create) or _as_created(client, request.id)


def _narrated(client: firestore.Client, digest: Digest) -> Digest:
    """With its narrative, or a note why there is none."""
    asks = settings().narrative_url and digest.quotes()
    before = asks and _asked_before(client, digest.id)
    narrative, note = (None, ASKED_BEFORE) if before else narrate(digest)
    notes = [*digest.notes, note] if note else digest.notes
    return digest.model_copy(update={"narrative": narrative, "notes": notes})


def _asked_before(client: firestore.Client, identifier: str) -> bool:
    """Whether an attempt at this slot has asked for the narrative; if not, this one does.

    A digest that is of no slot has one attempt.
    """
    reference = client.collection(TICKS).document(identifier)

    def step(transaction: firestore.Transaction) -> bool:
        tick = reference.get(transaction=transaction).to_dict()
        if tick is None or tick.get("narrated_at"):
            return tick is not None
        transaction.update(reference, {"narrated_at": now()})
        return False

    return Documents(client).run(step)


def _without_erased(
    client: firestore.Client, transaction: firestore.Transaction, stored: StoredDigest
) -> StoredDigest:
    """Take out what has begun to be erased while the digest was made; a later erasure finds the digest.

    It sets the state that is read here before it looks for digests, and no document has it otherwise.
    """
    references = [client.collection(DOCUMENTS).document(document) for document in stored.quoted]
    there = client.get_all(references, ["state"], transaction=transaction)
    left = {one.id for one in there if (one.to_dict() or {}).get("state", BEGUN) != BEGUN}
    gone = [document for document in stored.quoted if document not in left]
    if not gone:
        return stored
    kept = erased(stored, gone)
    write_files(kept.digest)
    return kept


def _as_created(client: firestore.Client, identifier: str) -> StoredDigest:
    """The digest that another was quicker to create, which is written to the files.

    What an erasure takes out of it meanwhile is not left there.
    """
    known = _known(client, identifier)
    for _ in range(len(known.quoted) + 1):  # an erasure takes one of them out
        write_files(known.digest)
        written, known = known, _known(client, identifier)
        if known.digest == written.digest:
            break
    return known


def _known(client: firestore.Client, identifier: str) -> StoredDigest:
    known = read(client, identifier)
    assert known is not None
    return known
