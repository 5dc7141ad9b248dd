"""Make what infra/ describes: the bucket of Terraform's state, then everything else."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import time
from typing import TYPE_CHECKING, Any

from deploy.installing import values
from deploy.installing.problems import PROPAGATING, Problem, cause_of, explain
from deploy.installing.shell import PAUSES, ROOT

if TYPE_CHECKING:
    from deploy.installing.checks import Install

ATTEMPTS = 12
"""Applies of one run at most: each goes on where the one before it stopped."""
GENTLY = ("-parallelism=5",) if os.environ.get("CLOUD_SHELL") == "true" else ()
"""Cloud Shell loses connections where Terraform has ten at a time (the provider's issue 6782)."""
ADOPTED = ROOT / "infra" / "adopted.tf"
"""What the next apply takes over."""
LOCKED = "Error acquiring the state lock"
EXISTS = re.compile(r"already[ _](exists|own)", re.IGNORECASE)
FIELD = re.compile(r'^ {6}\+ (\w+) += "([^"\n]*)"', re.MULTILINE)
PLACE = "projects/{project}/locations/{location}/"
ACCOUNT = "projects/{project}/serviceAccounts/{account_id}@{project}.iam.gserviceaccount.com"
IDS = {
    "google_artifact_registry_repository": PLACE + "repositories/{repository_id}",
    "google_bigquery_dataset": "projects/{project}/datasets/{dataset_id}",
    "google_bigquery_table": "projects/{project}/datasets/{dataset_id}/tables/{table_id}",
    "google_cloud_run_v2_job": PLACE + "jobs/{name}",
    "google_cloud_run_v2_service": PLACE + "services/{name}",
    "google_cloud_scheduler_job": PLACE + "jobs/{name}",
    "google_firestore_database": "projects/{project}/databases/{name}",
    "google_logging_metric": "{name}",
    "google_pubsub_subscription": "projects/{project}/subscriptions/{name}",
    "google_pubsub_topic": "projects/{project}/topics/{name}",
    "google_secret_manager_secret": "projects/{project}/secrets/{secret_id}",
    "google_service_account": ACCOUNT,
    "google_storage_bucket": "{name}",
}
"""Ids to import by, by type: the provider's documentation of each."""


def state_bucket(to: Install) -> str:
    """Make the bucket of Terraform's state, with versions, and the copy of the variables in it."""
    try:
        found = to.asked("storage", "buckets", "describe", to.bucket)
    except Problem as problem:
        if problem.code != "no-rights":
            raise
        raise Problem(
            "name-taken",
            f"You may not look at the bucket {to.bucket}: it is somebody else's (names are shared by all of "
            "Google Cloud), or your role in the project does not reach it.",
            f"If gcloud storage buckets list --project={to.project} has it, you need the role Storage Admin "
            "(roles/storage.admin); if not, use a project with another id: buckets are named after it.",
        ) from None
    if not found:
        where = (f"--project={to.project}", f"--location={to.region}")
        closed = ("--uniform-bucket-level-access", "--public-access-prevention")
        to.shell.do("gcloud", "storage", "buckets", "create", to.bucket, *where, *closed)
    if not found.get("versioning_enabled"):
        to.shell.do("gcloud", "storage", "buckets", "update", to.bucket, "--versioning")
    to.shell.do("gcloud", "storage", "cp", "infra/terraform.tfvars", f"{to.bucket}/{values.FILE.name}")
    return to.bucket


def infrastructure(to: Install) -> str:
    """Apply infra/, again where Google Cloud is not ready for a part of it yet."""
    initialise(to)
    terraform(to, "apply")
    return "as infra/ describes"


def initialise(to: Install) -> None:
    """Fetch the provider, and say where the state is.

    Raises:
        Problem: it could not be fetched, or the bucket not be read.
    """
    ADOPTED.unlink(missing_ok=True)
    code, output = to.shell.follow(
        *_terraform(to, "init"), "-reconfigure", f"-backend-config=bucket={to.bucket.removeprefix('gs://')}"
    )
    if code:
        raise explain(output, "terraform init", to.shell.place)


def terraform(to: Install, *command: str) -> None:
    """Run `terraform apply` or `destroy` until it has passed.

    Raises:
        Problem: it failed for a reason that waiting does not mend, or `ATTEMPTS` times.
    """
    try:
        _repeat(to, *command)
    finally:
        ADOPTED.unlink(missing_ok=True)


def _repeat(to: Install, *command: str) -> None:
    killed, pauses = False, iter(PAUSES)
    for _ in range(ATTEMPTS):
        code, output = to.shell.follow(*_terraform(to, *command), "-auto-approve", *GENTLY)
        if code == 0:
            return
        if LOCKED in output:
            killed = _unlock(to, output)
            continue
        failed = errors(output)
        if command[0] == "apply" and (made := [error for error in failed if EXISTS.search(error)]):
            _adopt(to, output, made, killed=killed)
            continue
        lasting = [error for error in failed if not _passing(error)]
        pause = next(pauses, None)
        if lasting or pause is None:
            known = [error for error in lasting if cause_of(error)]
            raise explain((known or lasting or failed)[0], f"terraform {command[0]}", to.shell.place)
        print(f"  Google Cloud is not ready for all of it yet, or was not reached; again in {pause} seconds")
        time.sleep(pause)
    raise Problem(
        "unknown", f"terraform {command[0]} failed {ATTEMPTS} times.", "Run the same command again later."
    )


def _passing(error: str) -> bool:
    cause = cause_of(error)
    return bool(PROPAGATING.search(error)) or (cause is not None and cause.code == "network")


def index_name(address: str, listed: list[dict[str, Any]]) -> str | None:
    """Return Firestore's name of an index, whose collection and fields are the key in its address.

    Args:
        address: `google_firestore_index.composite["passages/space ASCENDING/embedding VECTOR"]`.
        listed: the database's indexes; Firestore adds the field `__name__` to each.
    """
    wanted = [part for part in address.split('"')[1].split("/") if not part.startswith("__name__ ")]
    for index in listed:
        fields = [field for field in index["fields"] if field["fieldPath"] != "__name__"]
        kinds = [
            field.get("order") or ("CONTAINS" if "arrayConfig" in field else "VECTOR") for field in fields
        ]
        paths = [f"{field['fieldPath']} {kind}" for field, kind in zip(fields, kinds, strict=True)]
        if [index["name"].split("/")[-3], *paths] == wanted:
            return str(index["name"])
    return None


def _terraform(to: Install, command: str, *more: str) -> tuple[str, ...]:
    return (to.terraform, "-chdir=infra", command, "-input=false", "-no-color", *more)


def errors(output: str) -> list[str]:
    """Return the errors that Terraform printed, each with the resource that it is about."""
    found = re.split(r"^Error: ", re.sub(r"^[│╷╵] ?", "", output, flags=re.MULTILINE), flags=re.MULTILINE)[1:]
    return [f"Error: {error}" for error in found] or [output[-2000:]]


def address_of(error: str) -> str | None:
    """Return the address of the resource that an error is about."""
    lines = (line.strip() for line in error.splitlines())
    return next((line[5:-1] for line in lines if line.startswith("with ") and line.endswith(",")), None)


def _unlock(to: Install, output: str) -> bool:
    """Take away the lock of a Terraform that was killed: ran it here still, `Shell.hold` would wait for it.

    Raises:
        Problem: somebody else's Terraform may be at work.
    """
    told = (line.lstrip("│ ").partition(":") for line in output.splitlines())
    lock = {name: value.strip() for name, _, value in told if name in {"ID", "Who", "Created"}}
    if len(lock) < len(("ID", "Who", "Created")):
        raise explain(output, "terraform", to.shell.place)
    ours = lock["Who"] == f"{getpass.getuser()}@{socket.gethostname()}"
    question = f"  Terraform of {lock['Who']} holds the state since {lock['Created']}. Was it killed?"
    if not ours and (to.assume or not values.confirm(question, assume=False)):
        raise Problem(
            "state-locked",
            f"Terraform of {lock['Who']} is at work since {lock['Created']}.",
            f"Wait for it. If it was killed: terraform -chdir=infra force-unlock {lock['ID']}",
        )
    to.shell.do(to.terraform, "-chdir=infra", "force-unlock", "-force", lock["ID"])
    return True


def _adopt(to: Install, output: str, made: list[str], *, killed: bool) -> None:
    """Take over what a Terraform made that was killed before it noted so.

    Raises:
        Problem: it is not said to be that, or it is of a kind that cannot be taken over.
    """
    addresses = [address for error in made if (address := address_of(error))]
    found = {address: name for address in addresses if (name := import_id(to, address, output))}
    if found:
        print("  There is already, without Terraform's knowing: " + ", ".join(found.values()))
    question = "  Did an earlier run that was stopped make it?"
    if not found or not (killed or (not to.assume and values.confirm(question, assume=False))):
        raise Problem(
            "exists",
            f"The project has something of its own where Headrace would make it. {made[0].splitlines()[0]}",
            "Headrace wants a project to itself: gcloud projects create NEW-ID, and install there.",
        )
    blocks = (
        f"import {{\n  to = {address}\n  id = {json.dumps(name)}\n}}\n" for address, name in found.items()
    )
    ADOPTED.write_text("".join(blocks), "utf-8")


def import_id(to: Install, address: str, output: str) -> str | None:
    """Return the id of what an apply was about to make, by what its plan said; None: that is not known."""
    kind = address.split(".", maxsplit=1)[0]
    if kind == "google_firestore_index":
        listed = to.asked("firestore", "indexes", "composite", "list", "--database=(default)", *to.where[:1])
        return index_name(address, listed)
    block = output.partition(f"# {address} will be created\n")[2].partition("\n    }")[0]
    if kind not in IDS or not block:
        return None
    fields: dict[str, Any] = dict(FIELD.findall(block))
    try:
        return IDS[kind].format(**({"location": to.region} | fields | {"project": to.project}))
    except KeyError:
        return None
