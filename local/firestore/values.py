"""The order of values: one key for each value, so that Python's own comparison sorts as Firestore does.

Null, then booleans, numbers (NaN first; integers and floats compared exactly), timestamps, strings by their
UTF-8 bytes, bytes, references, geopoints, arrays, vectors, maps.
Source: https://cloud.google.com/firestore/docs/concepts/data-types
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from local.serving import invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message as Fields

    from local.firestore.protos import Value

Key: TypeAlias = tuple[Any, ...]
"""Starts with the kind; keys of one kind have the same shape, so any two keys compare."""


class Kind(IntEnum):
    """The types in their order; a range filter only ever matches values of its own kind."""

    NULL = 0
    BOOLEAN = 1
    NUMBER = 2
    TIMESTAMP = 3
    STRING = 4
    BYTES = 5
    REFERENCE = 6
    GEOPOINT = 7
    ARRAY = 8
    VECTOR = 9
    MAP = 10


LEAST_ID = "__id-9223372036854775808__"
NULL: Key = (Kind.NULL,)
NAN: Key = (Kind.NUMBER, 0, 0)
"""Its own key, below every other number: Firestore holds NaN equal to itself."""


def is_vector(fields: Fields) -> bool:
    """Whether a map is a vector: `{__type__: "__vector__", value: [...]}`."""
    return "__type__" in fields and fields["__type__"].string_value == "__vector__"


def reference_key(name: str) -> Key:
    """The key of a document's full name: segment by segment, so that `a/b` comes before `a!/b`.

    The smallest of the numeric ids, which come before all others, marks where a collection begins: no
    document can have it, but clients put it into cursors.
    """
    return (Kind.REFERENCE, tuple("" if part == LEAST_ID else part for part in name.split("/")))


def number_key(number: float) -> Key:
    return NAN if math.isnan(number) else (Kind.NUMBER, 1, number)


def _array(value: Value) -> Key:
    return (Kind.ARRAY, tuple(key(element) for element in value.array_value.values))


def _map(value: Value) -> Key:
    fields = value.map_value.fields
    if is_vector(fields):
        elements = tuple(key(element) for element in fields["value"].array_value.values)
        return (Kind.VECTOR, len(elements), elements)
    return (Kind.MAP, tuple((name, key(fields[name])) for name in sorted(fields)))


# A string's code points are in the order of its UTF-8 bytes, so Python's comparison of str serves.
_KEYS: dict[str, Callable[[Value], Key]] = {
    "null_value": lambda _: NULL,
    "boolean_value": lambda v: (Kind.BOOLEAN, v.boolean_value),
    "integer_value": lambda v: (Kind.NUMBER, 1, v.integer_value),
    "double_value": lambda v: number_key(v.double_value),
    "timestamp_value": lambda v: (Kind.TIMESTAMP, v.timestamp_value.seconds, v.timestamp_value.nanos),
    "string_value": lambda v: (Kind.STRING, v.string_value),
    "bytes_value": lambda v: (Kind.BYTES, v.bytes_value),
    "reference_value": lambda v: reference_key(v.reference_value),
    "geo_point_value": lambda v: (Kind.GEOPOINT, v.geo_point_value.latitude, v.geo_point_value.longitude),
    "array_value": _array,
    "map_value": _map,
}


def key(value: Value) -> Key:
    """The value's place in the order; two values are equal in Firestore exactly when their keys are.

    Raises:
        Refused: INVALID_ARGUMENT for a value of no type, or of a type that documents do not hold.
    """
    make = _KEYS.get(value.WhichOneof("value_type"))
    if make is None:
        raise invalid("A value has no type, or a type that a document cannot hold.")
    return make(value)
