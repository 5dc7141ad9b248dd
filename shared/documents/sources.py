"""Where passages were analysed before: in the run that is restarted, or another document of the same content.

A batch then copies instead of computing, if the earlier one is whole, of the same model, and of the same
text; otherwise it computes. So naming a source that is wrong or gone costs time, never a wrong result.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from shared.documents.batches import batch_record
from shared.documents.store import COLLECTION, CONTENTS
from shared.platform.records import PassageResult, Source
from shared.platform.settings import settings
from shared.text.summary import Partial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import firestore

    from shared.documents.transitions import Claim
    from shared.platform.records import BatchMessage, Passage, UploadEvent


def content_key(event: UploadEvent, sha256: str, model: str) -> str:
    """What must be equal for two uploads to have one result: content, model, options, pseudonyms, bucket."""
    parts = [event.bucket, sha256, model, event.metadata.get("text-column"), settings().redaction_key_version]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def find_source(client: firestore.Client, key: str, claim: Claim, event: UploadEvent) -> Source | None:
    """The run that this one restarts, or one that has this content already, while its passages are there."""
    if event.restart_run is not None:
        return Source(document=claim.document, run=event.restart_run)
    entry = client.collection(CONTENTS).document(key).get().to_dict()
    if entry is None or (entry["document"], entry["run"]) == (claim.document, claim.run):
        return None
    stored = client.collection(COLLECTION).document(entry["document"]).get().to_dict()
    live = stored is not None and entry["run"] in {stored["run"], stored["published_run"]}
    return Source(document=entry["document"], run=entry["run"]) if live else None


def copied(
    client: firestore.Client, message: BatchMessage, passages: Sequence[Passage]
) -> tuple[list[PassageResult], list[Partial]] | None:
    """A batch's results and partial aggregates as its source has them; None where it must compute."""
    source = message.source
    if source is None:
        return None
    reference = client.collection(COLLECTION).document(source.document)
    known = batch_record(reference, source.run, message.batch).get().to_dict()
    if known is None or not known["done"]:
        return None
    if (known["model"], known["start"], known["end"]) != (message.model, message.start, message.end):
        return None
    names = [f"{source.run}-{passage.index}" for passage in passages]
    found = client.get_all([reference.collection("passages").document(name) for name in names])
    by_index = {stored["index"]: stored for snapshot in found if (stored := snapshot.to_dict())}
    results = []
    for passage in passages:
        stored = by_index.get(passage.index)
        if stored is None or stored["model"] != message.model:  # of a run that two began, and that failed
            return None
        if (stored["text"], tuple(stored["span"]), stored.get("language")) != (
            passage.text,
            passage.span,
            passage.language,  # which decides whether labels are told at all
        ):
            return None
        fields = {name: stored[name] for name in PassageResult.model_fields if name in stored}
        fields |= {name: getattr(passage, name) for name in ("section", "label", "row", "page")}
        results.append(PassageResult.model_validate(fields | {"embedding": list(stored["embedding"])}))
    return results, [Partial.model_validate(part) for part in known["partials"]]
