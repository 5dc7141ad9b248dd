"""An archive's members: each becomes an object beside it, and so a document of its own."""

from __future__ import annotations

import io
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Self

from shared.extract.archive import members
from shared.extract.refusals import archive_inside
from shared.extract.sandbox.endings import too_slow
from shared.extract.zips import MAX_NAME
from shared.intake.archive_objects import AT_ONCE, MAX_DEPTH, Archive, generation_of
from shared.platform.errors import Rejected, Retryable
from shared.platform.retry import storage_limits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from google.cloud.storage import Blob

    from shared.extract import Limits
    from shared.platform.records import UploadEvent

SMALL = 4 << 20
"""Bytes up to which members are uploaded side by side; larger ones go one by one."""
ATTEMPTS = 5
"""To store a member whose object changes meanwhile."""
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
    seconds: float,
    password: str | None = None,
) -> Unpacked:
    """Store every member in the bucket, as `{name of the archive}!/{name of the member}`.

    The whole archive is read once before anything of it is stored, so that one which goes beyond a limit
    leaves nothing behind. Doing it again stores only what is missing. Members of an older generation that
    this one has no more are deleted, and so is what was unpacked of them; an object of such a name that came
    from elsewhere is left alone.

    Raises:
        Rejected: it cannot be unpacked, goes beyond a limit, takes more than `seconds` to unpack, or holds no
            file.
        Superseded: a newer archive of this name came, or it was erased; what was stored of it is gone again.
    """
    archive = Archive(event, document)
    if archive.depth > MAX_DEPTH:
        raise archive_inside()
    result = Unpacked()
    read = members(path, media_type, event.name, limits, result.warnings, password=password)
    sizes = _sizes(read, seconds)
    before = archive.objects()
    kept: set[str] = set()
    left_out: dict[str, list[str]] = {}
    try:
        archive.check_newest(before.values())
        with _Uploads(archive) as uploads:
            for name, content in members(path, media_type, event.name, limits, [], password=password):
                blob = archive.blob(name)
                present = before.get(blob.name)
                if why := _why_not(archive, blob, sizes[name], present, limits):
                    left_out.setdefault(why, []).append(name)
                    continue
                kept.add(blob.name)
                if present is None or generation_of(present) != event.generation:
                    uploads.store(blob, content, sizes[name], 0 if present is None else present.generation)
        archive.check()
    except Exception:
        archive.clear_if_overtaken()
        raise
    if before:
        archive.remove(before, lambda generation: generation < event.generation, kept)
    result.members = len(kept)
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

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
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
                _store(self._archive, blob, file, size, generation)
            return
        if len(self._pending) >= 2 * AT_ONCE:
            self._pending.pop(0).result()
        held = io.BytesIO(content.read())
        self._pending.append(self._pool.submit(_store, self._archive, blob, held, size, generation))


def _store(archive: Archive, blob: Blob, content: IO[bytes], size: int, generation: int) -> None:
    """Upload, over the generation of the object that was seen (0: none) or what an older archive put there.

    A twin's of the same archive is as good; one that came from elsewhere is left alone.
    """
    from google.api_core.exceptions import PreconditionFailed

    for _ in range(ATTEMPTS):
        archive.check()
        content.seek(0)
        try:
            blob.upload_from_file(content, size=size, if_generation_match=generation, **storage_limits())
        except PreconditionFailed:
            present = archive.bucket.get_blob(blob.name, **storage_limits())
        else:
            return
        if present is None:
            generation = 0
            continue
        archive.check_newest([present])
        if not archive.has(present) or generation_of(present) == archive.event.generation:
            return
        generation = present.generation
    raise Retryable("a member's object goes on changing while it is stored")


def _sizes(read: Iterable[tuple[str, IO[bytes]]], seconds: float) -> dict[str, int]:
    """Bytes of each member. The old encryption is undone byte by byte, in Python, so time is limited too."""
    deadline = time.monotonic() + seconds
    sizes: dict[str, int] = {}
    for name, content in read:
        sizes[name] = 0
        while chunk := content.read(_CHUNK):
            sizes[name] += len(chunk)
            if time.monotonic() > deadline:
                raise too_slow(seconds)
    return sizes


def _why_not(archive: Archive, blob: Blob, size: int, present: Blob | None, limits: Limits) -> str | None:
    if len(blob.name.encode()) > MAX_NAME:
        return f"whose names are longer than {MAX_NAME:,} bytes were left out"
    if size > limits.bytes:
        return f"larger than {limits.bytes:,} bytes were left out"
    if present is not None and not archive.has(present):
        return "have the name of another object in the bucket and were left out"
    return None


def _shown(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
