"""Fetch an uploaded file, when it is this process's turn to work on one, with the password that opens it."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from shared.extract.refusals import too_many
from shared.platform.clients import secret, storage_client
from shared.platform.errors import Rejected, Retryable, Superseded
from shared.platform.retry import storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.platform.records import UploadEvent


class Busy(Retryable):
    """This instance reads as many documents as it may; the file will be delivered again."""


@cache
def turns() -> BoundedSemaphore:
    """Return the turns of this process to read documents: each takes memory, and an instance has little."""
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


def download(event: UploadEvent, path: Path, limit: int) -> None:
    """Fetch exactly the generation that the event names, if it has at most `limit` bytes.

    Raises:
        Rejected: the file is too large, or was deleted before it could be read.
        Superseded: it was overwritten; the newer generation has an event of its own.
    """
    from google.api_core.exceptions import NotFound

    if event.size > limit:
        raise too_many("bytes", f"{event.size:,} bytes", limit)
    bucket = storage_client().bucket(event.bucket)
    try:
        bucket.blob(event.name, generation=event.generation).download_to_filename(
            str(path), raw_download=True, **storage_limits()
        )
    except NotFound:
        current = bucket.get_blob(event.name, **storage_limits())
        if current is not None and current.generation > event.generation:
            raise Superseded("the file was overwritten before it was read") from None
        raise Rejected(
            "deleted", "The file was deleted before it could be read.", "Upload it again."
        ) from None


def password_of(name: str) -> str | None:
    """Return the password of encrypted documents whose names begin with this one's prefix, if one is set."""
    configured = settings().password_secret(name)
    return secret(*configured).decode() if configured else None
