"""Count, sum and average over a query's result."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from local.firestore import paths, queries
from local.firestore.limits import NUMBERS
from local.firestore.protos import Document, Value
from local.serving import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message as Aggregation
    from google.protobuf.message import Message as Fields

    from local.firestore.paths import FieldPath
    from local.firestore.plans import Plan
    from local.firestore.store import Reader

MAX_AGGREGATIONS = 5
_INT64 = range(-(2**63), 2**63)


class _Sought(NamedTuple):
    """One aggregation: its kind, and the field it is over or the number it stops at."""

    kind: str
    path: FieldPath | None
    up_to: int | None


def run(reader: Reader, plan: Plan, at: int, asked: Sequence[Aggregation]) -> dict[str, Value]:
    """Each aggregation's value by its alias.

    Raises:
        Refused: INVALID_ARGUMENT for none or too many aggregations, an unknown one, or a double alias.
    """
    if not 1 <= len(asked) <= MAX_AGGREGATIONS:
        raise invalid(f"An aggregation query holds 1 to {MAX_AGGREGATIONS} aggregations.")
    sought = {each.alias or f"field_{position}": _compile(each) for position, each in enumerate(asked, 1)}
    if len(sought) < len(asked):
        raise invalid("Two aggregations have one alias.")
    numbers: dict[FieldPath, list[float]] = {each.path: [] for each in sought.values() if each.path}
    count = 0
    for match in queries.select(reader, plan, at):
        count += 1
        if numbers:
            _collect(numbers, Document.FromString(match.data()).fields)
    return {
        alias: _value(each.kind, numbers[each.path]) if each.path else _count(count, each.up_to)
        for alias, each in sought.items()
    }


def _compile(aggregation: Aggregation) -> _Sought:
    kind = aggregation.WhichOneof("operator")
    if kind == "count":
        up_to = aggregation.count.up_to.value if aggregation.count.HasField("up_to") else None
        if up_to is not None and up_to <= 0:
            raise invalid("The up_to of a count must be positive.")
        return _Sought(kind, None, up_to)
    if kind not in {"sum", "avg"}:
        raise invalid("An aggregation must be count, sum or avg.")
    return _Sought(kind, paths.parse(getattr(aggregation, kind).field.field_path), None)


def _collect(numbers: dict[FieldPath, list[float]], fields: Fields) -> None:
    for path, values in numbers.items():
        value = paths.get(fields, path)
        kind = None if value is None else value.WhichOneof("value_type")
        if kind in NUMBERS:
            values.append(getattr(value, kind))


def _count(count: int, up_to: int | None) -> Value:
    return Value(integer_value=count if up_to is None else min(count, up_to))


def _value(kind: str, numbers: list[float]) -> Value:
    total = sum(numbers)
    if kind == "avg":
        return Value(double_value=total / len(numbers)) if numbers else Value(null_value=0)
    if all(isinstance(number, int) for number in numbers) and total in _INT64:
        return Value(integer_value=int(total))
    return Value(double_value=float(total))
