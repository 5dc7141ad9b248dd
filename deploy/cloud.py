"""Read and change what is deployed on Cloud Run, by gcloud, as a person would.

A revision carries the digest of the folder that it was made from as a label.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from deploy.stage import FUNCTIONS
from shared.platform.errors import Retryable, SetupError

CONTENT, VERSION, MODEL = "headrace-content", "headrace-version", "headrace-model"
"""Labels: the folder's digest, Headrace's version, and the beginning of the model's digest."""
CANDIDATE = "candidate"
"""Tag of the revision that is tried."""
JOB = "long-job"
BUILDER = "headrace-builder"
"""The account that builds run as."""
TOKENS = "https://iamcredentials.googleapis.com"
"""Where identity tokens come from."""
NOT_FOUND = ("Cannot find service", "Cannot find job", "Cannot find revision")
GPU = "nvidia.com/gpu"
PUBLIC = "all"
"""The ingress that lets requests from everywhere reach a service; IAM still decides who may call it."""
STATE_FILE = Path("build/state.json")


def place() -> tuple[str, str, str]:
    """Return project, region and image repository (HOST/PROJECT/NAME): the variables that a build sets.

    Raises:
        SetupError: one is missing.
    """
    names = ("GOOGLE_CLOUD_PROJECT", "REGION", "REPOSITORY")
    if missing := [name for name in names if not os.environ.get(name)]:
        raise SetupError(f"Set {', '.join(missing)}: docs/deploy.md")
    project, region, repository = (os.environ[name] for name in names)
    return project, region, repository


@dataclass(frozen=True)
class Revision:
    """A revision of a service."""

    name: str
    digest: str | None
    """None: deployment did not make it; it is Terraform's placeholder."""
    image: str = ""
    model: str | None = None
    """The beginning of its model's digest; None: it has no model."""
    probe: str | None = None
    """What Cloud Run asks it for before it counts as started; None: only whether it listens."""


@dataclass(frozen=True)
class Service:
    """A function as it is deployed."""

    serving: Revision
    """Gets all traffic, or most."""
    latest: Revision
    """Made last, by a deployment or by Terraform, and started."""
    created: str
    """The revision that was made last, whether it has started or not."""
    share: int
    """Percent of the traffic that `serving` gets."""
    url: str
    closed: str | None
    """What keeps a deployment from calling it; None: at most IAM does."""
    candidate: str | None = None
    """The revision with the tag."""
    candidate_url: str | None = None


@dataclass(frozen=True)
class Job:
    """The long job as it is deployed."""

    digest: str | None
    gpu: bool


@dataclass(frozen=True)
class State:
    """Everything that is deployed."""

    services: dict[str, Service]
    job: Job | None
    """None: the project has no long job."""
    generation: int = 0
    """Generation of the record of the last deployment (`deploy.record`)."""


_STATE = TypeAdapter(State)


def gcloud(*arguments: str, absent: str | None = None) -> str:
    """Run a command and return what it prints; `absent` where there is no such service, job or revision.

    Raises:
        Retryable: it failed; gcloud's message is in the log.
    """
    done = _run(*arguments)
    if done.returncode == 0:
        return done.stdout
    if absent is not None and any(message in done.stderr for message in NOT_FOUND):
        return absent
    sys.stderr.write(done.stderr)
    raise Retryable(f"gcloud {' '.join(arguments[:4])} ended with status {done.returncode}.")


def described(kind: str, name: str) -> dict[str, Any] | None:
    """Return what gcloud says of a service, a job or a revision; None where there is no such thing."""
    printed = gcloud("run", kind, "describe", name, "--format=json", absent="null")
    fields: dict[str, Any] | None = json.loads(printed)
    return fields


def identity_token(audience: str) -> str:
    """Return a token that lets the builder's account call a service.

    The account asks IAM Credentials for one of its own. Cloud Build's metadata server, which has given out
    access tokens alone, wants the same right for it:
    https://cloud.google.com/build/docs/securing-builds/authorize-service-to-service-access
    A person who may not do that calls with a token of theirs, which has no audience.

    Raises:
        SetupError: neither can be had.
    """
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.iam_credentials_v1 import IAMCredentialsClient

    account = f"{BUILDER}@{place()[0]}.iam.gserviceaccount.com"
    name = f"projects/-/serviceAccounts/{account}"
    try:
        client = IAMCredentialsClient(transport="rest", client_options={"api_endpoint": TOKENS})
        return client.generate_id_token(name=name, audience=audience, include_email=True).token
    except (GoogleAPICallError, GoogleAuthError) as error:
        refused = str(error)
    own = _run("auth", "print-identity-token")
    if own.returncode == 0:
        return own.stdout.strip()
    raise SetupError(
        f"Nothing can be tried before it serves: there is no identity token of {account} ({refused}). "
        "terraform -chdir=infra apply enables iamcredentials.googleapis.com and gives the account "
        "roles/iam.serviceAccountOpenIdTokenCreator on itself. Rights that were just given may take minutes."
    )


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    project, region, _ = place()
    where = [f"--project={project}", "--quiet"]
    if arguments[0] == "run":
        where.append(f"--region={region}")
    return subprocess.run(["gcloud", *arguments, *where], capture_output=True, text=True, check=False)


def read_service(name: str) -> Service:
    """Read a function's service.

    Raises:
        SetupError: there is none.
    """
    fields = described("services", name)
    if fields is None:
        raise SetupError(
            f"There is no service {name} in {place()[1]}. Make it first: terraform -chdir=infra apply"
        )
    status = fields["status"]
    traffic = status.get("traffic") or []
    most: dict[str, Any] = max(traffic, key=lambda part: part.get("percent", 0), default={})
    latest = status.get("latestReadyRevisionName", "")
    serving = most.get("revisionName") or latest
    tagged: dict[str, Any] = next((part for part in traffic if part.get("tag") == CANDIDATE), {})
    revisions = {name: _read_revision(name) for name in {latest, serving}}
    return Service(
        serving=revisions[serving],
        latest=revisions[latest],
        created=status.get("latestCreatedRevisionName", ""),
        share=most.get("percent", 0),
        url=status["url"],
        closed=_closed(fields["metadata"].get("annotations") or {}),
        candidate=tagged.get("revisionName"),
        candidate_url=tagged.get("url"),
    )


def _closed(annotations: dict[str, str]) -> str | None:
    if annotations.get("run.googleapis.com/iap-enabled") == "true":
        return "behind Identity-Aware Proxy"
    ingress = annotations.get("run.googleapis.com/ingress", PUBLIC)
    return None if ingress == PUBLIC else f"not reached from here, its ingress is {ingress}"


def _read_revision(name: str) -> Revision:
    fields = described("revisions", name) or {}
    containers = fields.get("spec", {}).get("containers") or [{}]
    labels = fields.get("metadata", {}).get("labels", {})
    probe = containers[0].get("startupProbe", {}).get("httpGet", {}).get("path")
    return Revision(name, labels.get(CONTENT), containers[0].get("image", ""), labels.get(MODEL), probe)


def read_state(generation: int) -> State:
    """Read everything that is deployed."""
    services = {name: read_service(name) for name in FUNCTIONS}
    job = described("jobs", JOB)
    if job is None:
        return State(services, None, generation)
    task = job["spec"]["template"]["spec"]["template"]["spec"]
    limits = task["containers"][0].get("resources", {}).get("limits", {})
    digest = (job["metadata"].get("labels") or {}).get(CONTENT)
    return State(services, Job(digest, GPU in limits), generation)


def save_state(state: State) -> None:
    """Write down what is deployed, for the steps that follow."""
    STATE_FILE.parent.mkdir(exist_ok=True)
    STATE_FILE.write_bytes(_STATE.dump_json(state, indent=2))


def load_state() -> State:
    """Return what an earlier step wrote down."""
    return _STATE.validate_json(read_written(STATE_FILE))


def read_written(path: Path) -> bytes:
    """Return what the step that is called as the file wrote down.

    Raises:
        SetupError: it did not.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SetupError(f"{path} is missing: python -m deploy {path.stem} comes first.") from None


def serve(name: str, revision: str) -> None:
    """Move all traffic of a function to a revision, and take all tags away."""
    traffic = (f"--to-revisions={revision}=100", "--clear-tags")
    gcloud("run", "services", "update-traffic", name, *traffic)
    print(f"{name}: {revision}")
