"""Queries: operators over every type, orders, cursors, projections, groups, aggregates, large results."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore import And, Client, CollectionReference, FieldFilter, GeoPoint, Or, Query
from google.cloud.firestore_v1.field_path import FieldPath
from google.cloud.firestore_v1.vector import Vector

from tests.integration.firestore_calls import where
from tests.integration.firestore_server import connect, firestore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAME = FieldPath.document_id()

MIXED = {
    "null": None,
    "false": False,
    "true": True,
    "nan": math.nan,
    "minus": -1.5,
    "one": 1,
    "two": 2.0,
    "big": 2**53 + 1,
    "time": datetime(2026, 1, 1, tzinfo=UTC),
    "empty": "",
    "a": "a",
    "b": "b",
    "bytes": b"a",
    "point": GeoPoint(1, 2),
    "list": [1, "a"],
    "list2": [1, "b", None],
    "vector": Vector([1.0, 2.0]),
    "map": {"x": 1},
}
"""Ids of documents and their one field `v`, in ascending order of `v`; a document without it joins them."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with firestore(tmp_path_factory.mktemp("queries")) as server:
        client = connect(server)
        batch = client.batch()
        for identity, value in MIXED.items():
            batch.set(client.document(f"mixed/{identity}"), {"v": value})
        batch.set(client.document("mixed/without"), {"w": 1})
        for number in range(20):
            city = {"n": number, "mod": number % 3, "tags": [f"t{number % 4}", "all"], "in": {"side": number}}
            if number % 5 == 0:
                city["five"] = number
            batch.set(client.document(f"cities/c{number:02}"), city)
        for region in "xyz":
            for number in range(2):
                path = f"regions/{region}/towns/{region}{number}"
                batch.set(client.document(path), {"region": region, "n": number})
        batch.set(client.document("towns/root"), {"region": "root", "n": 5})
        batch.commit()
        yield client


@pytest.fixture
def mixed(client: Client) -> CollectionReference:
    return client.collection("mixed")


@pytest.fixture
def cities(client: Client) -> CollectionReference:
    return client.collection("cities")


def ids(query: Any) -> list[str]:
    return [snapshot.id for snapshot in query.stream()]


# Ids expected; None and NaN in `==` and `!=` become the unary filters.
OPERATORS: list[tuple[str, Any, list[str]]] = [
    ("==", None, ["null"]),
    ("==", math.nan, ["nan"]),
    ("==", 1.0, ["one"]),  # 1 and 1.0 are one value
    ("==", 2, ["two"]),
    ("==", float(2**53), []),  # nothing is rounded: 2**53 is not 2**53 + 1
    ("==", "a", ["a"]),  # neither b"a" nor an array holding it
    ("==", True, ["true"]),
    ("==", [1, "a"], ["list"]),
    ("==", {"x": 1.0}, ["map"]),
    ("==", Vector([1.0, 2.0]), ["vector"]),
    ("!=", None, [each for each in MIXED if each != "null"]),
    ("!=", math.nan, [each for each in MIXED if each not in {"null", "nan"}]),
    ("!=", 1, [each for each in MIXED if each not in {"null", "one"}]),  # never null, nor a missing field
    ("<", 2, ["nan", "minus", "one"]),  # only numbers; NaN is the least of them
    ("<=", 2, ["nan", "minus", "one", "two"]),
    (">", 1, ["two", "big"]),
    (">=", 1, ["one", "two", "big"]),
    (">", "", ["a", "b"]),
    ("<", True, ["false"]),
    (">=", datetime(2025, 1, 1, tzinfo=UTC), ["time"]),
    (">=", [1, "a", 0], ["list2"]),
    ("in", [1, "b", "none", None, math.nan], ["one", "b"]),  # null and NaN are never in
    ("in", [[1, "a"], {"x": 1}], ["list", "map"]),
    ("not-in", [1, "b"], [each for each in MIXED if each not in {"null", "one", "b"}]),
    ("not-in", [math.nan], [each for each in MIXED if each not in {"null", "nan"}]),
    ("not-in", [None, 1], []),
    ("array_contains", 1, ["list", "list2"]),
    ("array_contains", "b", ["list2"]),
    ("array_contains_any", ["a", "b"], ["list", "list2"]),
    ("array_contains_any", ["b", None], ["list2"]),
]


@pytest.mark.parametrize(("operator", "value", "expected"), OPERATORS)
def test_operators(mixed: CollectionReference, operator: str, value: Any, expected: list[str]) -> None:
    """Each operator finds exactly these, whatever else there is, as the real service's own tests expect."""
    assert set(ids(where(mixed, "v", operator, value))) == set(expected)
    ordered = [each for each in MIXED if each in expected]
    assert ids(where(mixed, "v", operator, value).order_by("v")) == ordered


def test_order_across_types(mixed: CollectionReference) -> None:
    """Ordering by a field puts the types in their order, backwards too, without those that lack the field."""
    assert ids(mixed.order_by("v")) == list(MIXED)
    assert ids(mixed.order_by("v", direction=Query.DESCENDING)) == list(MIXED)[::-1]


def test_without_an_order_the_name_decides(mixed: CollectionReference, cities: CollectionReference) -> None:
    """Plain reads and equality come by name; an inequality comes by its field, then by name."""
    assert ids(mixed) == sorted([*MIXED, "without"])
    assert ids(where(cities, "mod", "==", 1)) == [f"c{n:02}" for n in range(1, 20, 3)]
    expected = sorted((n for n in range(20) if n % 3 != 1), key=lambda n: (n % 3, n))
    assert ids(where(cities, "mod", "!=", 1)) == [f"c{n:02}" for n in expected]


def test_the_last_direction_goes_on(cities: CollectionReference) -> None:
    """Implied orders, of other inequalities and of the name, take the direction of the last one given."""
    found = ids(cities.order_by("mod", direction=Query.DESCENDING))
    assert found == [f"c{n:02}" for n in sorted(range(20), key=lambda n: (-(n % 3), -n))]
    both = where(where(cities, "n", ">", 3), "mod", ">", 0).order_by("mod", direction=Query.DESCENDING)
    expected = sorted((n for n in range(4, 20) if n % 3), key=lambda n: (-(n % 3), -n))
    assert ids(both) == [f"c{n:02}" for n in expected]


def test_several_orders(cities: CollectionReference) -> None:
    """Each order decides where the ones before it do not, each in its own direction."""
    found = ids(cities.order_by("mod", direction=Query.DESCENDING).order_by("n"))
    assert found == [f"c{n:02}" for n in sorted(range(20), key=lambda n: (-(n % 3), n))]


def test_and_or(cities: CollectionReference) -> None:
    """AND and OR nest; a field under an inequality must exist even where another branch matches."""
    query = cities.where(
        filter=Or(
            [
                And([FieldFilter("mod", "==", 0), FieldFilter("n", "<", 4)]),
                FieldFilter("in.side", "in", [17, 18]),
                FieldFilter("tags", "array_contains", "none"),
            ]
        )
    )
    assert ids(query) == ["c00", "c03", "c17", "c18"]
    query = cities.where(filter=Or([FieldFilter("five", ">", 5), FieldFilter("mod", "==", 0)]))
    assert ids(query) == ["c00", "c10", "c15"]


def test_filters_combine(cities: CollectionReference) -> None:
    """Clauses one after the other all hold, on nested fields and arrays alike."""
    query = where(where(where(cities, "tags", "array_contains", "t2"), "mod", "==", 0), "in.side", ">=", 6)
    assert ids(query) == ["c06", "c18"]
    assert ids(where(where(cities, "n", ">", 3), "n", "<=", 6)) == ["c04", "c05", "c06"]


def test_limit_offset_and_limit_to_last(cities: CollectionReference) -> None:
    """The first few, the next few, the last few."""
    assert ids(cities.limit(3)) == ["c00", "c01", "c02"]
    assert ids(cities.order_by("n").offset(4).limit(2)) == ["c04", "c05"]
    assert ids(cities.offset(18)) == ["c18", "c19"]
    last = cities.order_by("n").limit_to_last(2).get()
    assert [snapshot.id for snapshot in last] == ["c18", "c19"]


@pytest.mark.parametrize(
    ("method", "expected", "opposite"),
    [
        ("start_at", range(7, 20), "end_at"),
        ("start_after", range(8, 20), "end_before"),
        ("end_at", range(8), "start_at"),
        ("end_before", range(7), "start_after"),
    ],
)
def test_cursors(cities: CollectionReference, method: str, expected: Iterable[int], opposite: str) -> None:
    """By values and by a snapshot, the position itself is in or out as the method says."""
    ordered = cities.order_by("n")
    names = [f"c{n:02}" for n in expected]
    assert ids(getattr(ordered, method)({"n": 7})) == names
    assert ids(getattr(ordered, method)(cities.document("c07").get())) == names
    assert ids(getattr(cities.order_by(NAME), method)({NAME: "c07"})) == names
    backwards = cities.order_by("n", direction=Query.DESCENDING)
    assert ids(getattr(backwards, opposite)({"n": 7})) == names[::-1]


def test_paging_over_equal_values_misses_nothing(cities: CollectionReference) -> None:
    """Starting after the last snapshot of each page visits every document once, equal keys or not."""
    for query in (cities.order_by("mod"), cities.order_by("mod", direction=Query.DESCENDING), cities):
        seen: list[str] = []
        page = query.limit(3).get()
        while page:
            seen += [snapshot.id for snapshot in page]
            page = query.start_after(page[-1]).limit(3).get()
        assert seen == ids(query)
        assert len(set(seen)) == 20


def test_projection(cities: CollectionReference) -> None:
    """Selected fields come alone, from inside maps as well; selecting none gives only the names."""
    (found,) = where(cities, "n", "==", 5).select(["in.side", "mod", "absent"]).stream()
    assert found.to_dict() == {"in": {"side": 5}, "mod": 2}
    (found,) = where(cities, "n", "==", 5).select([]).stream()
    assert found.to_dict() == {}
    assert found.id == "c05"


def test_names_in_filters(client: Client, cities: CollectionReference) -> None:
    """Documents are found and ranged over by name; a name that is no reference is refused."""
    assert ids(where(cities, NAME, "==", cities.document("c03"))) == ["c03"]
    assert ids(where(cities, NAME, ">", cities.document("c17"))) == ["c18", "c19"]
    assert ids(where(cities, NAME, "in", [cities.document("c01"), cities.document("zz")])) == ["c01"]
    assert len(ids(where(cities, NAME, "not-in", [cities.document("c01")]))) == 19
    assert ids(cities.order_by(NAME, direction=Query.DESCENDING).limit(1)) == ["c19"]
    group = client.collection_group("towns")
    towns = where(group, NAME, ">=", client.document("regions/y/towns/y0")).order_by(NAME)
    assert ids(towns) == ["y0", "y1", "z0", "z1", "root"]
    with pytest.raises(exceptions.InvalidArgument, match="__key__ filter value must be a Key"):
        ids(where(group, NAME, "==", 5))


def test_collection_groups(client: Client) -> None:
    """A group holds the collections of an id at any depth, in the order of the whole path."""
    group = client.collection_group("towns")
    assert ids(group) == ["x0", "x1", "y0", "y1", "z0", "z1", "root"]
    assert ids(where(group, "n", ">=", 1)) == ["x1", "y1", "z1", "root"]
    assert ids(client.collection("regions/x/towns")) == ["x0", "x1"]
    assert ids(client.collection_group("nowhere")) == []


def test_aggregates(cities: CollectionReference, mixed: CollectionReference) -> None:
    """Count, sum and average over what the query finds; what is no number is passed over."""

    def values(query: Any) -> dict[str, Any]:
        return {each.alias: each.value for each in query.get()[0]}

    some = where(cities, "n", "<", 4)
    assert values(some.count("c").sum("n", "s").avg("n", "a")) == {"c": 4, "s": 6, "a": 1.5}
    assert values(cities.limit(7).count("c")) == {"c": 7}
    nothing = where(cities, "n", ">", 99)
    # The average of nothing is null, which the client reads as 0.0.
    assert values(nothing.count("c").sum("n", "s").avg("n", "a")) == {"c": 0, "s": 0, "a": 0.0}
    found = values(where(mixed, "v", "in", ["a", 1, 2, True]).count("c").sum("v", "s"))
    assert found == {"c": 4, "s": 3.0}
    assert math.isnan(values(mixed.sum("v", "s"))["s"])


@pytest.mark.parametrize(
    ("operator", "value", "message"),
    [
        ("in", [], "non-empty"),
        ("in", list(range(31)), "30"),
        ("not-in", list(range(11)), "10"),
        ("array_contains_any", list(range(31)), "30"),
    ],
)
def test_lists_have_limits(cities: CollectionReference, operator: str, value: Any, message: str) -> None:
    """Empty and overlong lists of alternatives are INVALID_ARGUMENT."""
    with pytest.raises(exceptions.InvalidArgument, match=message):
        ids(where(cities, "n", operator, value))


def test_a_large_result_streams(client: Client) -> None:
    """Thousands of documents come whole and in order, and a reader may stop half-way."""
    for start in range(0, 3000, 500):
        batch = client.batch()
        for number in range(start, start + 500):
            batch.set(client.document(f"many/d{number:04}"), {"n": number, "s": f"s{number % 1000}"})
        batch.commit()
    many = client.collection("many")
    assert [snapshot.get("n") for snapshot in many.stream()] == list(range(3000))
    assert ids(where(many, "s", "==", "s7")) == ["d0007", "d1007", "d2007"]
    assert next(many.order_by("n", direction=Query.DESCENDING).stream()).get("n") == 2999
    assert next(many.stream()).id == "d0000"
