"""Firestore's messages as plain protobuf classes, taken from the client's package without loading the client.

Importing `google.cloud.firestore_v1` runs both clients, requests and google-auth: 25 MB and a third of a
second that a server has no use for. Its `types` need none of that, so the package's own `__init__` is passed
by while they load; whoever imports the client afterwards gets it whole. `.pb()` gives the protobuf class
inside each proto-plus wrapper, several times quicker to read and build.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

if TYPE_CHECKING:
    from types import ModuleType

    from google.protobuf.message import Message

PACKAGE = "google.cloud.firestore_v1"


def _load_types() -> ModuleType:
    if PACKAGE in sys.modules:
        return importlib.import_module(f"{PACKAGE}.types")
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(f"{PACKAGE}.types")
    finally:
        del sys.modules[PACKAGE]


_types = _load_types()


def _pb(name: str) -> type[Message]:
    message: type[Message] = getattr(_types, name).pb()
    return message


if TYPE_CHECKING:
    # protobuf has no stubs: to the type checker each of these is a message of unknown fields.
    ArrayValue: TypeAlias = Message
    BatchGetDocumentsRequest: TypeAlias = Message
    BatchGetDocumentsResponse: TypeAlias = Message
    BatchWriteRequest: TypeAlias = Message
    BatchWriteResponse: TypeAlias = Message
    BeginTransactionRequest: TypeAlias = Message
    BeginTransactionResponse: TypeAlias = Message
    CommitRequest: TypeAlias = Message
    CommitResponse: TypeAlias = Message
    Document: TypeAlias = Message
    ListCollectionIdsRequest: TypeAlias = Message
    ListCollectionIdsResponse: TypeAlias = Message
    ListDocumentsRequest: TypeAlias = Message
    ListDocumentsResponse: TypeAlias = Message
    Precondition: TypeAlias = Message
    RollbackRequest: TypeAlias = Message
    RunAggregationQueryRequest: TypeAlias = Message
    RunAggregationQueryResponse: TypeAlias = Message
    RunQueryRequest: TypeAlias = Message
    RunQueryResponse: TypeAlias = Message
    StructuredQuery: TypeAlias = Message
    Value: TypeAlias = Message
    Write: TypeAlias = Message
    WriteResult: TypeAlias = Message
else:
    ArrayValue = _pb("ArrayValue")
    BatchGetDocumentsRequest = _pb("BatchGetDocumentsRequest")
    BatchGetDocumentsResponse = _pb("BatchGetDocumentsResponse")
    BatchWriteRequest = _pb("BatchWriteRequest")
    BatchWriteResponse = _pb("BatchWriteResponse")
    BeginTransactionRequest = _pb("BeginTransactionRequest")
    BeginTransactionResponse = _pb("BeginTransactionResponse")
    CommitRequest = _pb("CommitRequest")
    CommitResponse = _pb("CommitResponse")
    Document = _pb("Document")
    ListCollectionIdsRequest = _pb("ListCollectionIdsRequest")
    ListCollectionIdsResponse = _pb("ListCollectionIdsResponse")
    ListDocumentsRequest = _pb("ListDocumentsRequest")
    ListDocumentsResponse = _pb("ListDocumentsResponse")
    Precondition = _pb("Precondition")
    RollbackRequest = _pb("RollbackRequest")
    RunAggregationQueryRequest = _pb("RunAggregationQueryRequest")
    RunAggregationQueryResponse = _pb("RunAggregationQueryResponse")
    RunQueryRequest = _pb("RunQueryRequest")
    RunQueryResponse = _pb("RunQueryResponse")
    StructuredQuery = _pb("StructuredQuery")
    Value = _pb("Value")
    Write = _pb("Write")
    WriteResult = _pb("WriteResult")

MICROS = 1_000_000


def timestamp(micros: int) -> Timestamp:
    """`micros` are microseconds since 1970, the precision of every time in Firestore."""
    seconds, rest = divmod(micros, MICROS)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def micros(moment: Timestamp) -> int:
    """Microseconds since 1970; anything finer is cut off."""
    whole: int = moment.seconds * MICROS + moment.nanos // 1000
    return whole
