"""cloudbuild.yaml: what it does to a project."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from deploy import rollback
from deploy.functions import FUNCTIONS
from tests.cloud_build import PROJECT, REPOSITORY, ROOT, CloudBuild

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def deployed_once(tmp_path_factory: pytest.TempPathFactory) -> CloudBuild:
    """A project after its first deployment; copy it before use."""
    build = CloudBuild.fresh(tmp_path_factory.mktemp("build"))
    assert build.run() is None, build.said
    return build


@pytest.fixture
def build(deployed_once: CloudBuild, tmp_path: Path) -> CloudBuild:
    """A copy of it, with no calls so far."""
    shutil.copytree(deployed_once.workspace.parent, tmp_path / "copy")
    copy = CloudBuild(tmp_path / "copy" / "workspace")
    copy.take_calls()
    return copy


def test_a_first_deployment_brings_everything(deployed_once: CloudBuild) -> None:
    """From placeholders to the functions, in the order of promotion, and the job by its digest."""
    state = deployed_once.state()
    assert deployed_once.serving() == {name: f"{name}-00002-dep" for name in FUNCTIONS}
    assert deployed_once.tags() == {}
    models = {
        name: one["revisions"][-1]["labels"].get("headrace-model") for name, one in state["services"].items()
    }
    assert models == {name: "a" * 40 if one.model else None for name, one in FUNCTIONS.items()}
    assert state["job"]["image"] == f"{REPOSITORY}/long-job@sha256:{'a' * 64}"
    moves = [
        call[3] if call[1] == "services" else call[1] for call in state["calls"] if "describe" not in call
    ]
    order = ["deadletter", "digest", "api", "analyze", "jobs", "sweep", "ingest"]
    assert moves[2 * len(FUNCTIONS) :] == ["ingest", *order], "after a revision and a tag for each, and one"
    assert deployed_once.docker_calls()[0].startswith(
        "build --file=long_job/Dockerfile --build-arg=VARIANT= --tag="
    )


def test_what_a_deployment_leaves_to_terraform_it_does_not_set(deployed_once: CloudBuild) -> None:
    """Two owners of memory, identity or access would undo each other's changes."""
    for call in deployed_once.state()["calls"]:
        assert not [
            flag
            for flag in call
            if flag.startswith(("--memory", "--cpu", "--set-env", "--service-acc", "--allow"))
        ]


def test_no_deployment_leaves_a_name_in_the_template(deployed_once: CloudBuild) -> None:
    """With one there, every change that Terraform makes to the service is refused: the name is taken."""
    named = {name: one["template_revision"] for name, one in deployed_once.state()["services"].items()}
    assert named == dict.fromkeys(FUNCTIONS)
    services = (ROOT / "infra" / "services.tf").read_text()
    ignored = services.partition("ignore_changes = [")[2].partition("]\n")[0]
    assert "template[0].labels" in ignored
    assert "revision" not in ignored, "so that a name which another tool has left there is taken away"


def test_a_second_deployment_of_the_same_does_nothing(build: CloudBuild) -> None:
    """No command but questions, and no image."""
    images = build.docker_calls()
    assert build.run() is None
    assert build.take_calls() == []
    assert build.docker_calls() == images


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("functions/analyze/main.py", ["analyze"]),  # its own code
        pytest.param("requirements/api.txt", ["api"], marks=pytest.mark.slow),  # its own packages
        pytest.param("shared/api/endpoints.py", ["api"], marks=pytest.mark.slow),  # what it alone imports
        pytest.param("shared/platform/retry.py", list(FUNCTIONS), marks=pytest.mark.slow),  # what all import
    ],
)
def test_only_what_changed_is_deployed(build: CloudBuild, file: str, changed: list[str]) -> None:
    """The others keep their revisions, and take part in the smoke test with them."""
    before = build.serving()
    with (build.workspace / file).open("a") as source:
        source.write("\n# changed\n")
    assert build.run() is None
    calls = build.take_calls()
    assert [call.split()[2] for call in calls if call.startswith("run deploy")] == changed
    after = build.serving()
    assert [name for name in FUNCTIONS if after[name] != before[name]] == changed
    assert build.tags() == {name: {"previous": before[name]} for name in changed}


def test_a_failed_smoke_test_moves_no_traffic(build: CloudBuild) -> None:
    """What served goes on serving; once the cause is gone, the same candidates are tried, not built again."""
    before = build.serving()
    (build.workspace / "functions/ingest/main.py").open("a").write("\n# changed\n")
    build.smoke_fails = True
    assert build.run() == "smoke"
    assert build.serving() == before
    build.take_calls()
    build.smoke_fails = False
    assert build.run() is None
    assert not [call for call in build.take_calls() if call.startswith("run deploy")]
    assert build.serving() == before | {"ingest": "ingest-00003-dep"}


@pytest.mark.slow
@pytest.mark.parametrize("step", ["plan", "analyze", "smoke"])
def test_a_build_that_was_cancelled_is_made_good_by_the_next(build: CloudBuild, step: str) -> None:
    """Whatever the step, the end is the same, and nothing is built twice."""
    before = build.serving()
    for name in ("sweep", "ingest"):
        (build.workspace / f"functions/{name}/main.py").open("a").write("\n# changed\n")
    assert build.run(until=step) is None
    assert build.serving() == before
    assert build.run() is None
    assert build.serving() == before | {"sweep": "sweep-00003-dep", "ingest": "ingest-00003-dep"}
    assert len([call for call in build.take_calls() if call.startswith("run deploy")]) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "name"), [("GCLOUD_FAILS", "api"), ("GCLOUD_LOSES", "deadletter"), ("GCLOUD_LOSES", "ingest")]
)
def test_a_promotion_that_broke_off_is_finished_by_the_next_build(
    build: CloudBuild, name: str, how: str
) -> None:
    """What has moved stays; the rest follows, whether or not the command that failed had done its work."""
    before = build.serving()
    (build.workspace / "shared/platform/settings.py").open("a").write("\n# changed\n")
    build.environment = {how: f"run services update-traffic {name} --to-revisions"}
    assert build.run() == "promote"
    build.environment = {}
    assert build.run() is None
    assert build.serving() == {name: f"{name}-00003-dep" for name in FUNCTIONS}
    assert build.tags() == {name: {"previous": before[name]} for name in FUNCTIONS}


def test_a_deployment_that_fails_stops_the_build(build: CloudBuild) -> None:
    """Before the smoke test, and with gcloud's own words."""
    (build.workspace / "functions/api/main.py").open("a").write("\n# changed\n")
    build.environment = {"GCLOUD_FAILS": "run deploy api"}
    assert build.run() == "api"
    assert "PERMISSION_DENIED" in build.said


@pytest.mark.slow
def test_a_revision_that_does_not_start_is_not_taken_for_a_candidate(build: CloudBuild) -> None:
    """The build stops there; the next makes another, though the broken one is of the same content."""
    before = build.serving()
    (build.workspace / "functions/api/main.py").open("a").write("\n# changed\n")
    build.environment = {"GCLOUD_BREAKS": "api"}
    assert build.run() == "api"
    assert "failed to start" in build.said
    assert build.serving() == before
    build.environment = {}
    assert build.run() is None
    assert build.serving() == before | {"api": "api-00004-dep"}


@pytest.mark.slow
def test_a_deployment_that_breaks_off_before_its_tag_is_taken_by_the_next_build(build: CloudBuild) -> None:
    """The revision is there, without an address to try it at; the next build gives it one."""
    before = build.serving()
    (build.workspace / "functions/api/main.py").open("a").write("\n# changed\n")
    build.environment = {"GCLOUD_FAILS": "run services update-traffic api --update-tags"}
    assert build.run() == "api"
    assert build.state()["services"]["api"]["tags"] == {}
    build.environment = {}
    assert build.run() is None
    assert build.serving() == before | {"api": "api-00003-dep"}
    assert len([call for call in build.take_calls() if call.startswith("run deploy")]) == 1


@pytest.mark.slow
def test_one_function_is_deployed_by_hand(build: CloudBuild) -> None:
    """By the commands of `make deploy`: tried with the others as they serve, which stay, as the job does."""
    before, image = build.serving(), build.state()["job"]
    for name in ("ingest", "api"):
        (build.workspace / f"functions/{name}/main.py").open("a").write("\n# changed\n")
    (build.workspace / "long_job/main.py").open("a").write("\n# changed\n")
    shutil.copytree(build.workspace / "build" / "model", build.workspace / "build" / "model-serving")
    build.name_model("build/model-serving", "b" * 64)
    makefile = (ROOT / "Makefile").read_text().partition("\ndeploy: ")[2].partition("\n\n")[0]
    commands = re.findall(r"\$\(BIN\)/python -m (.+)", makefile)
    assert [command.split()[0] for command in commands[:2]] == ["deploy.state", "deploy.model"]
    assert commands[-1] == "deploy.promote"
    for command in commands:
        if command.split()[0] not in {"deploy.smoke", "deploy.model"}:  # which need more than gcloud
            assert build.command(*command.replace("$(FUNCTION)", "ingest").split()), build.said
    labels = build.state()["services"]["ingest"]["revisions"][-1]["labels"]
    assert labels["headrace-model"] == "b" * 40, "not that of build/model"
    assert build.serving() == before | {"ingest": "ingest-00003-dep"}
    assert build.state()["job"] == image


@pytest.mark.slow
def test_a_configuration_that_terraform_changed_gets_traffic(build: CloudBuild) -> None:
    """It makes a revision of the same content, without traffic; nothing is built for it."""
    state = build.state()
    service = state["services"]["analyze"]
    service["revisions"].append(service["revisions"][-1] | {"name": "analyze-00003-ter"})
    build.store(state)
    assert build.run() is None
    assert build.serving()["analyze"] == "analyze-00003-ter"
    assert not [call for call in build.take_calls() if call.startswith("run deploy")]


@pytest.mark.slow
def test_two_builds_at_once_do_not_promote_what_only_one_tried(build: CloudBuild) -> None:
    """The tag says whose candidate was tried; the other build stops and says so."""
    before = build.serving()
    (build.workspace / "functions/api/main.py").open("a").write("\n# changed\n")
    assert build.run(until="smoke") is None
    state = build.state()
    state["services"]["api"]["tags"]["candidate"] = before["api"]
    build.store(state)
    assert not build.command("deploy.promote")  # the rest of the first build
    assert "another build is deploying" in build.said
    assert build.serving()["api"] == before["api"]


@pytest.mark.slow
def test_a_project_without_the_job_deploys_without_it(tmp_path: Path) -> None:
    """Terraform may leave it out; no image is built."""
    build = CloudBuild.fresh(tmp_path, job=False)
    assert build.run() is None
    assert build.docker_calls() == []
    assert build.serving()["ingest"] == "ingest-00002-dep"


@pytest.mark.slow
def test_a_job_with_a_gpu_gets_the_image_for_one(tmp_path: Path) -> None:
    """Terraform decides that; the build follows what it finds."""
    build = CloudBuild.fresh(tmp_path)
    state = build.state()
    state["job"]["limits"]["nvidia.com/gpu"] = "1"
    build.store(state)
    assert build.run() is None
    assert "--build-arg=VARIANT=-gpu" in build.docker_calls()[0]


@pytest.mark.slow
def test_rolling_back_is_one_command(build: CloudBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    """All functions serve what they served before; twice is as once, and the next build moves on again."""
    before = build.serving()
    (build.workspace / "shared/platform/settings.py").open("a").write("\n# changed\n")
    assert build.run() is None
    monkeypatch.setenv("PATH", f"{build.bin}:/usr/bin:/bin")
    monkeypatch.setenv("GCLOUD_STATE", str(build.state_file))
    where = [f"--project={PROJECT}", "--region=europe-west1", f"--repository={REPOSITORY}"]
    for _ in range(2):
        assert rollback.main(where) == 0
        assert build.serving() == before
    assert build.run() is None
    assert build.serving() == {name: f"{name}-00003-dep" for name in FUNCTIONS}


@pytest.mark.slow
def test_rolling_back_takes_back_the_last_deployment_alone(
    build: CloudBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier one brought stays."""
    (build.workspace / "functions/analyze/main.py").open("a").write("\n# changed\n")
    assert build.run() is None
    between = build.serving()
    (build.workspace / "functions/api/main.py").open("a").write("\n# changed\n")
    assert build.run() is None
    assert build.serving() == between | {"api": "api-00003-dep"}
    monkeypatch.setenv("PATH", f"{build.bin}:/usr/bin:/bin")
    monkeypatch.setenv("GCLOUD_STATE", str(build.state_file))
    assert rollback.main([f"--project={PROJECT}", "--region=europe-west1", f"--repository={REPOSITORY}"]) == 0
    assert build.serving() == between


@pytest.mark.slow
def test_one_function_is_rolled_back_by_its_name(
    build: CloudBuild, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others stay; of one that nothing served before, that is said."""
    before = build.serving()
    (build.workspace / "functions/api/main.py").open("a").write("\n# changed\n")
    assert build.run() is None
    monkeypatch.setenv("PATH", f"{build.bin}:/usr/bin:/bin")
    monkeypatch.setenv("GCLOUD_STATE", str(build.state_file))
    where = [f"--project={PROJECT}", "--region=europe-west1", f"--repository={REPOSITORY}"]
    assert rollback.main(["api", "sweep", *where]) == 0
    assert build.serving() == before
    assert "sweep: nothing served before" in capsys.readouterr().out
