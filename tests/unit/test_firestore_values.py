"""The order of values is total, agrees with the client's own comparison, and is exact across number types."""

from __future__ import annotations

import itertools
import math
from functools import cmp_to_key
from typing import Any

import pytest
from google.cloud.firestore_v1 import GeoPoint
from google.cloud.firestore_v1._helpers import encode_value
from google.cloud.firestore_v1.order import Order
from google.cloud.firestore_v1.types import Value
from google.cloud.firestore_v1.vector import Vector
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from local.firestore.values import key
from local.serving import Refused

UNHURRIED = settings(deadline=None)
"""A busy machine is no failure."""

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SEGMENT = st.text("ab!~", min_size=1, max_size=3)
NAMES = st.builds(
    lambda parts: "projects/p/databases/d/documents/" + "/".join(parts),
    st.lists(SEGMENT, min_size=2, max_size=2) | st.lists(SEGMENT, min_size=4, max_size=4),
)
TIMES = st.builds(
    lambda seconds, nanos: Timestamp(seconds=seconds, nanos=nanos),
    st.integers(-(10**9), 10**9),
    st.integers(0, 999_999_999),
)
SCALARS = st.one_of(
    st.just(encode_value(None)),
    st.booleans().map(encode_value),
    INT64.map(encode_value),
    st.floats().map(encode_value),
    TIMES.map(lambda moment: Value(timestamp_value=moment)),
    TEXT.map(encode_value),
    st.binary(max_size=6).map(encode_value),
    NAMES.map(lambda name: Value(reference_value=name)),
    st.builds(GeoPoint, st.floats(-90, 90), st.floats(-180, 180)).map(encode_value),
    st.lists(st.floats(-5, 5), max_size=4).map(Vector).map(encode_value),
)


def _array(elements: list[Value]) -> Value:
    return Value(array_value={"values": elements})


def _map(fields: dict[str, Value]) -> Value:
    return Value(map_value={"fields": fields})


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(_array) | st.dictionaries(TEXT, inner, max_size=3).map(_map)
    ),
    max_leaves=6,
)


def order(value: Value) -> tuple[Any, ...]:
    return key(Value.pb(value))


def compare(left: Value, right: Value) -> int:
    return (order(left) > order(right)) - (order(left) < order(right))


@UNHURRIED
@given(VALUES, VALUES)
def test_any_two_values_compare_one_way(left: Value, right: Value) -> None:
    """Of any two values exactly one of before, equal and after holds, and swapping them swaps it."""
    assert [compare(left, right)].count(0) + (compare(left, right) != 0) == 1
    assert compare(left, right) == -compare(right, left)
    assert (compare(left, right) == 0) == (order(left) == order(right))


@UNHURRIED
@given(VALUES, VALUES, VALUES)
def test_order_is_transitive(first: Value, second: Value, third: Value) -> None:
    """Sorting three values by comparing pairs puts each before all that follow it."""
    ordered = sorted([first, second, third], key=cmp_to_key(compare))
    assert compare(ordered[0], ordered[1]) <= 0
    assert compare(ordered[1], ordered[2]) <= 0
    assert compare(ordered[0], ordered[2]) <= 0


@UNHURRIED
@given(VALUES, VALUES)
def test_order_is_the_clients(left: Value, right: Value) -> None:
    """The client sorts snapshots by its own comparison; the server's must be the same one."""
    assert compare(left, right) == Order.compare(left, right)


@UNHURRIED
@given(VALUES)
def test_equal_values_have_equal_keys(value: Value) -> None:
    """A value that went over the wire equals itself, NaN included: array-remove and `in` rest on it."""
    assert order(Value.deserialize(Value.serialize(value))) == order(value)


@UNHURRIED
@given(INT64, st.floats(allow_nan=False, allow_infinity=False))
def test_integers_and_floats_compare_exactly(whole: int, fraction: float) -> None:
    """No integer is rounded to compare it, not even above 2**53."""
    left, right = encode_value(whole), encode_value(fraction)
    numerator, denominator = fraction.as_integer_ratio()
    exact = whole * denominator - numerator
    assert compare(left, right) == (exact > 0) - (exact < 0)


def test_kinds_are_in_the_documented_order() -> None:
    """Null, booleans, NaN, numbers, times, strings, bytes, references, geopoints, arrays, vectors, maps."""
    ascending = [
        encode_value(None),
        Value(boolean_value=False),
        Value(boolean_value=True),
        encode_value(math.nan),
        encode_value(-math.inf),
        encode_value(2**53 + 1),
        encode_value(float(2**53 + 2)),
        encode_value(math.inf),
        Value(timestamp_value=Timestamp(seconds=-1)),
        Value(timestamp_value=Timestamp(seconds=-1, nanos=1000)),
        encode_value(""),
        encode_value("\uffff"),
        encode_value("\U00010000"),  # after U+FFFF in UTF-8, before it in UTF-16
        encode_value(b""),
        encode_value(b"\xff"),
        Value(reference_value="projects/p/databases/d/documents/a/b"),
        Value(reference_value="projects/p/databases/d/documents/a/b/c/d"),
        Value(reference_value="projects/p/databases/d/documents/a!/b"),
        encode_value(GeoPoint(-90, 0)),
        encode_value(GeoPoint(-90, 1)),
        encode_value([]),
        encode_value([1]),
        encode_value([1, 0]),
        encode_value([2]),
        encode_value(Vector([9.0])),
        encode_value(Vector([0.0, 1.0])),
        encode_value({}),
        encode_value({"a": 2}),
        encode_value({"a": 2, "b": 0}),
        encode_value({"b": 1}),
    ]
    keys = [order(value) for value in ascending]
    assert all(left < right for left, right in itertools.pairwise(keys))


def test_zero_has_no_sign_and_three_no_type() -> None:
    """-0.0, 0.0 and 0 are one value; so are 3 and 3.0."""
    assert order(encode_value(-0.0)) == order(encode_value(0)) == order(encode_value(0.0))
    assert order(encode_value(3)) == order(encode_value(3.0))


def test_a_value_without_a_type_is_refused() -> None:
    """An empty value has no place in the order."""
    with pytest.raises(Refused, match="no type"):
        order(Value())
