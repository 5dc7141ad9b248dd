"""What a document may hold and how big it may be, checked before it is stored.

Sources: https://cloud.google.com/firestore/quotas and https://cloud.google.com/firestore/docs/storage-size
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.firestore.names import Name, parse_document
from local.firestore.protos import ArrayValue
from local.firestore.values import is_vector
from local.firestore.vectors import packed_doubles
from local.serving import invalid

if TYPE_CHECKING:
    from google.protobuf.message import Message as Fields

    from local.firestore.protos import Value

MAX_DOCUMENT_BYTES = 1_048_576
MAX_VALUE_BYTES = MAX_DOCUMENT_BYTES - 89
MAX_REQUEST_BYTES = 10 * 1024 * 1024
MAX_FIELD_NAME_BYTES = 1500
MAX_DEPTH = 20
MAX_DIMENSIONS = 2048
MAX_TRANSFORMS = 500
_VECTOR_FIELDS = {"__type__", "value"}
NUMBERS = frozenset({"double_value", "integer_value"})

_NAME_OVERHEAD = 16
_DOCUMENT_OVERHEAD = 32
_RESERVED = re.compile(r"__.*__\Z", re.DOTALL)
_FIXED_SIZES = {
    "null_value": 1,
    "boolean_value": 1,
    "integer_value": 8,
    "double_value": 8,
    "geo_point_value": 16,
}


def check_document(name: Name, fields: Fields) -> None:
    """Check every field and the size of the whole; timestamps are cut to microseconds on the way.

    Raises:
        Refused: INVALID_ARGUMENT, in the real service's words where they are known.
    """
    path = f"{name.collection}/{name.id}"
    size = len(path.encode()) + 1 + _NAME_OVERHEAD + _DOCUMENT_OVERHEAD + _check_fields(fields, 1)
    if size > MAX_DOCUMENT_BYTES:
        raise invalid(
            f"Document '{name}' cannot be written because its size ({size:,} bytes) exceeds the maximum "
            f"allowed size of {MAX_DOCUMENT_BYTES:,} bytes."
        )


def _check_fields(fields: Fields, depth: int) -> int:
    """Sum of the sizes of names and values, in bytes."""
    total = 0
    for name, value in fields.items():
        encoded = len(name.encode())
        if not encoded:
            raise invalid("A field name must not be empty.")
        if encoded > MAX_FIELD_NAME_BYTES:
            raise invalid(f'The property name "{name[:40]}..." is longer than {MAX_FIELD_NAME_BYTES} bytes.')
        if _RESERVED.match(name):
            raise invalid(f'Field name "{name}" is invalid because it begins and ends with "__".')
        total += encoded + 1 + _check_value(value, depth, name)
    return total


def _check_value(value: Value, depth: int, name: str) -> int:
    kind = value.WhichOneof("value_type")
    if kind in _FIXED_SIZES:
        return _FIXED_SIZES[kind]
    if kind == "map_value":
        return _check_map(value.map_value.fields, depth, name)
    if kind == "array_value":
        return _check_array(value.array_value.values, depth, name)
    if kind == "timestamp_value":
        moment = value.timestamp_value
        if moment.nanos % 1000:
            moment.nanos -= moment.nanos % 1000
        return 8
    if kind == "reference_value":
        below = parse_document(value.reference_value)
        return len(f"{below.collection}/{below.id}".encode()) + 1 + _NAME_OVERHEAD
    if kind == "string_value":
        size = len(value.string_value.encode())
    elif kind == "bytes_value":
        size = len(value.bytes_value)
    else:
        raise invalid(f'The value of property "{name}" has no type, or a type that a document cannot hold.')
    if size > MAX_VALUE_BYTES:
        raise invalid(f'The value of property "{name}" is longer than {MAX_VALUE_BYTES} bytes.')
    return size + 1 if kind == "string_value" else size


def _check_map(fields: Fields, depth: int, name: str) -> int:
    if depth >= MAX_DEPTH:
        raise invalid(f'Property "{name}" is nested more than {MAX_DEPTH} levels deep.')
    if is_vector(fields):
        return _check_vector(fields, name)
    return _check_fields(fields, depth + 1)


def _check_array(elements: list[Value], depth: int, name: str) -> int:
    if depth >= MAX_DEPTH:
        raise invalid(f'Property "{name}" is nested more than {MAX_DEPTH} levels deep.')
    total = 0
    for element in elements:
        if element.WhichOneof("value_type") == "array_value":
            raise invalid("Cannot convert an array value in an array value.")
        total += _check_value(element, depth + 1, name)
    return total


def _check_vector(fields: Fields, name: str) -> int:
    array = fields["value"].array_value if "value" in fields else ArrayValue()
    elements = array.values
    if set(fields) != _VECTOR_FIELDS or not elements:
        raise invalid(f'The vector of property "{name}" must hold "__type__" and a non-empty "value".')
    if len(elements) > MAX_DIMENSIONS:
        raise invalid(
            f'The vector of property "{name}" has {len(elements)} dimensions; at most {MAX_DIMENSIONS} are '
            "supported."
        )
    if packed_doubles(array) is None and any(
        element.WhichOneof("value_type") not in NUMBERS for element in elements
    ):
        raise invalid(f'The vector of property "{name}" must hold only numbers.')
    return 8 * len(elements)
