"""What becomes of an execution and its tasks: every change of their state, stored before anybody acts on it.

A task waits, runs, and waits again after a failure until its retries are used up. An attempt that the
server's own end broke off was no failure of the task: it counts as an attempt, not against the retries.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, NamedTuple

from local.run import conditions, protos
from local.run.conditions import COMPLETED, RESOURCES_AVAILABLE, STARTED, put
from local.run.names import execution_name, short, task_name
from local.run.store import State, Store, TaskRow

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

    from local.run.attempts import Outcome

_OPEN = (State.WAITING, State.RUNNING)
_UNKNOWN = 2
_CANCELLED = 1
_DEADLINE_EXCEEDED = 4
"""Codes of google.rpc.Status."""


class Begun(NamedTuple):
    """An attempt that has been stored and now needs a process; attempts count from 0."""

    execution: str
    number: int
    attempt: int
    task_count: int
    task: protos.Task


class Lifecycle:
    """The states of every execution in a store."""

    def __init__(self, store: Store, logs: Path) -> None:
        """`logs` is the folder in which each task has a file."""
        self._store = store
        self._logs = logs

    def log(self, execution: str, number: int) -> Path:
        """Where the output of a task's attempts is kept."""
        return self._logs / f"{short(task_name(execution, number))}.log"

    def create(self, job: protos.Job, template: protos.ExecutionTemplate) -> str:
        """Store a new execution of the job with all its tasks, and the job's reference to it; its name."""
        with self._store.transaction():
            name = execution_name(job.name)
            while self._store.execution(name) is not None:
                name = execution_name(job.name)
            execution = self._execution(name, job, template)
            tasks = [
                self._task(execution, number).SerializeToString() for number in range(template.task_count)
            ]
            self._store.add_execution(name, execution.parallelism, execution.SerializeToString(), tasks)
            job.execution_count += 1
            job.latest_created_execution.Clear()
            job.latest_created_execution.name = short(name)
            job.latest_created_execution.create_time.CopyFrom(execution.create_time)
            self._store.put_job(job.name, job.SerializeToString())
        return name

    def execution(self, name: str) -> protos.Execution | None:
        """Return an execution as it is now, with its counts."""
        row = self._store.execution(name)
        if row is None:
            return None
        execution = protos.Execution.FromString(row.config)
        counts = self._store.counts(name)
        execution.running_count = counts.running
        execution.succeeded_count = counts.succeeded
        execution.failed_count = counts.failed
        execution.cancelled_count = counts.cancelled
        execution.retried_count = counts.retried
        execution.reconciling = row.open
        execution.etag = etag(execution)
        return execution

    def begin_next(self) -> Begun | None:
        """The next attempt that may run, stored as running."""
        with self._store.transaction():
            row = self._store.next_task()
            if row is None:
                return None
            task = protos.Task.FromString(row.config)
            if row.attempts == 0:
                task.start_time.GetCurrentTime()
                put(task, STARTED, conditions.SUCCEEDED)
                put(task, COMPLETED, conditions.RECONCILING)
            task.retried = row.attempts
            self._put(row._replace(state=State.RUNNING, attempts=row.attempts + 1), task)
            execution = self._started(row.execution)
        return Begun(row.execution, row.number, row.attempts, execution.task_count, task)

    def ended(self, begun: Begun, outcome: Outcome) -> None:
        """Store how an attempt ended, and the end of its execution where it was the last."""
        with self._store.transaction():
            row = self._store.task(begun.execution, begun.number)
            if row is None:  # it was deleted meanwhile
                return
            task = protos.Task.FromString(row.config)
            task.last_attempt_result.CopyFrom(_result(begun, outcome))
            if outcome.succeeded:
                self._close(row, task, State.SUCCEEDED)
            elif outcome.cancelled:
                self._close(row, task, State.CANCELLED)
            elif row.failures < task.max_retries:
                self._put(row._replace(state=State.WAITING, failures=row.failures + 1), task)
            else:
                self._close(row._replace(failures=row.failures + 1), task, State.FAILED)
            self._settle(begun.execution)

    def cancel(self, name: str) -> None:
        """Let nothing more of it begin; what runs is for the caller to end."""
        with self._store.transaction():
            row = self._store.execution(name)
            assert row is not None
            execution = protos.Execution.FromString(row.config)
            put(execution, COMPLETED, conditions.RECONCILING, "Cancelling execution.", conditions.CANCELLING)
            execution.generation += 1
            execution.update_time.GetCurrentTime()
            self._store.update_execution(row._replace(config=execution.SerializeToString(), cancelling=True))
            self._settle(name)

    def take_up(self) -> None:
        """After a start of the server: no attempt is running, whatever was stored before."""
        with self._store.transaction():
            for name in self._store.open_executions():
                for row in self._store.tasks(name):
                    if row.state == State.RUNNING:
                        self._store.update_task(row._replace(state=State.WAITING))
                self._settle(name)

    def _execution(self, name: str, job: protos.Job, template: protos.ExecutionTemplate) -> protos.Execution:
        count = template.task_count
        execution = protos.Execution(
            name=name,
            uid=str(uuid.uuid4()),
            generation=1,
            observed_generation=1,
            job=short(job.name),
            launch_stage=job.launch_stage,
            task_count=count,
            parallelism=min(template.parallelism or count, count),
            template=template.template,
            log_uri=self._logs.as_uri(),
        )
        _label(execution, template)
        put(execution, RESOURCES_AVAILABLE, conditions.SUCCEEDED)
        put(execution, STARTED, conditions.PENDING)
        put(execution, COMPLETED, conditions.PENDING, "Waiting for execution to start.")
        return execution

    def _task(self, execution: protos.Execution, number: int) -> protos.Task:
        template = execution.template
        task = protos.Task(
            name=task_name(execution.name, number),
            uid=str(uuid.uuid4()),
            generation=1,
            observed_generation=1,
            job=execution.job,
            execution=short(execution.name),
            containers=template.containers,
            max_retries=template.max_retries,
            timeout=template.timeout,
            index=number,
            log_uri=self.log(execution.name, number).as_uri(),
        )
        _label(task, execution)
        task.scheduled_time.CopyFrom(task.create_time)
        put(task, STARTED, conditions.PENDING)
        put(task, COMPLETED, conditions.PENDING)
        return task

    def _started(self, name: str) -> protos.Execution:
        """The execution, which has begun with this attempt or before it."""
        row = self._store.execution(name)
        assert row is not None
        execution = protos.Execution.FromString(row.config)
        if not execution.HasField("start_time"):
            execution.start_time.GetCurrentTime()
            execution.update_time.CopyFrom(execution.start_time)
            put(execution, STARTED, conditions.SUCCEEDED, "Started execution.")
            put(execution, COMPLETED, conditions.RECONCILING, "Waiting for execution to complete.")
            self._store.update_execution(row._replace(config=execution.SerializeToString()))
        return execution

    def _settle(self, name: str) -> None:
        """Close what a cancellation left waiting, and the execution itself once nothing of it is open."""
        row = self._store.execution(name)
        assert row is not None
        if row.cancelling:
            for task in self._store.tasks(name):
                if task.state == State.WAITING:
                    self._close(task, protos.Task.FromString(task.config), State.CANCELLED)
        counts = self._store.counts(name)
        if counts.waiting or counts.running:
            return
        execution = protos.Execution.FromString(row.config)
        execution.completion_time.GetCurrentTime()
        execution.update_time.CopyFrom(execution.completion_time)
        if counts.failed:
            message = self._first_failure(name)
            put(execution, COMPLETED, conditions.FAILED, message, conditions.NON_ZERO_EXIT_CODE)
        elif row.cancelling:
            message = "Execution was cancelled."
            put(execution, COMPLETED, conditions.FAILED, message, conditions.CANCELLED)
        else:
            put(execution, COMPLETED, conditions.SUCCEEDED, "Execution completed successfully.")
        self._store.update_execution(row._replace(config=execution.SerializeToString(), open=False))

    def _first_failure(self, name: str) -> str:
        failed = next(row for row in self._store.tasks(name) if row.state == State.FAILED)
        return str(protos.Task.FromString(failed.config).last_attempt_result.status.message)

    def _close(self, row: TaskRow, task: protos.Task, state: State) -> None:
        task.completion_time.GetCurrentTime()
        if state == State.SUCCEEDED:
            put(task, COMPLETED, conditions.SUCCEEDED)
        elif state == State.CANCELLED:
            put(task, COMPLETED, conditions.FAILED, "Task was cancelled.", conditions.CANCELLED)
        else:
            message = task.last_attempt_result.status.message
            put(task, COMPLETED, conditions.FAILED, message, conditions.NON_ZERO_EXIT_CODE)
        self._put(row._replace(state=state), task)

    def _put(self, row: TaskRow, task: protos.Task) -> None:
        task.update_time.GetCurrentTime()
        task.reconciling = row.state in _OPEN
        task.etag = etag(task)
        self._store.update_task(row._replace(config=task.SerializeToString()))


def etag(resource: Message) -> str:
    """A fingerprint of everything else in a resource."""
    resource.etag = ""
    return f'"{hashlib.sha256(resource.SerializeToString(deterministic=True)).hexdigest()[:16]}"'


def _label(resource: Message, source: Message) -> None:
    """What every new resource has: the labels and annotations of what it is made of, and its time."""
    for name, value in source.labels.items():
        resource.labels[name] = value
    for name, value in source.annotations.items():
        resource.annotations[name] = value
    resource.create_time.GetCurrentTime()
    resource.update_time.CopyFrom(resource.create_time)


def _result(begun: Begun, outcome: Outcome) -> protos.TaskAttemptResult:
    result = protos.TaskAttemptResult(exit_code=outcome.exit_code, term_signal=outcome.term_signal)
    if outcome.succeeded:
        result.status.SetInParent()
    elif outcome.cancelled:
        result.status.code = _CANCELLED
        result.status.message = "The task was cancelled."
    else:
        result.status.code = _DEADLINE_EXCEEDED if outcome.timed_out else _UNKNOWN
        result.status.message = (
            f"Task {short(begun.task.name)} failed with exit code: {outcome.exit_code} "
            f"and message: {outcome.message}"
        )
    return result
