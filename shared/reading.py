"""From a file to redacted passages: extract, redact, segment. The same for ingest and the command line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import privacy
from shared.extract import ExtractOptions, Limits, extract
from shared.language import detect
from shared.segment import SegmentLimits, segment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shared.records import Passage
    from shared.settings import Settings

TEXT_COLUMN = "text-column"
"""Object metadata that names the column which holds the text of a CSV, TSV or JSONL."""
HASH_CHUNK = 1 << 20


@dataclass(frozen=True)
class Reading:
    """What a file turned out to hold."""

    facts: dict[str, Any]
    """media_type, language, title, pages, passages, tokens, warnings: what the document record says of it."""
    text: str
    """Redacted; every passage's span indexes it."""
    passages: list[Passage]


def sha256_of(path: Path) -> str:
    """The file's SHA-256, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_file(  # noqa: PLR0913 - what a file is, how it is read, and within which limits
    path: Path,
    *,
    name: str,
    content_type: str | None,
    metadata: Mapping[str, str],
    count: Callable[[list[str]], list[int]],
    redaction_key: bytes,
    settings: Settings,
) -> Reading:
    """Read a file.

    Args:
        path: where it lies.
        name: what its owner calls it.
        content_type: what its owner says it is.
        metadata: the object's own; `text-column` is read.
        count: word pieces of each text, special tokens included.
        redaction_key: makes the pseudonyms that replace personal data.
        settings: the limits.

    Raises:
        Rejected: it is not something Headrace reads; says why.
    """
    limits = Limits(
        bytes=settings.max_bytes,
        pages=settings.max_pages,
        rows=settings.max_rows,
        characters=settings.max_characters,
    )
    options = ExtractOptions(text_column=metadata.get(TEXT_COLUMN), limits=limits)
    extracted = extract(path, name=name, content_type=content_type, options=options)
    segmented = segment(
        extracted,
        count=count,
        redact=lambda text: privacy.redact(text, redaction_key),
        limits=SegmentLimits(passages=settings.max_passages),
    )
    title = privacy.redact(extracted.title, redaction_key) if extracted.title else None
    facts = {
        "media_type": extracted.media_type,
        "language": detect(segmented.text),
        "title": title,
        "pages": extracted.pages,
        "passages": len(segmented.passages),
        "tokens": sum(passage.tokens for passage in segmented.passages),
        "warnings": extracted.warnings,
    }
    return Reading(facts, segmented.text, segmented.passages)
