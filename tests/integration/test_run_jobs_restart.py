"""What becomes of executions when the server ends, however it does: nothing is lost, all goes on."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from local.run.lifecycle import Lifecycle
from local.run.rules import checked
from local.run.runner import Runner
from local.run.store import State, Store
from tests.integration.run_jobs_server import alive, cloud_run, completed, described, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.run_jobs_server import CloudRun

ONCE = (
    "import os, sys, time\n"
    "attempt = os.environ['CLOUD_RUN_TASK_ATTEMPT']\n"
    "print(os.getpid(), attempt)\n"
    "if os.environ['CLOUD_RUN_TASK_INDEX'] == '0' or attempt != '0': sys.exit()\n"
    "time.sleep(600)"
)
"""The first task is done at once; the others stay until they are begun again."""
STAY_ON = "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid()); time.sleep(600)"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[CloudRun]:
    with cloud_run(tmp_path, CLOUD_RUN_EMULATOR_TASKS="2") as running:
        yield running


def end(run: CloudRun, sign: signal.Signals) -> None:
    """The server, and see that its tasks end too."""
    run.channel.close()
    if sign == signal.SIGKILL:
        run.server.kill()
    else:
        assert run.server.stop() == 0


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_an_unfinished_execution_goes_on(run: CloudRun, sign: signal.Signals) -> None:
    """Its tasks are begun again as a further attempt, which is no retry of theirs: they have none here."""
    operation = run.jobs.run_job(name=run.job(ONCE, task_count=4, max_retries=0))
    name = operation.metadata.name
    pids = [int(run.started(name, number)[0].split()[0]) for number in (1, 2)]
    wait_for(lambda: run.executions.get_execution(name=name).succeeded_count, lambda number: number == 1)
    end(run, sign)
    wait_for(lambda: any(map(alive, pids)), lambda there: not there)
    run.start()
    execution = wait_for(
        lambda: run.executions.get_execution(name=name), lambda found: found.succeeded_count >= 3
    )
    attempts = [[line.split()[1] for line in run.log(name, number).splitlines()] for number in range(3)]
    assert attempts == [["0"], ["0", "1"], ["0", "1"]]
    assert execution.failed_count == 0
    assert execution.retried_count == 2
    run.started(name, 3)
    end(run, sign)
    run.start()
    assert run.finished(name).succeeded_count == 4
    assert run.task(name, 3).retried == 1
    answer = run.jobs.get_operation({"name": operation.operation.name})
    assert answer.done
    assert answer.HasField("response")


def test_a_task_that_stops_with_the_server_has_not_failed(tmp_path: Path) -> None:
    """Asked to stop, it may end while the server is still there to see it: it goes on all the same."""

    async def begin_and_stop(store: Store) -> str:
        lifecycle = Lifecycle(store, tmp_path)
        runner = Runner(lifecycle, places=1)
        job = described("import time; print('begun'); time.sleep(600)", max_retries=0)
        stored = run_v2.Job.pb(job)
        stored.name = "projects/p/locations/local/jobs/j"
        execution = lifecycle.create(stored, checked(stored).template)
        runner.wake()
        log = lifecycle.log(execution, 0)
        await asyncio.to_thread(wait_for, lambda: log.exists() and log.read_text(), bool)
        runner.release()
        await asyncio.sleep(0.5)
        runner.close()
        return execution

    store = Store(tmp_path / "run.sqlite3")
    [task] = store.tasks(asyncio.run(begin_and_stop(store)))
    assert (task.state, task.attempts, task.failures) == (State.RUNNING, 1, 0)
    store.close()


def test_a_cancellation_is_not_forgotten(run: CloudRun) -> None:
    """Killed while a task that was asked to stop still ran: it does not begin again."""
    name = run.run(run.job(STAY_ON, task_count=2, parallelism=1))
    run.started(name)
    run.executions.cancel_execution(name=name)
    end(run, signal.SIGKILL)
    run.start()
    execution = run.finished(name)
    assert execution.cancelled_count == 2
    assert completed(execution).execution_reason == run_v2.Condition.ExecutionReason.CANCELLED
    assert len(run.log(name).splitlines()) == 1


def test_failures_are_remembered(run: CloudRun) -> None:
    """The retries that a task has used up before the server's end do not come back."""
    code = (
        "import os, sys, time\n"
        "attempt = int(os.environ['CLOUD_RUN_TASK_ATTEMPT'])\n"
        "print(attempt)\n"
        "if attempt == 1: time.sleep(600)\n"
        "sys.exit(1)"
    )
    name = run.run(run.job(code, max_retries=1))
    run.started(name, lines=2)
    end(run, signal.SIGKILL)
    run.start()
    assert run.finished(name).failed_count == 1
    assert run.log(name).split() == ["0", "1", "2"]


def test_everything_that_was_answered_is_there(run: CloudRun) -> None:
    """Jobs, executions, tasks and deletions, as they were; only the owner reads the file."""
    kept, gone = run.job("pass", task_count=2), run.job("pass")
    name = run.run(kept)
    execution, job = run.finished(name), run.jobs.get_job(name=kept)
    tasks = list(run.tasks.list_tasks(parent=name))
    run.jobs.delete_job(name=gone)
    assert {path.stat().st_mode & 0o777 for path in run.data.glob("*.sqlite3*")} == {0o600}
    end(run, signal.SIGKILL)
    run.start()
    assert run.jobs.get_job(name=kept) == job
    assert run.executions.get_execution(name=name) == execution
    assert list(run.tasks.list_tasks(parent=name)) == tasks
    with pytest.raises(exceptions.NotFound):
        run.jobs.get_job(name=gone)
    assert run.finished(run.run(kept)).succeeded_count == 2
