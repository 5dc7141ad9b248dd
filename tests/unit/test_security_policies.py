"""Policies of the project and its resources: what is public, who may read logs, roles on a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.api_core.iam import Policy as StoragePolicy
from google.iam.v1 import policy_pb2  # type: ignore[import-untyped] # generated, without stubs

from cli.security.policies import (
    INVOKER,
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
from tests.unit.security_accounts import ACCOUNTS, BUILDS, COMPUTE, DEPLOYER, OWN

if TYPE_CHECKING:
    from cli.security.given import Kind


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
