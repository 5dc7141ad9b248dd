"""Field transforms: what a server timestamp, an increment or an array union makes of a field.

Source: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#documenttransform
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.firestore import paths, values
from local.firestore.limits import NUMBERS
from local.firestore.protos import ArrayValue, Value, timestamp
from local.serving import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message as FieldTransform
    from google.protobuf.message import Message as Fields

_REQUEST_TIME = 1
_INT64 = range(-(2**63), 2**63)


def apply(fields: Fields, transform: FieldTransform, at: int) -> Value:
    """Change `fields` in place and return the transform's result; `at` is the commit's time in microseconds.

    Raises:
        Refused: INVALID_ARGUMENT for a malformed transform.
    """
    path = paths.parse(transform.field_path)
    kind = transform.WhichOneof("transform_type")
    present = paths.get(fields, path)
    result = Value()
    if kind == "set_to_server_value":
        if transform.set_to_server_value != _REQUEST_TIME:
            raise invalid("A server value must be REQUEST_TIME.")
        # The real service's request time has milliseconds.
        result.timestamp_value.CopyFrom(timestamp(at // 1000 * 1000))
        paths.put(fields, path, result)
    elif kind in {"increment", "maximum", "minimum"}:
        operand = getattr(transform, kind)
        if operand.WhichOneof("value_type") not in NUMBERS:
            raise invalid(f"The operand of {kind} must be an integer or a double.")
        result.CopyFrom(_arithmetic(kind, present, operand))
        paths.put(fields, path, result)
    elif kind in {"append_missing_elements", "remove_all_from_array"}:
        elements = present.array_value.values if present is not None else ()
        make = _union if kind == "append_missing_elements" else _difference
        changed = Value(array_value=ArrayValue(values=make(elements, getattr(transform, kind).values)))
        paths.put(fields, path, changed)
        result.null_value = 0
    else:
        raise invalid(f'The transform of "{transform.field_path}" has no type.')
    return result


def _number(value: Value) -> float:
    number: float = getattr(value, value.WhichOneof("value_type"))
    return number


def _arithmetic(kind: str, present: Value | None, operand: Value) -> Value:
    if present is None or present.WhichOneof("value_type") not in NUMBERS:
        return operand
    if kind == "increment":
        total = _number(present) + _number(operand)
        if present.HasField("double_value") or operand.HasField("double_value"):
            return Value(double_value=total)
        return Value(integer_value=min(max(int(total), _INT64[0]), _INT64[-1]))
    mine, theirs = values.key(present), values.key(operand)
    if values.NAN in {mine, theirs}:
        return present if mine == values.NAN else operand
    # Of equal numbers (3 and 3.0) the one that is there stays.
    wins = theirs > mine if kind == "maximum" else theirs < mine
    return operand if wins else present


def _union(elements: Iterable[Value], more: Iterable[Value]) -> list[Value]:
    result = list(elements)
    seen = {values.key(element) for element in result}
    for element in more:
        key = values.key(element)
        if key not in seen:
            seen.add(key)
            result.append(element)
    return result


def _difference(elements: Iterable[Value], less: Iterable[Value]) -> list[Value]:
    dropped = {values.key(element) for element in less}
    return [element for element in elements if values.key(element) not in dropped]
