"""Archives: their members one after the other, with everything that is unpacked counted."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from shared.extract.refusals import damaged_archive, inflates_too_much
from shared.extract.sniff import GZIP
from shared.extract.zips import SafeZip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed import WriteableBuffer

    from shared.extract.shapes import Limits

FREE_INFLATION = 1 << 20
"""Bytes that may be unpacked from a file however small it is: a form is mostly spaces."""


def members(  # noqa: PLR0913 - what an archive is, how it is opened, and within which limits
    path: Path,
    media_type: str,
    name: str,
    limits: Limits,
    warnings: list[str],
    *,
    password: str | None = None,
) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of each file in the archive called `name`; to be read before the next is asked for.

    What is odd about the archive is added to `warnings`.

    Raises:
        Rejected: `unreadable_archive`, `encrypted`, `unsafe_archive`, `too_many_members`,
            `inflates_too_much`.
    """
    if media_type == GZIP:
        inner = PurePosixPath(name).name
        with _Gunzipped(path, limits) as content:
            yield (
                inner[:-3] if inner.lower().endswith(".gz") and len(inner) > len(".gz") else "content",
                content,
            )
        return
    with SafeZip(path, limits, password) as archive:
        warnings += archive.warnings
        for member in archive.names:
            with archive.open(member) as content:
                yield member, content


class _Gunzipped(io.RawIOBase, IO[bytes]):
    """A gzip file's content; reading raises Rejected where it is damaged or goes beyond a limit."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._file = gzip.open(path)  # noqa: SIM115 - closed by close()
        packed = path.stat().st_size
        self._most = min(limits.inflated_bytes, max(FREE_INFLATION, packed * limits.inflation))
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        try:
            chunk = self._file.read(len(view))
        except (OSError, EOFError, zlib.error):
            raise damaged_archive() from None
        self._count += len(chunk)
        if self._count > self._most:
            raise inflates_too_much(self._most)
        view[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._file.close()
        super().close()
