"""Read ZIP and gzip files that may be hostile: entries must not overlap, every inflated byte is counted.

Python 3.11's zipfile checks for no overlap, believes the sizes that the directory states, and inflates bzip2
and LZMA in unbounded steps. So the directory is counted before zipfile parses it, each entry is compared with
its local header, and only the stored and deflated methods are read, whose steps are bounded. Office documents
may use no others (ISO/IEC 29500-2, 6.3.3).
"""

from __future__ import annotations

import gzip
import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, BinaryIO, Self, cast

from shared.extract.refusals import (
    damaged_archive,
    encrypted,
    inflates_too_much,
    strongly_encrypted,
    too_many,
    unsafe_archive,
)
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _typeshed import WriteableBuffer

    from shared.extract.shapes import Limits

ZIP = "application/zip"
GZIP = "application/gzip"
ARCHIVES = frozenset({ZIP, GZIP})
MAX_NAME = 1_024
"""Limit on a member's name in bytes, as on an object's in Cloud Storage. Normalizing a longer one may take
quadratic time.
"""
MAX_DIRECTORY = 16 * 1024 * 1024
"""Limit on the list of members in bytes; Python parses every field of it."""
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_AES = 99  # the method that WinZip writes for its own encryption
_ENCRYPTED = 0x1
_STRONG = 0x40  # an encryption that nothing free opens
_SIZES_FOLLOW = 0x8  # the local header has no sizes: they come after the data
_UTF8 = 0x800
_ZIP64 = 0xFFFFFFFF
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s24x3H12x")  # signature, and the lengths of name, extra field and comment
_END = struct.Struct("<4s8xIIH")  # signature, size and offset of the directory, length of the comment
_END64 = struct.Struct("<4s36xQQ")
_LOCATOR = struct.Struct("<4sIQI")
_STEP = 64 * 1024  # bytes
FREE_INFLATION = 1 << 20
"""Bytes that any file may inflate to, however small it is: an empty form is mostly spaces."""
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, marks of direction, lone surrogates, line breaks
_JOINERS = "\u200c\u200d"  # ... but Persian and the scripts of India spell with these
_JUNK = {".ds_store", "thumbs.db", "desktop.ini"}
_BROKEN = (
    zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, struct.error, ValueError, NotImplementedError,
    OverflowError,
)  # fmt: skip


Source = Path | bytes
"""A file, or the decrypted content of one."""


def opened(source: Source) -> BinaryIO:
    """Open the source at its start; the caller closes it."""
    return source.open("rb") if isinstance(source, Path) else io.BytesIO(source)


def members(  # noqa: PLR0913 - the archive, how it is opened, and its limits
    path: Path,
    media_type: str,
    name: str,
    limits: Limits,
    warnings: list[str],
    *,
    password: str | None = None,
) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the name and content of each file in the archive called `name`; read each before the next.

    What is odd about the archive is appended to `warnings`.

    Raises:
        Rejected: `unreadable_archive`, `encrypted`, `unsafe_archive`, `too_many_members`,
            `inflates_too_much`.
    """
    if media_type == GZIP:
        inner = PurePosixPath(name).name
        named = inner.lower().endswith(".gz") and len(inner) > len(".gz")
        with _gunzipped(path, limits) as content:
            yield inner[: -len(".gz")] if named else "content", content
        return
    with SafeZip(path, limits, password) as archive:
        warnings += archive.warnings
        for member in archive.names:
            with archive.open(member) as content:
                yield member, content


def _gunzipped(path: Path, limits: Limits) -> BinaryIO:
    most = min(limits.inflated_bytes, max(FREE_INFLATION, path.stat().st_size * limits.inflation))
    inflated = 0

    def count(size: int) -> None:
        nonlocal inflated
        inflated += size
        if inflated > most:
            raise inflates_too_much(most)

    return cast("BinaryIO", io.BufferedReader(_Counted(cast("IO[bytes]", gzip.open(path)), count), _STEP))


class SafeZip:
    """A ZIP whose members can be listed and read; archives in it are not opened.

    `names` are relative, with forward slashes, in the order of the directory; without folders, links,
    resource forks of Macs and names that lead out of the archive. `infos` has the entry of each name, whose
    `file_size` is only a claim. `warnings` says what was left out.
    """

    def __init__(self, source: Source, limits: Limits, password: str | None = None) -> None:
        """Raises Rejected(`unreadable_archive`, `too_many_members`, `unsafe_archive`)."""
        self.warnings: list[str] = []
        self.infos: dict[str, zipfile.ZipInfo] = {}
        self._limits = limits
        self._password = password.encode() if password is not None else None
        self._inflated = self._allowed = 0
        self._file = opened(source)
        try:
            with _refusing():
                _refuse_many(self._file, limits.members)
                self._zip = zipfile.ZipFile(self._file)
                _refuse_overlap(self._file, self._zip)
        except BaseException:
            self._file.close()
            raise
        self._name_members()
        self.names = list(self.infos)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def open(self, name: str) -> BinaryIO:
        """Open a member as a stream; KeyError if `name` is not one of `names`.

        This and reading the stream raise Rejected(`encrypted`, `unreadable_archive`, `inflates_too_much`).
        """
        info = self.infos[name]
        if info.file_size > self._limits.inflated_bytes - self._inflated:
            raise inflates_too_much(self._limits.inflated_bytes)
        beyond = info.flag_bits & _STRONG or info.compress_type == _AES
        if info.flag_bits & _ENCRYPTED and beyond:
            raise strongly_encrypted()
        if info.flag_bits & _ENCRYPTED and self._password is None:
            raise encrypted("archive", tried=False)
        if info.compress_type not in _METHODS:
            raise Rejected(
                "unreadable_archive",
                "The archive is packed by a method that Headrace does not unpack.",
                "Pack it again with the usual settings, or upload its files one by one.",
            )
        self._allowed += info.compress_size * self._limits.inflation
        try:
            with _refusing():
                raw = self._zip.open(info, pwd=self._password)
        except RuntimeError as error:  # what zipfile raises for a wrong password
            raise encrypted("archive", tried=True) from error
        return cast("BinaryIO", io.BufferedReader(_Counted(raw, self._count), _STEP))

    def _count(self, inflated: int) -> None:
        self._inflated += inflated
        if self._inflated > min(self._limits.inflated_bytes, FREE_INFLATION + self._allowed):
            raise inflates_too_much(self._limits.inflated_bytes)

    def _name_members(self) -> None:
        outside = links = doubled = long = 0
        for info in self._zip.infolist():
            if len(info.orig_filename.encode()) > MAX_NAME:
                long += 1
                continue
            name = _normal(info)
            if name is None:
                outside += 1
            elif info.orig_filename.endswith(("/", "\\")) or _is_furniture(name):
                continue
            elif stat.S_ISLNK(info.external_attr >> 16):
                links += 1
            elif name in self.infos:
                doubled += 1
            else:
                self.infos[name] = info
        for count, what in (
            (outside, "lead out of it"),
            (links, "are links"),
            (doubled, "are there twice"),
            (long, f"have names longer than {MAX_NAME:,} bytes"),
        ):
            if count:
                self.warnings.append(f"files of the archive that {what}: {count}, left out")


class _Counted(io.RawIOBase):
    """A member's stream that counts its bytes and raises nothing but Rejected."""

    def __init__(self, raw: IO[bytes], count: Callable[[int], None]) -> None:
        self._raw = raw
        self._count = count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        with _refusing():
            data = self._raw.read(len(view))
        self._count(len(data))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._raw.close()
        super().close()


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn whatever zipfile and zlib raise for damaged bytes into one refusal."""
    try:
        yield
    except _BROKEN as error:
        raise damaged_archive() from error


def _refuse_many(file: BinaryIO, most: int) -> None:
    """Count the entries by their headers: the number that the archive states may be wrong."""
    at, end = _directory(file)
    if end - at > MAX_DIRECTORY:
        raise too_many("members", f"a list of members of {end - at:,} bytes", MAX_DIRECTORY)
    file.seek(at)
    directory = io.BytesIO(file.read(max(0, end - at)))
    count = 0
    while len(header := directory.read(_CENTRAL.size)) == _CENTRAL.size:
        signature, *lengths = _CENTRAL.unpack(header)
        if signature != b"PK\x01\x02":
            raise damaged_archive()
        directory.seek(sum(lengths), io.SEEK_CUR)
        count += 1
        if count > most:
            raise too_many("members", f"more than {most:,} files in it", most)


def _directory(file: BinaryIO) -> tuple[int, int]:
    """Find the beginning and end of the central directory, as zipfile does."""
    size = file.seek(0, io.SEEK_END)
    tail_at = max(0, size - _END.size - 0xFFFF)
    file.seek(tail_at)
    tail = file.read()
    at = len(tail) - _END.size
    if not (at >= 0 and tail.startswith(b"PK\x05\x06", at) and tail.endswith(b"\0\0")):
        at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise damaged_archive()
    _, length, _, _ = _END.unpack_from(tail, at)
    end = tail_at + at
    if end >= _LOCATOR.size + _END64.size:
        file.seek(end - _LOCATOR.size)
        if file.read(4) == b"PK\x06\x07":
            file.seek(end - _LOCATOR.size - _END64.size)
            signature, length64, _ = _END64.unpack(file.read(_END64.size))
            if signature == b"PK\x06\x06":
                length, end = length64, end - _LOCATOR.size - _END64.size
    return max(0, end - length), end


def _refuse_overlap(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Refuse entries that overlap each other or the directory, or whose two headers disagree."""
    spans = sorted(_span(file, info) for info in archive.infolist())
    ends = [start for start, _ in spans[1:]] + [archive.start_dir]
    if any(end > following for (_, end), following in zip(spans, ends, strict=False)):
        raise unsafe_archive()


def _span(file: BinaryIO, info: zipfile.ZipInfo) -> tuple[int, int]:
    """Return where an entry's header begins and its data ends."""
    if info.header_offset < 0:
        raise damaged_archive()
    file.seek(info.header_offset)
    header = file.read(_LOCAL.size)
    signature, _, flags, method, _, _, crc, packed, size, name_length, extra = _LOCAL.unpack(header)
    if signature != b"PK\x03\x04":
        raise damaged_archive()
    name = file.read(name_length)
    agrees = (
        name == info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
        and method == info.compress_type
        and (flags ^ info.flag_bits) & _ENCRYPTED == 0
        and (
            flags & _SIZES_FOLLOW
            or (crc, packed, size) == (info.CRC, info.compress_size, info.file_size)
            or _ZIP64 in {packed, size}
        )
    )
    if not agrees:
        raise unsafe_archive()
    return info.header_offset, info.header_offset + _LOCAL.size + name_length + extra + info.compress_size


def _normal(info: zipfile.ZipInfo) -> str | None:
    """Return a relative name in Unicode's composed form; None if it leads out of the archive."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8:
        with suppress(UnicodeDecodeError):
            name = name.encode("cp437").decode()  # Macs write UTF-8 and do not say so
    name = unicodedata.normalize("NFC", name).replace("\\", "/")
    name = "".join(char for char in name if char in _JOINERS or unicodedata.category(char) not in _UNSEEN)
    if name[1:2] == ":" and name[:1].isascii() and name[:1].isalpha():
        name = name[2:]
    parts = [part for part in name.split("/") if part not in {"", "."}]
    return "/".join(parts) if parts and ".." not in parts else None


def _is_furniture(name: str) -> bool:
    """Whether Macs or Windows added this file."""
    path = PurePosixPath(name)
    return path.parts[0] == "__MACOSX" or path.name.startswith("._") or path.name.lower() in _JUNK
