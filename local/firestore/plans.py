"""A query's plan: where it reads, what it keeps, how it sorts, where it starts and stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from local.firestore import paths
from local.firestore.filters import ALL, Candidate, Filtered, compile_filter, value_at
from local.firestore.names import check_id, join
from local.firestore.paths import NAME, FieldPath
from local.firestore.protos import StructuredQuery
from local.firestore.values import Key, Kind, key
from local.serving import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.message import Message as CursorMessage

    from local.firestore.store import Collection, Reader

_DESCENDING: Any = StructuredQuery.DESCENDING


class Order(NamedTuple):
    """One key of the sort."""

    path: FieldPath
    descending: bool
    at: Callable[[Candidate], Key | None]


class Cursor(NamedTuple):
    """A position: just before or just after every result that begins with `keys`."""

    keys: tuple[Key, ...]
    before: bool

    def side(self, keys: Sequence[Key], orders: Sequence[Order]) -> int:
        """-1 where a result with these sort keys lies before this position, else 1."""
        for mine, theirs, order in zip(self.keys, keys, orders, strict=False):
            if mine != theirs:
                return -1 if (theirs < mine) != order.descending else 1
        return 1 if self.before else -1


class Match(NamedTuple):
    """A document of the result; it is not parsed, since most are cut off again unread."""

    name: str
    created: int
    updated: int
    keys: tuple[Key, ...]
    data: Callable[[], bytes]


class Plan(NamedTuple):
    """Everything that a query asks for, checked and compiled."""

    database: str
    parent: str
    """Document path that the collection hangs below, "" for the database's root."""
    collection_id: str
    descendants: bool
    filtered: Filtered
    orders: tuple[Order, ...]
    """Contains `__name__`, so that it is total."""
    start: Cursor | None
    end: Cursor | None
    offset: int
    limit: int | None
    projection: list[FieldPath] | None
    """None for whole documents."""
    query: StructuredQuery

    def collections(self, reader: Reader) -> list[Collection]:
        """The collections that it reads and that exist."""
        if self.descendants:
            return reader.collections(self.database, self.parent, self.collection_id)
        collection = reader.collection(self.database, join(self.parent, self.collection_id))
        return [collection] if collection else []

    @property
    def stop(self) -> int | None:
        """How many results there are at most, those that the offset skips included."""
        return None if self.limit is None else self.offset + self.limit

    @property
    def by_name(self) -> bool:
        """Whether the order of storage is the order of the result."""
        return len(self.orders) == 1 and not self.orders[0].descending

    @property
    def reads_fields(self) -> bool:
        """Whether choosing the documents needs to look into them."""
        return len(self.orders) > 1 or self.query.HasField("where")


def compile_query(database: str, parent: str, query: StructuredQuery) -> Plan:
    """Check a query and compile it.

    Raises:
        Refused: INVALID_ARGUMENT for what the real service refuses.
    """
    sources = query.from_
    if len(sources) != 1:
        raise invalid("A query must read exactly one collection or collection group.")
    source = sources[0]
    if source.collection_id or not source.all_descendants:
        check_id(source.collection_id)
    if query.offset < 0 or (query.HasField("limit") and query.limit.value < 0):
        raise invalid("The limit and the offset of a query must not be negative.")
    filtered = compile_filter(query.where) if query.HasField("where") else ALL
    orders = _orders(query, filtered)
    return Plan(
        database,
        parent,
        source.collection_id,
        source.all_descendants,
        filtered,
        orders,
        _cursor(query.start_at, orders) if query.HasField("start_at") else None,
        _cursor(query.end_at, orders) if query.HasField("end_at") else None,
        query.offset,
        query.limit.value if query.HasField("limit") else None,
        _projection(query),
        query,
    )


def _orders(query: StructuredQuery, filtered: Filtered) -> tuple[Order, ...]:
    """The orders asked for, then the fields under an inequality, then the name, all in the last direction."""
    asked = [
        (paths.parse(order.field.field_path), order.direction == _DESCENDING) for order in query.order_by
    ]
    named = [path for path, _ in asked]
    if len(set(named)) != len(named):
        raise invalid("A query must not be ordered by one field twice.")
    last = asked[-1][1] if asked else False
    implied = sorted(filtered.inequalities - {NAME, *named}, key=paths.render)
    asked += [(path, last) for path in implied]
    if NAME not in named:
        asked.append((NAME, last))
    return tuple(Order(path, descending, value_at(path)) for path, descending in asked)


def _cursor(cursor: CursorMessage, orders: Sequence[Order]) -> Cursor:
    if len(cursor.values) > len(orders):
        raise invalid("A cursor has more values than the query has orders.")
    keys = tuple(key(value) for value in cursor.values)
    for value, order in zip(keys, orders, strict=False):
        if order.path == NAME and value[0] is not Kind.REFERENCE:
            raise invalid("A cursor's value for __name__ must be a reference.")
    return Cursor(keys, cursor.before)


def _projection(query: StructuredQuery) -> list[FieldPath] | None:
    if not query.HasField("select"):
        return None
    return paths.parse_mask(field.field_path for field in query.select.fields)
