"""From a file to redacted passages: extract, redact, segment. The same for ingest and the command line."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from shared.extract import ExtractOptions, Limits
from shared.extract.facts import state_facts
from shared.extract.language import detect
from shared.extract.sandbox import extract_apart
from shared.extract.sniff import ARCHIVES
from shared.extract.tidy import visible
from shared.platform.errors import Rejected
from shared.platform.records import FACTS, LANGUAGES
from shared.text import privacy
from shared.text.segment import Segmented, SegmentLimits, segment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from shared.extract.recognised import RecognisedPage
    from shared.intake.archives import Unpacked
    from shared.platform.records import Passage
    from shared.platform.settings import Settings

TEXT_COLUMN = "text-column"
"""Object metadata that names the column which holds the text of a CSV, TSV or JSONL."""
HASH_CHUNK = 1 << 20
OWN_LANGUAGE_WORDS = 12
"""Fewer words say little about their language."""


@dataclass(frozen=True)
class Reading:
    """What a file turned out to hold."""

    facts: dict[str, Any]
    """By the names in `FACTS`."""
    text: str
    """Redacted; every passage's span indexes it."""
    passages: list[Passage]
    cpu_seconds: float = 0.0
    """Of the process that read the file, beside this one."""

    @classmethod
    def of_archive(cls, media_type: str, members: int, warnings: list[str], cpu_seconds: float = 0.0) -> Self:
        """Nothing by itself: its members are documents of their own."""
        nothing = {"passages": 0, "tokens": 0, "ocr_pages": [], "recognised": []}
        return cls(
            dict.fromkeys(FACTS)
            | nothing
            | {"media_type": media_type, "members": members, "warnings": warnings},
            "",
            [],
            cpu_seconds,
        )


def sha256_of(path: Path) -> str:
    """The file's SHA-256, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def limits_of(settings: Settings) -> Limits:
    """The limits of extraction that the settings name."""
    return Limits(
        bytes=settings.max_bytes,
        pages=settings.max_pages,
        rows=settings.max_rows,
        columns=settings.max_columns,
        characters=settings.max_characters,
        members=settings.max_members,
        inflated_bytes=settings.max_inflated_bytes,
        inflation=settings.max_inflation,
        depth=settings.max_depth,
    )


def read_file(  # noqa: PLR0913 - what a file is, how it is read, and within which limits
    path: Path,
    *,
    name: str,
    content_type: str | None,
    metadata: Mapping[str, str],
    count: Callable[[list[str]], list[int]],
    redaction_key: bytes,
    settings: Settings,
    password: str | None = None,
    recognised: Mapping[int, RecognisedPage] | None = None,
    defer_ocr: bool = False,
    unpack: Callable[[str], Unpacked] | None = None,
) -> Reading:
    """Read a file. Its format is found once, in the process that reads it.

    Args:
        path: where it lies.
        name: what its owner calls it.
        content_type: what its owner says it is.
        metadata: the object's own; `text-column` is read.
        count: word pieces of each text, special tokens included.
        redaction_key: makes the pseudonyms that replace personal data.
        settings: the limits.
        password: of an encrypted document.
        recognised: what was recognised on pages of a PDF, by number.
        defer_ocr: return no passages, rather than reject, where all depends on pages yet to be recognised.
        unpack: called with an archive's media type, to make something of its members; None: it is rejected.

    Raises:
        Rejected: it is not something Headrace reads; says why.
        SandboxUnavailable: it could not be read now.
    """
    options = ExtractOptions(
        text_column=metadata.get(TEXT_COLUMN),
        password=password,
        limits=limits_of(settings),
        recognised=recognised or {},
        defer_ocr=defer_ocr,
        archives=unpack is not None,
    )
    extracted = state_facts(
        extract_apart(
            path,
            name=name,
            content_type=content_type,
            options=options,
            seconds=settings.extract_seconds,
            memory=settings.extract_memory,
        )
    )
    if extracted.media_type in ARCHIVES and unpack is not None:
        unpacked = unpack(extracted.media_type)
        return Reading.of_archive(
            extracted.media_type, unpacked.members, unpacked.warnings, extracted.cpu_seconds
        )
    limits = SegmentLimits(passages=settings.max_passages)
    try:
        segmented = segment(
            extracted, count=count, redact=lambda text: privacy.redact(text, redaction_key), limits=limits
        )
    except Rejected as rejected:
        if rejected.code != "no_text" or not (defer_ocr and extracted.ocr_pages):
            raise
        segmented = Segmented("", [])
    language = detect(segmented.text)
    passages = segmented.passages
    for at, passage in enumerate(passages):  # one by one in its place: of a long document there are many
        passages[at] = passage.model_copy(update={"language": _language(passage.text, language)})
    title, organisation = (
        privacy.redact(visible(text), redaction_key) if text else None
        for text in (extracted.title, extracted.organisation)
    )
    facts = {
        "media_type": extracted.media_type,
        "language": language,
        "title": title,
        "organisation": organisation,
        "year": extracted.year,
        "pages": extracted.pages,
        "members": None,
        "ocr_pages": extracted.ocr_pages,
        "recognised": [asdict(recognition) for recognition in extracted.recognised],
        "passages": len(passages),
        "tokens": sum(passage.tokens for passage in passages),
        "warnings": [*extracted.warnings, *_foreign(passages)],
    }
    return Reading(facts, segmented.text, passages, extracted.cpu_seconds)


def _language(text: str, document: str | None) -> str | None:
    """A passage's language; its document's where the passage is too short to show another one."""
    if len(text.split()) < OWN_LANGUAGE_WORDS and document is not None:
        return document
    return detect(text) or document


def _foreign(passages: Sequence[Passage]) -> list[str]:
    """A warning, if passages are in languages that the model was not trained on."""
    counts = Counter(passage.language for passage in passages if passage.language not in LANGUAGES)
    if not counts:
        return []
    shown = ", ".join(f"{count:,} in {language}" for language, count in counts.most_common())
    return [
        (
            f"of {len(passages):,} passages, {shown}: the model reads English, so these have figures and can "
            "be searched, but have no sentiment, topics or action"
        )
    ]
