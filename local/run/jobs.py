"""The service Jobs: a job is a template, and running it makes an execution."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from local.run import conditions, protos, rules
from local.run.conditions import COMPLETED
from local.run.lifecycle import etag
from local.run.names import check_job, check_job_id, check_location, jobs_of
from local.run.requests import match_etag, page, refuse_trial
from local.serving import already_exists, invalid, not_found, unary

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

    from local.run.lifecycle import Lifecycle
    from local.run.operations import Operations
    from local.run.runner import Runner
    from local.run.store import Store

_PREFIX = "/google.cloud.run.v2.Jobs/"
_GENERALLY_AVAILABLE = 4
"""The value of google.api.LaunchStage."""
_KEPT = ("uid", "create_time", "execution_count", "latest_created_execution")
"""What an update of a job leaves as it is."""
_Status = protos.ExecutionReference.CompletionStatus


class Jobs:
    """Each method raises Refused with the real service's status."""

    def __init__(self, store: Store, lifecycle: Lifecycle, runner: Runner, operations: Operations) -> None:
        """Share them with the other services."""
        self._store = store
        self._lifecycle = lifecycle
        self._runner = runner
        self._operations = operations
        self.methods: Mapping[str, grpc.RpcMethodHandler] = {
            _PREFIX + "CreateJob": unary(self.create, protos.CreateJobRequest),
            _PREFIX + "GetJob": unary(self.get, protos.GetJobRequest),
            _PREFIX + "ListJobs": unary(self.list, protos.ListJobsRequest),
            _PREFIX + "UpdateJob": unary(self.update, protos.UpdateJobRequest),
            _PREFIX + "DeleteJob": unary(self.delete, protos.DeleteJobRequest),
            _PREFIX + "RunJob": unary(self.run, protos.RunJobRequest),
        }

    async def create(self, request: protos.CreateJobRequest) -> protos.Operation:
        name = f"{check_location(request.parent)}/jobs/{check_job_id(request.job_id)}"
        refuse_trial(request)
        if request.job.name not in {"", name}:
            raise invalid(f"job.name: {request.job.name!r} is not {name}.")
        if self._store.job(name) is not None:
            raise already_exists(name)
        return self._put_new(name, rules.checked(request.job))

    async def get(self, request: protos.GetJobRequest) -> protos.Job:
        return self._view(self._job(request.name))

    async def list(self, request: protos.ListJobsRequest) -> protos.ListJobsResponse:
        configs, token = page(self._store.jobs(check_location(request.parent)), request)
        jobs = [self._view(protos.Job.FromString(config)) for config in configs]
        return protos.ListJobsResponse(jobs=jobs, next_page_token=token)

    async def update(self, request: protos.UpdateJobRequest) -> protos.Operation:
        name = check_job(request.job.name)
        refuse_trial(request)
        wanted = rules.checked(request.job)
        if request.allow_missing and self._store.job(name) is None:
            return self._put_new(name, wanted)
        stored = self._job(name)
        match_etag(request.job.etag, stored)
        for field in _KEPT:
            if stored.DESCRIPTOR.fields_by_name[field].message_type is None:
                setattr(wanted, field, getattr(stored, field))
            elif stored.HasField(field):
                getattr(wanted, field).CopyFrom(getattr(stored, field))
        return self._put(wanted, stored.generation + 1)

    async def delete(self, request: protos.DeleteJobRequest) -> protos.Operation:
        refuse_trial(request)
        job = self._job(request.name)
        match_etag(request.etag, job)
        job.delete_time.GetCurrentTime()
        for execution in self._store.executions(jobs_of(job.name)):
            self._runner.cancel(execution)
        self._store.delete_job(job.name)
        return self._operations.done(job)

    async def run(self, request: protos.RunJobRequest) -> protos.Operation:
        refuse_trial(request)
        job = self._job(request.name)
        match_etag(request.etag, job)
        template = rules.overridden(job.template, request.overrides)
        with self._store.transaction():
            operation = self._operations.until_complete(self._lifecycle.create(job, template))
        self._runner.wake()
        return operation

    def _put_new(self, name: str, job: protos.Job) -> protos.Operation:
        job.name = name
        job.uid = str(uuid.uuid4())
        job.create_time.GetCurrentTime()
        return self._put(job, 1)

    def _put(self, job: protos.Job, generation: int) -> protos.Operation:
        job.generation = job.observed_generation = generation
        job.update_time.GetCurrentTime()
        job.launch_stage = _GENERALLY_AVAILABLE
        job.terminal_condition.type_ = "Ready"
        job.terminal_condition.state = conditions.SUCCEEDED
        job.terminal_condition.last_transition_time.CopyFrom(job.update_time)
        job.etag = etag(job)
        with self._store.transaction():
            self._store.put_job(job.name, job.SerializeToString())
            return self._operations.done(self._view(job))

    def _job(self, name: str) -> protos.Job:
        config = self._store.job(check_job(name))
        if config is None:
            raise not_found(name)
        return protos.Job.FromString(config)

    def _view(self, job: protos.Job) -> protos.Job:
        """With the state of its latest execution."""
        latest = job.latest_created_execution
        if latest.name:
            execution = self._lifecycle.execution(f"{job.name}/executions/{latest.name}")
            if execution is None:  # it was deleted
                job.ClearField("latest_created_execution")
            else:
                latest.completion_status = _status(execution)
                if execution.HasField("completion_time"):
                    latest.completion_time.CopyFrom(execution.completion_time)
        return job


def _status(execution: protos.Execution) -> int:
    completed = conditions.get(execution, COMPLETED)
    assert completed is not None
    statuses: dict[int, int] = {
        conditions.PENDING: _Status.EXECUTION_PENDING,
        conditions.RECONCILING: _Status.EXECUTION_RUNNING,
        conditions.SUCCEEDED: _Status.EXECUTION_SUCCEEDED,
    }
    if completed.execution_reason == conditions.CANCELLED:
        return int(_Status.EXECUTION_CANCELLED)
    return int(statuses.get(completed.state, _Status.EXECUTION_FAILED))
