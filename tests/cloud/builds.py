"""Builds as Cloud Build runs them: what one needs before it begins, and what it leaves.

Its steps are tested elsewhere (tests/cloud_build.py). Here it ends after it was looked at a few times: every
function serves a new revision, or, where the scenario's `build_fails` names a step, it fails there and
everything serves as before.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.cloud.state import NUMBER, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cloud.state import Cloud

Build = dict[str, Any]
LOOKS = 2
"""How often a build is looked at while it runs."""
ENDED = ("SUCCESS", "FAILURE")
STEPS = ("setup", "state", "model", "stage", "plan", "job-image", "rollout")
BUILDER_ROLES = ("roles/logging.logWriter",)
"""Without them a build with its own account is refused or writes no log."""


def submit(cloud: Cloud, who: str, checkout: Path, flags: dict[str, str]) -> Build:
    """Begin a build of the checkout.

    Raises:
        Refused: as Cloud Build or gcloud refuses it before it begins.
    """
    config = checkout / flags["--config"]
    if not config.is_file():
        raise Refused(1, "", f"Unable to read file [{flags['--config']}]: no such file")
    _need_substitutions(config.read_text(), flags.get("--substitutions", ""))
    account = f"headrace-builder@{cloud.id}.iam.gserviceaccount.com"
    resource = f"projects/{cloud.id}/serviceAccounts/{account}"
    if resource not in cloud.resources("google_service_account"):
        raise Refused(404, "NOT_FOUND", f"NOT_FOUND: generic::not_found: service account {account} not found")
    cloud.need_permission(who, "iam.serviceAccounts.actAs", resource)
    for role in BUILDER_ROLES:
        if [role, f"serviceAccount:{account}", ""] not in cloud.policy("project"):
            raise Refused(400, "", f"{account} has not {role}, so the build could not write its log")
    staging = flags.get("--gcs-source-staging-dir", "").removeprefix("gs://").partition("/")[0]
    if staging not in cloud.resources("google_storage_bucket"):
        raise Refused(404, "", f"The bucket of sources [{staging}] does not exist.")
    _need_change(cloud, staging, f"serviceAccount:{account}")
    number = len(cloud.state["builds"]) + 1
    build = {"id": f"build-{number}", "looks": 0, "status": "QUEUED", "region": flags["--region"]}
    cloud.state["builds"].append(build)
    cloud.state["objects"].setdefault(staging, {})[f"builds/{number}.tgz"] = "sources"
    return shown(build)


def _need_substitutions(config: str, given: str) -> None:
    [block] = re.findall(r"^substitutions:\n((?:(?:  .*)?\n)*)", config, re.MULTILINE)
    known = set(re.findall(r"^  (_\w+):", block, re.MULTILINE))
    for pair in filter(None, given.split(",")):
        if (name := pair.partition("=")[0]) not in known:
            told = f'key "{name}" in the substitution data is not matched in the template'
            raise Refused(400, "INVALID_ARGUMENT", f"INVALID_ARGUMENT: generic::invalid_argument: {told}")


def _need_change(cloud: Cloud, bucket: str, member: str) -> None:
    if not any(one == member and "storage.object" in role for role, one, _ in cloud.policy(bucket)):
        raise Refused(403, "", f"{member} does not have storage.objects.get access to the bucket {bucket}.")


def ended(build: Build) -> bool:
    """Whether nothing comes of it any more."""
    return build["status"] in ENDED


def going_on(cloud: Cloud, name: str) -> Build:
    """A build as it is now: each look brings it forward."""
    build: Build | None = next((one for one in cloud.state["builds"] if one["id"] == name), None)
    if build is None:
        raise Refused(404, "NOT_FOUND", f"NOT_FOUND: Requested entity was not found: build {name}")
    if not ended(build):
        build["looks"] += 1
        build["status"] = "WORKING"
        if build["looks"] > LOOKS:
            _end(cloud, build)
    return build


def _end(cloud: Cloud, build: Build) -> None:
    build["fails"] = cloud.state["build_fails"] or _what_is_missing(cloud)
    build["status"] = "FAILURE" if build["fails"] else "SUCCESS"
    if build["fails"]:
        return
    registry = f"{build['region']}-docker.pkg.dev/{cloud.id}/headrace"
    for service in cloud.resources("google_cloud_run_v2_service").values():
        digest = f"{len(service['revisions']):064}"
        name = f"{service['name']}-{len(service['revisions']) + 1:05}-dep"
        image = f"{registry}/{service['name']}@sha256:{digest}"
        labels = {"headrace-version": build["id"]}
        service["revisions"].append({"name": name, "image": image, "labels": labels})
        service |= {"serving": name, "latest_created_revision": name, "latest_ready_revision": name}
    for job in cloud.resources("google_cloud_run_v2_job").values():
        job["image"] = f"{registry}/long-job@sha256:{'0' * 64}"
    for index in cloud.resources("google_firestore_index").values():
        index["state"] = "READY"


def _what_is_missing(cloud: Cloud) -> str | None:
    """The step at which a build finds that the project is not ready; None: it is."""
    if not cloud.resources("google_artifact_registry_repository"):
        return "job-image"
    if not all(cloud.state["secrets"].get(name) for name in ("redaction-key", "api-key-hash")):
        return "rollout"
    return None


def shown(build: Build) -> Build:
    """As gcloud prints it."""
    at = build.get("fails") or (STEPS[build["looks"]] if build["status"] == "WORKING" else "")
    status = "FAILURE" if build.get("fails") else "WORKING"
    return {
        "id": build["id"],
        "logUrl": f"https://console.cloud.google.com/cloud-build/builds;region={build['region']}/{build['id']}?project={NUMBER}",
        "status": build["status"],
        "steps": [{"id": step, **({"status": status} if step == at else {})} for step in STEPS],
        "tags": ["headrace"],
    }
