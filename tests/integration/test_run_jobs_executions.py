"""Executions of Cloud Run jobs with the unmodified client: real processes, retried, cancelled and counted."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from local.services import ROOT
from tests.integration.run_jobs_server import (
    LOCATION,
    alive,
    cloud_run,
    completed,
    described,
    unique,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.run_jobs_server import CloudRun

PLACES = 3
TELL = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))"
"""Prints what reached it."""
ATTEMPT = "int(os.environ['CLOUD_RUN_TASK_ATTEMPT'])"
STAY = "import os, time; print(os.getpid()); time.sleep(600)"
STAY_ON = "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid()); time.sleep(600)"
"""It does not stop when it is asked to."""
Reason = run_v2.Condition.ExecutionReason
State = run_v2.Condition.State
Status = run_v2.ExecutionReference.CompletionStatus


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudRun]:
    places = {"CLOUD_RUN_EMULATOR_TASKS": str(PLACES), "FROM_THE_STACK": "seen"}
    with cloud_run(tmp_path_factory.mktemp("run"), **places) as running:
        yield running


def test_arguments_and_variables_reach_the_process(run: CloudRun) -> None:
    """The stack's variables, the template's over them, the override's over those, and the system's."""
    job = run.job(
        TELL, "from", "template", env={"A": "template", "B": "template", "FROM_THE_STACK": "hidden"}
    )
    execution = run.run(
        job,
        container_overrides=[
            {
                "args": ["one", "two words", "ü"],
                "env": [{"name": "B", "value": "x=y"}, {"name": "C", "value": ""}],
            }
        ],
    )
    assert run.finished(execution).succeeded_count == 1
    arguments, environment, folder = run.printed(execution)
    assert arguments == ["one", "two words", "ü"]
    assert {name: environment[name] for name in ("A", "B", "C")} == {"A": "template", "B": "x=y", "C": ""}
    assert environment["FROM_THE_STACK"] == "hidden"
    assert environment["PATH"] == os.environ["PATH"]
    assert environment["CLOUD_RUN_EXECUTION"] == execution.rpartition("/")[2]
    assert [environment[f"CLOUD_RUN_TASK_{name}"] for name in ("INDEX", "COUNT", "ATTEMPT")] == [
        "0",
        "1",
        "0",
    ]
    assert folder == str(ROOT)


def test_without_overrides_the_template_holds(run: CloudRun) -> None:
    """Also after a run that had others; and its arguments can be cleared."""
    job = run.job(TELL, "from", "template")
    runs = [
        run.run(job, container_overrides=[{"args": ["other"]}]),
        run.run(job),
        run.run(job, container_overrides=[{"clear_args": True}]),
    ]
    for execution in runs:
        run.finished(execution)
    assert [run.printed(execution)[0] for execution in runs] == [["other"], ["from", "template"], []]


def test_a_task_may_use_the_emulators_and_does_not_look_deployed(run: CloudRun) -> None:
    """`CLOUD_RUN_JOB` is the mark of the cloud, beside which emulators are refused: a local task has none."""
    code = "from shared.clients import emulator; print(emulator('FIRESTORE_EMULATOR_HOST'))"
    job = run.job(code, env={"FIRESTORE_EMULATOR_HOST": "127.0.0.1:1"}, max_retries=0)
    execution = run.run(job)
    assert run.finished(execution).succeeded_count == 1, run.log(execution)
    assert run.log(execution) == "127.0.0.1:1\n"
    told = run.run(run.job(TELL))
    run.finished(told)
    assert "CLOUD_RUN_JOB" not in run.printed(told)[1]


def test_without_a_command_the_long_job_is_run(run: CloudRun) -> None:
    """What the image would run, which is not run itself."""
    container = {"image": "unused", "args": ["--help"]}
    job = {"template": {"template": {"containers": [container], "max_retries": 0}}}
    name = run.jobs.create_job(parent=LOCATION, job_id=unique(), job=job).result().name
    execution = run.run(name)
    assert run.finished(execution).succeeded_count == 1, run.log(execution)
    assert "usage:" in run.log(execution)


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


def test_tasks_tell_how_they_went(run: CloudRun) -> None:
    """One of each index, found by name, by execution, by job and by location."""
    job = run.job("import os; print(os.environ['CLOUD_RUN_TASK_INDEX'])", task_count=5, max_retries=1)
    execution = run.run(job)
    assert counts(run.finished(execution)) == {"succeeded": 5}
    tasks = list(run.tasks.list_tasks(request={"parent": execution, "page_size": 2}))
    assert [task.index for task in tasks] == list(range(5))
    for task in tasks:
        assert run.log(execution, task.index) == f"{task.index}\n"
        assert task == run.tasks.get_task(name=task.name)
        assert task.execution == execution.rpartition("/")[2]
        assert task.max_retries == 1
        assert task.retried == 0
        assert task.start_time <= task.completion_time
        assert completed(task).state == State.CONDITION_SUCCEEDED
        assert task.log_uri == (run.data / "logs" / f"{task.execution}-task{task.index}.log").as_uri()
    assert list(run.tasks.list_tasks(parent=f"{job}/executions/-")) == tasks
    everywhere = run.tasks.list_tasks(parent=f"{LOCATION}/jobs/-/executions/-")
    assert {task.name for task in tasks} <= {task.name for task in everywhere}
    for missing in (f"{tasks[0].name}9", f"{execution}/tasks/other-task0", f"{execution}x/tasks/a-task0"):
        with pytest.raises(exceptions.NotFound):
            run.tasks.get_task(name=missing)


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


def test_a_task_is_tried_again_until_it_succeeds(run: CloudRun) -> None:
    """The attempt's number grows from 0, the index stays."""
    code = f"import os, sys; n = {ATTEMPT}; print(os.environ['CLOUD_RUN_TASK_INDEX'], n); sys.exit(n < 2)"
    execution = run.run(run.job(code, task_count=2, max_retries=2))
    assert counts(run.finished(execution)) == {"succeeded": 2, "retried": 2}
    assert run.log(execution, 1) == "1 0\n1 1\n1 2\n"
    assert run.task(execution, 1).retried == 2
    assert run.task(execution, 1).last_attempt_result.exit_code == 0


def test_a_task_fails_when_its_retries_are_used_up(run: CloudRun) -> None:
    """The others go on; the operation has the error with its task's name, and so has the condition."""
    code = "import os, sys; print('x'); sys.exit(3 if os.environ['CLOUD_RUN_TASK_INDEX'] == '1' else 0)"
    job = run.job(code, task_count=3, max_retries=2)
    operation = run.jobs.run_job(name=job)
    name = operation.metadata.name
    with pytest.raises(exceptions.InternalServerError) as failed:
        operation.result(timeout=30)
    execution = run.finished(name)
    assert counts(execution) == {"succeeded": 2, "failed": 1, "retried": 1}
    assert len(run.log(name, 1).splitlines()) == 3
    task = run.task(name, 1)
    assert (task.retried, task.last_attempt_result.exit_code) == (2, 3)
    assert task.last_attempt_result.status.code != 0
    end = completed(execution)
    assert end.message == failed.value.message
    assert end.message.startswith(f"Task {name.rpartition('/')[2]}-task1 failed with exit code: 3")
    assert (end.state, end.execution_reason) == (State.CONDITION_FAILED, Reason.NON_ZERO_EXIT_CODE)
    latest = run.jobs.get_job(name=job).latest_created_execution
    assert latest.completion_status == Status.EXECUTION_FAILED


def test_a_signal_is_not_an_exit_code(run: CloudRun) -> None:
    """At most one of the two is set."""
    execution = run.run(run.job("import os; os.kill(os.getpid(), 9)", max_retries=0))
    run.finished(execution)
    result = run.task(execution).last_attempt_result
    assert (result.exit_code, result.term_signal) == (0, signal.SIGKILL)


def test_a_command_that_is_not_there_fails_as_in_a_shell(run: CloudRun) -> None:
    """Its log says which."""
    job = described(max_retries=0)
    job.template.template.containers[0].command = ["/no/such/program"]
    name = run.jobs.create_job(parent=LOCATION, job_id=unique(), job=job).result().name
    execution = run.run(name)
    assert counts(run.finished(execution)) == {"failed": 1}
    assert run.task(execution).last_attempt_result.exit_code == 127
    assert "/no/such/program" in run.log(execution)


def test_a_list_of_arguments_too_long_for_the_machine_fails_the_task(run: CloudRun) -> None:
    """There is no process then, but there is an end, with a reason; and the server goes on."""
    longest = "x" * (1024 * 1024)  # of one argument Linux takes 128 KiB
    execution = run.run(run.job("pass", longest, max_retries=1))
    end = completed(run.finished(execution))
    assert "could not be started" in end.message
    assert counts(run.finished(run.run(run.job("pass")))) == {"succeeded": 1}


def test_a_task_that_takes_too_long_is_asked_to_stop_and_tried_again(run: CloudRun) -> None:
    """The limit is of each attempt; whatever the task's exit code, it was too late."""
    code = (
        "import signal, sys, time\n"
        "signal.signal(15, lambda *_: (print('asked'), sys.exit(0)))\n"
        "print('begun')\n"
        "time.sleep(600)"
    )
    execution = run.run(run.job(code, max_retries=1), timeout={"seconds": 1})
    ended = run.finished(execution)
    assert counts(ended) == {"failed": 1, "retried": 1}
    assert run.log(execution).split() == ["begun", "asked"] * 2
    assert ended.template.timeout.total_seconds() == 1
    assert "The configured timeout was reached." in completed(ended).message
    task = run.task(execution)
    assert 2 <= (task.completion_time - task.start_time).total_seconds() < 10


def test_a_task_that_does_not_stop_is_killed(run: CloudRun) -> None:
    """Ten seconds after it was asked: here one that took too long, and one that was cancelled."""
    late = run.run(run.job(STAY_ON, max_retries=0, timeout={"seconds": 1}))
    cancelled = run.run(run.job(STAY_ON, max_retries=0))
    pids = [int(run.started(execution)[0]) for execution in (late, cancelled)]
    run.executions.cancel_execution(name=cancelled)
    ends = [run.finished(execution) for execution in (late, cancelled)]
    assert [counts(end) for end in ends] == [{"failed": 1}, {"cancelled": 1}]
    assert run.task(late).last_attempt_result.term_signal == signal.SIGKILL
    assert (ends[0].completion_time - ends[0].start_time).total_seconds() >= 11
    assert not any(map(alive, pids))


def test_what_a_task_has_started_ends_with_it(run: CloudRun) -> None:
    """As when a container ends."""
    sleep = f"[{sys.executable!r}, '-c', 'import time; time.sleep(600)']"
    execution = run.run(run.job(f"import subprocess; print(subprocess.Popen({sleep}).pid)"))
    assert counts(run.finished(execution)) == {"succeeded": 1}
    child = int(run.log(execution))
    wait_for(lambda: alive(child), lambda there: not there)


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


def counts(execution: run_v2.Execution) -> dict[str, int]:
    """Those that are not zero."""
    kinds = ("running", "succeeded", "failed", "cancelled", "retried")
    found = {kind: getattr(execution, f"{kind}_count") for kind in kinds}
    return {kind: number for kind, number in found.items() if number}
