"""Count, sum and average over a query's result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.firestore import paths, queries
from local.firestore.limits import NUMBERS
from local.firestore.protos import Document, Value
from local.serving import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message as Aggregation

    from local.firestore.plans import Plan
    from local.firestore.queries import Match
    from local.firestore.store import Reader

MAX_AGGREGATIONS = 5
_INT64 = range(-(2**63), 2**63)


def run(reader: Reader, plan: Plan, at: int, asked: Iterable[Aggregation]) -> dict[str, Value]:
    """Each aggregation's value by its alias.

    Raises:
        Refused: INVALID_ARGUMENT for none or too many aggregations, an unknown one, or a double alias.
    """
    asked = list(asked)
    if not 1 <= len(asked) <= MAX_AGGREGATIONS:
        raise invalid(f"An aggregation query holds 1 to {MAX_AGGREGATIONS} aggregations.")
    matches = list(queries.select(reader, plan, at))
    results: dict[str, Value] = {}
    for position, aggregation in enumerate(asked, 1):
        alias = aggregation.alias or f"field_{position}"
        if alias in results:
            raise invalid(f'The aggregation alias "{alias}" is used twice.')
        results[alias] = _aggregate(aggregation, matches)
    return results


def _aggregate(aggregation: Aggregation, matches: list[Match]) -> Value:
    kind = aggregation.WhichOneof("operator")
    if kind == "count":
        count = len(matches)
        if aggregation.count.HasField("up_to"):
            if aggregation.count.up_to.value <= 0:
                raise invalid("The up_to of a count must be positive.")
            count = min(count, aggregation.count.up_to.value)
        return Value(integer_value=count)
    if kind not in {"sum", "avg"}:
        raise invalid("An aggregation must be count, sum or avg.")
    path = paths.parse(getattr(aggregation, kind).field.field_path)
    numbers = _numbers(matches, path)
    if kind == "avg":
        return Value(double_value=sum(numbers) / len(numbers)) if numbers else Value(null_value=0)
    if all(isinstance(number, int) for number in numbers) and sum(numbers) in _INT64:
        return Value(integer_value=int(sum(numbers)))
    return Value(double_value=float(sum(numbers)))


def _numbers(matches: list[Match], path: paths.FieldPath) -> list[float]:
    found = (paths.get(Document.FromString(match.version.data).fields, path) for match in matches)
    kinds = ((value, value.WhichOneof("value_type")) for value in found if value is not None)
    return [getattr(value, kind) for value, kind in kinds if kind in NUMBERS]
