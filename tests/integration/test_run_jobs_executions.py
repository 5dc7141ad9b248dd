"""Executions of Cloud Run jobs with the unmodified client: told of, cancelled, deleted, many at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from tests.integration.run_jobs_server import (
    LOCATION,
    TELL,
    alive,
    cloud_run,
    completed,
    counts,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.run_jobs_server import CloudRun

PLACES = 3
STAY = "import os, time; print(os.getpid()); time.sleep(600)"
Reason = run_v2.Condition.ExecutionReason
State = run_v2.Condition.State
Status = run_v2.ExecutionReference.CompletionStatus


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudRun]:
    with cloud_run(tmp_path_factory.mktemp("run"), CLOUD_RUN_EMULATOR_TASKS=str(PLACES)) as running:
        yield running


def test_an_execution_tells_how_it_went(run: CloudRun) -> None:
    """Its operation names it at once and answers with it; times, conditions and counts are of its tasks."""
    job = run.job("print('done')", task_count=2)
    operation = run.jobs.run_job(name=job)
    name = operation.metadata.name
    assert name.startswith(f"{job}/executions/{job.rpartition('/')[2]}-")
    answered = operation.result(timeout=30)
    execution = run.executions.get_execution(name=name)
    assert answered == execution == run.finished(name)
    assert execution.job == job.rpartition("/")[2]
    assert (execution.task_count, execution.parallelism) == (2, 2)
    assert execution.create_time <= execution.start_time <= execution.completion_time
    assert not execution.reconciling
    assert counts(execution) == {"succeeded": 2}
    states = {condition.type_: condition.state for condition in execution.conditions}
    assert states == dict.fromkeys(("ResourcesAvailable", "Started", "Completed"), State.CONDITION_SUCCEEDED)
    latest = run.jobs.get_job(name=job).latest_created_execution
    assert latest.name == name.rpartition("/")[2]
    assert latest.completion_status == Status.EXECUTION_SUCCEEDED
    assert latest.completion_time == execution.completion_time


def test_executions_are_listed_the_newest_first(run: CloudRun) -> None:
    """Of a job or, with a dash, of all."""
    job, other = run.job("pass"), run.job("pass")
    made = [run.run(job) for _ in range(3)]
    elsewhere = run.run(other)
    pages = run.executions.list_executions(request={"parent": job, "page_size": 2}).pages
    assert [[execution.name for execution in page.executions] for page in pages] == [made[:0:-1], made[:1]]
    every = [execution.name for execution in run.executions.list_executions(parent=f"{LOCATION}/jobs/-")]
    assert every[:4] == [elsewhere, *reversed(made)]
    for execution in (*made, elsewhere):
        run.finished(execution)


def test_parallelism_and_places_are_respected(run: CloudRun, tmp_path: Path) -> None:
    """No more at once than an execution may have, nor than the machine has places; the others wait."""
    code = (
        "import os, pathlib, sys, time\n"
        "name = os.environ['CLOUD_RUN_EXECUTION'] + ' ' + os.environ['CLOUD_RUN_TASK_INDEX']\n"
        "begun = time.monotonic(); time.sleep(0.4)\n"
        "(pathlib.Path(sys.argv[1]) / name).write_text(f'{begun} {time.monotonic()}')"
    )
    two = run.run(run.job(code, str(tmp_path), task_count=5, parallelism=2))
    assert run.executions.get_execution(name=two).parallelism == 2
    many = run.run(run.job(code, str(tmp_path), task_count=5, parallelism=9))
    assert run.executions.get_execution(name=many).parallelism == 5
    assert counts(run.finished(two)) == counts(run.finished(many)) == {"succeeded": 5}
    times = {path.name: tuple(map(float, path.read_text().split())) for path in tmp_path.iterdir()}
    assert len(times) == 10
    mine = [span for name, span in times.items() if name.startswith(two.rpartition("/")[2])]
    assert most_at_once(mine) == 2
    assert most_at_once(list(times.values())) == PLACES


def most_at_once(spans: list[tuple[float, ...]]) -> int:
    """How many of these spans of time have a moment in common."""
    return max(sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans)


def test_two_runs_at_once_are_two_executions(run: CloudRun) -> None:
    """A start has no key by which a second one would be known."""
    job = run.job(TELL)
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(run.run(job))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8
    assert {run.finished(execution).succeeded_count for execution in made} == {1}
    assert {run.printed(execution)[1]["CLOUD_RUN_EXECUTION"] for execution in made} == {
        execution.rpartition("/")[2] for execution in made
    }
    assert run.jobs.get_job(name=job).execution_count == 8


def test_a_cancelled_execution_is_no_error(run: CloudRun) -> None:
    """What runs is asked to stop, what waits does not begin, what is done stays done; the counts tell."""
    code = f"import os, sys\nif os.environ['CLOUD_RUN_TASK_INDEX'] == '0': sys.exit()\n{STAY}"
    job = run.job(code, task_count=4, parallelism=2)
    started = run.jobs.run_job(name=job)
    name = started.metadata.name
    pids = [int(run.started(name, number)[0]) for number in (1, 2)]
    wait_for(lambda: run.executions.get_execution(name=name).running_count, lambda number: number == 2)
    cancelling = run.executions.cancel_execution(name=name)
    assert cancelling.metadata.name == name
    assert completed(cancelling.metadata).execution_reason == Reason.CANCELLING
    for operation in (cancelling, started):
        assert counts(operation.result(timeout=30)) == {"succeeded": 1, "cancelled": 3}
    execution = run.finished(name)
    end = completed(execution)
    assert (end.state, end.execution_reason) == (State.CONDITION_FAILED, Reason.CANCELLED)
    assert not any(map(alive, pids))
    assert run.log(name, 3) == ""
    assert completed(run.task(name, 3)).execution_reason == Reason.CANCELLED
    latest = run.jobs.get_job(name=job).latest_created_execution
    assert latest.completion_status == Status.EXECUTION_CANCELLED
    with pytest.raises(exceptions.FailedPrecondition, match=name):
        run.executions.cancel_execution(name=name)


def test_what_is_deleted_ends(run: CloudRun) -> None:
    """An execution alone, or with its job: the processes end, and nothing of it is found."""
    job = run.job(STAY)
    first, second = run.jobs.run_job(name=job), run.jobs.run_job(name=job)
    names = [first.metadata.name, second.metadata.name]
    pids = [int(run.started(name)[0]) for name in names]
    deleted = run.executions.delete_execution(name=names[0]).result()
    assert deleted.name == names[0]
    assert deleted.delete_time
    with pytest.raises(exceptions.NotFound, match="deleted"):
        first.result(timeout=30)
    wait_for(lambda: alive(pids[0]), lambda there: not there)
    assert alive(pids[1])
    assert [found.name for found in run.executions.list_executions(parent=job)] == names[1:]
    run.jobs.delete_job(name=job).result()
    wait_for(lambda: alive(pids[1]), lambda there: not there)
    for name in names:
        for call in (
            run.executions.get_execution,
            run.executions.cancel_execution,
            run.executions.delete_execution,
        ):
            with pytest.raises(exceptions.NotFound):
                call(name=name)
    assert counts(run.finished(run.run(run.job("pass")))) == {"succeeded": 1}


def test_an_operation_is_asked_for_by_name(run: CloudRun) -> None:
    """Also by another client than the one that began it; an unknown one is NOT_FOUND."""
    began = run.jobs.run_job(name=run.job("pass"))
    name = began.operation.name
    assert name.startswith(f"{LOCATION}/operations/")
    assert not began.operation.done
    run.finished(began.metadata.name)
    assert run.executions.get_operation({"name": name}).done
    with pytest.raises(exceptions.NotFound):
        run.jobs.get_operation({"name": f"{name}0"})
    with pytest.raises(exceptions.InvalidArgument):
        run.jobs.get_operation({"name": "operations/x"})


def test_an_execution_in_progress(run: CloudRun) -> None:
    """Running and waiting are told apart, and nothing has an end yet."""
    job = run.job(STAY, task_count=3, parallelism=1)
    name = run.run(job)
    run.started(name)
    execution = run.executions.get_execution(name=name)
    assert counts(execution) == {"running": 1}
    assert execution.reconciling
    assert not execution.completion_time
    assert completed(execution).state == State.CONDITION_RECONCILING
    assert completed(run.task(name, 2)).state == State.CONDITION_PENDING
    assert not run.task(name, 2).start_time
    latest = run.jobs.get_job(name=job).latest_created_execution
    assert latest.completion_status == Status.EXECUTION_RUNNING
    run.executions.cancel_execution(name=name)
    assert counts(run.finished(name)) == {"cancelled": 3}
