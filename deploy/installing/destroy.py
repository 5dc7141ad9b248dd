"""Take everything away again: what will be lost is said first, and the state goes last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.installing import apply, checks, values
from deploy.installing.problems import NothingLeft, Refusal

if TYPE_CHECKING:
    from deploy.installing.checks import Install

PROTECTED = (
    "google_bigquery_dataset",
    "google_bigquery_table",
    "google_cloud_run_v2_job",
    "google_cloud_run_v2_service",
    "google_firestore_database",
    "google_firestore_field",
    "google_firestore_index",
    "google_secret_manager_secret",
    "google_storage_bucket",
)
"""Kinds that are deleted otherwise, or at all, where `deletion_protection` is off."""
UNPROTECTED = "-var=deletion_protection=false"
KEPT = {"uploads": "files dropped", "results": "files with results and digests", "models": "files of models"}


def installed(to: Install) -> str:
    """Find what an installation left to know itself by."""
    if not to.asked("storage", "buckets", "describe", to.bucket):
        raise NothingLeft(f"Nothing is installed in {to.project}: there is no {to.bucket}.")
    if not to.text:
        to.load(f"{checks.kept_values(to) or ''}\n")
    to.shell.place["region"] = to.region
    return f"{to.project}, {to.region}"


def agree(to: Install) -> str:
    """Say what will be lost, and let a person type the project's id."""
    print(f"  Everything that Headrace has in {to.project} will be gone, for ever:")
    for bucket, what in KEPT.items():
        listed = to.shell.look("gcloud", "storage", "ls", "--long", f"gs://{to.project}-{bucket}/**")
        print(f"    {count(listed or '')} {what}: gs://{to.project}-{bucket}")
    print("    the database with all documents, passages, corrections and keys; the results in BigQuery")
    print("    the secrets: without redaction-key no pseudonym can be made again as it was")
    print("  A project that holds nothing else can simply be deleted, and restored for 30 days:")
    print(f"    gcloud projects delete {to.project}")
    if to.shell.dry or to.assume:
        return "yes"
    if values.typed(f"  To destroy it, type the project's id ({to.project}): ") != to.project:
        raise Refusal(
            "not-agreed", "That is not the project's id. Nothing was changed.", "Nothing needs to be done."
        )
    return "yes"


def count(listed: str) -> str:
    """Return the number and size that the last line of a long listing says."""
    total = re.search(r"TOTAL: (\d+) objects?, (\d+) bytes", listed)
    return f"{int(total[1]):,} ({int(total[2]) / 1e6:,.1f} MB)" if total else "no"


def unprotect(to: Install) -> str:
    """Switch protection off, of what is there still: the rest is not made again."""
    apply.initialise(to)
    if to.shell.dry:  # without the step before, Terraform knows of no state
        return ""
    addresses = (to.shell.look(to.terraform, "-chdir=infra", "state", "list") or "").splitlines()
    targets = [f"-target={address}" for address in addresses if address.split(".")[0] in PROTECTED]
    if targets:
        apply.terraform(to, "apply", UNPROTECTED, *targets)
    return f"off, of {len(targets)} things"


def everything(to: Install) -> str:
    """Destroy all that Terraform made."""
    apply.terraform(to, "destroy", UNPROTECTED)
    return "destroyed"


def state(to: Install) -> str:
    """Delete the bucket of the state, which is empty now."""
    to.shell.do("gcloud", "storage", "rm", "--recursive", to.bucket)
    return f"{to.bucket} is gone"
