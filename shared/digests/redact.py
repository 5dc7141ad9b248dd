"""Take erased documents out of digests: their sentences and names go, the counts stay."""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING, TypeVar

from shared.digests.store import COLLECTION, StoredDigest, to_fields, write_current
from shared.documents.erasure import erase_stored
from shared.documents.store import Documents
from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.cloud import firestore

    from shared.digests.records import Digest
    from shared.documents.erasure import Seen

R = TypeVar("R", bound=Record)

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
        "incidents": others(digest.incidents),
        "positives": others(digest.positives),
        "novel": others(digest.novel),
        "summary": others(digest.summary),
        "narrative": narrative.model_copy(update={"sentences": sentences})
        if narrative and sentences
        else None,
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
    """Delete a document and take its sentences out of every digest.

    Args:
        client: the process's own.
        document: its id.
        expected: the run and generation it had when it was chosen; None: erase it in any state.
        deleted: the newest generation of its file that was deleted, of which a notification may still come.

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
    from google.cloud.firestore_v1.base_query import FieldFilter

    changed = 0
    naming = FieldFilter("quoted", "array_contains", document)
    query = client.collection(COLLECTION).where(filter=naming).select([]).limit(PER_QUERY)
    while found := [snapshot.reference for snapshot in query.stream()]:
        for reference in found:
            Documents(client).run(partial(_rewrite, reference=reference, document=document))
            if write_current(client, reference.id) is not None:
                reference.update({"quoted": fields.ArrayRemove([document])})
            changed += 1
    return changed


def _rewrite(
    transaction: firestore.Transaction, reference: firestore.DocumentReference, document: str
) -> None:
    fields = reference.get(transaction=transaction).to_dict()
    if fields is not None:
        stored = without_documents(StoredDigest.model_validate(fields), [document])
        transaction.set(reference, to_fields(stored))
