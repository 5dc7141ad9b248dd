"""An archive's members: each becomes an object beside it, and so a document of its own."""

from __future__ import annotations

import io
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Self

from shared.clients import storage_client
from shared.errors import Rejected
from shared.extract.archive import members
from shared.extract.refusals import archive_inside
from shared.records import ARCHIVE
from shared.retry import storage_limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from google.cloud.storage import Blob

    from shared.extract import Limits
    from shared.records import UploadEvent

ARCHIVE_GENERATION, DEPTH = "headrace-archive-generation", "headrace-depth"
"""Metadata of a member: the archive's generation, and how many archives it lies in."""
INSIDE = "!/"
"""Between the names of archive and member, as in jar: URLs. A slash alone would make of the archive's name
both an object and a folder, which buckets may have and file systems may not."""
MAX_DEPTH = 2
"""An archive in an archive is unpacked; one in that is rejected."""
MAX_NAME = 1_024
"""Bytes of an object's name, by Cloud Storage's rules."""
AT_ONCE = 8
"""Uploads of small members; large ones go one by one."""
SMALL = 4 << 20
_CHUNK = 1 << 20
_SHOWN = 5


@dataclass
class Unpacked:
    """What became of an archive."""

    members: int = 0
    """That are in the bucket now."""
    warnings: list[str] = field(default_factory=list)


def unpack(  # noqa: PLR0913 - what an archive is, how it is opened, and within which limits
    path: Path,
    media_type: str,
    event: UploadEvent,
    document: str,
    limits: Limits,
    *,
    password: str | None = None,
) -> Unpacked:
    """Store every member in the bucket, as `{name of the archive}!/{name of the member}`.

    The whole archive is read once before anything of it is stored, so that one which goes beyond a limit
    leaves nothing behind. Doing it again stores only what is missing. Members of an older generation that
    this one has no more are deleted; an object of such a name that came from elsewhere is left alone.

    Raises:
        Rejected: it cannot be unpacked, goes beyond a limit, or holds no file.
    """
    depth = _depth(event.metadata) + 1
    if depth > MAX_DEPTH:
        raise archive_inside()
    result = Unpacked()
    sizes = {
        name: _size(content)
        for name, content in members(path, media_type, event.name, limits, result.warnings, password=password)
    }
    bucket = storage_client().bucket(event.bucket)
    inherited = {key: value for key, value in event.metadata.items() if not key.startswith("headrace-")}
    own = {ARCHIVE: document, ARCHIVE_GENERATION: str(event.generation), DEPTH: str(depth)}
    before = {blob.name: blob for blob in bucket.list_blobs(prefix=event.name + INSIDE, **storage_limits())}
    left_out: dict[str, list[str]] = {}
    with _Uploads() as uploads:
        for name, content in members(path, media_type, event.name, limits, [], password=password):
            blob = bucket.blob(f"{event.name}{INSIDE}{name}")
            present = before.pop(blob.name, None)
            if why := _why_not(blob, sizes[name], present, document, limits):
                left_out.setdefault(why, []).append(name)
                continue
            result.members += 1
            if present is None or _metadata(present).get(ARCHIVE_GENERATION) != str(event.generation):
                blob.metadata = inherited | own
                uploads.store(blob, content, sizes[name], 0 if present is None else present.generation)
    _delete_stale(before, document)
    result.warnings += [f"{len(names)} members {why}: {_shown(names)}" for why, names in left_out.items()]
    if not result.members:
        raise Rejected(
            "no_members",
            "The archive holds no file that could be analysed.",
            "Check that the right file was uploaded.",
        )
    return result


class _Uploads:
    """Small members are uploaded side by side while the next ones are unpacked."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._pending: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for future in self._pending:
                future.result()

    def store(self, blob: Blob, content: IO[bytes], size: int, generation: int) -> None:
        if size > SMALL:
            with TemporaryFile() as file:
                while chunk := content.read(_CHUNK):
                    file.write(chunk)
                file.seek(0)
                _store(blob, file, size, generation)
            return
        if len(self._pending) >= 2 * AT_ONCE:
            self._pending.pop(0).result()
        held = io.BytesIO(content.read())
        self._pending.append(self._pool.submit(_store, blob, held, size, generation))


def _store(blob: Blob, content: IO[bytes], size: int, generation: int) -> None:
    """Upload unless somebody else has changed the object meanwhile: then a twin was at work, or its owner."""
    from google.api_core.exceptions import PreconditionFailed

    try:
        blob.upload_from_file(content, size=size, if_generation_match=generation, **storage_limits())
    except PreconditionFailed:
        return


def _why_not(blob: Blob, size: int, present: Blob | None, document: str, limits: Limits) -> str | None:
    if len(blob.name.encode()) > MAX_NAME:
        return f"whose names are longer than {MAX_NAME:,} bytes were left out"
    if size > limits.bytes:
        return f"larger than {limits.bytes:,} bytes were left out"
    if present is not None and _metadata(present).get(ARCHIVE) != document:
        return "have the name of another object in the bucket and were left out"
    return None


def _delete_stale(objects: Mapping[str, Blob], document: str) -> None:
    from google.api_core.exceptions import NotFound, PreconditionFailed

    for blob in objects.values():
        if _metadata(blob).get(ARCHIVE) == document:
            try:
                blob.delete(if_generation_match=blob.generation, **storage_limits())
            except (NotFound, PreconditionFailed):
                continue


def _metadata(blob: Blob) -> dict[str, str]:
    return blob.metadata or {}


def _depth(metadata: Mapping[str, str]) -> int:
    given = metadata.get(DEPTH, "0")
    return int(given) if given.isdecimal() and len(given) == 1 else MAX_DEPTH


def _size(content: IO[bytes]) -> int:
    size = 0
    while chunk := content.read(_CHUNK):
        size += len(chunk)
    return size


def _shown(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
