"""One write of a commit: its precondition, what it makes of the document, and its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from grpc import StatusCode

from local.firestore import limits, paths, transforms
from local.firestore.names import Name, parse_document
from local.firestore.protos import Document, WriteResult, micros, timestamp
from local.serving import Refused, failed_precondition, invalid

if TYPE_CHECKING:
    from google.protobuf.message import Message as Result

    from local.firestore.protos import Precondition, Write
    from local.firestore.store import Store, Version


class Target(NamedTuple):
    """A write and the document it is about."""

    name: Name
    write: Write


def targets(writes: list[Write], database: str) -> list[Target]:
    """Find each write's document.

    Raises:
        Refused: INVALID_ARGUMENT where a write has no operation or a bad name.
    """
    return [Target(parse_document(_name(write), database), write) for write in writes]


def _name(write: Write) -> str:
    kind = write.WhichOneof("operation")
    if kind == "update":
        name: str = write.update.name
    elif kind == "delete":
        name = write.delete
    elif kind == "transform":
        name = write.transform.document
    else:
        raise invalid("A write must update, delete or transform a document.")
    return name


def apply(store: Store, target: Target, at: int) -> Result:
    """Apply one write inside an open commit whose time is `at`, and return its `WriteResult`.

    Raises:
        Refused: NOT_FOUND, ALREADY_EXISTS or FAILED_PRECONDITION for the precondition, else INVALID_ARGUMENT.
    """
    name, write = target
    previous = store.current(name)
    _check(name, write.current_document, previous)
    result = WriteResult()
    if write.WhichOneof("operation") == "delete":
        if previous is not None:
            store.delete(name, previous)
        return result
    document = _updated(write, previous)
    steps = write.transform.field_transforms or write.update_transforms
    if len(steps) > limits.MAX_TRANSFORMS:
        raise invalid(f"A document takes at most {limits.MAX_TRANSFORMS} field transforms in one write.")
    for step in steps:
        result.transform_results.append(transforms.apply(document.fields, step, at))
    limits.check_document(name, document.fields)
    # Deterministic, so that an update that changes nothing is seen to change nothing.
    data: bytes = document.SerializeToString(deterministic=True)
    updated = at
    if previous is not None and previous.data == data:
        updated = previous.updated
    else:
        store.put(name, previous, data)
    result.update_time.CopyFrom(timestamp(updated))
    return result


def _check(name: Name, condition: Precondition, previous: Version | None) -> None:
    kind = condition.WhichOneof("condition_type")
    if kind == "exists":
        if condition.exists and previous is None:
            raise Refused(StatusCode.NOT_FOUND, f"No document to update: {name}")
        if not condition.exists and previous is not None:
            raise Refused(StatusCode.ALREADY_EXISTS, f"Document already exists: {name}")
    elif kind == "update_time":
        stored = previous.updated if previous else 0
        required = micros(condition.update_time)
        if stored != required:
            raise failed_precondition(
                f"the stored version ({stored}) does not match the required base version ({required})"
            )


def _updated(write: Write, previous: Version | None) -> Document:
    """The document after the write's fields, before its transforms."""
    if write.WhichOneof("operation") == "update" and not write.HasField("update_mask"):
        # The request's own message, not a copy: a vector of 384 is slow to copy and never needed again.
        whole = write.update
        for field in ("name", "create_time", "update_time"):
            whole.ClearField(field)
        return whole
    document = Document.FromString(previous.data) if previous else Document()
    for path in paths.parse_update_mask(write.update_mask.field_paths):
        value = paths.get(write.update.fields, path)
        if value is None:
            paths.remove(document.fields, path)
        else:
            paths.put(document.fields, path, value)
    return document
