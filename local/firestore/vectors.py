"""Vectors on the wire: an array of doubles serialises to one fixed stride, which is read without parsing.

Each element is a `Value` of 9 bytes inside its array: tag and length of the element, tag of the double, and
the double itself in 8 little-endian bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.firestore.protos import ArrayValue

STRIDE = 11
DOUBLE_AT = 3
_ELEMENT_TAG = b"\x0a"
_ELEMENT_LENGTH = b"\x09"
_DOUBLE_TAG = b"\x19"


def packed_doubles(array: ArrayValue) -> bytes | None:
    """The array as (n, STRIDE) bytes with a double at [:, DOUBLE_AT:]; None where an element is no double."""
    count = len(array.values)
    raw: bytes = array.SerializeToString()
    if len(raw) != STRIDE * count:
        return None
    fixed = raw[0::STRIDE], raw[1::STRIDE], raw[2::STRIDE]
    if fixed != (_ELEMENT_TAG * count, _ELEMENT_LENGTH * count, _DOUBLE_TAG * count):
        return None
    return raw
