"""cloudbuild.yaml: what it does to a project."""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from deploy.stage import FUNCTIONS
from shared.platform.clients import storage_client
from tests.cloud_build import REPOSITORY, ROOT, CloudBuild
from tests.integration.storage_server import storing
from tests.token_server import ACCOUNT, giving_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.token_server import TokenServer


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with storing(tmp_path_factory.mktemp("storage")) as address:
        yield address


@pytest.fixture
def bucket(storage: str, tmp_path: Path) -> str:
    """A work bucket for one test."""
    name = f"work-{hashlib.sha256(f'{storage} {tmp_path}'.encode()).hexdigest()[:16]}"
    storage_client().create_bucket(name)
    return name


@pytest.fixture(scope="module")
def token_server() -> Iterator[TokenServer]:
    with giving_tokens() as server:
        yield server


@pytest.fixture
def tokens(token_server: TokenServer) -> Iterator[TokenServer]:
    """As a build finds it; what one test refuses, the next is given."""
    token_server.asked.clear()
    yield token_server
    token_server.refuses = None


@pytest.fixture(scope="module")
def deployed_once(
    tmp_path_factory: pytest.TempPathFactory, storage: str, token_server: TokenServer
) -> CloudBuild:
    """A project after its first deployment; copy it before use."""
    storage_client().create_bucket("first-work")
    build = CloudBuild.fresh(
        tmp_path_factory.mktemp("build"), storage, "first-work", token_server.environment
    )
    assert build.run() is None, build.said
    return build


@pytest.fixture
def build(deployed_once: CloudBuild, bucket: str, tmp_path: Path) -> CloudBuild:
    """A copy of it, with no calls so far."""
    shutil.copytree(deployed_once.workspace.parent, tmp_path / "copy")
    copy = CloudBuild(tmp_path / "copy" / "workspace", deployed_once.storage, bucket, deployed_once.tokens)
    copy.take_calls()
    copy.take_trials()
    return copy


def test_a_first_deployment_brings_everything(deployed_once: CloudBuild) -> None:
    """From placeholders to the functions, in the order of promotion, and the job by its digest."""
    state = deployed_once.state()
    assert deployed_once.serving() == {name: f"{name}-00002-dep" for name in FUNCTIONS}
    assert deployed_once.tags() == {}
    assert state["pool"] == {"processors": 5, "taken": 0, "most": 4}, (
        "the build's machine, and one candidate's"
    )
    models = {
        name: one["revisions"][-1]["labels"].get("headrace-model") for name, one in state["services"].items()
    }
    assert models == {name: "a" * 40 if one.model else None for name, one in FUNCTIONS.items()}
    assert state["job"]["image"] == f"{REPOSITORY}/long-job@sha256:{'a' * 64}"
    moves = [
        call[3] if call[1] == "services" else call[1] for call in state["calls"] if "describe" not in call
    ]
    order = ["deadletter", "digest", "api", "console", "analyze", "jobs", "sweep", "ingest"]
    changing = [call for call in moves if call in {*FUNCTIONS, "jobs"}]
    assert changing[len(FUNCTIONS) :] == order, "after a tag for each"
    assert deployed_once.record() == {"deployment": "build-1", "finished": True, "before": {}}
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


@pytest.mark.parametrize(("tests", "audit"), [("", "fail"), ("no", "warn"), ("skip", "ignore"), ("skip", "")])
def test_a_gate_that_is_misspelt_stops_the_build(build: CloudBuild, tests: str, audit: str) -> None:
    """Before anything else, and not as if it were open."""
    build.substitutions = {"_TESTS": tests, "_AUDIT": audit}
    assert build.run() == "gates"
    assert f"_TESTS is run or skip, and _AUDIT fail or warn; they are '{tests}' and '{audit}'." in build.said
    for right in itertools.product(("run", "skip"), ("fail", "warn")):
        build.substitutions = dict(zip(("_TESTS", "_AUDIT"), right, strict=True))
        assert build.run(until="gates") is None


def test_a_machine_that_leaves_no_place_for_a_candidate_is_refused(build: CloudBuild) -> None:
    """By the stand-in for the pool, as by Cloud Build."""
    path = build.workspace / "cloudbuild.yaml"
    path.write_text(path.read_text().replace("\noptions:", "\noptions:\n  machineType: E2_HIGHCPU_8"))
    assert build.run() == "pool"


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
        pytest.param(
            "shared/digests/compute/make.py", ["digest"], marks=pytest.mark.slow
        ),  # it alone imports it
        pytest.param("shared/platform/retry.py", list(FUNCTIONS), marks=pytest.mark.slow),  # what all import
    ],
)
def test_only_what_changed_is_deployed(build: CloudBuild, file: str, changed: list[str]) -> None:
    """The others keep their revisions, and are not tried."""
    before = build.serving()
    with (build.workspace / file).open("a") as source:
        source.write("\n# changed\n")
    assert build.run() is None
    calls = build.take_calls()
    deployed = {call.split()[2] for call in calls if call.startswith("run deploy")}
    assert deployed == set(changed)
    after = build.serving()
    assert [name for name in FUNCTIONS if after[name] != before[name]] == changed
    assert build.take_trials() == [f"{name} {at}" for at in ("candidate", "service") for name in changed]
    assert build.record()["before"] == {name: before[name] for name in changed}


@pytest.mark.parametrize("at", ["candidate", "service"])
def test_a_trial_that_fails_leaves_what_served(build: CloudBuild, at: str) -> None:
    """The build fails and says why; once the cause is gone, the same revisions serve, not built again."""
    before = build.serving()
    (build.workspace / "functions/ingest/main.py").open("a").write("\n# changed\n")
    build.environment = {"TRIAL_FAILS": f"ingest {at}"}
    assert build.run() == "rollout"
    assert f"ingest {at}: a trial that fails" in build.said
    assert build.serving() == before
    build.take_calls()
    build.environment = {}
    assert build.run() is None
    assert not [call for call in build.take_calls() if call.startswith("run deploy")]
    assert build.serving() == before | {"ingest": "ingest-00003-dep"}


def test_a_build_calls_with_a_token_that_it_asked_iam_credentials_for(
    build: CloudBuild, tokens: TokenServer
) -> None:
    """By the access token of the metadata server, which has no identity tokens and is not asked for one."""
    (build.workspace / "functions/api/main.py").open("a").write("\n# changed\n")
    assert build.run() is None, build.said
    assert build.take_trials() == ["api candidate", "api service"]
    asked = [path for path in tokens.asked if path.endswith(("token", "Token", "identity"))]
    builder = "/v1/projects/-/serviceAccounts/headrace-builder@headrace-test.iam.gserviceaccount.com"
    assert asked == [f"{ACCOUNT}token", f"{builder}:generateIdToken"] * 2


def test_a_build_that_gets_no_token_fails_before_anything_serves(
    build: CloudBuild, tokens: TokenServer
) -> None:
    """It says what Terraform must give; by hand, a person calls with a token of theirs."""
    before = build.serving()
    (build.workspace / "functions/api/main.py").open("a").write("\n# changed\n")
    tokens.refuses = "Permission 'iam.serviceAccounts.getOpenIdToken' denied"
    assert build.run() == "rollout"
    for said in (
        tokens.refuses,
        "iamcredentials.googleapis.com",
        "roles/iam.serviceAccountOpenIdTokenCreator",
    ):
        assert said in build.said
    assert (build.serving(), build.take_trials()) == (before, [])
    build.environment = {"GCLOUD_PERSON": "a person"}
    assert build.command("state"), build.said
    assert build.command("plan"), build.said
    assert build.command("rollout"), build.said
    assert build.take_trials() == ["api candidate", "api service"]


def test_a_deployment_that_fails_stops_the_build(build: CloudBuild) -> None:
    """Before any trial, and with gcloud's own words."""
    (build.workspace / "functions/api/main.py").open("a").write("\n# changed\n")
    build.environment = {"GCLOUD_FAILS": "run deploy api"}
    assert build.run() == "rollout"
    assert "PERMISSION_DENIED" in build.said


@pytest.mark.slow
def test_a_revision_that_does_not_start_is_not_taken_for_a_candidate(build: CloudBuild) -> None:
    """The build stops there; the next makes another, though the broken one is of the same content."""
    before = build.serving()
    (build.workspace / "functions/api/main.py").open("a").write("\n# changed\n")
    build.environment = {"GCLOUD_BREAKS": "api"}
    assert build.run() == "rollout"
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
    assert build.run() == "rollout"
    assert build.state()["services"]["api"]["tags"] == {}
    build.environment = {}
    assert build.run() is None
    assert build.serving() == before | {"api": "api-00003-dep"}
    assert len([call for call in build.take_calls() if call.startswith("run deploy")]) == 1


@pytest.mark.slow
def test_one_function_is_deployed_by_hand(build: CloudBuild) -> None:
    """By the commands of `make deploy`; the others stay, as the job does."""
    before, image = build.serving(), build.state()["job"]
    for name in ("ingest", "api"):
        (build.workspace / f"functions/{name}/main.py").open("a").write("\n# changed\n")
    (build.workspace / "long_job/main.py").open("a").write("\n# changed\n")
    shutil.copytree(build.workspace / "build" / "model", build.workspace / "build" / "model-serving")
    build.name_model("build/model-serving", "b" * 64)
    makefile = (ROOT / "Makefile").read_text().partition("\ndeploy: ")[2].partition("\n\n")[0]
    commands = re.findall(r"\$\(BIN\)/python -m deploy (.+)", makefile)
    assert [command.split()[0] for command in commands] == ["state", "model", "stage", "plan", "rollout"]
    for command in commands:
        if not command.startswith("model"):  # which is not built here
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
def test_a_project_without_the_job_deploys_without_it(
    tmp_path: Path, storage: str, bucket: str, tokens: TokenServer
) -> None:
    """Terraform may leave it out; no image is built."""
    build = CloudBuild.fresh(tmp_path, storage, bucket, tokens.environment, job=False)
    assert build.run() is None
    assert build.docker_calls() == []
    assert build.serving()["ingest"] == "ingest-00002-dep"


@pytest.mark.slow
def test_a_job_with_a_gpu_gets_the_image_for_one(
    tmp_path: Path, storage: str, bucket: str, tokens: TokenServer
) -> None:
    """Terraform decides that; the build follows what it finds."""
    build = CloudBuild.fresh(tmp_path, storage, bucket, tokens.environment)
    state = build.state()
    state["job"]["limits"]["nvidia.com/gpu"] = "1"
    build.store(state)
    assert build.run() is None
    assert "--build-arg=VARIANT=-gpu" in build.docker_calls()[0]


@pytest.mark.slow
def test_rolling_back_is_one_command(build: CloudBuild) -> None:
    """All functions serve what they served before; twice is as once, and the next build moves on again."""
    before = build.serving()
    (build.workspace / "shared/platform/settings.py").open("a").write("\n# changed\n")
    assert build.run() is None
    for _ in range(2):
        assert build.command("rollback"), build.said
        assert build.serving() == before
    assert build.run() is None
    assert build.serving() == {name: f"{name}-00003-dep" for name in FUNCTIONS}
