"""Values as Terraform and a provider exchange them: protocol buffers by field numbers, and msgpack within.

A value is what JSON has, and `UNKNOWN`: what is known only after an apply. Field numbers are those of
docs/plugin-protocol/tfplugin5.proto in Terraform's repository; msgpack's form is go-cty's
(docs/extension-types.md and cty/msgpack in its repository).
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgpack

from tests.unit.infra_provider import field

Value: TypeAlias = Any


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()


def fields(message: bytes) -> dict[int, list[Any]]:
    """A message's fields by their numbers: bytes, or int."""
    found: dict[int, list[Any]] = {}
    place = 0

    def varint() -> int:
        nonlocal place
        number = shift = 0
        while True:
            byte = message[place]
            place += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    while place < len(message):
        key = varint()
        if key & 7 == 0:
            found.setdefault(key >> 3, []).append(varint())
        elif key & 7 == 2:
            length = varint()
            found.setdefault(key >> 3, []).append(message[place : place + length])
            place += length
        else:
            raise ValueError(f"wire type {key & 7}")
    return found


def text(message: dict[int, list[Any]], number: int) -> str:
    """A string, empty where the message leaves it out."""
    return bytes(message.get(number, [b""])[0]).decode()


def value(message: dict[int, list[Any]], number: int) -> Value:
    """A DynamicValue; None where it is null or left out."""
    inner = fields(message.get(number, [b""])[0]).get(1)
    return unpacked(inner[0]) if inner else None


def dynamic(number: int, content: Value) -> bytes:
    """A field with a DynamicValue."""
    return field(number, field(1, packed(content)))


def unpacked(content: bytes) -> Value:
    """A msgpack value; every extension is an unknown one, refined (12) or not (0)."""
    return msgpack.unpackb(content, ext_hook=lambda _code, _data: UNKNOWN, strict_map_key=False)


def packed(content: Value) -> bytes:
    """The reverse."""
    made: bytes = msgpack.packb(content, default=lambda _unknown: msgpack.ExtType(0, b"\0"))
    return made
