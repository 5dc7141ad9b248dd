"""Ways to break a file: blindly, byte by byte, and knowingly, where its format expects something."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING

from tests.fuzz.tokens import BYTES, MARKUP, NAMES, NUMBERS, TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    Mutation = Callable[[bytes, Random], bytes]

_MOST = 300_000  # bytes of a mutant
_NUMBER = re.compile(rb"\d+")
_ZIP_RECORD = re.compile(rb"PK(?:\x01\x02|\x03\x04|\x05\x06|\x07\x08)")
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, NotImplementedError, RuntimeError, EOFError,
    OSError,
)  # fmt: skip
_ZIPS = {".zip", ".docx", ".pptx", ".xlsx"}


def mutate(data: bytes, suffix: str, other: bytes, random: Random) -> bytes:
    """`data`, a file of the format that `suffix` names, broken in one to six ways, at times with `other`."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        if suffix in _ZIPS and random.random() < 0.6:
            data = random.choice((_zip_field, _zip_member, _zip_member, _zip_entries))(data, random)
        elif suffix == ".gz" and random.random() < 0.5:
            data = _regzip(data, random)
        elif suffix in TOKENS and random.random() < 0.5:
            data = _token(data, TOKENS[suffix], random)
        elif random.random() < 0.1:
            data = _spliced(data, other, random)
        else:
            data = random.choice(_BLIND)(data, random)
    return data[:_MOST]


def _span(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 2, 8, 64, 1024)))


def _flip(data: bytes, random: Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(random.choice((1, 1, 4, 30)) if data else 0):
        flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
    return bytes(flipped)


def _overwrite(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + random.randbytes(end - start) + data[end:]


def _insert(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(BYTES) * random.choice((1, 1, 3, 500)) + data[at:]


def _delete(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:start] + data[end:]


def _repeat(data: bytes, random: Random) -> bytes:
    start, end = _span(data, random)
    return data[:end] + data[start:end] * random.choice((1, 2, 100)) + data[end:]


def _truncate(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _number(data: bytes, random: Random) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    number = random.choice(found)
    return data[: number.start()] + random.choice(NUMBERS) + data[number.end() :]


def _recode(data: bytes, random: Random) -> bytes:
    encoding = random.choice(
        ("utf-16", "utf-16-be", "utf-32", "cp1252", "cp1251", "shift_jis", "gb18030", "utf-7")
    )
    return data.decode("utf-8", "replace").encode(encoding, "replace")


_BLIND: tuple[Mutation, ...] = (
    _flip, _flip, _overwrite, _insert, _delete, _repeat, _truncate, _number, _number, _recode,
)  # fmt: skip


def _spliced(data: bytes, other: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def _token(data: bytes, tokens: list[bytes], random: Random) -> bytes:
    start, end = _span(data, random)
    end = random.choice((start, end))
    return data[:start] + random.choice(tokens) * random.choice((1, 1, 1, 50)) + data[end:]


def _zip_field(data: bytes, random: Random) -> bytes:
    """A field of a local header, of the directory or of its end: a size, offset, count, method or flag."""
    records = [found.start() for found in _ZIP_RECORD.finditer(data)]
    if not records:
        return data
    at = random.choice(records) + random.randrange(4, 46, 2)
    value = random.choice((0, 1, 8, 99, 0xFFFF, 0xFFFFFFFF, len(data), random.getrandbits(32)))
    size = random.choice((2, 4))
    return data[:at] + struct.pack("<I", value)[:size] + data[at + size :]


def _zip_member(data: bytes, random: Random) -> bytes:
    """A member broken, in a sound ZIP."""
    members = _members(data)
    if not members:
        return data
    at = random.randrange(len(members))
    name, content = members[at]
    markup = random.random() < 0.5 and not name.endswith((".txt", ".csv"))
    broken = _token(content, MARKUP, random) if markup else random.choice(_BLIND)(content, random)
    members[at] = name, broken
    return _zip(members)


def _zip_entries(data: bytes, random: Random) -> bytes:
    """Members twice, gone, in another order, renamed, or of nothing but zeros."""
    members = _members(data)
    if not members:
        return data
    at = random.randrange(len(members))
    name, content = members[at]
    match random.randrange(5):
        case 0:
            members.append((name, content))
        case 1:
            del members[at]
        case 2:
            random.shuffle(members)
        case 3:
            members[at] = random.choice(NAMES), content
        case _:
            members[at] = name, bytes(random.choice((1_000, 3_000_000)))
    return _zip(members)


def _members(data: bytes) -> list[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            small = [info for info in archive.infolist() if info.file_size < _MOST]
            return [(info.filename, archive.read(info)) for info in small]
    except _DAMAGE:
        return []


def _zip(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _regzip(data: bytes, random: Random) -> bytes:
    """The content broken, in a sound gzip file."""
    try:
        content = zlib.decompressobj(wbits=31).decompress(data, _MOST)
    except zlib.error:
        return data
    compressor = zlib.compressobj(wbits=31)
    return compressor.compress(random.choice(_BLIND)(content, random)) + compressor.flush()
