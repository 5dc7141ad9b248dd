"""What the audit takes for given is what infra/ gives: by account, role, condition and kind of resource."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from cli.security.elsewhere import sources_bucket, stores
from cli.security.given import PROJECT, RESOURCES, SECRET_READER, Kind, condition
from cli.security.services import API
from tests.unit.infra_plan import made, of_type

KINDS: dict[str, Kind] = {
    "google_storage_bucket_iam_member": "bucket",
    "google_pubsub_topic_iam_member": "topic",
    "google_secret_manager_secret_iam_member": "secret",
    "google_cloud_run_v2_service_iam_member": "service",
    "google_cloud_run_v2_job_iam_member": "job",
}


def given(kind: str) -> dict[str, dict[str, str]]:
    """By program, the roles on resources of a kind, each with its condition."""
    accounts: dict[str, str] = {
        one["member"]: one["account_id"].removeprefix("headrace-")
        for one in of_type("plain", "google_service_account").values()
    }
    customs: dict[str, str] = {
        one["name"]: one["role_id"] for one in of_type("plain", "google_project_iam_custom_role").values()
    }
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for one in of_type("plain", kind).values():
        if name := accounts.get(one["member"]):
            role = str(one["role"])
            found[name][customs.get(role, role)] = (
                one["condition"][0]["expression"] if one["condition"] else ""
            )
    return dict(found)


def test_roles_on_the_project_are_those_of_infra() -> None:
    """With their conditions."""
    expected = {
        name: {role: expression.format(project="my-project") for role, expression in roles.items()}
        for name, roles in PROJECT.items()
    }
    assert given("google_project_iam_member") == expected


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"google_secret_manager_secret_iam_member"}))
def test_roles_on_resources_are_those_of_infra(kind: str) -> None:
    """None is on a condition."""
    found = given(kind)
    assert {name: frozenset(roles) for name, roles in found.items()} == RESOURCES[KINDS[kind]]
    assert not any(expression for roles in found.values() for expression in roles.values())


def test_any_program_may_be_given_a_secret() -> None:
    """By the variable `secrets`, to read it; the accounts of pushes and builds may not."""
    programs = {
        found["index"]
        for address, found in made("plain").items()
        if address.startswith("google_service_account.program[")
    }
    assert programs > {API}
    assert RESOURCES["secret"] == dict.fromkeys(programs, frozenset({SECRET_READER}))
    found = given("google_secret_manager_secret_iam_member")
    assert found
    assert all(set(roles) == {SECRET_READER} for roles in found.values())


def test_every_kind_of_grant_is_known() -> None:
    """One on another kind of resource would be read by no check; two of the builder's are not read."""
    ours: set[Any] = {one["member"] for one in of_type("plain", "google_service_account").values()}
    kinds = {
        found["type"]
        for found in made("plain").values()
        if "_iam_" in found["type"] and found["values"].get("member") in ours
    }
    assert kinds - set(KINDS) - {"google_project_iam_member"} == {
        "google_artifact_registry_repository_iam_member",
        "google_service_account_iam_member",
    }


def test_what_has_no_client_has_the_names_of_infra() -> None:
    """The repository, the dataset and its table, and the bucket of sources."""
    [repository] = of_type("plain", "google_artifact_registry_repository").values()
    [dataset] = of_type("plain", "google_bigquery_dataset").values()
    tables = of_type("plain", "google_bigquery_table").values()
    [table] = [one["table_id"] for one in tables if not one["view"]]
    assert [store.address.partition("googleapis.com/")[2] for store in stores("p", "europe-west1")] == [
        f"v1/projects/p/locations/europe-west1/repositories/{repository['repository_id']}",
        f"bigquery/v2/projects/p/datasets/{dataset['dataset_id']}",
        f"bigquery/v2/projects/p/datasets/{dataset['dataset_id']}/tables/{table}",
    ]
    buckets = {one["name"] for one in of_type("plain", "google_storage_bucket").values()}
    assert sources_bucket("my-project", "europe-west1") in buckets


@pytest.mark.parametrize(
    ("kind", "program", "role", "expected"),
    [
        ("project", "api", "roles/datastore.viewer", 'resource.name == "projects/p/databases/(default)"'),
        ("project", "api", "roles/datastore.user", None),
        ("project", "builder", "roles/logging.logWriter", ""),
        ("project", "unheard-of", "roles/logging.logWriter", None),
        ("bucket", "ingest", "roles/storage.objectUser", ""),
        ("bucket", "api", "roles/storage.objectUser", None),
        ("job", "sweep", "projects/p/roles/headraceJobStarter", ""),
        ("job", "sweep", "organizations/1/roles/headraceJobStarter", None),
    ],
)
def test_a_role_is_given_on_a_condition_on_none_or_not_at_all(
    kind: Kind, program: str, role: str, expected: str | None
) -> None:
    """None: not at all."""
    assert condition(kind, program, role, "p") == expected
