"""What was uploaded: fetched, looked at, and either read as a document or unpacked as an archive."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from shared.documents.transitions import Seconds
from shared.documents.uploads import download
from shared.extract.core import check_size
from shared.extract.sandbox import prepare
from shared.intake.archives import INSIDE, Unpacked, unpack
from shared.intake.read import Reading, limits_of, read_file, sha256_of
from shared.platform.clients import secret
from shared.platform.errors import Rejected, Retryable
from shared.platform.records import ARCHIVE
from shared.platform.settings import settings
from shared.text.privacy import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.extract.shapes import RecognisedPage
    from shared.platform.records import UploadEvent
    from shared.platform.settings import Settings


class Busy(Retryable):
    """This instance reads as many documents as it may; the file will be delivered again."""


@cache
def turns() -> BoundedSemaphore:
    """The documents that this process may read at once: each takes memory, and an instance has little."""
    return BoundedSemaphore(settings().extract_at_once)


@contextmanager
def turn(turns: BoundedSemaphore, seconds: float) -> Iterator[None]:
    """Hold one of the `turns` for as long as the block lasts.

    Raises:
        Busy: none became free within `seconds`.
    """
    if not turns.acquire(timeout=seconds):
        raise Busy
    try:
        yield
    finally:
        turns.release()


@dataclass(frozen=True)
class Received:
    """A file and what it holds."""

    sha256: str
    size: int
    reading: Reading
    seconds: Seconds
    """That reading took."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the document's record says of the file."""
        return {"sha256": self.sha256, "size": self.size} | self.reading.facts


@contextmanager
def fetched(event: UploadEvent, limits: Settings, tokenizer: Path) -> Iterator[Path]:
    """The file that an event names, for as long as the block lasts.

    Args:
        event: its upload.
        limits: a function's, or the long job's.
        tokenizer: the one that `receive` will be given.

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
) -> Received:
    """Read a file, or unpack it.

    Args:
        path: where it lies.
        event: its upload.
        document: the id of the document that it is.
        tokenizer: the model's `tokenizer.json`.
        limits: a function's, or the long job's.
        recognised: pages of a PDF whose text was recognised.
        defer_ocr: whether a PDF of which nothing can be read as text is no error.

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
    warnings = [redact(warning, key) for warning in reading.facts["warnings"]]  # they name sheets and files
    reading = replace(reading, facts=reading.facts | {"warnings": warnings})
    sha256 = sha256_of(path)
    cpu = time.thread_time() - cpu_started + reading.cpu_seconds
    seconds = Seconds(time.monotonic() - started, cpu)
    return Received(sha256, path.stat().st_size, reading, seconds)


def password_of(name: str) -> str | None:
    """Of encrypted documents of that prefix, if the operator has set one."""
    found = settings().password_secret(name)
    return secret(*found).decode() if found else None
