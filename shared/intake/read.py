"""Fetch what was uploaded, and read it as redacted passages, by a process with limits.

Ingest, the long job and the command line read by the same code.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.documents.model import Facts, Seconds
from shared.extract.core import check_size
from shared.extract.sandbox import Task
from shared.extract.sandbox.client import Sandbox, misshapen
from shared.extract.shapes import ExtractOptions, Limits
from shared.extract.zips import ARCHIVES
from shared.intake.archives import Unpacked, unpack
from shared.intake.confined import (
    MAX_FIGURES,
    MAX_KEPT_CELLS,
    MAX_METRIC,
    MAX_TABLE_CELLS,
    MAX_TABLES,
    NO_KEY,
    READ,
    Described,
    Piece,
    arguments,
    size_of,
)
from shared.intake.fetch import download, password_of
from shared.platform.clients import secret
from shared.platform.errors import Rejected
from shared.platform.records import ARCHIVE, INSIDE, LANGUAGES, Passage, Recognition
from shared.platform.settings import settings
from shared.text.privacy import PSEUDONYM, pseudonym, redact
from shared.text.segment import MAX_PASSAGE, MAX_SECTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pydantic import TypeAdapter

    from shared.extract.shapes import RecognisedPage
    from shared.intake.confined import Found
    from shared.platform.records import UploadEvent
    from shared.platform.settings import Settings
    from shared.platform.tables import Figure, Table
    from shared.text.segment import Cut


WARM = (
    "shared.extract.core",
    "shared.extract.facts",
    "shared.extract.pdf",
    "shared.extract.office.word",
    "shared.extract.office.powerpoint",
    "shared.extract.office.excel",
    "lxml.etree",
    "shared.extract.markup.html",
    "shared.extract.markup.mail",
    "charset_normalizer",
    "shared.intake.confined",
    "tokenizers",
)
"""What the processes that read files have loaded when they are forked."""
_sandbox = Sandbox(WARM)
run_apart = _sandbox.run
TEXT_COLUMN = "text-column"
"""Object metadata that names the column which holds the text of a CSV, TSV or JSONL."""
HASH_CHUNK = 1 << 20


@dataclass(frozen=True)
class Reading:
    """What a file holds."""

    facts: Facts
    text: str
    """Redacted; every passage's span indexes it."""
    passages: list[Passage]
    seconds: Seconds
    """What reading took."""


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def limits_of(settings: Settings) -> Limits:
    """Return the limits of extraction that the settings name."""
    return Limits(**{limit.name: getattr(settings, f"max_{limit.name}") for limit in fields(Limits)})


def read_file(  # noqa: PLR0913 - what a file is, how it is read, and within which limits
    path: Path,
    *,
    name: str,
    content_type: str | None,
    metadata: Mapping[str, str],
    tokenizer: Path,
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
        metadata: the object's own; `text-column` is read, and `organisation`, `year`, `title` and `tags`.
        tokenizer: the model's `tokenizer.json`, by which passages are measured.
        redaction_key: makes the pseudonyms that replace personal data.
        settings: the limits.
        password: of an encrypted document.
        recognised: what was recognised on pages of a PDF, by number.
        defer_ocr: return no passages, rather than reject, where all depends on pages yet to be recognised.
        unpack: called with an archive's media type, to make something of its members; None: it is rejected.

    Raises:
        Rejected: it is not something Headrace reads; says why.
        SetupError: there is no tokenizer.
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
    task = Task(
        READ,
        str(path.resolve()),
        arguments(
            name=name,
            content_type=content_type,
            metadata=metadata,
            options=options,
            tokenizer=tokenizer,
            passages=settings.max_passages,
        ),
        settings.max_characters,
        settings.extract_seconds,
        settings.extract_memory,
    )
    started = time.monotonic()
    read, cpu = run_apart(task, lambda: _Pieces(redaction_key, settings.max_passages))
    described = read.described
    try:
        text, passages = read.whole()
    except ValueError:
        raise misshapen() from None
    if described is None:
        raise misshapen()
    if described.media_type in ARCHIVES and unpack is not None:  # its members are documents of their own
        unpacked = unpack(described.media_type)
        text, passages = "", []
        stated = {"media_type": described.media_type, "members": unpacked.members}
        warnings = unpacked.warnings
    else:
        stated = asdict(described)
        stated["recognised"] = [
            Recognition(page=page, confidence=sure) for page, sure in described.recognised
        ]
        warnings = [*described.warnings, *_foreign(passages)]
    tokens = sum(passage.tokens for passage in passages)
    facts = Facts.model_validate(
        stated
        | {"passages": len(passages), "tokens": tokens, "warnings": warnings}
        | {"tables": read.tables, "figures": read.figures}
    )
    return Reading(facts, text, passages, Seconds(time.monotonic() - started, cpu))


class _Pieces:
    """Puts a reading together, and the real pseudonyms in it; believes nothing that it can check.

    While the process that reads has its own memory, only bytes of the text and spans of passages are kept.
    """

    def __init__(self, redaction_key: bytes, most_passages: int) -> None:
        self.described: Described | None = None
        self.figures = self.tables = 0
        self._cells = 0
        self._key = redaction_key
        self._most = most_passages
        self._encoded = bytearray()
        self._length = self._end = 0
        self._found: list[Found] = []

    def take(self, piece: bytes) -> None:
        read = _adapter().validate_json(piece, strict=True)
        if read.identifiers:
            real = {pseudonym(NO_KEY, *each): pseudonym(self._key, *each) for each in read.identifiers}
            # In whatever text of the piece they stand: a pseudonym has nothing that JSON writes otherwise.
            keyed = PSEUDONYM.sub(lambda match: real.get(match[0], match[0]), piece.decode())
            read = _adapter().validate_json(keyed, strict=True)
        if read.text:
            if self._found:
                raise ValueError("text behind the passages")
            self._length += len(read.text)
            self._encoded += read.text.encode()
        for found in read.passages:
            self._check(found.cut)
            self._check_tables(found)
            self._found.append(found)
        if read.described:
            self.described = read.described

    def whole(self) -> tuple[str, list[Passage]]:
        """Return the text and its passages, once. Raises ValueError as `take` does."""
        text = self._encoded.decode()
        self._encoded.clear()
        self._found.reverse()
        organisation = self.described.organisation if self.described else None
        passages: list[Passage] = []
        while self._found:
            found = self._found.pop()
            cut = found.cut
            passages.append(
                Passage(
                    index=len(passages),
                    page=cut.page,
                    row=cut.row,
                    span=(cut.start, cut.end),
                    text=text[cut.start : cut.end],
                    tokens=cut.tokens,
                    section=text[slice(*cut.section)] if cut.section else None,
                    label=cut.label,
                    language=found.language,
                    kind=cut.kind,
                    box=cut.box,
                    table=cut.table,
                    figures=found.figures,
                    tables=found.tables,
                    organisation=organisation if found.figures else None,
                )
            )
        return text, passages

    def _check(self, cut: Cut) -> None:
        begin, stop = cut.section or (0, 0)
        if not (
            self._end <= cut.start < cut.end <= min(self._length, cut.start + MAX_PASSAGE)
            and 0 <= begin <= stop <= min(self._length, begin + MAX_SECTION)
            and len(self._found) < self._most
            and _is_finite(*(cut.box or ()))
        ):
            raise ValueError("a passage that is none of the text")
        self._end = cut.end

    def _check_tables(self, found: Found) -> None:
        self.figures += len(found.figures)
        self.tables += len(found.tables)
        self._cells += sum(map(size_of, found.tables))
        if not (
            self.figures <= MAX_FIGURES
            and self.tables <= MAX_TABLES
            and self._cells <= MAX_KEPT_CELLS
            and all(map(_is_sound, found.tables))
            and (not found.tables or found.cut.table == self.tables - 1)
            and all(map(_is_sober, found.figures))
            and all(
                table is None or 0 <= table < self.tables
                for table in (found.cut.table, *(figure.table for figure in found.figures))
            )
        ):
            raise ValueError("tables or figures beyond a limit")


def _is_finite(*numbers: float) -> bool:
    return all(map(math.isfinite, numbers))


def _is_sober(figure: Figure) -> bool:
    """Whether a figure is within the limits, and its numbers are numbers."""
    numbers = (figure.value, figure.change or 0.0, figure.confidence, *(figure.box or ()))
    return len(figure.metric) <= MAX_METRIC and _is_finite(*numbers)


def _is_sound(table: Table) -> bool:
    """Whether a table is within the limits, and its cells within the table."""
    boxes = (
        table.box,
        *(row.box for row in table.rows),
        *(cell.box for row in table.rows for cell in row.cells),
    )
    return (
        size_of(table) <= MAX_TABLE_CELLS and all(_is_finite(*(box or ())) for box in boxes) and _fits(table)
    )


def _fits(table: Table) -> bool:
    return all(
        0 <= cell.column < cell.column + cell.column_span <= table.columns
        and 0 < cell.row_span <= len(table.rows) - at
        for at, row in enumerate(table.rows)
        for cell in row.cells
    )


@cache
def _adapter() -> TypeAdapter[Piece]:
    from pydantic import TypeAdapter

    return TypeAdapter(Piece)


def _foreign(passages: Sequence[Passage]) -> list[str]:
    """Return a warning if passages are in languages that the model was not trained on."""
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


def prepare(tokenizer: Path) -> None:
    """Start the process that reads before the first file comes, and have it load this `tokenizer.json`.

    Raises:
        SandboxUnavailable: it could not be started.
    """
    _sandbox.prepare(f"shared.inference.tokens:counter={tokenizer.resolve()}")


@contextmanager
def fetched(event: UploadEvent, limits: Settings, tokenizer: Path) -> Iterator[Path]:
    """Provide an uploaded file, to be read with this tokenizer, for as long as the block lasts.

    Raises:
        Rejected: it is gone, or too large.
        Superseded: it was overwritten.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        prepare(tokenizer)  # the process that reads starts while the file is on its way
        download(event, path, limits.max_bytes)
        check_size(path, limits.max_bytes)
        yield path


def receive(  # noqa: PLR0913 - what a file is, how it is read, and within which limits
    path: Path,
    event: UploadEvent,
    document: str,
    tokenizer: Path,
    limits: Settings,
    *,
    recognised: Mapping[int, RecognisedPage] | None = None,
    defer_ocr: bool = False,
) -> Reading:
    """Read an uploaded file by `read_file`, or unpack it, within a function's limits or the long job's.

    Raises:
        Rejected: it is beyond a limit, or not something Headrace reads.
        SandboxUnavailable: it could not be read now.
    """
    started, cpu_started = time.monotonic(), time.thread_time()
    password = password_of(event.name)
    is_member = ARCHIVE in event.metadata and INSIDE in event.name  # then it may not be an archive itself
    key = secret(settings().redaction_key, settings().redaction_key_version)

    def unpack_it(media_type: str) -> Unpacked:
        seconds = limits.extract_seconds
        return unpack(
            path, media_type, event, document, limits_of(limits), seconds=seconds, password=password
        )

    try:
        reading = read_file(
            path,
            name=event.name,
            content_type=event.content_type,
            metadata=event.metadata,
            tokenizer=tokenizer,
            redaction_key=key,
            settings=limits,
            password=password,
            recognised=recognised or {},
            defer_ocr=defer_ocr,
            unpack=None if is_member else unpack_it,
        )
    except Rejected as rejected:  # which may name columns, and of a file without a header those are cells
        raise Rejected(rejected.code, redact(rejected.message, key), redact(rejected.hint, key)) from None
    warnings = [redact(warning, key) for warning in reading.facts.warnings]  # they name sheets and files
    facts = reading.facts.altered(warnings=warnings, sha256=sha256_of(path))
    cpu = time.thread_time() - cpu_started + reading.seconds.cpu
    return replace(reading, facts=facts, seconds=Seconds(time.monotonic() - started, cpu))
