"""What a run keeps in the work bucket: `runs/{document}/{run}/passages.jsonl` and `text.txt`.

A batch names its bytes in `passages.jsonl`, so that analysing one reads only its own part of a long document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.clients import storage_client
from shared.records import BatchMessage, Passage
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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


def write(document: str, run: int, model: str, text: str, passages: Sequence[Passage]) -> list[BatchMessage]:
    """Store a run's passages and text, and cut its batches. Deterministic: twins write the same bytes."""
    lines = [passage.model_dump_json().encode() + b"\n" for passage in passages]
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    bucket = storage_client().bucket(settings().work_bucket)
    artefact = prefix(document, run) + "passages.jsonl"
    bucket.blob(artefact).upload_from_string(b"".join(lines), content_type="application/x-ndjson")
    bucket.blob(prefix(document, run) + "text.txt").upload_from_string(
        text.encode(), content_type="text/plain; charset=utf-8"
    )
    ranges = plan_batches(
        passages, max_passages=settings().batch_passages, max_tokens=settings().batch_tokens
    )
    return [
        BatchMessage(
            document=document,
            run=run,
            model=model,
            batch=number,
            start=start,
            end=end,
            artefact=artefact,
            byte_start=offsets[start],
            byte_end=offsets[end],
        )
        for number, (start, end) in enumerate(ranges)
    ]


def read_slice(message: BatchMessage) -> list[Passage]:
    """The passages of a batch."""
    blob = storage_client().bucket(settings().work_bucket).blob(message.artefact)
    content = blob.download_as_bytes(start=message.byte_start, end=message.byte_end - 1, raw_download=True)
    return [Passage.model_validate_json(line) for line in content.splitlines()]
