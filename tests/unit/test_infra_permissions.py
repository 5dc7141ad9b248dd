"""Each account may do what its program calls, and hardly more: calls against roles, in both directions.

What the roles give is in `tests/data/roles.json`, which says where it is from and of when.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import pytest

from tests.unit.infra_permissions import (
    BY_GOOGLE,
    GCLOUD,
    INSTALLER,
    INSTALLS,
    ROOT,
    SCRIPT,
    SITES,
    STARTS,
    Needs,
    gcloud_commands,
    needed,
    page,
    sites,
)
from tests.unit.infra_plan import made, of_type

ROLES: dict[str, list[str]] = json.loads((ROOT / "tests" / "data" / "roles.json").read_text())["roles"]
PROGRAMS = (*STARTS, *BY_GOOGLE)
READS = ("get", "list", "check", "lookup", "test", "analyze", "show", "access", "fullView", "view")

WIDER = {
    "roles/storage.objectUser": "the narrowest that writes over what is there; also metadata and folders",
    "roles/datastore.user": "the narrowest that writes: Firestore has no rights by collection",
    "roles/bigquery.dataEditor": "Google asks for it on the one table: create-bigquery-subscription",
    "roles/pubsub.subscriber": "Google asks for it on the one subscription: handling-failures",
    "roles/run.jobsExecutorWithOverrides": "also cancels executions: infra/access.tf",
    "roles/run.developer": "the narrowest that changes a service; without its policy",
    "roles/run.sourceDeveloper": "Google asks for it: infra/build.tf",
    "roles/artifactregistry.repoAdmin": "the narrowest that moves tags",
}
"""Roles with rights to change things that their program never calls, and why they are given all the same."""

Granted = dict[str, list[tuple[str, set[str]]]]
"""Roles and their permissions by what they are on."""


@lru_cache(maxsize=32)
def granted(run: str, program: str) -> Granted:
    """What a program's account, or an agent of Google's, is given in a run of infra/tests."""
    accounts = {one["account_id"]: one["member"] for one in of_type(run, "google_service_account").values()}
    agents = {
        "pubsub": "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com",
        "storage": "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com",
    }
    member = agents.get(program) or accounts[f"headrace-{program}"]
    found: Granted = {}
    for resource in made(run).values():
        values = resource["values"]
        if resource["type"].endswith("_iam_member") and values["member"] == member:
            role = values["role"]
            found.setdefault(_on(run, resource["type"], values), []).append((role, set(ROLES[role])))
    return found


KINDS = {
    # Type of the binding: how the tables call what it is on, its field that names it, the field's and the
    # name's in the resource.
    "google_pubsub_topic_iam_member": ("topic", "topic", "id", "name"),
    "google_pubsub_subscription_iam_member": ("subscription", "subscription", "id", "name"),
    "google_secret_manager_secret_iam_member": ("secret", "secret_id", "id", "secret_id"),
    "google_service_account_iam_member": ("account", "service_account_id", "name", "account_id"),
    "google_cloud_run_v2_job_iam_member": ("job", "name", "name", "name"),
    "google_cloud_run_v2_service_iam_member": ("service", "name", "name", "name"),
    "google_bigquery_table_iam_member": ("table", "table_id", "table_id", "table_id"),
    "google_storage_bucket_iam_member": ("bucket", "bucket", "name", "name"),
}


def _on(run: str, kind: str, values: dict[str, Any]) -> str:
    """What a binding is on, as the tables call it."""
    if kind == "google_project_iam_member":
        return "database" if values["role"] == "roles/datastore.user" else "project"
    if kind == "google_artifact_registry_repository_iam_member":
        return "images"
    word, field, key, named = KINDS[kind]
    resources = of_type(run, kind.removesuffix("_iam_member")).values()
    [name] = {str(one[named]) for one in resources if one[key] == values[field]}
    return f"{word} {name.removeprefix('my-project-').removesuffix('-my-project-europe-west1')}"


def test_every_call_of_a_client_has_its_row() -> None:
    """A call of a new kind, or in a new place, says first what it needs."""
    rows = {site for site in sites() if site in SITES}
    assert rows == set(SITES)


def test_every_gcloud_command_has_its_row() -> None:
    """Those of a deployment."""
    assert gcloud_commands() == set(GCLOUD)


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_right_is_lacking(program: str) -> None:
    """What a program calls, its account may."""
    given = granted("plain", program)
    everywhere = {permission for _, permissions in given.get("project", []) for permission in permissions}
    lacking = {
        (on, permission)
        for on, permissions in needed(program).items()
        for permission in permissions
        - {each for _, role in given.get(on, []) for each in role}
        - (everywhere if on != "database" else set())
    }
    assert lacking == set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_right_is_given_unneeded(program: str) -> None:
    """Each role is for something that the program calls, and no narrower one that we know would do."""
    needs: Needs = needed(program)
    for on, roles in granted("plain", program).items():
        wanted = needs.get(on, set())
        for role, permissions in roles:
            assert permissions & wanted, f"{program} has {role} on {on}, and calls nothing that needs it"
        together = set.union(*(permissions for _, permissions in roles))
        narrower = [
            name
            for name, permissions in ROLES.items()
            if wanted & together <= set(permissions)
            and len(permissions) < len(together)
            and not name.endswith("erviceAgent")  # for Google's own accounts
        ]
        assert not narrower or len(roles) > 1, f"{program} on {on}: {narrower} would do for {wanted}"


def test_wider_roles_are_explained() -> None:
    """A role that can change what its program never changes says why it is given; no other role is listed."""
    wide = {
        role
        for program in PROGRAMS
        for on, roles in granted("plain", program).items()
        for role, permissions in roles
        for permission in permissions - needed(program).get(on, set())
        if not permission.rpartition(".")[2].startswith(READS)
    }
    assert wide == set(WIDER)


def test_page() -> None:
    """docs/permissions.md is written by `make docs`."""
    assert (ROOT / "docs" / "permissions.md").read_text("utf-8") == page()


def test_installer() -> None:
    """The roles of docs/security.md suffice for a plain installation, and each is needed."""
    types = {found["type"] for found in made("plain").values() if found["mode"] == "managed"}
    assert types == set(INSTALLS)
    wanted = {permission for row in (*INSTALLS.values(), SCRIPT) for permission in row.split()}
    given = {f"roles/{role}": set(ROLES[f"roles/{role}"]) for role in INSTALLER}
    assert wanted - {each for permissions in given.values() for each in permissions} == set()
    for role in given:
        others = {each for name, permissions in given.items() if name != role for each in permissions}
        assert wanted - others, f"{role} is not needed"
    security = (ROOT / "docs" / "security.md").read_text("utf-8")
    [line] = [part for part in security.split("\n\n") if part.startswith("**Who installs**")]
    assert {word.strip("`,.;()") for word in line.split() if word.startswith("`roles/")} == set(given)
