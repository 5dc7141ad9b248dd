"""Builds that overlap, break off or are cancelled: what serves in the end, and what a rollback takes back."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pytest

from deploy import candidate, gcloud, promote, rollback, state
from deploy.functions import FUNCTIONS, LAST
from deploy.plan import JOB_IMAGE, PLAN_FILE, plan
from deploy.state import CONTENT
from shared.platform.errors import SetupError
from tests import gcloud_standin
from tests.cloud_build import PROJECT, REPOSITORY, CloudBuild

if TYPE_CHECKING:
    from pathlib import Path

WHERE = [f"--project={PROJECT}", "--region=europe-west1", f"--repository={REPOSITORY}"]


@dataclass
class Build:
    """One of a commit, whose functions' digests, and the job's, are `content`."""

    workspace: Path
    monkeypatch: pytest.MonkeyPatch
    content: dict[str, str]

    def begin(self) -> Build:
        """Read what is deployed."""
        for name in FUNCTIONS:
            (self.workspace / "build" / name).mkdir(parents=True, exist_ok=True)
            (self.workspace / "build" / name / "main.py").touch()
        self.monkeypatch.chdir(self.workspace)
        assert state.main(WHERE) == 0
        return self

    def prepare(self, *names: str) -> Build:
        """Decide, and make the candidates of these functions, or of all."""
        self.monkeypatch.chdir(self.workspace)
        made = plan(state.load(), self.content, self.content["job"], [])
        PLAN_FILE.write_text(json.dumps(asdict(made)))
        JOB_IMAGE.write_text(f"long-job@sha256:{self.content['job']}")
        assert candidate.main([*(names or FUNCTIONS), *WHERE]) == 0
        return self

    def promote(self) -> bool:
        self.monkeypatch.chdir(self.workspace)
        return promote.main(WHERE) == 0

    def run(self) -> bool:
        return self.begin().prepare().promote()


@dataclass
class Project:
    """One in which everything of the digest `base` is deployed, and nothing served before."""

    cloud: CloudBuild
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    builds: int = 0

    def build(self, **changed: str) -> Build:
        self.builds += 1
        content = dict.fromkeys([*FUNCTIONS, "job"], "base") | changed
        return Build(self.folder / str(self.builds), self.monkeypatch, content)

    def serving(self) -> dict[str, str]:
        """The digests that are not `base`."""
        services = self.cloud.state()["services"]
        found = {
            name: next(one["labels"][CONTENT] for one in of["revisions"] if one["name"] == of["serving"])
            for name, of in services.items()
        }
        return {name: digest for name, digest in found.items() if digest != "base"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    def run(_: gcloud.Place, *arguments: str) -> subprocess.CompletedProcess[str]:
        where = [f"--project={PROJECT}", "--region=europe-west1"]
        try:
            return subprocess.CompletedProcess([], 0, gcloud_standin.answer([*arguments, *where]), "")
        except SystemExit as error:
            return subprocess.CompletedProcess([], 1, "", str(error))

    monkeypatch.setattr(gcloud, "_run", run)  # the stand-in, without a process for each call
    cloud = CloudBuild(tmp_path / "workspace")
    services = {
        name: {
            "revisions": [{"name": f"{name}-00001-dep", "labels": {CONTENT: "base"}}],
            "serving": f"{name}-00001-dep",
            "tags": {},
        }
        for name in FUNCTIONS
    }
    job = {"image": "long-job@sha256:base", "limits": {}, "labels": {CONTENT: "base"}}
    cloud.store({"project": PROJECT, "services": services, "job": job, "calls": []})
    monkeypatch.setenv("GCLOUD_STATE", str(cloud.state_file))
    return Project(cloud, tmp_path, monkeypatch)


def break_off(project: Project, build: Build, at: str) -> None:
    """Promote what this build makes, up to a function whose traffic cannot be moved."""
    build.begin().prepare()
    project.monkeypatch.setenv("GCLOUD_FAILS", f"run services update-traffic {at}")
    assert not build.promote()
    project.monkeypatch.delenv("GCLOUD_FAILS")


def roll_back(*names: str) -> None:
    assert rollback.main([*names, *WHERE]) == 0


def test_a_revert_that_began_before_the_commit_was_promoted_is_not_done(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """It saw nothing to change; what serves by now is what it was to take back."""
    bad, revert = project.build(api="bad").begin(), project.build().begin()
    assert bad.prepare().promote()
    assert not revert.prepare().promote()
    assert "api-00002-dep, not api-00001-dep). Build again." in capsys.readouterr().err
    assert revert.run()
    assert project.serving() == {}


def test_a_build_of_something_else_is_not_tried_beside_what_it_did_not_know(project: Project) -> None:
    """It tried the function that was replaced meanwhile; nothing moves, and that can be rolled back."""
    bad, other = project.build(api="bad").begin(), project.build(sweep="new").begin()
    assert bad.prepare().promote()
    assert not other.prepare().promote()
    assert project.serving() == {"api": "bad"}
    roll_back()
    assert project.serving() == {}


def test_an_older_build_does_not_come_after_a_newer(project: Project) -> None:
    """What it is of is the past."""
    older, newer = project.build(api="older").begin(), project.build(api="newer").begin()
    older.prepare()
    assert newer.prepare().promote()
    assert not older.prepare().promote()
    assert project.serving() == {"api": "newer"}


@pytest.mark.parametrize("changed", [{"sweep": "new"}, {}])
def test_what_is_rolled_back_during_a_build_stays_so(project: Project, changed: dict[str, str]) -> None:
    """The build says so, whether it has something to move or not."""
    assert project.build(api="bad").run()
    build = project.build(api="bad", **changed).begin()
    roll_back("api")
    assert not build.prepare().promote()
    assert project.serving() == {}


@pytest.mark.parametrize("changed", [{"sweep": "new"}, {}])
def test_a_job_that_another_build_has_deployed_stops_a_build(
    project: Project, changed: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As a function does; the job has no traffic by which it could be seen."""
    build = project.build(**changed).begin()
    assert project.build(job="new").run()
    assert not build.prepare().promote()
    assert "long-job: another build has deployed it" in capsys.readouterr().err
    assert project.serving() == {}


def test_of_two_promotions_at_once_the_second_does_not_begin(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though the first has moved nothing yet."""
    first, second = project.build(api="one").begin(), project.build(api="two").begin()
    first.prepare()
    project.monkeypatch.setenv("GCLOUD_FAILS", "run services update-traffic deadletter")
    assert not first.promote()
    project.monkeypatch.delenv("GCLOUD_FAILS")
    assert not second.prepare().promote()
    assert "Another build has begun to promote" in capsys.readouterr().err
    assert project.serving() == {}


def test_a_build_cancelled_among_its_candidates_is_no_promotion(project: Project) -> None:
    """Of the next, a rollback takes back what that has moved, and nothing that was deployed before."""
    assert project.build(api="one", ingest="one").run()
    build = project.build(api="one", ingest="one", sweep="two")
    build.begin().prepare("deadletter", "sweep", "digest", "api", "analyze")
    assert build.run()
    roll_back()
    assert project.serving() == {"api": "one", "ingest": "one"}


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_promotion_that_broke_off_is_rolled_back_whole(project: Project, cancelled: bool) -> None:  # noqa: FBT001 - a value of the row
    """When it is finished, whatever came between; and nothing of the deployment before it."""
    assert project.build(ingest="one", deadletter="one", job="one").run()
    build = project.build(ingest="one", deadletter="one", digest="two", analyze="two", job="two")
    break_off(project, build, at="api")
    assert project.serving() == {"ingest": "one", "deadletter": "one", "digest": "two"}
    if cancelled:
        build.begin().prepare("digest", "ingest")
    assert build.run()
    assert project.serving() == {"ingest": "one", "deadletter": "one", "digest": "two", "analyze": "two"}
    assert project.cloud.tags() == {name: {"previous": f"{name}-00001-dep"} for name in ("digest", "analyze")}
    roll_back()
    assert project.serving() == {"ingest": "one", "deadletter": "one"}


def test_a_promotion_of_which_nothing_is_left_to_move_is_finished_too(project: Project) -> None:
    """Else a rollback took back, with it, the deployment before."""
    assert project.build(ingest="one").run()
    build = project.build(ingest="one", digest="two")
    break_off(project, build, at="api")
    assert build.run()
    roll_back()
    assert project.serving() == {"ingest": "one"}


@pytest.mark.parametrize("beside", [False, True])
def test_of_a_promotion_that_broke_off_what_it_moved_is_rolled_back(
    project: Project,
    beside: bool,  # noqa: FBT001 - a value of the row
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And no more, however often; the build that finishes it can be rolled back as well.

    Also if another began at the same moment, and has moved nothing.
    """
    before = {"digest": "one", "analyze": "one", "ingest": "one"}
    assert project.build(**before).run()
    build = project.build(digest="two", analyze="two", ingest="two")
    break_off(project, build, at="api")
    if beside:
        found = project.cloud.state()
        found["services"][LAST]["tags"] |= {"promotion-00000000": found["services"][LAST]["serving"]}
        project.cloud.store(found)
    assert project.serving() == before | {"digest": "two"}
    for _ in range(2):
        roll_back()
        assert project.serving() == before
    assert "analyze: the promotion that broke off has not moved it" in capsys.readouterr().out
    assert build.run()
    assert project.serving() == {"digest": "two", "analyze": "two", "ingest": "two"}
    assert set(project.cloud.state()["services"][LAST]["tags"]) == {"previous"}
    roll_back()
    assert project.serving() == before


def test_a_promotion_that_has_moved_nothing_leaves_nothing_to_roll_back(project: Project) -> None:
    """But a function goes back further by its name."""
    assert project.build(ingest="one", api="one").run()
    break_off(project, project.build(ingest="two", api="one"), at="ingest --to-revisions")
    roll_back()
    assert project.serving() == {"ingest": "one", "api": "one"}
    roll_back("ingest")
    assert project.serving() == {"api": "one"}


@pytest.mark.parametrize("finished", [{"digest": "three"}, {"digest": "one"}, {}])
def test_a_rollback_goes_back_beyond_what_a_promotion_that_broke_off_moved(
    project: Project, finished: dict[str, str]
) -> None:
    """Where the build that finishes it changes that again, or takes it back."""
    assert project.build(digest="one").run()
    break_off(project, project.build(digest="two", analyze="two"), at="api")
    assert project.build(**finished).run()
    assert project.serving() == finished
    roll_back()
    assert project.serving() == {"digest": "one"}


def test_no_function_is_deployed_by_hand_while_a_promotion_is_to_be_finished(project: Project) -> None:
    """It would end that, with what has moved where it is, and nothing to roll back."""
    break_off(project, build := project.build(digest="two", analyze="two"), at="api")
    build.begin()
    with pytest.raises(SetupError, match="a build finishes it first"):
        plan(state.load(), build.content, build.content["job"], ["sweep"])
    assert build.run()
    build.begin()
    assert not plan(state.load(), build.content, build.content["job"], ["sweep"]).changes
