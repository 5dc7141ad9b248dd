"""What a run keeps in the work bucket, in `runs/{document}/{run}/{hash}/`: passages, text and batches.

The hash covers all three and the object's generation. Whoever reads a file as another instance did writes
the same bytes to the same place; whoever cuts it otherwise, or reads it after an erasure, overwrites
nothing.

A batch names its bytes in `passages.jsonl`, so analyzing it reads only its own part of a long document.
Batches form lanes: when batch n is taken up, batch n + lanes is published. So at most that many batches of
a document wait in the queue, however long it is, and a short document gets its turn in between.
"""

from __future__ import annotations

import hashlib
import io
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from shared.documents.store import run_record
from shared.platform.clients import storage_client
from shared.platform.errors import Malformed, Superseded
from shared.platform.records import BatchMessage, Passage
from shared.platform.retry import storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from google.cloud import firestore
    from google.cloud.storage import Blob

    from shared.documents.model import Document
    from shared.platform.records import Source

Range = tuple[int, int, int, int]
"""start, end, byte_start, byte_end of a batch."""
_RANGES = TypeAdapter(list[Range])
CACHED_PLANS = 64
"""Plans that an instance keeps; one is a few kilobytes."""
NAMES = ("passages.jsonl", "text.txt", "batches.json")
DIGEST = 16
"""Hex digits: enough for the few that a run may have."""
NOT_PLANNED = "batch_not_planned"
"""Code of a batch that its run does not have."""


@dataclass(frozen=True)
class Written:
    """What was stored for a run that is still to be planned."""

    artefact: str
    """The place, with a slash at its end."""
    ranges: list[Range]
    blobs: list[Blob]


def prefix(document: str, run: int) -> str:
    """Return the prefix of everything that a run keeps in the work bucket."""
    return f"runs/{document}/{run}/"


def plan_batches(
    passages: Sequence[Passage], *, max_passages: int, max_tokens: int
) -> Iterator[tuple[int, int]]:
    """Yield [start, end) of each batch: as many passages as both limits allow, and at least one."""
    start, tokens = 0, 0
    for position, passage in enumerate(passages):
        if position > start and (position - start == max_passages or tokens + passage.tokens > max_tokens):
            yield start, position
            start, tokens = position, 0
        tokens += passage.tokens
    if start < len(passages):
        yield start, len(passages)


@contextmanager
def written(
    reference: firestore.DocumentReference, run: int, generation: int, text: str, passages: Sequence[Passage]
) -> Iterator[Written]:
    """Store what a run needs for the block that plans it."""
    stored = write(reference.id, run, generation, text, passages)
    with taken_back(reference, run, generation, stored):
        yield stored


@contextmanager
def taken_back(
    reference: firestore.DocumentReference, run: int, generation: int, stored: Written
) -> Iterator[None]:
    """Delete what was stored for a run where the block finds that the document has left it.

    Nobody else would: an erasure deletes what is there when it looks, and a purge what older runs have.
    """
    try:
        yield
    except Superseded:
        if not is_at(reference, run, generation):
            for blob in stored.blobs:  # each in the generation that was written: a newer one is another's
                delete(blob)
        raise


def is_at(reference: firestore.DocumentReference, run: int, generation: int) -> bool:
    """Whether a document is there, and at this run of this generation."""
    stored = reference.get(["run", "generation"]).to_dict()
    return stored is not None and (stored["run"], int(stored["generation"])) == (run, generation)


def write(document: str, run: int, generation: int, text: str, passages: Sequence[Passage]) -> Written:
    """Store a run's passages, text and batches. Deterministic: twins write the same bytes."""
    lines = io.BytesIO()  # whole, and no list of them beside: of a long document they are tens of megabytes
    offsets = [0]
    for passage in passages:
        lines.write(passage.model_dump_json(exclude_defaults=True).encode() + b"\n")
        offsets.append(lines.tell())
    limits = settings()
    ranges = [
        (start, end, offsets[start], offsets[end])
        for start, end in plan_batches(
            passages, max_passages=limits.batch_passages, max_tokens=limits.batch_tokens
        )
    ]
    bounds, whole = _RANGES.dump_json(ranges), text.encode()
    digest = hashlib.sha256(f"{generation} {len(bounds)} {len(whole)} ".encode())
    for part in (bounds, whole, lines.getbuffer()):
        digest.update(part)
    artefact = f"{prefix(document, run)}{digest.hexdigest()[:DIGEST]}/"
    blobs = [_upload(artefact, "passages.jsonl", lines.getvalue(), "application/x-ndjson")]
    del lines, part
    blobs += [
        _upload(artefact, "text.txt", whole, "text/plain; charset=utf-8"),
        _upload(artefact, "batches.json", bounds, "application/json"),
    ]
    return Written(artefact, ranges, blobs)


def artefact_of(reference: firestore.DocumentReference, run: int) -> str:
    """Return the prefix of the artefacts of a planned run."""
    record = run_record(reference, run).get(["artefact"]).to_dict() or {}
    return record.get("artefact") or prefix(reference.id, run)


def copy(reference: firestore.DocumentReference, run: int, to_run: int) -> Written:
    """Give a run what another one of the same document has, within the bucket.

    Raises:
        NotFound: the artefacts are gone.
    """
    from google.api_core.exceptions import NotFound

    origin, artefact = artefact_of(reference, run), f"{prefix(reference.id, to_run)}of-{run}/"
    blobs: list[Blob] = []
    try:
        for name in NAMES:
            blobs.append(_blob(artefact, name))
            _rewrite(_blob(origin, name), blobs[-1])
        return Written(artefact, _read_ranges(artefact), blobs)
    except NotFound:  # perhaps erased meanwhile: a part is of no use
        for blob in blobs:
            delete(blob)
        raise


def _rewrite(source: Blob, target: Blob) -> None:
    token = None
    while True:  # large objects are copied in several calls
        token, _, _ = target.rewrite(source, token=token, **storage_limits())
        if token is None:
            return


def exist(reference: firestore.DocumentReference, run: int) -> bool:
    """Whether a run's artefacts are there: its batches are written last."""
    return bool(_blob(artefact_of(reference, run), "batches.json").exists(**storage_limits()))


def of_runs(document: str) -> list[Blob]:
    """Return all objects of a document's runs."""
    blobs = storage_client().list_blobs(
        settings().work_bucket, prefix=f"runs/{document}/", **storage_limits()
    )
    return list(blobs)


def remove_runs(blobs: Iterable[Blob], before: int, keep: Collection[int] = ()) -> int:
    """Delete the objects of runs before `before`, except those to keep; return how many."""
    removed = 0
    for blob in blobs:
        run = int(blob.name.split("/")[2])
        if run < before and run not in keep:
            delete(blob)
            removed += 1
    return removed


def delete(blob: Blob) -> None:
    """Delete an object in the generation that was listed or written, if it is still there."""
    from google.api_core.exceptions import NotFound

    with suppress(NotFound):  # a twin was faster
        blob.delete(**storage_limits())


def _upload(artefact: str, name: str, content: bytes, media_type: str) -> Blob:
    blob = _blob(artefact, name)
    blob.upload_from_string(content, content_type=media_type, **storage_limits())
    return blob


def first_batches(
    document: Document, model: str, written: Written, source: Source | None
) -> list[BatchMessage]:
    """Return the batches that ingest publishes: the first of each lane."""
    lanes = min(settings().batch_lanes, len(written.ranges))
    return _batches(document, model, written.artefact, written.ranges, lanes, source)


def all_batches(document: Document, source: Source | None = None) -> list[BatchMessage]:
    """Return every batch of a planned run, each the end of its lane: for the job, or to recover the run."""
    planned = document.batches
    assert planned is not None
    ranges = _ranges(planned.artefact, document.generation)
    return _batches(document, planned.model, planned.artefact, ranges, len(ranges), source)


def _batches(  # noqa: PLR0913, PLR0917 - a message's own parts
    document: Document, model: str, artefact: str, ranges: list[Range], lanes: int, source: Source | None
) -> list[BatchMessage]:
    """Return the first batch of each lane."""
    return [
        BatchMessage(
            document=document.id,
            run=document.run,
            generation=document.generation,
            model=model,
            lanes=lanes,
            source=source,
            artefact=artefact,
            **_bounds(number, ranges),
        )
        for number in range(lanes)
    ]


def check_planned(message: BatchMessage) -> None:
    """Refuse a batch that is not, number and bounds, one that ingest wrote down for its run.

    Ingest writes `batches.json` before it publishes, so this holds before the plan is stored as well. Only
    the bounds that are checked here make the count of finished batches mean that every passage is done.

    Raises:
        Malformed: anybody who may publish on the topic may have made it up.
        NotFound: there is no such artefact.
    """
    planned: list[Range] = []
    if message.artefact.startswith(prefix(message.document, message.run)):
        planned = _ranges(message.artefact, message.generation)
    bounds = (message.start, message.end, message.byte_start, message.byte_end)
    if planned[message.batch : message.batch + 1] == [bounds] and message.lanes <= len(planned):
        return
    raise Malformed(
        NOT_PLANNED,
        f"Batch {message.batch} of run {message.run}, passages {message.start} to {message.end}, "
        "is not one that the run was divided into.",
        "See who may publish on the topic batches: headrace doctor --security",
    )


def successor(message: BatchMessage) -> BatchMessage | None:
    """Return the batch to be published when this one is taken up; None at the end of its lane."""
    ranges = _ranges(message.artefact, message.generation)
    number = message.batch + message.lanes
    if number >= len(ranges):
        return None
    return message.model_copy(update=_bounds(number, ranges))


def read_slice(message: BatchMessage) -> list[Passage]:
    """Return the passages of a batch."""
    [passages] = read_slices([message])
    return passages


def read_slices(messages: Sequence[BatchMessage]) -> list[list[Passage]]:
    """Return the passages of several batches of one run, which are in rising order, by one read.

    Raises:
        ValidationError: the artefact is damaged.
    """
    first, last = messages[0], messages[-1]
    blob = _blob(first.artefact, "passages.jsonl")
    content = blob.download_as_bytes(
        start=first.byte_start, end=last.byte_end - 1, raw_download=True, **storage_limits()
    )
    parts = []
    for message in messages:
        part = content[message.byte_start - first.byte_start : message.byte_end - first.byte_start]
        parts.append([Passage.model_validate_json(line) for line in part.splitlines()])
    return parts


def _bounds(number: int, ranges: Sequence[Range]) -> dict[str, int]:
    names = ("start", "end", "byte_start", "byte_end")
    return {"batch": number} | dict(zip(names, ranges[number], strict=True))


@lru_cache(maxsize=CACHED_PLANS)
def _ranges(artefact: str, _generation: int) -> list[Range]:
    return _read_ranges(artefact)


def _read_ranges(artefact: str) -> list[Range]:
    blob = _blob(artefact, "batches.json")
    return _RANGES.validate_json(blob.download_as_bytes(raw_download=True, **storage_limits()))


def _blob(artefact: str, name: str) -> Blob:
    return storage_client().bucket(settings().work_bucket).blob(artefact + name)
