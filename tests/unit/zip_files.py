"""ZIPs made for tests, and what becomes of them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from shared.extract.shapes import Limits
from shared.extract.zips import SafeZip
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path


PROSE = b"The mill took less water from the river than in any year before. " * 40
MEGABYTE = 1024 * 1024


def pack(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return buffer.getvalue()


def read_all(path: Path, limits: Limits | None = None, password: str | None = None) -> dict[str, bytes]:
    with SafeZip(path, limits or Limits(), password) as archive:
        return {name: archive.open(name).read() for name in archive.names}


def refusal(path: Path, data: bytes, limits: Limits | None = None, password: str | None = None) -> str:
    path.write_bytes(data)
    with pytest.raises(Rejected) as caught:
        read_all(path, limits, password)
    assert str(caught.value).endswith(".")
    assert caught.value.hint.endswith(".")
    return caught.value.code


def entries(data: bytes) -> list[int]:
    """Where the entries of the central directory begin."""
    return [at for at in range(len(data)) if data.startswith(b"PK\x01\x02", at)]


def encrypted_by_hand(password: bytes) -> bytes:
    """PKWARE's old encryption (APPNOTE 6.1), which zipfile reads but does not write."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def crc(value: int, byte: int) -> int:
        return zlib.crc32(bytes([byte]), value ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def update(byte: int) -> None:
        keys[0] = crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[2], keys[1] >> 24)

    def encrypt(data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            key = keys[2] | 2
            out.append(byte ^ (((key * (key ^ 1)) >> 8) & 0xFF))
            update(byte)
        return bytes(out)

    for byte in password:
        update(byte)
    checksum = zlib.crc32(PROSE)
    body = encrypt(bytes(11) + bytes([checksum >> 24]) + PROSE)
    fields = struct.pack("<HHHHIIIHH", 1, 0, 0, 33, checksum, len(body), len(PROSE), 5, 0)
    local = b"PK\x03\x04" + struct.pack("<H", 20) + fields + b"a.txt" + body
    central = b"PK\x01\x02" + struct.pack("<HH", 20, 20) + fields + bytes(14) + b"a.txt"
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end
