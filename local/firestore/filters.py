"""Filters: from the request's tree to one predicate over a document.

Null and NaN follow the real service: no range and no `in` matches null, `!=` and `not-in` never return a null
field, and equality with null or NaN is asked for by the unary operators.
Source: https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#structuredquery
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from local.firestore import paths
from local.firestore.paths import NAME, FieldPath
from local.firestore.protos import Document, StructuredQuery, Value
from local.firestore.values import NAN, NULL, Key, Kind, key, reference_key
from local.serving import invalid

if TYPE_CHECKING:
    from google.protobuf.message import Message as Fields
    from google.protobuf.message import Message as Filter

    from local.firestore.store import Known

MAX_DISJUNCTIONS = 30
MAX_NOT_IN = 10

_Op: Any = StructuredQuery.FieldFilter
_Unary: Any = StructuredQuery.UnaryFilter
_AND = 1
_OR = 2
_RANGES: dict[int, Callable[[Key, Key], bool]] = {
    _Op.LESS_THAN: operator.lt,
    _Op.LESS_THAN_OR_EQUAL: operator.le,
    _Op.GREATER_THAN: operator.gt,
    _Op.GREATER_THAN_OR_EQUAL: operator.ge,
}
_INEQUALITIES = {*_RANGES, _Op.NOT_EQUAL, _Op.NOT_IN}


class Candidate:
    """A document under consideration, which is parsed only where its keys are not known from before."""

    __slots__ = ("_fields", "_known", "data", "name")

    def __init__(self, name: str, known: Known, data: Callable[[], bytes]) -> None:
        """`known` has the keys that earlier queries looked at, and keeps those that this one does."""
        self.name = name
        self.data = data
        self._known = known
        self._fields: Fields | None = None

    def key(self, path: FieldPath) -> Key | None:
        """The key of the value at `path`, None where there is none."""
        if path not in self._known:
            if self._fields is None:
                self._fields = Document.FromString(self.data()).fields
            value = paths.get(self._fields, path)
            self._known[path] = None if value is None else key(value)
        return self._known[path]


Predicate: TypeAlias = Callable[[Candidate], bool]


class Filtered(NamedTuple):
    """A compiled filter."""

    matches: Predicate
    inequalities: frozenset[FieldPath]
    """Fields under an inequality: the query is ordered by them even where it does not say so."""
    needles: tuple[bytes, ...]
    """Byte strings that the serialised form of every match contains."""


ALL = Filtered(lambda _: True, frozenset(), ())


def compile_filter(node: Filter) -> Filtered:
    """Turn a filter of the request into a predicate.

    Raises:
        Refused: INVALID_ARGUMENT for what the real service refuses.
    """
    kind = node.WhichOneof("filter_type")
    if kind == "composite_filter":
        return _composite(node.composite_filter)
    if kind == "field_filter":
        return _field(node.field_filter)
    if kind == "unary_filter":
        return _unary(node.unary_filter)
    return ALL


def value_at(path: FieldPath) -> Callable[[Candidate], Key | None]:
    """A function giving the key of a document's value at `path`, None where it has none."""
    if path == NAME:
        return lambda candidate: reference_key(candidate.name)

    return lambda candidate: candidate.key(path)


def _composite(node: Filter) -> Filtered:
    if not node.filters:
        raise invalid("A composite filter must hold at least one filter.")
    parts = [compile_filter(part) for part in node.filters]
    predicates = [part.matches for part in parts]
    inequalities = frozenset().union(*(part.inequalities for part in parts))
    if node.op == _AND:
        needles = tuple(needle for part in parts for needle in part.needles)
        return Filtered(lambda c: all(matches(c) for matches in predicates), inequalities, needles)
    if node.op == _OR:
        return Filtered(lambda c: any(matches(c) for matches in predicates), inequalities, ())
    raise invalid("A composite filter must be AND or OR.")


def _unary(node: Filter) -> Filtered:
    path = paths.parse(node.field.field_path)
    at = value_at(path)
    if node.op == _Unary.IS_NULL:
        return Filtered(lambda c: at(c) == NULL, frozenset(), ())
    if node.op == _Unary.IS_NAN:
        return Filtered(lambda c: at(c) == NAN, frozenset(), ())
    if node.op == _Unary.IS_NOT_NULL:
        return Filtered(lambda c: at(c) not in {None, NULL}, frozenset({path}), ())
    if node.op == _Unary.IS_NOT_NAN:
        return Filtered(lambda c: at(c) not in {None, NULL, NAN}, frozenset({path}), ())
    raise invalid("A unary filter must be IS_NULL, IS_NAN, IS_NOT_NULL or IS_NOT_NAN.")


def _field(node: Filter) -> Filtered:
    path = paths.parse(node.field.field_path)
    matches = _predicate(node, path)
    inequalities = frozenset({path}) if node.op in _INEQUALITIES else frozenset()
    needles = (_needle(node.value),) if node.op in {_Op.EQUAL, _Op.ARRAY_CONTAINS} and path != NAME else ()
    return Filtered(matches, inequalities, tuple(needle for needle in needles if needle))


def _needle(value: Value) -> bytes:
    """What a document holding this very string contains, byte for byte; empty for others."""
    if value.WhichOneof("value_type") != "string_value":
        return b""
    serialised: bytes = value.SerializeToString()
    return serialised


def _predicate(node: Filter, path: FieldPath) -> Predicate:
    at = value_at(path)
    if node.op in {_Op.IN, _Op.NOT_IN, _Op.ARRAY_CONTAINS_ANY}:
        return _set_predicate(node, path, at)
    operand = key(node.value)
    if path == NAME:
        _check_reference(operand)
    if node.op == _Op.EQUAL:
        return lambda c: at(c) == operand
    if node.op == _Op.NOT_EQUAL:
        return lambda c: at(c) not in {None, NULL, operand}
    if node.op == _Op.ARRAY_CONTAINS:
        return _contains_any(path, {operand} - {NULL, NAN})
    compare = _RANGES.get(node.op)
    if compare is None:
        raise invalid("A field filter has no known operator.")
    if operand in {NULL, NAN}:
        return lambda _: False

    def in_range(candidate: Candidate) -> bool:
        value = at(candidate)
        return value is not None and value[0] == operand[0] and compare(value, operand)

    return in_range


def _set_predicate(node: Filter, path: FieldPath, at: Callable[[Candidate], Key | None]) -> Predicate:
    elements = node.value.array_value.values
    limit = MAX_NOT_IN if node.op == _Op.NOT_IN else MAX_DISJUNCTIONS
    name = {_Op.IN: "IN", _Op.NOT_IN: "NOT_IN"}.get(node.op, "ARRAY_CONTAINS_ANY")
    if node.value.WhichOneof("value_type") != "array_value" or not elements:
        raise invalid(f"'{name}' requires an non-empty ArrayValue.")
    if len(elements) > limit:
        raise invalid(f"'{name}' supports up to {limit} comparison values.")
    operands = {key(element) for element in elements}
    if path == NAME:
        for operand in operands:
            _check_reference(operand)
    if node.op == _Op.IN:
        wanted = operands - {NULL, NAN}
        return lambda c: at(c) in wanted
    if node.op == _Op.ARRAY_CONTAINS_ANY:
        return _contains_any(path, operands - {NULL, NAN})
    if NULL in operands:
        return lambda _: False
    unwanted = {None, NULL, *operands}
    return lambda c: at(c) not in unwanted


def _contains_any(path: FieldPath, wanted: set[Key]) -> Predicate:
    def contains(candidate: Candidate) -> bool:
        value = candidate.key(path)
        return value is not None and value[0] is Kind.ARRAY and any(each in value[1] for each in wanted)

    return contains


def _check_reference(operand: Key) -> None:
    if operand[0] is not Kind.REFERENCE:
        raise invalid("__key__ filter value must be a Key")
