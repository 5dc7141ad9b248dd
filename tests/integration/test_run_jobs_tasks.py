"""The tasks of an execution: what reaches their processes, how they are tried again, stopped and told of."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from local.services import ROOT
from tests.integration.run_jobs_server import (
    LOCATION,
    TELL,
    alive,
    cloud_run,
    completed,
    counts,
    described,
    unique,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.run_jobs_server import CloudRun

ATTEMPT = "int(os.environ['CLOUD_RUN_TASK_ATTEMPT'])"
STAY_ON = "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid()); time.sleep(600)"
"""It does not stop when it is asked to."""
Reason = run_v2.Condition.ExecutionReason
State = run_v2.Condition.State
Status = run_v2.ExecutionReference.CompletionStatus


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudRun]:
    folder = tmp_path_factory.mktemp("run")
    with cloud_run(folder, CLOUD_RUN_EMULATOR_TASKS="3", FROM_THE_STACK="seen") as running:
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
    code = "from shared.platform.clients import emulator; print(emulator('FIRESTORE_EMULATOR_HOST'))"
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
    execution = run.run(run.job(code, max_retries=1), timeout={"seconds": 3})
    ended = run.finished(execution)
    assert counts(ended) == {"failed": 1, "retried": 1}
    assert run.log(execution).split() == ["begun", "asked"] * 2
    assert ended.template.timeout.total_seconds() == 3
    assert "The configured timeout was reached." in completed(ended).message
    task = run.task(execution)
    assert 6 <= (task.completion_time - task.start_time).total_seconds() < 30


def test_a_task_that_does_not_stop_is_killed(run: CloudRun) -> None:
    """Ten seconds after it was asked: here one that took too long, and one that was cancelled."""
    late = run.run(run.job(STAY_ON, max_retries=0, timeout={"seconds": 3}))
    cancelled = run.run(run.job(STAY_ON, max_retries=0))
    pids = [int(run.started(execution)[0]) for execution in (late, cancelled)]
    run.executions.cancel_execution(name=cancelled)
    ends = [run.finished(execution) for execution in (late, cancelled)]
    assert [counts(end) for end in ends] == [{"failed": 1}, {"cancelled": 1}]
    assert run.task(late).last_attempt_result.term_signal == signal.SIGKILL
    assert (ends[0].completion_time - ends[0].start_time).total_seconds() >= 13
    assert not any(map(alive, pids))


def test_what_a_task_has_started_ends_with_it(run: CloudRun) -> None:
    """As when a container ends."""
    sleep = f"[{sys.executable!r}, '-c', 'import time; time.sleep(600)']"
    execution = run.run(run.job(f"import subprocess; print(subprocess.Popen({sleep}).pid)"))
    assert counts(run.finished(execution)) == {"succeeded": 1}
    child = int(run.log(execution))
    wait_for(lambda: alive(child), lambda there: not there)
