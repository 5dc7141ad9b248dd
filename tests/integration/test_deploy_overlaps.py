"""Deployments that fail, are killed or overlap: what serves in the end, and what a rollback takes back."""

from __future__ import annotations

import itertools
import subprocess
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from deploy import cloud, plan, record, rollout, trial
from deploy.cloud import CONTENT
from deploy.record import Record
from deploy.stage import FUNCTIONS
from shared.platform.clients import storage_client
from shared.platform.errors import Retryable, SetupError
from shared.platform.settings import settings
from tests import gcloud_standin
from tests.cloud_build import PROJECT, REPOSITORY, CloudBuild
from tests.integration.storage_server import storing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.trial import Target

PLACE = {"GOOGLE_CLOUD_PROJECT": PROJECT, "REGION": "europe-west1", "REPOSITORY": REPOSITORY}
CHANGED = {"digest": "new", "analyze": "new", "ingest": "new"}


class Killed(BaseException):
    """The process is gone: nothing catches this."""


@dataclass
class Build:
    """A build of a commit whose functions' digests, and the job's, are `content`."""

    project: Project
    name: str
    content: dict[str, str]
    state: cloud.State

    def roll_out(self) -> None:
        decided = plan.plan(self.state, self.content, self.content["job"], [])
        plan.JOB_IMAGE.write_text(f"long-job@sha256:{self.content['job']}")
        rollout.roll_out(self.state, decided, self.name)


@dataclass
class Project:
    """A project in which everything has the digest `base`, and nothing served before."""

    cloud: CloudBuild
    monkeypatch: pytest.MonkeyPatch
    fails: set[str] = field(default_factory=set)
    """Trials that fail, as `ingest candidate`, and gcloud commands, by their beginning."""
    kill_at: int | None = None
    """The step at which the process dies: a trial, or before or after gcloud changes something."""
    steps: int = 0
    trials: list[str] = field(default_factory=list)
    builds: int = 0

    def begin(self, **changed: str) -> Build:
        """Read what is deployed, as a build does when it begins."""
        self.builds += 1
        content = dict.fromkeys([*FUNCTIONS, "job"], "base") | changed
        _, generation, _ = record.read()
        return Build(self, f"build-{self.builds}", content, cloud.read_state(generation))

    def run(self, **changed: str) -> None:
        self.begin(**changed).roll_out()

    def step(self, name: str) -> None:
        """Die or fail here, if that is to be."""
        self.steps += 1
        if self.steps == self.kill_at:
            raise Killed
        if any(name.startswith(failing) for failing in self.fails):
            raise Retryable(f"{name} fails")

    def serving(self) -> dict[str, str]:
        """The digests that serve and are not `base`."""
        services = self.cloud.state()["services"]
        digests = {
            name: next(one["labels"][CONTENT] for one in of["revisions"] if one["name"] == of["serving"])
            for name, of in services.items()
        }
        return {name: digest for name, digest in digests.items() if digest != "base"}


@pytest.fixture(scope="module", autouse=True)
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with storing(tmp_path_factory.mktemp("storage")):
        storage_client().create_bucket(settings().work_bucket)
        yield


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in PLACE.items():
        monkeypatch.setenv(variable, value)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for blob in storage_client().list_blobs(settings().work_bucket):
        blob.delete()
    made = CloudBuild(tmp_path / "workspace", "", "")
    services = {
        name: {
            "revisions": [{"name": f"{name}-00001-dep", "labels": {CONTENT: "base"}}],
            "serving": f"{name}-00001-dep",
            "tags": {},
        }
        for name in FUNCTIONS
    }
    job = {"image": "long-job@sha256:base", "limits": {}, "labels": {CONTENT: "base"}}
    made.store({"project": PROJECT, "services": services, "job": job, "calls": []})
    found = Project(made, monkeypatch)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        where = [f"--project={PROJECT}", *(["--region=europe-west1"] if arguments[0] == "run" else [])]
        changes = "describe" not in arguments and arguments[0] == "run"
        if changes:
            found.step(" ".join(arguments))
        try:
            done = subprocess.CompletedProcess([], 0, gcloud_standin.answer([*arguments, *where]), "")
        except SystemExit as error:
            done = subprocess.CompletedProcess([], 1, "", str(error))
        if changes:
            found.step("after it")
        return done

    def attempt(target: Target) -> str:
        name = f"{target.name} {'candidate' if '://candidate---' in target.address else 'service'}"
        found.trials.append(name)
        found.step(name)
        return "tried"

    monkeypatch.setattr(cloud, "_run", run)  # the stand-in, without a process for each call
    monkeypatch.setattr(rollout, "identity_token", lambda _: "token")
    monkeypatch.setattr(trial, "attempt", attempt)
    monkeypatch.setattr(trial, "clear", lambda: None)
    monkeypatch.setenv("GCLOUD_STATE", str(made.state_file))
    monkeypatch.chdir(tmp_path)
    for name, function in FUNCTIONS.items():
        folder = tmp_path / "build" / name
        (folder / "model").mkdir(parents=True)
        (folder / "main.py").touch()
        if function.model:
            (folder / "model" / "manifest.json").write_text('{"digest": "' + "a" * 64 + '"}')
    return found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed deployment holds nothing up."""
    monkeypatch.setattr(record, "HELD", timedelta(0))


def test_what_changed_is_tried_moved_and_looked_at_again(project: Project) -> None:
    """In the order of the messages; the job is deployed between; what did not change is left alone."""
    project.run(**CHANGED, job="new")
    assert project.serving() == CHANGED
    names = list(CHANGED)
    assert project.trials == [f"{name} candidate" for name in names] + [f"{name} service" for name in names]
    moves = [
        call[3] if call[1] == "services" else call[1]
        for call in project.cloud.state()["calls"]
        if {"update-traffic", "jobs"} & set(call)
        and "describe" not in call
        and "--update-tags" not in str(call)
    ]
    assert moves == ["digest", "analyze", "jobs", "ingest"]
    assert project.cloud.tags() == {}


@pytest.mark.parametrize("name", CHANGED)
def test_a_candidate_that_fails_its_sample_gets_no_traffic(project: Project, name: str) -> None:
    """Nothing moves; once the cause is gone, the same candidates are tried, not built again."""
    project.fails = {f"{name} candidate"}
    with pytest.raises(Retryable, match="candidate fails"):
        project.run(**CHANGED)
    assert project.serving() == {}
    project.fails = set()
    built = project.cloud.take_calls()
    project.run(**CHANGED)
    assert project.serving() == CHANGED
    assert sum(call.startswith("run deploy") for call in built) == len(CHANGED)
    assert not [call for call in project.cloud.take_calls() if call.startswith("run deploy")]


@pytest.mark.parametrize(
    "failing",
    [
        "digest service",
        "ingest service",
        "run services update-traffic analyze --to-revisions=analyze-00002",
        "run jobs deploy",
    ],
)
def test_what_fails_after_it_moved_is_moved_back_whole(project: Project, failing: str) -> None:
    """Senders first; then there is nothing to roll back, and the next build deploys again."""
    project.fails = {failing}
    with pytest.raises(Retryable, match="fails"):
        project.run(**CHANGED, job="new")
    assert project.serving() == {}
    back = [call for call in project.cloud.take_calls() if "-00001-dep=100" in call]
    assert [call.split()[3] for call in back] == ["ingest", "analyze", "digest"]
    rollout.roll_back(list(FUNCTIONS))
    assert project.serving() == {}
    project.fails = set()
    project.run(**CHANGED, job="new")
    assert project.serving() == CHANGED


def test_where_moving_back_fails_a_rollback_does_it(project: Project) -> None:
    """The record still has what served."""
    project.fails = {"ingest service", "run services update-traffic analyze --to-revisions=analyze-00001"}
    with pytest.raises(Retryable, match="analyze"):
        project.run(**CHANGED)
    assert project.serving() == {"digest": "new", "analyze": "new"}
    project.fails = set()
    rollout.roll_back(list(FUNCTIONS))
    assert project.serving() == {}


@pytest.mark.usefixtures("impatient")
def test_a_deployment_that_was_killed_is_finished_by_the_next(project: Project) -> None:
    """At whatever step: nothing is built twice, and a rollback takes back all of it, and nothing earlier."""
    earlier = {"api": "one", "digest": "one"}
    wanted = earlier | CHANGED
    project.run(**earlier)
    project.cloud.take_calls()
    start = project.cloud.state()
    for step in itertools.count(1):
        project.cloud.store(start)
        project.steps, project.kill_at = 0, step
        try:
            project.run(**wanted)
        except Killed:
            built = sum(call.startswith("run deploy") for call in project.cloud.take_calls())
        else:
            break
        project.kill_at = None
        project.run(**wanted)
        assert project.serving() == wanted, step
        built += sum(call.startswith("run deploy") for call in project.cloud.take_calls())
        assert built == len(CHANGED), step
        rollout.roll_back(list(FUNCTIONS))
        assert project.serving() == earlier, step
    assert step > 8 * len(CHANGED)


@pytest.mark.usefixtures("impatient")
def test_of_a_deployment_that_was_killed_what_it_moved_can_be_rolled_back(project: Project) -> None:
    """Twice is as once."""
    project.kill_at = 5 * len(CHANGED) + 3
    with pytest.raises(Killed):
        project.run(**CHANGED)
    assert 0 < len(project.serving()) < len(CHANGED)
    for _ in range(2):
        rollout.roll_back(list(FUNCTIONS))
        assert project.serving() == {}


def test_while_a_deployment_is_under_way_no_other_begins(project: Project) -> None:
    """Until it was silent for longer than any step takes."""
    project.kill_at = 5
    with pytest.raises(Killed):
        project.run(**CHANGED)
    project.kill_at = None
    with pytest.raises(Retryable, match=r"Deployment build-1 is under way. .* go on after \d\d:\d\d UTC"):
        project.run(**CHANGED)
    project.monkeypatch.setattr(record, "HELD", timedelta(0))
    project.run(**CHANGED)
    assert project.serving() == CHANGED


@pytest.mark.parametrize("later", [{"api": "newer"}, {"sweep": "new"}, {"job": "new"}])
@pytest.mark.parametrize("changed", [{"api": "older"}, {}])
def test_a_build_during_which_another_deployed_stops(
    project: Project, changed: dict[str, str], later: dict[str, str]
) -> None:
    """Whether it has something to deploy or not: what it decided is about a state that is past."""
    build = project.begin(**changed)
    project.run(**later)
    serving = project.serving()
    with pytest.raises(Retryable, match="Build the newest commit"):
        build.roll_out()
    assert project.serving() == serving


@pytest.mark.parametrize("changed", [{"sweep": "new"}, {}])
def test_what_is_rolled_back_during_a_build_stays_so(project: Project, changed: dict[str, str]) -> None:
    """The build stops."""
    project.run(api="bad")
    build = project.begin(api="bad", **changed)
    rollout.roll_back(["api"])
    with pytest.raises(Retryable, match="Build the newest commit"):
        build.roll_out()
    assert project.serving() == {}


def test_a_deployment_that_a_rollback_overtakes_stops(project: Project) -> None:
    """At its next step, and it moves nothing any more, neither on nor back."""
    attempt = trial.attempt

    def overtaken(target: Target) -> str:
        if target.name == "analyze":
            Record.take("rollback", rollback=True).finish()
        return attempt(target)

    project.monkeypatch.setattr(trial, "attempt", overtaken)
    with pytest.raises(Retryable, match="this one stops"):
        project.run(**CHANGED)
    assert project.serving() == {}
    assert not [call for call in project.cloud.take_calls() if "--to-revisions" in call]


def test_a_rollback_takes_back_the_last_deployment_alone(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """One function by its name; of one that it has not moved, that is said."""
    project.run(digest="one")
    project.run(digest="one", api="two", sweep="two")
    rollout.roll_back(["api", "digest"])
    assert project.serving() == {"digest": "one", "sweep": "two"}
    assert "digest: nothing to go back to" in capsys.readouterr().out
    rollout.roll_back(list(FUNCTIONS))
    assert project.serving() == {"digest": "one"}


CLOSED = "internal-and-cloud-load-balancing"


def test_what_cannot_be_called_is_seen_to_have_started(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """The API behind a load balancer: Cloud Run asked it for its page, and the log says who asked."""
    state = project.cloud.state()
    state["services"]["api"]["ingress"] = CLOSED
    state["services"]["api"]["revisions"][-1]["probe"] = "/openapi.json"
    project.cloud.store(state)
    project.run(api="new")
    assert project.trials == []
    assert project.serving() == {"api": "new"}
    said = f"its ingress is {CLOSED}; api-00002-dep gave /openapi.json as it started"
    assert capsys.readouterr().out.count(f"api: not called, it is not reached from here, {said}") == 2


@pytest.mark.parametrize(("name", "probe"), [("api", None), ("api", "/"), ("sweep", "/sweep")])
def test_what_cannot_be_called_and_was_not_asked_gets_no_traffic(
    project: Project, name: str, probe: str | None
) -> None:
    """A revision of which nothing was seen but that it listens is not taken for one that works."""
    state = project.cloud.state()
    state["services"][name]["ingress"] = CLOSED
    state["services"][name]["revisions"][-1] |= {"probe": probe} if probe else {}
    project.cloud.store(state)
    with pytest.raises(SetupError, match=f"{name} cannot be tried: .* terraform -chdir=infra apply"):
        project.run(**{name: "new"})
    assert project.serving() == {}
