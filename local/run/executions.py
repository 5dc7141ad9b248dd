"""The services Executions and Tasks: what became of a run of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.run import protos
from local.run.names import check_execution, check_task, executions_of, jobs_of
from local.run.requests import match_etag, page, refuse_trial
from local.serving import failed_precondition, not_found, unary

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

    from local.run.lifecycle import Lifecycle
    from local.run.operations import Operations
    from local.run.runner import Runner
    from local.run.store import Store

_EXECUTIONS = "/google.cloud.run.v2.Executions/"
_TASKS = "/google.cloud.run.v2.Tasks/"


class Executions:
    """Each method raises Refused with the real service's status."""

    def __init__(self, store: Store, lifecycle: Lifecycle, runner: Runner, operations: Operations) -> None:
        """Share them with the other services."""
        self._store = store
        self._lifecycle = lifecycle
        self._runner = runner
        self._operations = operations
        self.methods: Mapping[str, grpc.RpcMethodHandler] = {
            _EXECUTIONS + "GetExecution": unary(self.get, protos.GetExecutionRequest),
            _EXECUTIONS + "ListExecutions": unary(self.list, protos.ListExecutionsRequest),
            _EXECUTIONS + "CancelExecution": unary(self.cancel, protos.CancelExecutionRequest),
            _EXECUTIONS + "DeleteExecution": unary(self.delete, protos.DeleteExecutionRequest),
            _TASKS + "GetTask": unary(self.get_task, protos.GetTaskRequest),
            _TASKS + "ListTasks": unary(self.list_tasks, protos.ListTasksRequest),
        }

    async def get(self, request: protos.GetExecutionRequest) -> protos.Execution:
        return self._execution(request.name)

    async def list(self, request: protos.ListExecutionsRequest) -> protos.ListExecutionsResponse:
        names, token = page(self._store.executions(jobs_of(request.parent)), request)
        executions = [self._execution(name) for name in names]
        return protos.ListExecutionsResponse(executions=executions, next_page_token=token)

    async def cancel(self, request: protos.CancelExecutionRequest) -> protos.Operation:
        refuse_trial(request)
        execution = self._execution(request.name)
        match_etag(request.etag, execution)
        if execution.HasField("completion_time"):
            raise failed_precondition(f"{execution.name} is complete and cannot be cancelled.")
        with self._store.transaction():
            self._lifecycle.cancel(execution.name)
            operation = self._operations.until_complete(execution.name)
        self._runner.cancel(execution.name)
        return operation

    async def delete(self, request: protos.DeleteExecutionRequest) -> protos.Operation:
        refuse_trial(request)
        execution = self._execution(request.name)
        match_etag(request.etag, execution)
        execution.delete_time.GetCurrentTime()
        with self._store.transaction():
            self._store.delete_execution(execution.name)
            operation = self._operations.done(execution)
        self._runner.cancel(execution.name)
        return operation

    async def get_task(self, request: protos.GetTaskRequest) -> protos.Task:
        execution, _, identifier = check_task(request.name).partition("/tasks/")
        number = identifier.rpartition("-task")[2]
        row = self._store.task(execution, int(number)) if number.isdecimal() else None
        task = None if row is None else protos.Task.FromString(row.config)
        if task is None or task.name != request.name:
            raise not_found(request.name)
        return task

    async def list_tasks(self, request: protos.ListTasksRequest) -> protos.ListTasksResponse:
        names = self._store.executions(executions_of(request.parent))
        rows, token = page([row for name in names for row in self._store.tasks(name)], request)
        tasks = [protos.Task.FromString(row.config) for row in rows]
        return protos.ListTasksResponse(tasks=tasks, next_page_token=token)

    def _execution(self, name: str) -> protos.Execution:
        execution = self._lifecycle.execution(check_execution(name))
        if execution is None:
            raise not_found(name)
        return execution
