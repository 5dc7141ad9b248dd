"""Plan a run, and find where its passages were analyzed before.

That may be the run that is restarted, or another document of the same content. A batch then copies instead of
computing, if the earlier one is whole, of the same model, and of the same text; otherwise it computes. So
naming a source that is wrong or gone costs time, never a wrong result.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from shared.documents.batches import batch_record
from shared.documents.corrected import model_answer, result_of
from shared.documents.model import Batches, Plan
from shared.documents.store import COLLECTION, CONTENTS, document_of
from shared.platform.records import Passage, PassageResult, Source
from shared.platform.settings import settings
from shared.text.summary import Partial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import firestore

    from shared.documents.artefacts import Written
    from shared.documents.model import Delegation, Document, Facts, Seconds
    from shared.platform.records import BatchMessage, TopicScore


def make_plan(  # noqa: PLR0913 - all that is known of the run
    client: firestore.Client,
    document: Document,
    *,
    restarts: int | None,
    facts: Facts,
    written: Written,
    model: str,
    seconds: Seconds,
    job: Delegation | None = None,
) -> Plan:
    """Return the plan of a document's newest run, whose artefacts are `written`.

    `restarts` is the run that it replaces, `model` the digest of the model that is to analyze it, `seconds`
    what reading took, and `job` set where the long job is to analyze it.
    """
    key = content_key(document, facts.sha256, model)
    source = find_source(client, key, document, restarts)
    return Plan(
        facts=facts,
        batches=Batches(
            total=len(written.ranges), passages=facts.passages or 0, model=model, artefact=written.artefact
        ),
        content_key=key,
        source=source,
        duplicate_of=source.document if source and source.document != document.id else None,
        seconds=seconds,
        job=job.altered(source=source, model=model) if job else None,
    )


def content_key(document: Document, sha256: str | None, model: str) -> str:
    """Return a hash of what gives two files one result: content, model, options, pseudonyms, bucket."""
    options = document.metadata.get("text-column")
    parts = [document.bucket, sha256, model, options, settings().redaction_key_version]
    if year := document.metadata.get("year"):  # figures without a period of their own are of this year
        parts.append(year)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def find_source(
    client: firestore.Client, key: str, document: Document, restarts: int | None
) -> Source | None:
    """Return the run that this one restarts, or one that has this content, while its passages are there."""
    if restarts is not None:
        return Source(document=document.id, run=restarts)
    entry = client.collection(CONTENTS).document(key).get().to_dict()
    if entry is None or (entry["document"], entry["run"]) == (document.id, document.run):
        return None
    other = document_of(client.collection(COLLECTION).document(entry["document"]).get().to_dict())
    is_live = other is not None and entry["run"] in {other.run, other.published_run}
    return Source(document=entry["document"], run=entry["run"]) if is_live else None


def copied(
    client: firestore.Client, message: BatchMessage, passages: Sequence[Passage]
) -> tuple[list[PassageResult], list[Partial]] | None:
    """Return a batch's results and partial aggregates as its source has them; None where it must compute."""
    source = message.source
    if source is None:
        return None
    reference = client.collection(COLLECTION).document(source.document)
    record = batch_record(reference, source.run, message.batch).get().to_dict()
    if record is None or not record["done"]:
        return None
    if (record["model"], record["start"], record["end"]) != (message.model, message.start, message.end):
        return None
    names = [f"{source.run}-{passage.index}" for passage in passages]
    snapshots = client.get_all([reference.collection("passages").document(name) for name in names])
    by_index = {earlier["index"]: earlier for snapshot in snapshots if (earlier := snapshot.to_dict())}
    results = []
    for passage in passages:
        earlier = by_index.get(passage.index)
        if earlier is None or earlier["model"] != message.model:  # of a run that two began, and that failed
            return None
        if (
            earlier["text"],
            tuple(earlier["span"]),
            earlier.get("language"),
            earlier.get("kind", "text"),
        ) != (
            passage.text,
            passage.span,
            passage.language,  # which decides, with the kind, whether there are labels at all
            passage.kind,
        ):
            return None
        answer = model_answer(result_of(earlier))
        results.append(answer.model_copy(update=as_read(passage, answer.topics)))
    return results, [Partial.model_validate(part) for part in record["partials"]]


_AS_READ = Passage.model_fields.keys() & PassageResult.model_fields.keys() - {"figures"}


def as_read(passage: Passage, topics: Sequence[TopicScore]) -> dict[str, Any]:
    """Return the fields of a result that its passage has already; figures get their data points.

    `topics` are the passage's.
    """
    from shared.text.datapoints import assign  # here: most functions have no need of it

    names = [topic.name for topic in topics]
    fields = {name: getattr(passage, name) for name in _AS_READ}
    return fields | {
        "figures": assign(
            passage.figures,
            text=passage.text,
            topics=names,
            heading=passage.section,
            organisation=passage.organisation,
        )
    }
