"""Every query that the code asks Firestore has its index in infra/indexes.tf, and no index is unneeded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from shared.digests.records import DELIVERIES
from tests.unit import infra_queries
from tests.unit.infra_plan import INFRA, of_type
from tests.unit.infra_queries import EQUALITIES, HELPERS, QUERIES, RANGES, Query, sites

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME = "__name__"
"""A document's own, which Firestore puts into every index."""


def indexes() -> set[Query]:
    """The composite indexes, in the form of the query that needs just them."""
    found = set()
    for one in of_type("plain", "google_firestore_index").values():
        fields = one["fields"]
        vector = next((field["field_path"] for field in fields if field["vector_config"]), None)
        contains = next((field["field_path"] for field in fields if field["array_config"]), None)
        last: dict[str, Any] = {} if vector else fields[-1]
        compared = [field for field in fields if field["order"] and field is not last]
        equal = sorted(field["field_path"] for field in compared if field["field_path"] != NAME)
        found.add(
            Query(
                one["collection"],
                tuple(equal),
                contains,
                last.get("field_path"),
                last.get("order") == "DESCENDING",
                one["query_scope"] == "COLLECTION_GROUP",
                vector,
            )
        )
    return found


def questions() -> set[Query]:
    """All queries, their equalities in one order."""
    return {one._replace(equal=tuple(sorted(one.equal))) for asked in QUERIES.values() for one in asked}


def needs_composite(asked: Query) -> bool:
    """Fields compared, beside an order or a vector; a group of collections has no index of single fields."""
    compared = bool(asked.equal or asked.contains)
    return asked.vector is not None or (asked.order is not None and compared)


def answering(asked: Query, there: Iterable[Query]) -> set[Query]:
    """Indexes that answer a query together: each for a part of what is compared, all in its order."""
    if asked.vector:
        return {one for one in there if one == asked}
    return {
        one
        for one in there
        if one[3:] == asked[3:]
        and one.collection == asked.collection
        and set(one.equal) <= set(asked.equal)
        and one.contains in {None, asked.contains}
    }


def test_queries_are_all_known() -> None:
    """Every place in the source that asks Firestore is in `QUERIES`, with the fields that it names."""
    found = sites()
    unsaid, gone = set(found) - set(QUERIES) - HELPERS, (set(QUERIES) | HELPERS) - set(found)
    assert not unsaid, f"say in tests/unit/infra_queries.py what these ask: {sorted(unsaid)}"
    assert not gone, f"these ask nothing any more: {sorted(gone)}"
    for site, conditions in found.items():
        asked = QUERIES.get(site, [])
        for field, operator in conditions:
            if not field:
                continue
            if operator in EQUALITIES:
                told = {name for one in asked for name in one.equal}
            elif operator in RANGES:
                told = {one.order for one in asked if one.order}
            else:
                told = {one.contains for one in asked if one.contains}
            assert field in told, (site, field, operator)


@pytest.mark.parametrize(
    "asked", sorted((one for one in questions() if needs_composite(one)), key=str), ids=str
)
def test_every_query_has_its_index(asked: Query) -> None:
    """Composite indexes that together name all that is compared."""
    found = answering(asked, indexes())
    assert found
    compared = {name for one in found for name in (*one.equal, one.contains) if name}
    assert compared == {name for name in (*asked.equal, asked.contains) if name}


def test_every_index_is_needed() -> None:
    """By a query of just its fields: an index that none asks for costs with every write."""
    assert indexes() <= questions()


def test_fields_that_are_asked_for_are_indexed() -> None:
    """A field without an index of its own is one that no query compares or orders by alone."""
    without = {
        (one["collection"], one["field"]) for one in of_type("plain", "google_firestore_field").values()
    }
    asked = {
        (one.collection, field)
        for one in questions()
        if not needs_composite(one)
        for field in (*one.equal, one.contains, one.order)
        if field
    }
    for collection, field in asked:
        parts = field.split(".")
        above = {(collection, ".".join(parts[:end])) for end in range(1, len(parts) + 1)}
        assert not above & without, (collection, field)


def test_only_what_has_nothing_under_it_expires_by_itself() -> None:
    """Firestore would leave behind what lies under a record that has a time to live."""
    expiring = {
        (one["collection"], one["field"])
        for one in of_type("plain", "google_firestore_field").values()
        if one["ttl_config"]
    }
    assert expiring == {("leases", "expires_at"), ("erased", "expires_at")}


def test_deliveries_are_a_group() -> None:
    """They lie under many digests and are asked for together: no index of one collection answers that."""
    assert {one.group for one in indexes() if one.collection == DELIVERIES} == {True}


def test_a_vector_comes_after_the_name() -> None:
    """As Firestore tells it: otherwise each apply would build the index anew, and search fail meanwhile."""
    paths = [
        [(field["field_path"], field["order"]) for field in one["fields"]]
        for one in of_type("plain", "google_firestore_index").values()
        if any(field["vector_config"] for field in one["fields"])
    ]
    assert len(paths) == 4
    for fields in paths:
        assert fields[-2] == (NAME, "ASCENDING")
        assert fields[-1][0] == "embedding"


def test_indexes_of_another_name_are_moved() -> None:
    """Without, Terraform would remove those that there are, and search fail until theirs are built."""
    text = (INFRA / "firestore.tf").read_text()
    named = re.findall(r'^moved \{\n  from = (.+"\])\n  to   = (.+"\])\n\}', text, re.MULTILINE)
    now = of_type("plain", "google_firestore_index")
    assert {to for _, to in named} == {address for address in now if "VECTOR" in address}
    assert all(before == to.replace(f"/{NAME} ASCENDING", "") for before, to in named)


def test_dimension_of_vectors() -> None:
    """What the passages' record says of its embedding."""
    dimensions = {
        field["vector_config"][0]["dimension"]
        for one in of_type("plain", "google_firestore_index").values()
        for field in one["fields"]
        if field["vector_config"]
    }
    assert dimensions == {384}


def test_a_new_query_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever form the code makes one: conditions, orders, helpers' arguments, groups."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "new.py").write_text(
        "def one(c): return c.where(filter=FieldFilter('size', '>', 3))\n"
        "def two(c): return c.order_by('size')\n"
        "def three(c): return _where(c, ('size', '==', 3))\n"
        "def four(rows): return rows.count('documents', [])\n"
        "class Five:\n    def six(self, c): return c.collection_group('passages')\n"
        "def none(text): return text.replace('{', '<'), range(3), [1].count(1)\n"
    )
    monkeypatch.setattr(infra_queries, "ROOT", tmp_path)
    assert sites() == {
        "shared.new:one": {("size", ">")},
        "shared.new:two": set(),
        "shared.new:three": {("size", "==")},
        "shared.new:four": set(),
        "shared.new:Five.six": set(),
    }


def test_a_query_whose_order_is_turned_round_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Firestore would be asked for the order that the source does not name, and have no index for it."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "new.py").write_text("def one(c): return c.order_by('size').limit_to_last(3)\n")
    monkeypatch.setattr(infra_queries, "ROOT", tmp_path)
    with pytest.raises(AssertionError, match="each order has its own index"):
        sites()
