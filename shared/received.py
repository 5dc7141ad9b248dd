"""What was uploaded: fetched, looked at, and either read as a document or unpacked as an archive."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from shared.archives import unpack
from shared.clients import secret
from shared.extract.core import check_size
from shared.extract.sandbox import prepare
from shared.extract.sniff import ARCHIVES, sniff
from shared.reading import Reading, limits_of, read_file, sha256_of
from shared.settings import settings
from shared.uploads import download

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.records import UploadEvent


@dataclass(frozen=True)
class Received:
    """A file and what it holds."""

    sha256: str
    size: int
    reading: Reading


def receive(event: UploadEvent, document: str, count: Callable[[list[str]], list[int]]) -> Received:
    """Fetch the file that an event names, and read it.

    Args:
        event: the upload.
        document: the id of the document that it is.
        count: word pieces of each text, special tokens included.

    Raises:
        Rejected: it is gone, beyond a limit, or not something Headrace reads.
        Superseded: it was overwritten.
        SandboxUnavailable: it could not be read now.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        prepare()  # the process that reads starts while the file is on its way
        download(event, path)
        check_size(path, settings().max_bytes)
        suffix, declared = PurePosixPath(event.name).suffix.lower(), (event.content_type or "").lower()
        media_type = sniff(path, suffix=suffix, content_type=declared, limits=limits_of(settings()))
        if media_type in ARCHIVES:
            unpacked = unpack(path, media_type, event, document, limits_of(settings()))
            reading = Reading.of_archive(media_type, unpacked.members, unpacked.warnings)
        else:
            reading = read_file(
                path,
                name=event.name,
                content_type=event.content_type,
                metadata=event.metadata,
                count=count,
                redaction_key=secret(settings().redaction_key, settings().redaction_key_version),
                settings=settings(),
                password=_password(event.name),
            )
        return Received(sha256_of(path), path.stat().st_size, reading)


def _password(name: str) -> str | None:
    """Of encrypted documents of that prefix, if the operator has set one."""
    found = settings().password_secret(name)
    return secret(*found).decode() if found else None
