"""Who may do what: each role that is too wide is named, with the command that takes it away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.api_core.iam import Policy as StoragePolicy
from google.iam.v1 import policy_pb2  # type: ignore[import-untyped] # generated, without stubs

from cli.security.policies import (
    INVOKER,
    MAX_OWNERS,
    PUBLIC,
    READERS,
    ROLES,
    Binding,
    bindings,
    is_default,
    judge_project,
    judge_public,
    judge_readers,
    judge_resource,
)

if TYPE_CHECKING:
    from cli.security.given import Kind

OWN = "headrace-ingest@p.iam.gserviceaccount.com"
BUILDS = "headrace-builder@p.iam.gserviceaccount.com"
ACCOUNTS = {OWN: {"ingest"}, "headrace-api@p.iam.gserviceaccount.com": {"api"}, BUILDS: {"builder"}}
DATABASE = 'resource.name == "projects/p/databases/(default)"'
REVOKE = "gcloud projects remove-iam-policy-binding p"
COMPUTE = "serviceAccount:123-compute@developer.gserviceaccount.com"
DEPLOYER = "serviceAccount:deploy@p.iam.gserviceaccount.com"


def test_bindings_are_the_same_from_every_client() -> None:
    """Cloud Storage's client has a class of its own; the order is not the server's."""
    storage = StoragePolicy(version=3)  # type: ignore[no-untyped-call] # not annotated
    storage.bindings = [
        {"role": "roles/b", "members": {"user:z@x", "user:a@x"}},
        {"role": "roles/a", "members": {"user:a@x"}, "condition": {"expression": "true"}},
    ]
    message = policy_pb2.Policy()
    message.bindings.add(role="roles/b", members=["user:z@x", "user:a@x"])
    message.bindings.add(role="roles/a", members=["user:a@x"]).condition.expression = "true"
    expected = [
        Binding("roles/a", ("user:a@x",), condition="true"),
        Binding("roles/b", ("user:a@x", "user:z@x")),
    ]
    assert bindings(storage) == bindings(message) == expected


@pytest.mark.parametrize(
    ("account", "default"),
    [
        ("123456-compute@developer.gserviceaccount.com", True),
        (COMPUTE, True),
        ("my-project@appspot.gserviceaccount.com", True),
        (OWN, False),
        ("compute@developer.gserviceaccount.com.example.com", False),
        ("123-compute@developer.gserviceaccount.com.example.com", False),
        ("", False),
    ],
)
def test_accounts_that_google_makes_for_all_are_known(account: str, *, default: bool) -> None:
    """Compute Engine's and App Engine's; nothing that only looks like them."""
    assert is_default(account) is default


@pytest.mark.parametrize("member", ["allUsers", "allAuthenticatedUsers"])
def test_what_is_open_to_everybody_is_wrong(member: str) -> None:
    """With the command that closes it."""
    granted = [Binding("roles/storage.objectViewer", ("user:a@x", member))]
    found = judge_public("gs://b", granted, "gcloud storage buckets remove-iam-policy-binding gs://b")
    assert (found.check, found.status) == (PUBLIC, "wrong")
    assert found.detail == f"gs://b is open to everybody: roles/storage.objectViewer for {member}."
    assert found.fix == (
        "gcloud storage buckets remove-iam-policy-binding gs://b "
        f"--member={member} --role=roles/storage.objectViewer"
    )


@pytest.mark.parametrize(
    ("granted", "meant", "status", "says"),
    [
        ([], False, "ok", "nobody but who is named"),
        ([Binding("roles/x", ("user:a@x",))], False, "ok", "nobody but who is named"),
        ([Binding(INVOKER, ("allUsers",))], False, "wrong", "open to everybody"),
        ([Binding(INVOKER, ("allUsers",))], True, "ok", "everybody may call it; it asks for a key"),
        ([Binding(INVOKER, ("user:a@x",))], True, "ok", "only who is named may call it"),
        ([], True, "ok", "only who is named may call it"),
        # Being called by everybody is meant; being changed by everybody is not.
        ([Binding("roles/run.admin", ("allUsers",))], True, "wrong", "roles/run.admin for allUsers"),
    ],
)
def test_only_the_api_may_be_called_by_everybody(
    granted: list[Binding], status: str, says: str, *, meant: bool
) -> None:
    """And by nothing but the invoker's role."""
    found = judge_public("it", granted, "revoke", meant=meant)
    assert found.status == status
    assert says in found.detail


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


@pytest.mark.parametrize(
    ("kind", "role", "member", "status"),
    [
        ("bucket", "roles/storage.objectUser", OWN, None),
        ("bucket", "roles/storage.admin", OWN, "wrong"),
        ("bucket", "roles/storage.objectAdmin", OWN, "wrong"),
        ("bucket", "roles/storage.legacyBucketWriter", OWN, "warning"),
        ("bucket", "roles/storage.admin", "deploy@p.iam.gserviceaccount.com", None),
        ("bucket", "roles/storage.legacyBucketReader", BUILDS, None),
        ("topic", "roles/pubsub.publisher", OWN, None),
        ("topic", "roles/pubsub.editor", OWN, "warning"),
        ("secret", "roles/secretmanager.secretAccessor", OWN, None),
        ("secret", "roles/secretmanager.secretVersionAdder", OWN, "warning"),
        ("secret", "roles/secretmanager.secretAccessor", BUILDS, "warning"),
        ("service", "roles/run.developer", BUILDS, None),
        ("service", "roles/run.developer", OWN, "warning"),
        ("service", "roles/editor", OWN, "wrong"),
        ("job", "projects/p/roles/headraceJobStarter", OWN, None),
        ("job", "roles/run.invoker", OWN, "warning"),
    ],
)
def test_a_role_on_a_resource_is_one_that_the_work_needs(
    kind: Kind, role: str, member: str, status: str | None
) -> None:
    """Of Headrace's own accounts; None: it is in order. Others' are their owners' to judge."""
    public, *found = judge_resource(
        kind, "it", [Binding(role, (f"serviceAccount:{member}",))], ACCOUNTS, "revoke"
    )
    assert (public.check, public.status) == (PUBLIC, "ok")
    if status is None:
        assert found == []
        return
    [one] = found
    assert (one.check, one.status) == (ROLES, status)
    assert one.detail.startswith(f"serviceAccount:{member} has {role} on it: ")
    assert one.fix == f"revoke --member=serviceAccount:{member} --role={role}"


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


def test_a_public_project_is_wrong_once() -> None:
    """It is a matter of public access, and of the logs where the role shows those."""
    found = list(judge_project("p", [Binding("roles/viewer", ("allUsers",))], ACCOUNTS))
    assert [(one.check, one.status) for one in found] == [
        (PUBLIC, "wrong"),
        (ROLES, "ok"),
        (READERS, "wrong"),
    ]


@pytest.mark.parametrize(
    ("role", "member", "status"),
    [
        ("roles/logging.viewer", "group:operators@x.org", "ok"),
        ("roles/logging.viewer", "domain:x.org", "wrong"),
        ("roles/logging.privateLogViewer", "allAuthenticatedUsers", "wrong"),
        ("roles/viewer", "domain:x.org", "wrong"),
        ("roles/logging.viewer", f"serviceAccount:{OWN}", "warning"),
        ("roles/logging.logWriter", f"serviceAccount:{OWN}", "ok"),
        ("roles/logging.viewer", DEPLOYER, "ok"),
    ],
)
def test_readers_of_logs_are_told(role: str, member: str, status: str) -> None:
    """Whoever may read them by a role on the project."""
    [found] = judge_readers([Binding(role, (member,))], ACCOUNTS)
    assert (found.check, found.status) == (READERS, status)
    if role.endswith("logWriter"):
        assert found.detail == "nobody by the project's own policy"
    else:
        assert member in found.detail
