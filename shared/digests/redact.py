"""What is taken out of digests when a document that they quote is erased: its sentences, never the counts."""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING

from shared.digests import store
from shared.digests.records import Digest, Group, Initiatives, Narrative, Problem
from shared.digests.store import COLLECTION, StoredDigest, to_fields, write_files
from shared.documents.erasure import erase_stored
from shared.documents.store import Documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.cloud import firestore

    from shared.digests.records import Overview, Quote
    from shared.documents.erasure import Seen

NOTE = "Sentences of documents that were erased since were taken out."
PER_QUERY = 50
"""Digests read at once."""


def without(digest: Digest, document: str) -> Digest:
    """The digest without the document's sentences and names; what rests on them alone goes too."""

    def others(quotes: list[Quote]) -> list[Quote]:
        return [quote for quote in quotes if quote.document != document]

    initiatives = digest.initiatives
    # Of a group whose sentences all go nobody can say that another document names its organisation.
    groups: list[Group] = [
        group.model_copy(update={"quotes": others(group.quotes)})
        for group in initiatives.groups
        if others(group.quotes) or not group.quotes
    ]
    narrative = digest.narrative
    if narrative:
        kept = [
            sentence
            for sentence in narrative.sentences
            if all(quote.document != document for quote in sentence.cites)
        ]
        narrative = Narrative(model=narrative.model, sentences=kept) if kept else None
    return digest.model_copy(
        update={
            "overview": _overview(digest.overview, document),
            "initiatives": Initiatives.model_validate(
                dict(initiatives)
                | {
                    "groups": groups,
                    "groups_left": initiatives.groups_left + len(initiatives.groups) - len(groups),
                    "followed": [
                        one
                        for one in initiatives.followed
                        if document not in {one.before.document, one.now and one.now.document}
                    ],
                }
            ),
            "incidents": others(digest.incidents),
            "positives": others(digest.positives),
            "novel": [one for one in digest.novel if one.quote.document != document],
            "summary": others(digest.summary),
            "narrative": narrative,
            "notes": [*(note for note in digest.notes if note != NOTE), NOTE],
        }
    )


def _overview(overview: Overview, document: str) -> Overview:
    problems: list[Problem] = [one for one in overview.problems if one.document != document]
    oldest = overview.oldest if overview.oldest and overview.oldest.document != document else None
    return overview.model_copy(update={"problems": problems, "oldest": oldest})


def erased(stored: StoredDigest, documents: Iterable[str]) -> StoredDigest:
    """A stored digest without these documents; it keeps their ids, which explain its counts."""
    gone = {*documents}
    update = {
        "digest": reduce(without, sorted(gone), stored.digest),
        "quoted": [one for one in stored.quoted if one not in gone],
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
    """Take a document out of every digest that names it; how many did. May be repeated.

    Of digests that have no record the files are removed: their attempts died, or will find the document gone.

    The files are written before the record: a kill in between leaves the record to be found again. They are
    written once more after it, over what somebody wrote who had read the record before; who writes later than
    that finds it changed.
    """
    from google.cloud.firestore_v1.base_query import FieldFilter

    changed = 0
    naming = FieldFilter("quoted", "array_contains", document)
    query = client.collection(COLLECTION).where(filter=naming).select([]).limit(PER_QUERY)
    while found := [snapshot.reference for snapshot in query.stream()]:
        for reference in found:
            digest = Documents(client).run(partial(_rewrite, reference=reference, document=document))
            if digest is not None:
                write_files(digest)
            changed += 1
    store.forget(client, document)
    return changed


def _rewrite(
    transaction: firestore.Transaction, reference: firestore.DocumentReference, document: str
) -> Digest | None:
    fields = reference.get(transaction=transaction).to_dict()
    if fields is None:
        return None
    stored = erased(StoredDigest.model_validate(fields), [document])
    write_files(stored.digest)
    transaction.set(reference, to_fields(stored))
    return stored.digest
