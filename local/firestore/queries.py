"""Running a query: scan, filter, sort, cut, project."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from local.firestore import nearest, paths
from local.firestore.filters import Candidate
from local.firestore.plans import Match
from local.firestore.protos import Document, Value, timestamp
from local.firestore.store import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.firestore.plans import Plan
    from local.firestore.store import Collection, Reader, Version
    from local.firestore.values import Key


_BLOCK = 4096


class Result(NamedTuple):
    """The document as the client gets it, and when it was last written."""

    document: Document
    updated: int


def run(reader: Reader, plan: Plan, at: int) -> Iterator[Result]:
    """The plan's result as of `at`, in order.

    Raises:
        Refused: INVALID_ARGUMENT where the vector search does not fit the documents.
    """
    matches = select(reader, plan, at)
    if plan.query.HasField("find_nearest"):
        yield from (
            Result(_document(match, plan, distance), match.updated)
            for match, distance in nearest.search(matches, plan)
        )
        return
    for match in matches:
        yield Result(_document(match, plan, None), match.updated)


def select(reader: Reader, plan: Plan, at: int) -> Iterator[Match]:
    """What the plan keeps, sorted, between its cursors, offset and limit applied."""
    matches = _indexed(reader, plan, at)
    if matches is None:
        matches = _matches(reader, plan, at)
        stored_in_order = plan.by_name and not plan.descendants
        # A vector search brings its own order, and sorting would hold every document at once.
        order_matters = not plan.query.HasField("find_nearest") or plan.stop is not None or plan.offset > 0
        if order_matters and not stored_in_order:
            matches = iter(_sorted(matches, plan))
    return itertools.islice(matches, plan.offset, plan.stop)


def _indexed(reader: Reader, plan: Plan, at: int) -> Iterator[Match] | None:
    """The same before offset and limit, from a collection's order; None where none is kept.

    A group of collections is searched by vectors, which are read anew each time.
    """
    if plan.descendants or plan.query.HasField("find_nearest"):
        return None
    collections = plan.collections(reader)
    if not collections:
        return iter(())
    entries = _index(reader, plan, collections[0], at)
    return None if entries is None else _between(reader, plan, collections[0], entries)


def _index(reader: Reader, plan: Plan, collection: Collection, at: int) -> list[Entry] | None:
    """All documents of a collection that have a place in the plan's order, in it; None: of a past moment."""
    changed = reader.memory.changed.get(collection.key, 0)
    if at < changed:
        return None
    order = tuple((each.path, each.descending) for each in plan.orders)
    entries = reader.memory.index(collection.key, order, changed)
    if entries is None:
        entries = []
        prefix = _prefix(plan, collection)
        for head in reader.heads(collection, at):
            known = reader.known(collection, head)
            candidate = Candidate(prefix + head.id, known, partial(reader.data, collection, head))
            keys = tuple(each.at(candidate) for each in plan.orders)
            present = tuple(key for key in keys if key is not None)
            if len(present) == len(keys):
                entries.append(Entry(head, present, known))
        for at_key in reversed(range(len(plan.orders))):
            entries.sort(key=_key_at(at_key), reverse=plan.orders[at_key].descending)
        reader.memory.keep(collection.key, order, changed, entries)
    return entries


def _between(reader: Reader, plan: Plan, collection: Collection, entries: list[Entry]) -> Iterator[Match]:
    """What the filters let through of the entries between the cursors."""
    first, last = 0, len(entries)
    if (start := plan.start) is not None:
        first = bisect_left(entries, 0, key=lambda entry: start.side(entry.keys, plan.orders))
    if (end := plan.end) is not None:
        last = bisect_left(entries, 0, key=lambda entry: end.side(entry.keys, plan.orders))
    prefix = _prefix(plan, collection)
    for head, keys, known in itertools.islice(entries, first, last):
        data = partial(reader.data, collection, head)
        candidate = Candidate(prefix + head.id, known, data)
        if plan.filtered.matches(candidate):
            yield Match(candidate.name, head.created, head.updated, keys, data)


def _prefix(plan: Plan, collection: Collection) -> str:
    return f"{plan.database}/documents/{collection.path}/"


def _matches(reader: Reader, plan: Plan, at: int) -> Iterator[Match]:
    needles = plan.filtered.needles
    for collection in plan.collections(reader):
        prefix = _prefix(plan, collection)
        for version in reader.scan(collection, at, _first_id(plan, prefix)):
            if needles and not all(needle in version.data for needle in needles):
                continue
            candidate = Candidate(prefix + version.id, {}, partial(_data, version))
            keys = tuple(order.at(candidate) for order in plan.orders)
            present = tuple(key for key in keys if key is not None)
            if len(present) < len(keys) or not plan.filtered.matches(candidate):
                continue
            if plan.start is not None and plan.start.side(present, plan.orders) < 0:
                continue
            if plan.end is not None and plan.end.side(present, plan.orders) > 0:
                continue
            yield Match(candidate.name, version.created, version.updated, present, candidate.data)


def _data(version: Version) -> bytes:
    return version.data


def _first_id(plan: Plan, prefix: str) -> str:
    """The first id to scan: paging by name must not read every earlier page again."""
    if plan.start is None or not plan.by_name or not plan.start.keys:
        return ""
    name = "/".join(plan.start.keys[0][1])
    return name[len(prefix) :].partition("/")[0] if name.startswith(prefix) else ""


def _sorted(matches: Iterator[Match], plan: Plan) -> list[Match]:
    """All in order, or as many as the limit lets through: no more than that and a block is ever held."""
    block = None if plan.stop is None else max(plan.stop, _BLOCK)
    kept: list[Match] = []
    while more := list(itertools.islice(matches, block)):
        kept += more
        for index in reversed(range(len(plan.orders))):
            kept.sort(key=_key_at(index), reverse=plan.orders[index].descending)
        kept = kept[: plan.stop]
    return kept


def _key_at(index: int) -> Callable[[Match | Entry], Key]:
    return lambda match: match.keys[index]


def _document(match: Match, plan: Plan, distance: float | None) -> Document:
    whole = Document.FromString(match.data())
    field = plan.query.find_nearest.distance_result_field
    if distance is not None and field:
        paths.put(whole.fields, paths.parse(field), Value(double_value=distance))
    result = whole
    if plan.projection is not None:
        # The distance as well comes only where it is selected.
        result = Document()
        paths.project(whole.fields, result.fields, plan.projection)
    result.name = match.name
    result.create_time.CopyFrom(timestamp(match.created))
    result.update_time.CopyFrom(timestamp(match.updated))
    return result
