"""Roles on the project: each that is too wide is named, with the command that takes it away."""

from __future__ import annotations

import pytest

from cli.security.policies import MAX_OWNERS, ROLES, Binding, judge_project
from tests.unit.security_accounts import ACCOUNTS, BUILDS, COMPUTE, DEPLOYER, OWN

DATABASE = 'resource.name == "projects/p/databases/(default)"'
REVOKE = "gcloud projects remove-iam-policy-binding p"


def roles(*granted: Binding) -> list[tuple[str, str]]:
    """Status and detail of what is said of roles."""
    found = [one for one in judge_project("p", granted, ACCOUNTS) if one.check == ROLES]
    return [(one.status, one.detail) for one in found]


@pytest.mark.parametrize(
    ("role", "member", "status"),
    [
        # Basic roles, by whoever has them.
        ("roles/owner", f"serviceAccount:{OWN}", "wrong"),
        ("roles/editor", f"serviceAccount:{OWN}", "wrong"),
        ("roles/writer", f"serviceAccount:{OWN}", "wrong"),
        ("roles/viewer", f"serviceAccount:{OWN}", "warning"),
        ("roles/editor", COMPUTE, "wrong"),
        ("roles/editor", DEPLOYER, "wrong"),
        ("roles/editor", "serviceAccount:123@cloudservices.gserviceaccount.com", "warning"),
        ("roles/editor", "user:a@x.org", "warning"),
        ("roles/viewer", "user:a@x.org", None),
        ("roles/owner", "user:a@x.org", None),
        ("roles/editor", "domain:x.org", "wrong"),
        ("roles/viewer", "domain:x.org", "wrong"),
        # Administration, of accounts that read what strangers upload.
        ("roles/storage.admin", f"serviceAccount:{OWN}", "wrong"),
        ("roles/storage.objectAdmin", f"serviceAccount:{OWN}", "wrong"),
        ("roles/iam.securityAdmin", f"serviceAccount:{OWN}", "wrong"),
        ("roles/resourcemanager.projectIamAdmin", f"serviceAccount:{OWN}", "wrong"),
        ("roles/datastore.owner", f"serviceAccount:{OWN}", "wrong"),
        ("roles/run.admin", f"serviceAccount:{BUILDS}", "wrong"),
        ("roles/run.admin", DEPLOYER, "warning"),
        ("roles/run.admin", "user:a@x.org", None),
        ("roles/run.admin", "serviceAccount:service-1@gcp-sa-x.iam.gserviceaccount.com", None),
        (
            "roles/run.serviceAgent",
            "serviceAccount:service-1@serverless-robot-prod.iam.gserviceaccount.com",
            None,
        ),
        # Acting in another's name.
        ("roles/iam.serviceAccountUser", f"serviceAccount:{OWN}", "wrong"),
        ("roles/iam.serviceAccountTokenCreator", f"serviceAccount:{OWN}", "wrong"),
        ("roles/iam.serviceAccountOpenIdTokenCreator", f"serviceAccount:{OWN}", "wrong"),
        ("roles/iam.serviceAccountUser", DEPLOYER, "warning"),
        # What one bucket, secret, topic or service would do for.
        ("roles/storage.objectViewer", f"serviceAccount:{OWN}", "warning"),
        ("roles/secretmanager.secretAccessor", f"serviceAccount:{OWN}", "warning"),
        ("roles/pubsub.publisher", f"serviceAccount:{OWN}", "warning"),
        ("roles/run.invoker", f"serviceAccount:{OWN}", "warning"),
        # What infra/ does not give is told, whatever it is.
        ("roles/cloudbuild.builds.editor", f"serviceAccount:{OWN}", "warning"),
        ("roles/cloudfunctions.developer", f"serviceAccount:{OWN}", "warning"),
        ("roles/dataflow.developer", f"serviceAccount:{OWN}", "warning"),
        ("roles/bigquery.dataEditor", f"serviceAccount:{OWN}", "warning"),
        ("roles/datastore.user", f"serviceAccount:{OWN}", "warning"),  # of every database
        ("roles/logging.logWriter", f"serviceAccount:{OWN}", "warning"),
        ("projects/p/roles/headraceJobStarter", f"serviceAccount:{OWN}", "warning"),  # of every job
        ("roles/logging.logWriter", f"serviceAccount:{BUILDS}", None),
        ("roles/run.sourceDeveloper", f"serviceAccount:{BUILDS}", None),
        ("roles/run.developer", f"serviceAccount:{BUILDS}", "warning"),
    ],
)
def test_a_role_on_the_project_is_judged_by_who_has_it(role: str, member: str, status: str | None) -> None:
    """None: it is in order."""
    found = [one for one in judge_project("p", [Binding(role, (member,))], ACCOUNTS) if one.check == ROLES]
    if status is None:
        assert [one.status for one in found] == ["ok"]
        return
    [one] = found
    assert one.status == status
    assert one.detail.startswith(f"{member} has {role} on the project: ")
    assert one.fix == f"{REVOKE} --member={member} --role={role}"


@pytest.mark.parametrize(
    ("role", "condition", "status"),
    [
        ("roles/datastore.user", DATABASE, "ok"),
        ("roles/datastore.user", DATABASE.replace("(default)", "another"), "warning"),
        ("roles/datastore.user", "true", "warning"),
        ("roles/datastore.viewer", DATABASE, "warning"),  # that is the API's
        ("roles/datastore.owner", DATABASE, "wrong"),
    ],
)
def test_a_role_on_firestore_is_for_headraces_database(role: str, condition: str, status: str) -> None:
    """Under the condition that infra/ gives it on, and no other."""
    [(found, _)] = roles(Binding(role, (f"serviceAccount:{OWN}",), condition))
    assert found == status


@pytest.mark.parametrize(
    ("member", "agent"),
    [
        ("service-1@gcp-sa-pubsub.iam.gserviceaccount.com", True),
        ("service-1@serverless-robot-prod.iam.gserviceaccount.com", True),
        ("service-1@gcf-admin-robot.iam.gserviceaccount.com", True),
        ("service-1@compute-system.iam.gserviceaccount.com", True),
        ("service-1@gae-api-prod.google.com.iam.gserviceaccount.com", True),
        ("service-org-1@gcp-sa-x.iam.gserviceaccount.com", True),
        ("bq-1@bigquery-encryption.iam.gserviceaccount.com", True),
        # Accounts that people made, in projects with such names.
        ("deploy@my-robot.iam.gserviceaccount.com", False),
        ("service-1@my-robot.iam.gserviceaccount.com", False),
        ("deploy@gcp-sa-x.iam.gserviceaccount.com", False),
        ("deploy@cloudservices.iam.gserviceaccount.com", False),
        ("service-1@xgcp-sa-pubsub.iam.gserviceaccount.com", False),
        ("service-1@gcp-sa-pubsub.iam.gserviceaccount.com.example.com", False),
        # Builds run as it: whoever may start one has what it has.
        ("1@cloudbuild.gserviceaccount.com", False),
    ],
)
def test_agents_of_google_are_known_by_their_whole_address(member: str, *, agent: bool) -> None:
    """They have what Google gives them; everybody else's accounts are judged."""
    expected = "ok" if agent else "wrong"
    assert [status for status, _ in roles(Binding("roles/editor", (f"serviceAccount:{member}",)))] == [
        expected
    ]
    expected = "ok" if agent else "warning"
    assert [status for status, _ in roles(Binding("roles/run.admin", (f"serviceAccount:{member}",)))] == [
        expected
    ]


def test_an_account_of_two_programs_has_what_either_needs() -> None:
    """That they share it is another complaint."""
    accounts = {OWN: {"ingest", "api"}}
    granted = [
        Binding("roles/datastore.user", (f"serviceAccount:{OWN}",), DATABASE),
        Binding("roles/datastore.viewer", (f"serviceAccount:{OWN}",), DATABASE),
    ]
    assert [one.status for one in judge_project("p", granted, accounts) if one.check == ROLES] == ["ok"]


def test_each_member_and_role_is_a_finding() -> None:
    """None hides another, and there is no "ok" beside them; a condition is told."""
    found = roles(
        Binding("roles/editor", (COMPUTE, f"serviceAccount:{OWN}")),
        Binding("roles/storage.admin", (f"serviceAccount:{OWN}",), condition="true"),
    )
    assert [status for status, _ in found] == ["wrong"] * 3
    assert "on the project, on a condition: " in found[2][1]


def test_many_owners_are_counted() -> None:
    """As many as the limit are in order; accounts of services are complained of by themselves."""
    people = tuple(f"user:{name}@x.org" for name in "abcd")
    assert roles(Binding("roles/owner", people[:MAX_OWNERS])) == [
        ("ok", "nothing wider than the work needs on p")
    ]
    [(status, detail)] = roles(Binding("roles/owner", people))
    assert status == "warning"
    assert detail.startswith("4 people or groups own the project: user:a@x.org, ")
