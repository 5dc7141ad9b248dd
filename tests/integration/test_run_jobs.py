"""Jobs of Cloud Run with the unmodified client: they live, change and die."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from hypothesis import given
from hypothesis import strategies as st

from local import provision
from local.run import protos
from local.run.rules import overridden
from shared.platform import clients
from shared.platform.settings import settings
from tests.integration.run_jobs_server import LOCATION, cloud_run, described, unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.run_jobs_server import CloudRun


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudRun]:
    with cloud_run(tmp_path_factory.mktemp("run")) as running:
        yield running


def test_job_lives_and_dies(run: CloudRun) -> None:
    """A job is there from its creation to its deletion, with every default filled in."""
    identifier = unique()
    name = f"{LOCATION}/jobs/{identifier}"
    with pytest.raises(exceptions.NotFound, match=name):
        run.jobs.get_job(name=name)
    wanted = described("pass")
    wanted.labels = {"team": "reports"}
    operation = run.jobs.create_job(parent=LOCATION, job_id=identifier, job=wanted)
    assert operation.metadata.name == name
    created = operation.result()
    assert created == run.jobs.get_job(name=name)
    assert created.name == name
    assert created.uid
    assert created.etag
    assert created.create_time
    assert created.generation == created.observed_generation == 1
    assert created.labels == {"team": "reports"}
    assert created.terminal_condition.type_ == "Ready"
    assert created.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
    assert created.template.task_count == 1
    assert created.template.template.max_retries == 3
    assert created.template.template.timeout.total_seconds() == 600
    assert created.execution_count == 0
    with pytest.raises(exceptions.AlreadyExists, match=name):
        run.jobs.create_job(parent=LOCATION, job_id=identifier, job=wanted)
    deleted = run.jobs.delete_job(name=name).result()
    assert deleted.name == name
    assert deleted.delete_time
    for call in (run.jobs.get_job, run.jobs.delete_job, run.jobs.run_job):
        with pytest.raises(exceptions.NotFound, match=name):
            call(name=name)


def test_no_retries_are_not_the_default(run: CloudRun) -> None:
    """Zero is a number of retries, and not the same as none given."""
    job = run.jobs.get_job(name=run.job("pass", max_retries=0))
    assert job.template.template.max_retries == 0


def test_an_update_replaces_the_template(run: CloudRun) -> None:
    """What is not said again is back at its default; what the job has been through stays."""
    name = run.job("raise SystemExit(1)", task_count=2, max_retries=0)
    before = run.jobs.get_job(name=name)
    run.finished(run.run(name))
    wanted = described("pass")
    wanted.name = name
    after = run.jobs.update_job(job=wanted).result()
    assert after == run.jobs.get_job(name=name)
    assert after.generation == 2
    assert after.template.task_count == 1
    assert (after.uid, after.create_time) == (before.uid, before.create_time)
    assert after.execution_count == 1
    assert after.latest_created_execution.name
    assert run.finished(run.run(name)).succeeded_count == 1


def test_an_update_of_nothing(run: CloudRun) -> None:
    """A job that is missing is made if that is allowed."""
    wanted = described("pass")
    wanted.name = f"{LOCATION}/jobs/{unique()}"
    with pytest.raises(exceptions.NotFound, match=wanted.name):
        run.jobs.update_job(job=wanted)
    made = run.jobs.update_job(request={"job": wanted, "allow_missing": True}).result()
    assert made == run.jobs.get_job(name=wanted.name)
    assert made.generation == 1


def test_what_was_read_may_be_sent_back(run: CloudRun) -> None:
    """Read, change, write: output fields are ignored, and the etag guards against a change in between."""
    job = run.jobs.get_job(name=run.job("pass"))
    job.template.task_count = 3
    changed = run.jobs.update_job(job=job).result()
    assert changed.template.task_count == 3
    assert changed.etag != job.etag
    with pytest.raises(exceptions.Aborted, match="Conflict"):
        run.jobs.update_job(job=job)
    for call in (run.jobs.run_job, run.jobs.delete_job):
        with pytest.raises(exceptions.Aborted, match="Conflict"):
            call(request={"name": job.name, "etag": job.etag})
    assert run.jobs.get_job(name=job.name) == changed


def test_lists_come_in_pages(run: CloudRun) -> None:
    """By name, of one location alone."""
    location = "projects/paging/locations/here"
    for number in (2, 0, 1):
        run.jobs.create_job(parent=location, job_id=f"j-{number}", job=described())
    run.jobs.create_job(parent=f"{location}-not", job_id="other", job=described())
    pages = list(run.jobs.list_jobs(request={"parent": location, "page_size": 2}).pages)
    assert [len(page.jobs) for page in pages] == [2, 1]
    names = [job.name for page in pages for job in page.jobs]
    assert names == [f"{location}/jobs/j-{number}" for number in range(3)]
    for request in ({"page_token": "x"}, {"page_size": -1}):
        with pytest.raises(exceptions.InvalidArgument):
            run.jobs.list_jobs(request={"parent": location, **request})


def test_provisioning_may_be_repeated(run: CloudRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack's job is made once, and afterwards is as this version of the stack wants it."""
    monkeypatch.setenv("CLOUD_RUN_EMULATOR_HOST", run.server.address)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "provisioned")
    for cached in (clients.jobs, settings):
        cached.cache_clear()
    name = "projects/provisioned/locations/local/jobs/long-job"
    try:
        provision.make_job("provisioned")
        first = clients.jobs().get_job(name=name)
        changed = described("pass")
        changed.name = name
        run.jobs.update_job(job=changed)
        provision.make_job("provisioned")
        again = clients.jobs().get_job(name=name)
    finally:
        for cached in (clients.jobs, settings):
            cached.cache_clear()
    assert list(first.template.template.containers[0].command) == []
    assert (again.template, again.uid) == (first.template, first.uid)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)

VARIABLES = st.dictionaries(st.sampled_from(["A", "B", "C", "D"]), WORDS)


@given(args=st.lists(WORDS), new=st.lists(WORDS), env=VARIABLES, more=VARIABLES, tasks=st.integers(0, 10_000))
def test_overrides_replace_arguments_and_merge_variables(
    args: list[str], new: list[str], env: dict[str, str], more: dict[str, str], tasks: int
) -> None:
    """No arguments mean the template's; a variable of the override wins; the template stays as it was."""
    job = protos.Job()
    container = job.template.template.containers.add(image="unused", args=args)
    job.template.task_count = 5
    for name, value in env.items():
        container.env.add(name=name, value=value)
    before = job.SerializeToString(deterministic=True)
    request = protos.RunJobRequest()
    override = request.overrides.container_overrides.add(args=new)
    for name, value in more.items():
        override.env.add(name=name, value=value)
    request.overrides.task_count = tasks
    result = overridden(job.template, request.overrides)
    assert list(result.template.containers[0].args) == (new or args)
    assert {item.name: item.value for item in result.template.containers[0].env} == env | more
    assert result.task_count == (tasks or 5)
    assert job.SerializeToString(deterministic=True) == before
