"""`headrace doctor --security`: each judgement with good and bad cases of the clients' types."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import Forbidden, ServiceUnavailable
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.iam_admin_v1 import ServiceAccountKey
from google.cloud.run_v2 import Job, Revision, Service
from google.cloud.secretmanager_v1 import SecretVersion

from cli import security
from cli.doctor import guarded
from cli.security import Grant
from shared.api.findings import Finding
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WHERE = "projects/p/locations/europe-west4"
OURS = "serviceAccount:headrace-api@p.iam.gserviceaccount.com"
AGENT = "serviceAccount:service-12@gcp-sa-pubsub.iam.gserviceaccount.com"
DIGEST = "europe-west4-docker.pkg.dev/p/r/api@sha256:" + "0" * 64


def statuses(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(one.check, one.status) for one in findings]


@pytest.mark.parametrize(
    ("role", "member", "expected"),
    [
        ("roles/run.invoker", "allUsers", ("public access", "wrong")),
        ("roles/editor", OURS, ("roles", "wrong")),
        ("roles/viewer", OURS, None),
        ("roles/editor", "user:ann@example.org", None),
        ("roles/editor", "domain:example.org", ("roles", "wrong")),
        ("roles/iam.serviceAccountTokenCreator", OURS, ("roles", "warning")),
        ("roles/storage.admin", OURS, ("roles", "warning")),
        ("roles/datastore.owner", OURS, ("roles", "warning")),
        ("roles/storage.objectUser", OURS, None),
        ("roles/editor", AGENT, None),
        ("roles/iam.serviceAccountTokenCreator", AGENT, None),
    ],
)
def test_the_projects_policy(role: str, member: str, expected: tuple[str, str] | None) -> None:
    """Accounts that administer or act as others are named with the command that takes the role away."""
    findings = list(security.judge_policy("project p", [Grant(role, member)], "revoke", is_project=True))
    complaints = [one for one in findings if one.status != "ok"]
    assert statuses(complaints) == ([expected] if expected else [])
    assert all(f"--member={member} --role={role}" in str(one.fix) for one in complaints)


def test_an_account_that_is_named_like_googles_is_not_googles() -> None:
    """Anybody may call a project something like theirs, and make accounts in it."""
    member = "serviceAccount:service-1@gcp-sa-x.iam.gserviceaccount.com.evil.example"
    [_, found] = security.judge_policy(
        "project p", [Grant("roles/editor", member)], "revoke", is_project=True
    )
    assert found.status == "wrong"


def test_a_resource_open_to_everybody_or_administered_by_a_function() -> None:
    """Both are wrong; a reader is not."""
    granted = [
        Grant("roles/storage.objectViewer", "allAuthenticatedUsers"),
        Grant("roles/storage.objectViewer", OURS),
        Grant("roles/storage.admin", OURS),
        Grant("roles/storage.admin", "user:ann@example.org"),
    ]
    found = list(security.judge_policy("gs://b", granted, "revoke"))
    assert statuses(found) == [("public access", "wrong"), ("roles", "wrong")]
    assert found[0].fix == "revoke --member=allAuthenticatedUsers --role=roles/storage.objectViewer"
    assert statuses(security.judge_policy("gs://b", [], "revoke")) == [("public access", "ok")]


@pytest.mark.parametrize(
    ("uniform", "prevention", "status"),
    [(True, "enforced", "ok"), (False, "enforced", "wrong"), (True, "inherited", "wrong")],
)
def test_a_bucket_that_a_mistake_could_open(uniform: bool, prevention: str, status: str) -> None:  # noqa: FBT001
    """Uniform access, and public access prevented."""
    assert security.judge_bucket("b", uniform=uniform, prevention=prevention).status == status


@pytest.mark.parametrize(("days", "status"), [(1, "warning"), (91, "wrong")])
def test_keys_of_accounts(days: int, status: str) -> None:
    """A key in a file is to look at, and wrong when old; Google's own and disabled ones do not count."""
    name = "projects/p/serviceAccounts/a/keys/k1"
    made = ServiceAccountKey(name=name, key_type=1, valid_after_time=NOW - timedelta(days=days))
    off = ServiceAccountKey(name=name, key_type=1, disabled=True)
    googles = ServiceAccountKey(name=name, key_type=2)
    [found] = security.judge_account_keys("a@p", [made, off, googles], NOW)
    assert (found.status, "keys delete k1" in str(found.fix)) == (status, True)
    assert statuses(security.judge_account_keys("a@p", [off, googles], NOW)) == [("account keys", "ok")]


def version(number: int, days: int, state: str = "ENABLED") -> SecretVersion:
    created = NOW - timedelta(days=days)
    return SecretVersion(name=f"projects/p/secrets/s/versions/{number}", state=state, create_time=created)


@pytest.mark.parametrize(
    ("versions", "lasting", "status"),
    [
        ([version(2, 10)], False, "ok"),
        ([version(2, 400)], False, "warning"),
        ([version(2, 400)], True, "ok"),
        ([version(1, 10)], False, "wrong"),
        ([version(2, 10, "DISABLED")], False, "wrong"),
    ],
)
def test_the_version_that_is_read(versions: list[SecretVersion], lasting: bool, status: str) -> None:  # noqa: FBT001
    """It exists, is enabled, and is not too old, unless age is no complaint."""
    assert security.judge_version("s", 2, versions, NOW, lasting=lasting).status == status


@pytest.mark.parametrize(
    ("status", "expected"), [(401, "ok"), (403, "ok"), (200, "wrong"), (404, "unknown"), (503, "unknown")]
)
def test_the_answer_to_a_call_without_a_key(status: int, expected: str) -> None:
    """What shows neither that a key is asked for nor that none is, is not known."""
    found = security.judge_answer("https://api", status, "close it")
    assert (found.status, found.fix == "close it") == (expected, expected == "wrong")


def service(name: str, **fields: Any) -> Service:
    return Service(name=f"{WHERE}/services/{name}", **fields)


def test_everybody_may_call_api_and_console_alone() -> None:
    """They ask for a key themselves; of any other service an open invoker is wrong."""
    granted = [Grant("roles/run.invoker", "allUsers")]
    for name in ("api", "console"):
        assert statuses(security.judge_callers(service(name), granted)) == [("public access", "ok")]
        open_ = service(name, invoker_iam_disabled=True)
        assert statuses(security.judge_callers(open_, [])) == [("public access", "ok")]
    wrong = security.judge_callers(service("ingest"), granted)
    assert statuses(wrong) == [("public access", "wrong")]
    unasked = security.judge_callers(service("ingest", invoker_iam_disabled=True), [])
    assert statuses(unasked) == [("public access", "wrong"), ("public access", "ok")]


def test_what_runs_is_pinned_and_has_an_account_of_its_own() -> None:
    """A service's template, a revision and a job are judged alike."""
    pinned = {"name": "KEY", "value_source": {"secret_key_ref": {"secret": "s", "version": "3"}}}
    good = {"service_account": "headrace-api@p", "containers": [{"image": DIGEST, "env": [pinned]}]}
    runs = (
        service("api", template=good),
        Revision(name=f"{WHERE}/services/api/revisions/api-1", **good),
        Job(name=f"{WHERE}/jobs/long-job", template={"template": good}),
    )
    expected = [("accounts", "ok"), ("images", "ok"), ("unpinned", "ok")]
    assert [statuses(security.judge_run(run)) for run in runs] == [expected] * 3


def test_what_runs_loosely_is_found() -> None:
    """The default account, a tag, and the latest version of a secret, in a variable and in a volume."""
    env = [
        {"name": "TOKEN", "value_source": {"secret_key_ref": {"secret": "s", "version": "latest"}}},
        {"name": "HEADRACE_API_KEY_HASH", "value": "api-key-hash"},
    ]
    template = {
        "service_account": "12-compute@developer.gserviceaccount.com",
        "containers": [{"image": "r/api:v1", "env": env}],
        "volumes": [{"name": "ca", "secret": {"secret": "ca-file"}}],
    }
    found = list(security.judge_run(service("api", template=template)))
    assert statuses(found) == [("accounts", "wrong"), ("images", "warning"), *[("unpinned", "wrong")] * 2]


def test_policies_of_every_client_are_read_alike() -> None:
    """Cloud Storage's has dictionaries, the others' have messages."""
    binding = SimpleNamespace(role="roles/viewer", members=["b", "a"])
    message = SimpleNamespace(bindings=[binding])
    plain = SimpleNamespace(bindings=[{"role": "roles/viewer", "members": {"a", "b"}}])
    granted = [Grant("roles/viewer", "a"), Grant("roles/viewer", "b")]
    assert security.grants(message) == security.grants(plain) == granted


def _raised(kind: Any) -> Exception:
    """Make an error of a class without annotations."""
    error: Exception = kind("no")
    return error


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (_raised(Forbidden), "unknown", "roles/iam.securityReviewer"),
        (_raised(ServiceUnavailable), "unknown", "status.cloud"),
        (OSError("refused"), "unknown", "status.cloud"),
        (_raised(DefaultCredentialsError), "unknown", "gcloud auth"),
        (SetupError("setting X is wrong"), "wrong", "Correct"),
    ],
)
def test_a_check_that_cannot_ask_says_why(error: Exception, status: str, said: str) -> None:
    """Unknown is never well, and one check does not end the others."""

    def check() -> Iterator[Finding]:
        yield Finding("first", "ok", "asked")
        raise error

    first, last = guarded("roles", check(), "unknown", security.PERMISSIONS)
    assert (first.check, last.check, last.status, said in str(last.fix)) == ("first", "roles", status, True)
