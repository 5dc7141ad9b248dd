"""Express the state of an execution or a task in Cloud Run's conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.run import protos

if TYPE_CHECKING:
    from google.protobuf.message import Message

COMPLETED = "Completed"
STARTED = "Started"
RESOURCES_AVAILABLE = "ResourcesAvailable"
PENDING = protos.Condition.State.CONDITION_PENDING
RECONCILING = protos.Condition.State.CONDITION_RECONCILING
FAILED = protos.Condition.State.CONDITION_FAILED
SUCCEEDED = protos.Condition.State.CONDITION_SUCCEEDED
NON_ZERO_EXIT_CODE = protos.Condition.ExecutionReason.NON_ZERO_EXIT_CODE
CANCELLED = protos.Condition.ExecutionReason.CANCELLED
CANCELLING = protos.Condition.ExecutionReason.CANCELLING


def put(resource: Message, kind: str, state: int, message: str = "", reason: int = 0) -> None:
    """Set the condition of this type on an execution or a task, and the time if its state is another."""
    condition = get(resource, kind)
    if condition is None:
        condition = resource.conditions.add(type_=kind)
    if condition.state != state or not condition.HasField("last_transition_time"):
        condition.last_transition_time.GetCurrentTime()
    condition.state = state
    condition.message = message
    condition.ClearField("execution_reason")
    if reason:
        condition.execution_reason = reason


def get(resource: Message, kind: str) -> protos.Condition | None:
    """The condition of this type, if it has been set."""
    return next((condition for condition in resource.conditions if condition.type_ == kind), None)
