"""Which Headrace a command talks to (a local stack, emulators, a project), and what its deployment decides.

Terraform gives every function the same settings, and a command line outside has none of them. They are read
where a command needs them: most commands go without, and so without the right to read them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from local.services import EMULATORS
from local.stack import read_stack
from shared.platform.errors import SetupError
from shared.platform.settings import PREFIX, Settings, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.cloud.run_v2 import Container, Service


DEFAULT_DATA = Path(".headrace")


def connect(data: Path, project: str | None) -> None:
    """Point the clients of this process at a project, or at the stack on `data`.

    Raises:
        SetupError: no project is named and no stack runs on `data`.
    """
    if project is not None:
        os.environ["GOOGLE_CLOUD_PROJECT"] = project
        for variable in EMULATORS:
            os.environ.pop(variable, None)
    elif not os.environ.get("FIRESTORE_EMULATOR_HOST"):
        os.environ.update(read_stack(data)["environment"])


SERVICE = "ingest"
LOCATION, NAME = "HEADRACE_JOB_LOCATION", "HEADRACE_JOB_NAME"
THE_JOB = f"{NAME}=long-job {LOCATION}=REGION"


class NotRead(SetupError):
    """The deployment's settings could not be read."""

    def __init__(self, detail: str, fix: str, *, refused: bool = False) -> None:
        """Take `detail` and `fix` as in a doctor's finding; `refused`: this account may not read them."""
        super().__init__(f"{detail} {fix}")
        self.detail, self.fix, self.refused = detail, fix, refused


def is_local() -> bool:
    """Return whether this process talks to emulators, whose settings are those of its environment."""
    return bool(os.environ.get("FIRESTORE_EMULATOR_HOST"))


def need_job() -> None:
    """Make sure that `run_job` starts the job of the project that this process is connected to.

    Raises:
        SetupError: there is no job, or which it is could not be read.
    """
    if not is_local() and not {LOCATION, NAME} <= set(os.environ):
        adopt()
    if not settings().job_name:
        raise SetupError(
            f"{settings().project} has no long job, whose work this is ({NAME} is empty). "
            "In infra/, where it may be switched off: long_job = { enabled = true }"
        )


def adopt() -> str:
    """Take the deployment's settings where this environment has none; return the revision that has them.

    Raises:
        NotRead: they cannot be read, or do not fit.
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException

    failures = (GoogleAPIError, GoogleAuthError, RequestException)
    try:
        where = region()
    except failures as error:
        what = f"bucket {settings().uploads_bucket}, which lies where Headrace runs"
        raise not_read(error, what, "storage.buckets.get", f"{LOCATION}=REGION") from None
    name = f"{where}/services/{SERVICE}"
    try:
        revision, containers = _read(name)
    except failures as error:
        raise not_read(error, f"{name}, which has the settings", "roles/run.viewer", THE_JOB) from None
    take({LOCATION: short(where)} | given(containers))
    return revision


def region() -> str:
    """Return the location in which services and job run: the settings', or that of the uploads bucket."""
    from cli.diagnosis import LIMITS
    from shared.platform.clients import emulator, storage_client

    location = settings().job_location
    if location == Settings.model_fields["job_location"].default and not emulator("STORAGE_EMULATOR_HOST"):
        location = storage_client().get_bucket(settings().uploads_bucket, **LIMITS).location.lower()
    return f"projects/{settings().project}/locations/{location}"


def _read(name: str) -> tuple[str, Iterable[Container]]:
    """Return the revision of a service that serves, and its containers. Google Cloud alone."""
    from google.cloud.run_v2 import RevisionsClient, ServicesClient

    from cli.diagnosis import LIMITS

    service = ServicesClient().get_service(name=name, **LIMITS)
    if revision := serving(service):
        path = f"{name}/revisions/{revision}"
        return revision, RevisionsClient().get_revision(name=path, **LIMITS).containers
    return "no revision yet", service.template.containers


def serving(service: Service) -> str:
    """Return the revision that has all traffic, or most; empty if there is none yet.

    Not the template: what Terraform has changed serves only after a build or `make promote`.
    """
    has = shares(service)
    return max(has, key=has.__getitem__, default=short(service.latest_ready_revision))


def shares(service: Service) -> dict[str, int]:
    """Return each revision's percentage of the traffic; traffic for the newest counts under its name."""
    from google.cloud.run_v2 import TrafficTargetAllocationType

    newest = TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
    percent: dict[str, int] = {}
    for part in service.traffic_statuses:
        named = "" if part.type_ == newest else part.revision
        revision = short(named or service.latest_ready_revision)
        if part.percent:
            percent[revision] = percent.get(revision, 0) + part.percent
    return percent


def given(containers: Iterable[Container]) -> dict[str, str]:
    """Return the containers' settings but for paths, which mean something inside their image only."""
    variables = (each for container in containers for each in container.env)
    plain = (each for each in variables if "value_source" not in each)
    return {each.name: each.value for each in plain if each.name in _shared()}  # also empty: no job


def _shared() -> set[str]:
    fields = {name: field.annotation for name, field in Settings.model_fields.items() if name != "project"}
    paths = {name for name, kind in fields.items() if Path in (kind, *get_args(kind))}
    return {f"{PREFIX}{name.upper()}" for name in set(fields) - paths}


def take(deployed: Mapping[str, str]) -> None:
    """Make these the settings of this process where its environment has none.

    Raises:
        NotRead: they do not fit.
    """
    together = {**deployed, **os.environ}
    try:
        Settings.from_environment(together)
    except SetupError as error:
        fix = "Correct it where it is deployed; until then, set it here to what fits."
        raise NotRead(f"{SERVICE} has a value that does not fit: {error.message}.", fix) from None
    os.environ.update(together)
    settings.cache_clear()


def not_read(error: Exception, what: str, right: str, instead: str) -> NotRead:
    """Return an error that says how to get the right to read `what`, or which variable to set instead."""
    from google.api_core.exceptions import Forbidden, NotFound
    from google.auth.exceptions import GoogleAuthError

    project = settings().project
    if isinstance(error, GoogleAuthError):
        login = "Sign in: gcloud auth application-default login"
        return NotRead(f"No credentials for {project}: {type(error).__name__}.", login)
    if isinstance(error, NotFound):
        fix = f"Deploy Headrace (docs/deploy.md), or set {LOCATION}=REGION if it is elsewhere."
        return NotRead(f"There is no {what}.", fix)
    if isinstance(error, Forbidden):
        fix = f"Ask with an account that has {right}, or set {instead}"
        return NotRead(f"Your account may not read {what}.", fix, refused=True)
    fix = f"See https://status.cloud.google.com, or set {instead}"
    return NotRead(f"{what} does not answer as it should: {type(error).__name__}.", fix)


def short(name: str) -> str:
    """Return the last part of a resource's path."""
    return name.rpartition("/")[2]
