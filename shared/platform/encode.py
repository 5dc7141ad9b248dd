"""Plain Python values as Firestore protobuf values, a hundred times faster than the client's own encoder.

The client wraps every float of a vector in a Python object: 64 passages with 384 floats each take it 240 ms,
as long as the model takes to compute them. Here a vector's wire bytes are laid out in one step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from google.cloud.firestore_v1.types import Value, Write
from google.cloud.firestore_v1.types.document import ArrayValue, MapValue

from shared.platform.transaction import ShortTransaction

if TYPE_CHECKING:
    from google.protobuf.message import Message

_Value = Value.pb()
_Map = MapValue.pb()
_Array = ArrayValue.pb()
_Write = Write.pb()

# ArrayValue.values (field 1, 9 bytes long) holding Value.double_value (field 3, fixed64).
_ELEMENT = np.dtype([("head", "S3"), ("value", "<f8")])
_ELEMENT_HEAD = b"\x0a\x09\x19"


def vector(values: Sequence[float]) -> Message:
    """A Firestore vector value (a map with `__type__`), doubles, from (n,) floats."""
    encoded = _Value()
    _fill(encoded, values)
    return encoded


def _fill(encoded: Any, values: Sequence[float]) -> None:  # noqa: ANN401 - a message without stubs
    """Make a vector of a value in its place: a message that is put into another is copied whole."""
    elements = np.empty(len(values), _ELEMENT)
    elements["head"] = _ELEMENT_HEAD
    elements["value"] = values
    fields = encoded.map_value.fields
    fields["__type__"].string_value = "__vector__"
    array = fields["value"].array_value
    array.SetInParent()  # also where it is empty
    array.MergeFromString(elements.tobytes())


def value(plain: object) -> Message:  # noqa: PLR0911 - one return for each of Firestore's types
    """A protobuf `Value` of None, bool, int, float, str, bytes, a list or tuple, or a mapping of str.

    Raises:
        TypeError: any other type.
    """
    match plain:
        case None:
            return _Value(null_value=0)
        case bool():
            return _Value(boolean_value=plain)
        case int():
            return _Value(integer_value=plain)
        case float():
            return _Value(double_value=plain)
        case str():
            return _Value(string_value=plain)
        case bytes():
            return _Value(bytes_value=plain)
        case Mapping():
            return _Value(map_value=_Map(fields={key: value(item) for key, item in plain.items()}))
        case list() | tuple():
            return _Value(array_value=_Array(values=[value(item) for item in plain]))
        case _:
            raise TypeError(f"Firestore has no type for {type(plain).__name__}")


class RawTransaction(ShortTransaction):
    """A transaction that also takes documents encoded here."""

    def set_raw(self, path: str, plain: Mapping[str, object], vectors: Mapping[str, Sequence[float]]) -> None:
        """Write a whole document.

        Args:
            path: the document's full resource name.
            plain: its fields.
            vectors: its vector fields, each (n,) floats with n ≤ 2,048.
        """
        write = _Write()
        write.update.name = path
        fields = write.update.fields
        for key, item in plain.items():
            fields[key].CopyFrom(value(item))
        for key, numbers in vectors.items():
            _fill(fields[key], numbers)
        self._add_write_pbs([Write.wrap(write)])
