"""Make the digest of a window once, store it whole, and enqueue its notifications."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shared.digests import store
from shared.digests.compute import fingerprint, make
from shared.digests.narrative import narrate
from shared.digests.notify import enqueue
from shared.digests.redact import erased
from shared.digests.store import COLLECTION, RULES, StoredDigest, address, read, to_fields, write_files
from shared.digests.ticks import TICKS
from shared.documents.erasure import BEGUN
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import Documents, now
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from google.cloud import firestore

    from shared.digests.compute import Request
    from shared.digests.records import Digest
    from shared.digests.schedules import Target

ASKED_BEFORE = "There is no narrative: an attempt that asked for it ended before the digest was stored."


def issue(client: firestore.Client, request: Request, notify: Sequence[Target] = ()) -> StoredDigest:
    """Make a digest, store it, and enqueue its notifications; of many callers one does, and all get the same.

    Args:
        client: Firestore.
        request: the window, and what of it. Its id makes it one digest, however often it is asked for.
        notify: targets that `notify_pending` sends it to.

    Raises:
        Retryable: Firestore is contended or cannot be reached; what was done is no harm to the next attempt.
    """
    if known := read(client, request.id):
        return known
    started, begun = time.monotonic(), now()
    made = make(client, request)
    draft = store.begin(client, made.digest)
    # Before a model is paid for: where the bucket cannot be written, no attempt gets that far.
    write_files(made.digest)
    digest = _narrated(client, made.digest)
    stored = StoredDigest(
        digest=digest,
        schedule=digest.schedule,
        end=digest.window.end,
        statistics=made.statistics,
        asked=fingerprint(request.filter),
        rules=RULES,
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
        kept = _without_erased(client, transaction, stored, begun)
        transaction.create(reference, to_fields(kept))
        transaction.delete(draft)
        enqueue(transaction, reference, notify)
        return kept

    created = Documents(client).run(create)
    if created is None:
        created = store.write_again(client, request.id)
        assert created is not None
        draft.delete()
    elif created.redacted:
        write_files(created.digest)  # an erasure that did not see the record yet may have removed them
    return created


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
    client: firestore.Client, transaction: firestore.Transaction, stored: StoredDigest, begun: datetime
) -> StoredDigest:
    """Take out what was erased while the digest was made; a later erasure finds the digest.

    It sets the state that is read here before it looks for digests, and no document has it otherwise. Where
    the file was uploaded again since, the record is another's, or has no result that could be quoted.
    """
    quoting = {quote.document for quote in stored.digest.quotes()}
    references = [client.collection(DOCUMENTS).document(document) for document in stored.quoted]
    there = client.get_all(references, ["state", "created_at", "published_run"], transaction=transaction)
    found = {one.id: one.to_dict() or {} for one in there}
    gone = [
        document
        for document in stored.quoted
        if found[document].get("state", BEGUN) == BEGUN
        or (document in quoting and _is_another(found[document], begun))
    ]
    if not gone:
        return stored
    kept = erased(stored, gone)
    write_files(kept.digest)
    return kept


def _is_another(document: Mapping[str, Any], begun: datetime) -> bool:
    """Whether a document that a digest quotes is not the one that was read for it."""
    created: datetime | None = document.get("created_at")
    return document.get("published_run") is None or (created is not None and created > begun)
