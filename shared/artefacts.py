"""What a run keeps in the work bucket, in `runs/{document}/{run}/`: passages, text and batches.

A batch names its bytes in `passages.jsonl`, so that analysing one reads only its own part of a long document.
Batches form lanes: when batch n is taken up, batch n + lanes is published. So however long a document is, no
more than that many of its batches wait in the queue, and a short document gets its turn in between.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from shared.clients import storage_client
from shared.records import BatchMessage, Passage
from shared.retry import storage_limits
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.cloud.storage import Blob

    from shared.records import Source
    from shared.transitions import Claim

Range = tuple[int, int, int, int]
"""start, end, byte_start, byte_end of a batch."""
_RANGES = TypeAdapter(list[Range])
CACHED_PLANS = 64
"""Of an instance; a plan is a few kilobytes."""


def prefix(document: str, run: int) -> str:
    """Where the artefacts of a run lie."""
    return f"runs/{document}/{run}/"


def plan_batches(
    passages: Sequence[Passage], *, max_passages: int, max_tokens: int
) -> Iterator[tuple[int, int]]:
    """[start, end) of each batch: as many passages as both limits allow, and always at least one."""
    start, tokens = 0, 0
    for position, passage in enumerate(passages):
        if position > start and (position - start == max_passages or tokens + passage.tokens > max_tokens):
            yield start, position
            start, tokens = position, 0
        tokens += passage.tokens
    if start < len(passages):
        yield start, len(passages)


def write(document: str, run: int, text: str, passages: Sequence[Passage]) -> list[Range]:
    """Store a run's passages, text and batches. Deterministic: twins write the same bytes."""
    lines = io.BytesIO()  # whole, and no list of them beside: of a long document they are tens of megabytes
    offsets = [0]
    for passage in passages:
        lines.write(passage.model_dump_json().encode() + b"\n")
        offsets.append(lines.tell())
    limits = settings()
    ranges = [
        (start, end, offsets[start], offsets[end])
        for start, end in plan_batches(
            passages, max_passages=limits.batch_passages, max_tokens=limits.batch_tokens
        )
    ]
    _upload(document, run, "passages.jsonl", lines.getvalue(), "application/x-ndjson")
    del lines
    _upload(document, run, "text.txt", text.encode(), "text/plain; charset=utf-8")
    _upload(document, run, "batches.json", _RANGES.dump_json(ranges), "application/json")
    return ranges


def copy(document: str, run: int, to_run: int) -> int:
    """Give a run what another one of the same document has, within the bucket; the number of its batches.

    Raises:
        NotFound: the artefacts are gone.
    """
    for name in ("passages.jsonl", "text.txt", "batches.json"):
        source, target = _blob(document, run, name), _blob(document, to_run, name)
        token = None
        while True:  # large objects are copied in several calls
            token, _, _ = target.rewrite(source, token=token, **storage_limits())
            if token is None:
                break
    return len(_read_ranges(document, to_run))


def exist(document: str, run: int) -> bool:
    """Whether a run's artefacts are there: its batches are written last."""
    return bool(_blob(document, run, "batches.json").exists(**storage_limits()))


def _upload(document: str, run: int, name: str, content: bytes, media_type: str) -> None:
    _blob(document, run, name).upload_from_string(content, content_type=media_type, **storage_limits())


def first_batches(
    claim: Claim, generation: int, model: str, ranges: Sequence[Range], source: Source | None
) -> list[BatchMessage]:
    """The batches that ingest publishes: the first of each lane."""
    lanes = min(settings().batch_lanes, len(ranges))
    return [
        BatchMessage(
            document=claim.document,
            run=claim.run,
            generation=generation,
            model=model,
            lanes=lanes,
            source=source,
            **_bounds(number, ranges),
        )
        for number in range(lanes)
    ]


def all_batches(stored: Mapping[str, Any], source: Source | None = None) -> list[BatchMessage]:
    """Every batch of a run, each the end of its lane: for one that stands still, or is the job's."""
    generation = int(stored["generation"])
    ranges = _ranges(stored["id"], stored["run"], generation)
    lanes = len(ranges)
    return [
        BatchMessage(
            document=stored["id"],
            run=stored["run"],
            generation=generation,
            model=stored["model"],
            lanes=lanes,
            source=source,
            **_bounds(number, ranges),
        )
        for number in range(lanes)
    ]


def successor(message: BatchMessage) -> BatchMessage | None:
    """The batch that is to be published when this one is taken up; None at the end of its lane."""
    ranges = _ranges(message.document, message.run, message.generation)
    number = message.batch + message.lanes
    if number >= len(ranges):
        return None
    return message.model_copy(update=_bounds(number, ranges))


def read_slice(message: BatchMessage) -> list[Passage]:
    """The passages of a batch."""
    [passages] = read_slices([message])
    return passages


def read_slices(messages: Sequence[BatchMessage]) -> list[list[Passage]]:
    """The passages of each of some batches of one run, in rising order, read at once.

    Raises:
        ValidationError: the artefact is damaged.
    """
    first, last = messages[0], messages[-1]
    blob = _blob(first.document, first.run, "passages.jsonl")
    content = blob.download_as_bytes(
        start=first.byte_start, end=last.byte_end - 1, raw_download=True, **storage_limits()
    )
    parts = []
    for message in messages:
        part = content[message.byte_start - first.byte_start : message.byte_end - first.byte_start]
        parts.append([Passage.model_validate_json(line) for line in part.splitlines()])
    return parts


def _bounds(number: int, ranges: Sequence[Range]) -> dict[str, int]:
    start, end, byte_start, byte_end = ranges[number]
    return {
        "batch": number,
        "start": start,
        "end": end,
        "byte_start": byte_start,
        "byte_end": byte_end,
    }


@lru_cache(maxsize=CACHED_PLANS)
def _ranges(document: str, run: int, _generation: int) -> list[Range]:
    return _read_ranges(document, run)


def _read_ranges(document: str, run: int) -> list[Range]:
    blob = _blob(document, run, "batches.json")
    return _RANGES.validate_json(blob.download_as_bytes(raw_download=True, **storage_limits()))


def _blob(document: str, run: int, name: str) -> Blob:
    return storage_client().bucket(settings().work_bucket).blob(prefix(document, run) + name)
