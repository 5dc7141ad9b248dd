"""What a command under `--project` takes from the deployment, and what it says where it cannot."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from google.api_core.exceptions import NotFound, PermissionDenied, ServiceUnavailable
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.run_v2 import EnvVar, Revision, Service

from cli.connect import NotRead, connect, given, is_local, need_job, not_read, serving, take
from cli.doctor import Target, check_job, examine
from cli.main import headrace
from cli.options import MODEL
from local.services import EMULATORS
from shared.documents.delegation import job_path
from shared.platform.errors import SetupError
from shared.platform.settings import settings
from tests.caches import forget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.api.findings import Finding

NAME = "projects/my-project/locations/europe-west4/services/ingest"
DEPLOYED = {
    "HEADRACE_JOB_NAME": "long-job",
    "HEADRACE_JOB_LOCATION": "europe-west4",
    "HEADRACE_API_KEY_HASH_VERSION": "3",
}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A shell without credentials and settings, as it is again afterwards."""
    before = dict(os.environ)
    for name in [*EMULATORS, *(one for one in before if one.startswith("HEADRACE_"))]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    forget()
    yield
    os.environ.clear()
    os.environ.update(before)
    forget()


def variables(**values: str) -> Revision:
    return Revision(containers=[{"env": [{"name": name, "value": value} for name, value in values.items()]}])


@pytest.mark.parametrize(
    ("shell", "chosen", "billed"),
    [("true", None, "my-project"), ("true", "another-project", "another-project"), ("false", None, None)],
)
def test_calls_from_cloud_shell_are_billed_to_the_project(
    shell: str, chosen: str | None, billed: str | None
) -> None:
    """Its login names no project that calls are billed to; elsewhere the login's own counts."""
    os.environ.pop("GOOGLE_CLOUD_QUOTA_PROJECT", None)
    said = {"CLOUD_SHELL": shell, "GOOGLE_CLOUD_QUOTA_PROJECT": chosen}
    os.environ.update({name: value for name, value in said.items() if value})
    connect(Path("nowhere"), "my-project")
    assert os.environ.get("GOOGLE_CLOUD_QUOTA_PROJECT") == billed


def test_settings_are_taken_from_the_function() -> None:
    """An empty one too, which says that there is no job; no paths in its image, and no other variables."""
    revision = variables(
        HEADRACE_JOB_NAME="",
        HEADRACE_RETENTION='{"": 30}',
        HEADRACE_MODEL_DIR="model",
        HEADRACE_CA_FILE="ca.pem",
        HEADRACE_DIGESTS_FILE="digests.toml",
        HEADRACE_OF_ANOTHER_VERSION="x",
        GOOGLE_CLOUD_PROJECT="my-project",
        WORKERS="2",
    )
    source = {"secret_key_ref": {"secret": "s", "version": "1"}}
    revision.containers[0].env.append(EnvVar(name="HEADRACE_SMTP_USER", value_source=source))
    assert given(revision.containers) == {"HEADRACE_JOB_NAME": "", "HEADRACE_RETENTION": '{"": 30}'}


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        (
            [
                {"revision": "ingest-1", "percent": 45},
                {"type_": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 35},
                {"revision": "ingest-3", "percent": 20},
            ],
            "ingest-3",
        ),
        (
            [{"revision": "ingest-2", "tag": "candidate"}, {"revision": "ingest-1", "percent": 100}],
            "ingest-1",
        ),
        ([{"revision": "ingest-1", "percent": 10}, {"revision": "ingest-2", "percent": 90}], "ingest-2"),
        ([{"type_": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}], "ingest-3"),
        ([{"revision": f"{NAME}/revisions/ingest-1", "percent": 100}], "ingest-1"),
        ([], "ingest-3"),
    ],
)
def test_the_revision_that_serves_counts(traffic: list[dict[str, object]], expected: str) -> None:
    """Neither a candidate nor what Terraform made since: that has no traffic before the next build."""
    latest = f"{NAME}/revisions/ingest-3"
    assert serving(Service(name=NAME, latest_ready_revision=latest, traffic_statuses=traffic)) == expected
    assert serving(Service(name=NAME)) == ""


def test_the_job_is_the_deployments() -> None:
    """Its region is no default's; versions of secrets are those in use."""
    take(DEPLOYED)
    assert job_path() == "projects/my-project/locations/europe-west4/jobs/long-job"
    assert settings().api_key_hash_version == 3


def test_what_this_environment_says_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said on purpose."""
    monkeypatch.setenv("HEADRACE_JOB_LOCATION", "us-central1")
    take(DEPLOYED)
    assert job_path() == "projects/my-project/locations/us-central1/jobs/long-job"


def test_a_value_that_does_not_fit_is_the_deployments() -> None:
    """As of a function that is newer than this command; nothing is taken then."""
    with pytest.raises(NotRead, match=r"^ingest has a value .* HEADRACE_RETENTION: "):
        take(DEPLOYED | {"HEADRACE_RETENTION": "a year"})
    assert "HEADRACE_JOB_NAME" not in os.environ


@pytest.mark.parametrize(
    ("error", "detail", "fix"),
    [
        (
            DefaultCredentialsError,
            "Could not read S. No cred",
            "gcloud auth application-default login",
        ),
        (NotFound, "There is no S.", "HEADRACE_JOB_LOCATION=REGION"),
        (
            PermissionDenied,
            "Could not read S. Your",
            "roles/run.viewer, or set HEADRACE_X=x",
        ),
        (
            ServiceUnavailable,
            "Could not read S. A service does not answer",
            "set HEADRACE_X=x",
        ),
    ],
)
def test_what_cannot_be_read_is_said(error: type[Exception], detail: str, fix: str) -> None:
    """With what to do, and the variable that stands in for it; only a right that is missing is no fault."""
    found = not_read(error("x"), "S", "roles/run.viewer", "HEADRACE_X=x")
    assert found.message.startswith(detail)
    assert fix in found.hint
    assert (found.code == "forbidden") == (error is PermissionDenied)


@pytest.mark.parametrize(
    "arguments", [["backfill"], ["backfill", "resume", "b"], ["import", "gs://b/p"], ["train", "gs://b/p"]]
)
def test_commands_that_start_the_job_look_for_it_first(arguments: list[str]) -> None:
    """Before anything is written, or started at a place that is only a default."""
    asked = CliRunner().invoke(headrace, [*arguments, "--project", "my-project"])
    assert isinstance(asked.exception, NotRead)
    assert not is_local()


def test_a_job_that_is_named_here_needs_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """So whoever may not read services may start it all the same."""
    for name in ("HEADRACE_JOB_NAME", "HEADRACE_JOB_LOCATION"):
        monkeypatch.setenv(name, DEPLOYED[name])
    need_job()
    monkeypatch.setenv("HEADRACE_JOB_NAME", "")
    settings.cache_clear()
    with pytest.raises(SetupError, match="my-project has no long job"):
        need_job()


def test_a_project_without_a_job_is_well(tmp_path: Path) -> None:
    """As Terraform makes it with `long_job.enabled = false`."""
    take(DEPLOYED | {"HEADRACE_JOB_NAME": ""})
    [found] = check_job(Target(tmp_path, MODEL, None, cloud=True))
    assert (found.status, found.detail) == ("ok", "none: what is too long for a function is rejected")


def test_the_doctor_does_not_judge_by_defaults(tmp_path: Path) -> None:
    """Where the functions' settings cannot be read, job and secrets are unknown and the variables named."""
    found: dict[str, Finding] = {one.check: one for one in examine(tmp_path, "my-project", MODEL)}
    assert (found["deployment"].status, found["deployment"].fix) == (
        "wrong",
        "Sign in: gcloud auth application-default login",
    )
    assert (found["secrets"].status, found["job"].status) == ("unknown", "unknown")
    assert "HEADRACE_API_KEY_HASH_VERSION=…" in str(found["secrets"].fix)
    assert "HEADRACE_JOB_NAME=… HEADRACE_JOB_LOCATION=…" in str(found["job"].fix)
    assert "gcloud secrets" not in "".join(str(one.fix) for one in found.values())
