"""The protobuf classes of Cloud Run that the server reads and writes, from the client's own package."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from local.messages import message_types

if TYPE_CHECKING:
    # protobuf ships no types; the names still say which message a function takes.
    from google.protobuf.message import Message

    CancelExecutionRequest: TypeAlias = Message
    Condition: TypeAlias = Message
    Container: TypeAlias = Message
    CreateJobRequest: TypeAlias = Message
    DeleteExecutionRequest: TypeAlias = Message
    DeleteJobRequest: TypeAlias = Message
    Execution: TypeAlias = Message
    ExecutionReference: TypeAlias = Message
    ExecutionTemplate: TypeAlias = Message
    GetExecutionRequest: TypeAlias = Message
    GetJobRequest: TypeAlias = Message
    GetOperationRequest: TypeAlias = Message
    GetTaskRequest: TypeAlias = Message
    Job: TypeAlias = Message
    ListExecutionsRequest: TypeAlias = Message
    ListExecutionsResponse: TypeAlias = Message
    ListJobsRequest: TypeAlias = Message
    ListJobsResponse: TypeAlias = Message
    ListTasksRequest: TypeAlias = Message
    ListTasksResponse: TypeAlias = Message
    Operation: TypeAlias = Message
    RunJobRequest: TypeAlias = Message
    Task: TypeAlias = Message
    TaskAttemptResult: TypeAlias = Message
    UpdateJobRequest: TypeAlias = Message
else:
    from google.longrunning import operations_pb2

    _types = message_types("google.cloud.run_v2")
    CancelExecutionRequest = _types.CancelExecutionRequest.pb()
    Condition = _types.Condition.pb()
    Container = _types.Container.pb()
    CreateJobRequest = _types.CreateJobRequest.pb()
    DeleteExecutionRequest = _types.DeleteExecutionRequest.pb()
    DeleteJobRequest = _types.DeleteJobRequest.pb()
    Execution = _types.Execution.pb()
    ExecutionReference = _types.ExecutionReference.pb()
    ExecutionTemplate = _types.ExecutionTemplate.pb()
    GetExecutionRequest = _types.GetExecutionRequest.pb()
    GetJobRequest = _types.GetJobRequest.pb()
    GetOperationRequest = operations_pb2.GetOperationRequest
    GetTaskRequest = _types.GetTaskRequest.pb()
    Job = _types.Job.pb()
    ListExecutionsRequest = _types.ListExecutionsRequest.pb()
    ListExecutionsResponse = _types.ListExecutionsResponse.pb()
    ListJobsRequest = _types.ListJobsRequest.pb()
    ListJobsResponse = _types.ListJobsResponse.pb()
    ListTasksRequest = _types.ListTasksRequest.pb()
    ListTasksResponse = _types.ListTasksResponse.pb()
    Operation = operations_pb2.Operation
    RunJobRequest = _types.RunJobRequest.pb()
    Task = _types.Task.pb()
    TaskAttemptResult = _types.TaskAttemptResult.pb()
    UpdateJobRequest = _types.UpdateJobRequest.pb()
