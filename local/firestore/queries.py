"""Running a query: scan, filter, sort, cut, project."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from local.firestore import nearest, paths
from local.firestore.filters import Candidate
from local.firestore.plans import Match
from local.firestore.protos import Document, Value, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.firestore.plans import Plan
    from local.firestore.store import Collection, Head, Reader, Version
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
    matches = _matches(reader, plan, at)
    stored_in_order = plan.by_name and not plan.descendants
    # A vector search brings its own order, and sorting would hold every document at once.
    order_matters = not plan.query.HasField("find_nearest") or plan.stop is not None or plan.offset > 0
    if order_matters and not stored_in_order:
        matches = iter(_sorted(matches, plan))
    return itertools.islice(matches, plan.offset, plan.stop)


def _matches(reader: Reader, plan: Plan, at: int) -> Iterator[Match]:
    for collection in plan.collections(reader):
        for version, candidate in _candidates(reader, plan, collection, at):
            keys = tuple(order.at(candidate) for order in plan.orders)
            present = tuple(key for key in keys if key is not None)
            if len(present) < len(keys) or not plan.filtered.matches(candidate):
                continue
            if plan.start is not None and plan.start.side(present, plan.orders) < 0:
                continue
            if plan.end is not None and plan.end.side(present, plan.orders) > 0:
                continue
            yield Match(candidate.name, version.created, version.updated, present, candidate.data)


def _candidates(
    reader: Reader, plan: Plan, collection: Collection, at: int
) -> Iterator[tuple[Head | Version, Candidate]]:
    """Every document that the plan might keep.

    A collection may be listed again and again, so the keys of its documents are kept. A group of collections
    is searched by vectors, which are read anew each time.
    """
    prefix = f"{plan.database}/documents/{collection.path}/"
    first = _first_id(plan, prefix)
    if not plan.descendants and plan.reads_fields:
        for head in reader.heads(collection, at, first):
            known = reader.known(collection, head)
            yield head, Candidate(prefix + head.id, known, partial(reader.data, collection, head))
        return
    needles = plan.filtered.needles
    for version in reader.scan(collection, at, first):
        if not needles or all(needle in version.data for needle in needles):
            yield version, Candidate(prefix + version.id, {}, partial(_data, version))


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


def _key_at(index: int) -> Callable[[Match], Key]:
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
