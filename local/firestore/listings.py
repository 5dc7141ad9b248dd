"""Listing: the documents of a collection page by page, and the collections below a document."""

from __future__ import annotations

import heapq
from itertools import groupby
from typing import TYPE_CHECKING

from local.firestore.names import Name, check_id, join, parse_parent
from local.firestore.protos import (
    Document,
    ListCollectionIdsRequest,
    ListCollectionIdsResponse,
    ListDocumentsRequest,
    ListDocumentsResponse,
)
from local.firestore.reads import Reads, build, read_mask
from local.serving import unimplemented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.firestore.store import Store

DEFAULT_PAGE = 100
MAX_PAGE = 300
MAX_PAGE_BYTES = 4 * 1024 * 1024
"""A page ends early after this many bytes of documents: an answer must stay a message that can be sent."""


async def list_documents(store: Store, reads: Reads, request: ListDocumentsRequest) -> ListDocumentsResponse:
    """A page of a collection by name; the token is the id that the next page begins with.

    With `show_missing` there are also the documents that do not exist but have something below them.

    Raises:
        Refused: INVALID_ARGUMENT for a bad name; UNIMPLEMENTED for another order.
    """
    database, parent = parse_parent(request.parent)
    check_id(request.collection_id)
    if request.order_by:
        raise unimplemented("ListDocuments.order_by")
    at, _, _ = await reads.moment(request, database, ())
    mask = read_mask(request)
    size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
    path = join(parent, request.collection_id)
    collection = store.collection(database, path)
    present = ((v.id, v) for v in (store.scan(collection, at, request.page_token) if collection else ()))
    missing = (
        ((each, None) for each in _parents(store, database, path, at) if each >= request.page_token)
        if request.show_missing
        else iter(())
    )
    # Of one id both present and missing the version comes first, and the rest is passed over.
    merged = heapq.merge(present, missing, key=lambda pair: (pair[0], pair[1] is None))
    rows = (next(pairs) for _, pairs in groupby(merged, key=lambda pair: pair[0]))
    response = ListDocumentsResponse()
    room = MAX_PAGE_BYTES
    following = next(rows, None)
    while following is not None and len(response.documents) < size and room > 0:
        each, version = following
        name = Name(database, path, each)
        response.documents.append(build(name, version, mask) if version else Document(name=str(name)))
        room -= len(version.data) if version else 0
        following = next(rows, None)
    if following is not None:
        response.next_page_token = following[0]
    return response


def _parents(store: Store, database: str, path: str, at: int) -> Iterator[str]:
    """Ids of documents of this collection that have documents below them, in order."""
    below = store.collections(database, path, "")
    deeper = len(path) + 1
    owners = {
        collection.path[deeper:].partition("/")[0]
        for collection in below
        if not store.is_empty(collection, at)
    }
    return iter(sorted(owners))


async def list_collection_ids(
    store: Store, reads: Reads, request: ListCollectionIdsRequest
) -> ListCollectionIdsResponse:
    """The ids of the collections right below a document, or the root, that hold something at any depth.

    Raises:
        Refused: INVALID_ARGUMENT for a bad name.
    """
    database, parent = parse_parent(request.parent)
    at, _, _ = await reads.moment(request, database, ())
    start = len(parent) + 1 if parent else 0
    ids: set[str] = set()
    for collection in store.collections(database, parent, ""):
        identity = collection.path[start:].partition("/")[0]
        if identity not in ids and not store.is_empty(collection, at):
            ids.add(identity)
    size = request.page_size or len(ids) or 1
    remaining = [each for each in sorted(ids) if each >= request.page_token]
    response = ListCollectionIdsResponse(collection_ids=remaining[:size])
    if len(remaining) > size:
        response.next_page_token = remaining[size]
    return response
