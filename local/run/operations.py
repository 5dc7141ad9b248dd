"""Long-running operations: done at once, or when the execution that they stand for is complete."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from local.run import conditions, protos
from local.serving import invalid, not_found

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from local.run.lifecycle import Lifecycle
    from local.run.store import Store

_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/operations/[0-9a-f-]+")
_INTERNAL = 13
_NOT_FOUND = 5
"""Codes of google.rpc.Status; the first is what Cloud Run answers where a task has failed for good."""


class Operations:
    """The operations of one store: what a call started, and how it ended."""

    def __init__(self, store: Store, lifecycle: Lifecycle) -> None:
        """Kept in the store, so that a client may ask again after a restart."""
        self._store = store
        self._lifecycle = lifecycle

    def done(self, resource: Message) -> protos.Operation:
        """One that has done what it was asked for, with the resource as it is now."""
        operation = protos.Operation(name=_name(resource.name), done=True)
        operation.metadata.Pack(resource)
        operation.response.Pack(resource)
        self._store.add_operation(operation.name, None, operation.SerializeToString())
        return operation

    def until_complete(self, execution: str) -> protos.Operation:
        """One that is done when the execution is."""
        name = _name(execution)
        self._store.add_operation(name, execution, None)
        return self._look(name, execution)

    async def get(self, request: protos.GetOperationRequest) -> protos.Operation:
        if not _NAME.fullmatch(request.name):
            raise invalid(f"Invalid operation name {request.name!r}.")
        row = self._store.operation(request.name)
        if row is None:
            raise not_found(request.name)
        execution, result = row
        if result is not None:
            return protos.Operation.FromString(result)
        assert execution is not None
        return self._look(request.name, execution)

    def _look(self, name: str, of: str) -> protos.Operation:
        operation = protos.Operation(name=name)
        execution = self._lifecycle.execution(of)
        if execution is None:
            operation.done = True
            operation.error.code = _NOT_FOUND
            operation.error.message = f"{of} was deleted."
            return operation
        operation.metadata.Pack(execution)
        if execution.HasField("completion_time"):
            operation.done = True
            if execution.failed_count:
                operation.error.code = _INTERNAL
                completed = conditions.get(execution, conditions.COMPLETED)
                operation.error.message = completed.message if completed else ""
            else:  # also after a cancellation, which the counts tell
                operation.response.Pack(execution)
        return operation


def _name(resource: str) -> str:
    project, location = resource.split("/")[1:4:2]
    return f"projects/{project}/locations/{location}/operations/{uuid.uuid4()}"
