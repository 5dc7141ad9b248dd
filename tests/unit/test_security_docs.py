"""docs/security.md says what is so: identities as infra/ makes them, and every check of the audit."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from cli.main import headrace
from cli.security import ADMIN, CHANGING, CHECKS
from tests.unit.infra_plan import made

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
TOPICS = ("uploads", "batches", "ticks", "results", "dead-letters")
WORDS = {
    "roles/storage.objectUser": "change",
    "roles/storage.objectViewer": "read",
    "roles/datastore.user": "change",
    "roles/datastore.viewer": "read",
}
ON_RUN = {
    "roles/run.invoker": "calls",
    "roles/run.developer": "deploys",
    "roles/run.jobsExecutorWithOverrides": "starts",
    "roles/run.viewer": "sees",
}


def rows() -> set[str]:
    """The table of identities, as infra/ has them: one line each for Headrace's own accounts."""
    resources = made("plain")
    accounts = {
        found["values"]["member"]: found["values"]["account_id"]
        for found in resources.values()
        if found["type"] == "google_service_account"
    }
    topics = {
        found["values"]["id"]: found["values"]["name"]
        for found in resources.values()
        if found["type"] == "google_pubsub_topic"
    }
    secrets = {
        found["values"]["id"]: found["values"]["secret_id"]
        for found in resources.values()
        if found["type"] == "google_secret_manager_secret"
    }
    acted_as = {
        found["values"]["name"]: found["values"]["account_id"]
        for found in resources.values()
        if found["type"] == "google_service_account"
    }
    may: dict[str, dict[str, list[str]]] = {name: defaultdict(list) for name in accounts.values()}
    for found in resources.values():
        kind, values = found["type"], found["values"]
        name = accounts.get(values.get("member", ""))
        if name is None or "_iam_" not in kind:
            continue
        if kind == "google_storage_bucket_iam_member" and values["role"] in WORDS:
            bucket = _bucket(values["bucket"])
            may[name]["buckets"].append(f"{bucket}: {WORDS[values['role']]}")
        elif kind == "google_pubsub_topic_iam_member":
            may[name]["topics"].append(topics[values["topic"]])
        elif kind == "google_project_iam_member" and values["role"].startswith("roles/datastore."):
            may[name]["firestore"].append(WORDS[values["role"]])
        elif kind == "google_secret_manager_secret_iam_member":
            may[name]["secrets"].append(secrets[values["secret_id"]])
        else:
            may[name]["else"].append(_told(kind, values, acted_as))
    everybody = {f"acts as {name}" for name in may if name != "headrace-pusher"}
    for granted in may.values():
        if everybody <= set(granted["else"]):
            granted["else"] = ["acts as each of these accounts", *(set(granted["else"]) - everybody)]
    return {_row(name, granted) for name, granted in may.items()}


def _told(kind: str, values: dict[str, Any], acted_as: dict[str, str]) -> str:
    """In words."""
    if kind in {"google_cloud_run_v2_job_iam_member", "google_cloud_run_v2_service_iam_member"}:
        return f"{ON_RUN[values['role']]} {values['name']}"
    if kind == "google_service_account_iam_member":
        return f"acts as {acted_as[values['service_account_id']]}"
    if kind == "google_storage_bucket_iam_member":
        return f"{_bucket(values['bucket'])}: {values['role']}"
    return str(values["role"])


def _bucket(name: str) -> str:
    """Without the project, and the region, which is a choice."""
    return "run-sources" if name.startswith("run-sources-") else name.removeprefix("my-project-")


def _row(name: str, granted: dict[str, list[str]]) -> str:
    order = {topic: at for at, topic in enumerate(TOPICS)}
    topics = sorted(granted["topics"], key=lambda topic: order[topic])
    cells = [
        f"`{name}`",
        ", ".join(sorted(granted["buckets"])),
        ", ".join(topics),
        ", ".join(granted["firestore"]),
        ", ".join(f"`{secret}`" for secret in sorted(granted["secrets"])),
        ", ".join(sorted(set(granted["else"]))),
    ]
    return f"| {' | '.join(cell or 'none' for cell in cells)} |"


def test_identities_may_do_what_infra_gives_them() -> None:
    """Each account has its line, and there is no line of another."""
    told = {line for line in PAGE.splitlines() if line.startswith("| `headrace-")}
    assert told == rows()


def test_no_identity_has_a_basic_or_an_administrators_role() -> None:
    """On whatever resource; the builder's may change what it deploys, and nothing's policy."""
    found = [resource["values"] for resource in made("plain").values() if "_iam_" in resource["type"]]
    roles = {values["role"] for values in found if "role" in values}
    assert roles
    assert not roles & CHANGING
    assert not {role for role in roles if ADMIN.fullmatch(role)} - {
        "roles/artifactregistry.repoAdmin"  # of the one repository: images are deleted there too
    }


def test_every_check_is_in_the_checklist() -> None:
    """And the checklist names no check that does not exist."""
    checklist = PAGE.partition("## The checklist")[2]
    named = {
        name
        for line in checklist.splitlines()
        if line.startswith("| ") and line.count("|") == 4
        for name in re.findall(r"`([^`]+)`", line.rpartition(" | ")[2])
    }
    assert named == {*CHECKS}


def test_commands_of_headrace_exist() -> None:
    """With their options."""
    for name, rest in re.findall(r"headrace ([a-z]+)((?: --[a-z-]+)*)", PAGE):
        if name not in headrace.commands:
            continue
        options = {option for parameter in headrace.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, (name, rest)
    for name in ("doctor", "erase"):
        assert f"headrace {name}" in PAGE
