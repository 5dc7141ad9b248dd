"""What the local server of Cloud Run refuses, and by which name: ids, templates, overrides, methods."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions

from tests.integration.pubsub_server import ROOT, LocalServer
from tests.integration.run_jobs_server import LOCATION, cloud_run, described, unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.run_jobs_server import CloudRun


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudRun]:
    with cloud_run(tmp_path_factory.mktemp("run")) as running:
        yield running


@pytest.mark.parametrize("identifier", ["", "A", "1a", "a_b", "a/b", "-a", "a-", "ü", "a" * 58])
def test_ids_follow_the_rules(run: CloudRun, identifier: str) -> None:
    """An execution's id is the job's and six characters, and a DNS label."""
    with pytest.raises(exceptions.InvalidArgument):
        run.jobs.create_job(parent=LOCATION, job_id=identifier, job=described())


@pytest.mark.parametrize(
    "name", ["", "job", "projects/p/jobs/j", f"{LOCATION}/jobs/", f"{LOCATION}/services/j"]
)
def test_names_follow_the_rules(run: CloudRun, name: str) -> None:
    """A name of another form is not one that was not found."""
    for call in (run.jobs.get_job, run.jobs.run_job, run.executions.get_execution, run.tasks.get_task):
        with pytest.raises(exceptions.InvalidArgument):
            call(name=name)
    with pytest.raises(exceptions.InvalidArgument):
        run.executions.list_executions(parent=name)


IMAGE = {"image": "unused"}


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ({"template": {"containers": []}}, "exactly one container"),
        ({"template": {"containers": [IMAGE, IMAGE]}}, "exactly one container"),
        ({"template": {"containers": [{"args": ["a"]}]}}, "image"),
        ({"template": {"containers": [IMAGE], "max_retries": 11}}, "max_retries"),
        ({"template": {"containers": [IMAGE], "max_retries": -1}}, "max_retries"),
        ({"template": {"containers": [IMAGE], "timeout": {"seconds": 0}}}, "timeout"),
        ({"template": {"containers": [IMAGE], "timeout": {"seconds": 7 * 86400 + 1}}}, "timeout"),
        ({"template": {"containers": [IMAGE]}, "task_count": 10_001}, "task_count"),
        ({"template": {"containers": [IMAGE]}, "task_count": -1}, "task_count"),
        ({"template": {"containers": [IMAGE]}, "parallelism": -1}, "parallelism"),
        ({"template": {"containers": [IMAGE | {"env": [{"name": "", "value": "a"}]}]}}, "env"),
        ({"template": {"containers": [IMAGE | {"env": [{"name": "A=B", "value": "a"}]}]}}, "env"),
        (
            {"template": {"containers": [IMAGE | {"env": [{"name": "CLOUD_RUN_JOB", "value": "a"}]}]}},
            "reserved",
        ),
        ({"template": {"containers": [IMAGE | {"args": ["a\0b"]}]}}, "NUL"),
    ],
)
def test_templates_follow_the_rules(run: CloudRun, template: dict[str, Any], complaint: str) -> None:
    """Limits are Cloud Run's, and the refusal names the field."""
    with pytest.raises(exceptions.InvalidArgument, match=complaint):
        run.jobs.create_job(parent=LOCATION, job_id=unique(), job={"template": template})


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ({"task_count": -1}, "task_count"),
        ({"task_count": 10_001}, "task_count"),
        ({"timeout": {"seconds": -1}}, "timeout"),
        ({"container_overrides": [{}, {}]}, "one container"),
        ({"container_overrides": [{"name": "other"}]}, "other"),
        ({"container_overrides": [{"args": ["a"], "clear_args": True}]}, "clear_args"),
        ({"container_overrides": [{"env": [{"name": "CLOUD_RUN_TASK_INDEX", "value": "7"}]}]}, "reserved"),
    ],
)
def test_overrides_follow_the_rules(run: CloudRun, overrides: dict[str, Any], complaint: str) -> None:
    """What is refused starts nothing."""
    job = run.job("pass")
    with pytest.raises(exceptions.InvalidArgument, match=complaint):
        run.run(job, **overrides)
    assert list(run.executions.list_executions(parent=job)) == []
    assert run.jobs.get_job(name=job).execution_count == 0


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"template": {"template": {"service_account": "a@b"}}}, r"TaskTemplate\.service_account"),
        ({"template": {"template": {"volumes": [{"name": "v"}]}}}, r"TaskTemplate\.volumes"),
        (
            {"template": {"template": {"containers": [IMAGE | {"working_dir": "/"}]}}},
            r"Container\.working_dir",
        ),
        (
            {
                "template": {
                    "template": {
                        "containers": [
                            IMAGE
                            | {"env": [{"name": "A", "value_source": {"secret_key_ref": {"secret": "s"}}}]}
                        ]
                    }
                }
            },
            "value_source",
        ),
        (
            {"run_execution_token": "t", "template": {"template": {"containers": [IMAGE]}}},
            "run_execution_token",
        ),
    ],
)
def test_what_would_be_ignored_is_refused_by_name(run: CloudRun, change: dict[str, Any], name: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=name):
        run.jobs.create_job(parent=LOCATION, job_id=unique(), job=change)


def test_what_is_not_served_is_refused_by_name(run: CloudRun) -> None:
    """Methods that Headrace does not call are UNIMPLEMENTED."""
    job = run.job("pass")
    with pytest.raises(exceptions.MethodNotImplemented, match=r"Jobs\.GetIamPolicy"):
        run.jobs.get_iam_policy(request={"resource": job})
    with pytest.raises(exceptions.MethodNotImplemented, match=r"Operations\.ListOperations"):
        run.jobs.list_operations(request={"name": LOCATION})
    with pytest.raises(exceptions.MethodNotImplemented, match=r"RunJobRequest\.validate_only"):
        run.jobs.run_job(request={"name": job, "validate_only": True})
    with pytest.raises(exceptions.MethodNotImplemented, match=r"ListJobsRequest\.show_deleted"):
        run.jobs.list_jobs(request={"parent": LOCATION, "show_deleted": True})
    with pytest.raises(exceptions.MethodNotImplemented, match=r"Operations\.CancelOperation"):
        run.jobs.run_job(name=job).cancel()


@pytest.mark.parametrize("places", ["0", "-1", "many"])
def test_a_number_of_places_that_is_none_is_one_clear_line(tmp_path: Path, places: str) -> None:
    """The variable is named."""
    server = LocalServer("run", tmp_path)
    done = subprocess.run(
        server.command,
        env={**os.environ, "CLOUD_RUN_EMULATOR_TASKS": places},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"CLOUD_RUN_EMULATOR_TASKS={places}" in done.stderr
