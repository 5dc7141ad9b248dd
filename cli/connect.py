"""Which Headrace a command talks to (a local stack, emulators, a project), and what its deployment decides.

Terraform gives every function the same settings, and a command line outside has none of them. They are read
where a command needs them: most commands go without, and so without the right to read them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from local.services import EMULATORS
from local.stack import read_stack
from shared.platform.clients import LIMITS
from shared.platform.errors import Permanent, SetupError
from shared.platform.settings import PREFIX, Settings, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.cloud.run_v2 import Container, Service

DEFAULT_DATA = Path(".headrace")
CALL_SECONDS: float = LIMITS["timeout"]
"""Seconds for one call to a service that may hang, as the doctor makes them."""
LOGIN = "gcloud auth application-default login"
SERVICE = "ingest"
LOCATION, NAME = "HEADRACE_JOB_LOCATION", "HEADRACE_JOB_NAME"


def connect(data: Path, project: str | None) -> None:
    """Point the clients of this process at a project, or at the stack on `data`.

    Raises:
        SetupError: no project is named and no stack runs on `data`.
    """
    if project is not None:
        os.environ["GOOGLE_CLOUD_PROJECT"] = project
        for variable in EMULATORS:
            os.environ.pop(variable, None)
        # Cloud Shell's login belongs to no project, and some APIs refuse to bill a call to nobody.
        if os.environ.get("CLOUD_SHELL") == "true":
            os.environ.setdefault("GOOGLE_CLOUD_QUOTA_PROJECT", project)
    elif not is_local():
        os.environ.update(read_stack(data)["environment"])


def read_own_stack(data: Path) -> dict[str, Any] | None:
    """Return the record of the stack on `data`, unless the environment names emulators of the user's."""
    try:
        stack = read_stack(data)
    except SetupError:
        return None
    hosts = {name: stack["environment"].get(name) for name in EMULATORS}
    return stack if all(os.environ.get(name, host) == host for name, host in hosts.items()) else None


def is_local() -> bool:
    """Return whether this process talks to emulators, whose settings are those of its environment."""
    return bool(os.environ.get("FIRESTORE_EMULATOR_HOST"))


def call_errors() -> tuple[type[Exception], ...]:
    """Return the errors with which calls to Google Cloud fail."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from grpc import RpcError
    from requests import RequestException

    return GoogleAPIError, GoogleAuthError, RequestException, RpcError


def explain(error: Exception, permission: str = "the missing permission", instead: str = "") -> Permanent:
    """Return a failed call to Google Cloud as an error for people.

    Args:
        error: one of `call_errors`, or of a connection.
        permission: the role or permission that the call needs.
        instead: what else to do, in words that follow "or".
    """
    from google.api_core.exceptions import Forbidden
    from google.auth.exceptions import GoogleAuthError

    kind, instead = type(error).__name__, f", or {instead}" if instead else ""
    if isinstance(error, GoogleAuthError):
        return Permanent("no_credentials", f"No credentials: {kind}.", f"Sign in: {LOGIN}")
    if isinstance(error, Forbidden):
        hint = f"Ask with an account that has {permission}{instead}"
        return Permanent("forbidden", f"Your account may not do this: {kind}.", hint)
    where = (
        "the stack's logs, and restart it: headrace up" if is_local() else "https://status.cloud.google.com"
    )
    message = f"A service does not answer as it should: {kind}."
    return Permanent("service_failed", message, f"See {where}{instead}")


def explain_failure(error: BaseException) -> Permanent | None:
    """Return an error that ended a command as an error for people; None if it is not a failed call."""
    from google.api_core.exceptions import RetryError

    if isinstance(error, AttributeError) and error.__context__:  # a query that broke off: see is_transient
        error = error.__context__
    if not isinstance(error, call_errors()):
        return None
    if isinstance(error, RetryError) and isinstance(error.cause, call_errors()):
        error = error.cause
    problem = explain(error)
    detail = " ".join(str(getattr(error, "message", "") or error).split())
    return Permanent(problem.code, f"{problem.message} {detail}", problem.hint)


class NotRead(Permanent):
    """The deployment's settings could not be read."""


def need_job() -> None:
    """Make sure that `run_job` starts the job of the project that this process is connected to.

    Raises:
        SetupError: there is no job, or which it is could not be read.
    """
    if not is_local() and not {LOCATION, NAME} <= set(os.environ):
        adopt()
    if not settings().job_name:
        raise SetupError(
            f"{settings().project} has no long job, which this needs ({NAME} is empty). "
            "In infra/, where it may be switched off: long_job = { enabled = true }"
        )


def adopt() -> str:
    """Take the deployment's settings where this environment has none; return the revision that has them.

    Raises:
        NotRead: they cannot be read, or do not fit.
    """
    from google.cloud.run_v2 import RevisionsClient, ServicesClient

    try:
        where = region()
    except call_errors() as error:
        what = f"bucket {settings().uploads_bucket}, which lies where Headrace runs"
        raise not_read(error, what, "storage.buckets.get", f"{LOCATION}=REGION") from None
    name = f"{where}/services/{SERVICE}"
    try:
        service = ServicesClient().get_service(name=name, **LIMITS)
        containers = service.template.containers
        if revision := serving(service):
            path = f"{name}/revisions/{revision}"
            containers = RevisionsClient().get_revision(name=path, **LIMITS).containers
    except call_errors() as error:
        what, job = f"{name}, which has the settings", f"{NAME}=long-job {LOCATION}=REGION"
        raise not_read(error, what, "roles/run.viewer", job) from None
    take({LOCATION: short(where)} | given(containers))
    return revision or "no revision yet"


def region() -> str:
    """Return the location in which services and job run: the settings', or that of the uploads bucket."""
    from shared.platform.clients import emulator, storage_client

    location = settings().job_location
    if location == Settings.model_fields["job_location"].default and not emulator("STORAGE_EMULATOR_HOST"):
        location = storage_client().get_bucket(settings().uploads_bucket, **LIMITS).location.lower()
    return f"projects/{settings().project}/locations/{location}"


def serving(service: Service) -> str:
    """Return the revision that has all traffic, or most; empty if there is none yet.

    Not the template: what Terraform has changed serves only after a build or `make promote`.
    """
    percent = shares(service)
    return max(percent, key=percent.__getitem__, default=short(service.latest_ready_revision))


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
    fields = {name: field.annotation for name, field in Settings.model_fields.items() if name != "project"}
    shared = {
        f"{PREFIX}{name.upper()}" for name, kind in fields.items() if Path not in (kind, *get_args(kind))
    }
    variables = (variable for container in containers for variable in container.env)
    # An empty value too: it says that there is no job.
    return {each.name: each.value for each in variables if "value_source" not in each and each.name in shared}


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
        detail = f"{SERVICE} has a value that does not fit: {error.message}."
        raise NotRead("invalid_setting", detail, fix) from None
    os.environ.update(together)
    settings.cache_clear()


def not_read(error: Exception, what: str, permission: str, instead: str) -> NotRead:
    """Return an error that says how to be able to read `what`, or which variable to set instead."""
    from google.api_core.exceptions import NotFound

    if isinstance(error, NotFound):
        fix = f"Deploy Headrace (docs/deploy.md), or set {LOCATION}=REGION if it is elsewhere."
        return NotRead("not_found", f"There is no {what}.", fix)
    problem = explain(error, permission, f"set {instead}")
    return NotRead(problem.code, f"Could not read {what}. {problem.message}", problem.hint)


def short(name: str) -> str:
    """Return the last part of a resource's path."""
    return name.rpartition("/")[2]
