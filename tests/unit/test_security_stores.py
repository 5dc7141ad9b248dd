"""Buckets, secrets, keys, database, retention, model and logs: good and bad cases of each judgement."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore_admin_v1.types import Database
from google.cloud.iam_admin_v1 import ListServiceAccountKeysRequest, ServiceAccountKey
from google.cloud.secretmanager_v1 import SecretVersion
from google.cloud.storage import Client

from cli.security.buckets import (
    ACCESS,
    BucketFacts,
    facts,
    judge_bucket_access,
    judge_bucket_deletion,
    judge_key,
)
from cli.security.credentials import (
    MAX_API_KEYS,
    USER_MANAGED,
    judge_account_keys,
    judge_api_keys,
    judge_versions,
)
from cli.security.logs import judge_folder, judge_logs, samples
from cli.security.stores import MAX_RETENTION_DAYS, judge_database, judge_pins, judge_retention

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 1, tzinfo=UTC)
TEXT = 'The ferry said "no" to coal, and Ilse Quandt signed for it.'


def test_facts_are_those_that_cloud_storage_gives() -> None:
    """Read off a resource as the API has it; what is absent is the API's default."""
    anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call] # not annotated
    bucket = Client(project="p", credentials=anonymous).bucket("b")
    assert facts(bucket) == BucketFacts("b", "inherited", uniform=False)
    bucket._properties = {
        "name": "b",
        "iamConfiguration": {
            "publicAccessPrevention": "enforced",
            "uniformBucketLevelAccess": {"enabled": True},
        },
        "encryption": {"defaultKmsKeyName": "projects/p/k"},
        "versioning": {"enabled": True},
        "lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"daysSinceNoncurrentTime": 3}}]},
        "softDeletePolicy": {"retentionDurationSeconds": "604800"},
        "retentionPolicy": {"retentionPeriod": "86400"},
    }
    expected = BucketFacts(
        "b", key="projects/p/k", versioning=True, drops_noncurrent=True, soft_delete=604_800, held=86_400
    )
    assert facts(bucket) == expected


@pytest.mark.parametrize(
    ("bucket", "fixes"),
    [
        (BucketFacts("b"), []),
        (BucketFacts("b", uniform=False), ["--uniform-bucket-level-access"]),
        (BucketFacts("b", prevention="inherited"), ["--public-access-prevention"]),
        (
            BucketFacts("b", prevention="inherited", uniform=False),
            ["--uniform-bucket-level-access", "--public-access-prevention"],
        ),
    ],
)
def test_a_bucket_that_could_be_opened_is_wrong(bucket: BucketFacts, fixes: list[str]) -> None:
    """Each way with its command."""
    found = list(judge_bucket_access(bucket))
    assert {one.check for one in found} == {ACCESS}
    assert [one.fix for one in found if one.status == "wrong"] == [
        f"gcloud storage buckets update gs://b {fix}" for fix in fixes
    ]
    assert [one.status for one in found if one.status != "wrong"] == ([] if fixes else ["ok"])


@pytest.mark.parametrize(
    ("bucket", "status", "says"),
    [
        (BucketFacts("b"), "ok", "b: what is deleted is gone at once"),
        (BucketFacts("b", soft_delete=604_800), "ok", "restorable for 7 days"),
        (
            BucketFacts("b", versioning=True),
            "warning",
            "noncurrent versions of deleted objects are kept for ever",
        ),
        (
            BucketFacts("b", versioning=True, drops_noncurrent=True),
            "ok",
            "noncurrent versions until their rule",
        ),
        (
            BucketFacts("b", held=86_400),
            "wrong",
            "nothing can be deleted for 1 days, so that an erasure fails",
        ),
    ],
)
def test_what_a_bucket_keeps_of_what_is_deleted_is_told(bucket: BucketFacts, status: str, says: str) -> None:
    """An erasure that cannot happen is wrong; one that takes days is told."""
    [found] = judge_bucket_deletion(bucket)
    assert found.status == status
    assert says in found.detail


@pytest.mark.parametrize(
    ("key", "required", "status"),
    [(None, False, "ok"), (None, True, "wrong"), ("", True, "wrong"), ("projects/p/k", True, "ok")],
)
def test_a_key_of_ones_own_is_asked_for_only_where_required(
    key: str | None, status: str, *, required: bool
) -> None:
    """Everything is encrypted in any case."""
    found = judge_key("topic uploads", key, "fix", required=required)
    assert (found.status, found.fix) == (status, "fix" if status == "wrong" else None)


def version(number: int, days: int = 0, state: str = "ENABLED") -> SecretVersion:
    name = f"projects/1/secrets/s/versions/{number}"
    return SecretVersion(name=name, create_time=NOW - timedelta(days=days), state=state)


@pytest.mark.parametrize(
    ("pinned", "versions", "lasting", "statuses", "says"),
    [
        (1, [version(1, 364)], False, ["ok"], "s: pinned to version 1, 364 days old"),
        (1, [version(1, 366)], False, ["warning"], "s: version 1 is 366 days old."),
        (1, [version(1, 366)], True, ["ok"], "another key would give other pseudonyms"),
        (2, [version(1)], False, ["wrong"], "version 2, which the settings name, is missing"),
        (1, [], False, ["wrong"], "version 1, which the settings name, is missing"),
        (1, [version(1, state="DISABLED")], False, ["wrong"], "is disabled"),
        (1, [version(1, state="DESTROYED")], True, ["wrong"], "is destroyed"),
        (2, [version(2), version(1)], False, ["ok", "warning"], "version 1 is out of use, and still enabled"),
        (1, [version(2), version(1)], False, ["ok", "warning"], "version 2 is newer than the one in use"),
        (2, [version(2), version(1, state="DISABLED")], False, ["ok"], "pinned to version 2"),
        (10, [version(9, state="DESTROYED"), version(10)], False, ["ok"], "pinned to version 10"),
    ],
)
def test_a_secret_is_pinned_enabled_and_not_too_old(
    pinned: int, versions: list[SecretVersion], statuses: list[str], says: str, *, lasting: bool
) -> None:
    """Others of its versions are disabled when nothing reads them."""
    found = list(judge_versions("s", {pinned}, versions, NOW, 365, lasting=lasting))
    assert [one.status for one in found] == statuses
    assert any(says in one.detail for one in found)
    assert all(one.fix for one in found if one.status != "ok")


def test_versions_that_are_read_side_by_side_are_told_and_none_is_disabled() -> None:
    """As between two revisions that share the traffic, or two functions of which one was promoted."""
    found = list(judge_versions("s", {1, 2}, [version(1), version(2)], NOW, 365, lasting=True))
    assert [one.status for one in found] == ["ok", "ok", "warning"]
    assert found[-1].detail == "s: versions 1, 2 are read side by side."
    assert "make promote" in str(found[-1].fix)


@pytest.mark.parametrize(
    ("used", "coming", "says", "fix"),
    [
        ({1}, {2}, "version 2 is configured, and what serves does not read it", "make promote"),
        ({2}, {1}, "version 1 is configured, and what serves does not read it", "make promote"),
        ({1}, {1}, "version 2 is newer than the one in use", "versions disable 2"),
        ({2}, {2}, "version 1 is out of use, and still enabled", "versions disable 1"),
    ],
)
def test_only_a_version_that_nothing_reads_or_will_read_is_to_be_disabled(
    used: set[int], coming: set[int], says: str, fix: str
) -> None:
    """Terraform configures the new one before it serves."""
    versions = [version(1), version(2)]
    _, found = judge_versions("s", used, versions, NOW, 365, lasting=False, coming=coming)
    assert (found.status, found.detail) == ("warning", f"s: {says}.")
    assert fix in str(found.fix)


@pytest.mark.parametrize(
    ("hashes", "days", "statuses"),
    [
        (["a"], 0, ["ok"]),
        (["a", "b"], 365, ["ok"]),
        (["a"], 366, ["warning"]),
        (["a", "a"], 0, ["warning", "ok"]),
        ([str(number) for number in range(MAX_API_KEYS)], 0, ["ok"]),
        ([str(number) for number in range(MAX_API_KEYS + 1)], 0, ["warning"]),
    ],
)
def test_keys_of_the_api_are_few_and_replaced(hashes: list[str], days: int, statuses: list[str]) -> None:
    """None is shown."""
    found = list(judge_api_keys(hashes, NOW - timedelta(days=days), NOW, 365))
    assert [one.status for one in found] == statuses


def account_key(days: int, **fields: Any) -> ServiceAccountKey:
    made = {"name": "projects/p/serviceAccounts/a@p/keys/k1", "key_type": USER_MANAGED}
    return ServiceAccountKey(made | {"valid_after_time": NOW - timedelta(days=days)} | fields)


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ([], "ok"),
        ([account_key(1)], "warning"),
        ([account_key(90)], "warning"),
        ([account_key(91)], "wrong"),
        ([account_key(91, disabled=True)], "ok"),
        ([account_key(91, key_type=2)], "ok"),  # Google's own, which nobody can take away
    ],
)
def test_a_key_of_an_account_is_looked_at_and_then_wrong(keys: list[ServiceAccountKey], status: str) -> None:
    """No part of Headrace needs one."""
    [found] = judge_account_keys("a@p", keys, NOW, 90)
    assert found.status == status
    if status != "ok":
        assert found.fix == "gcloud iam service-accounts keys delete k1 --iam-account=a@p"
    assert USER_MANAGED == ListServiceAccountKeysRequest.KeyType.USER_MANAGED


@pytest.mark.parametrize(
    ("deletion", "recovery", "statuses"),
    [
        ("DELETE_PROTECTION_ENABLED", "POINT_IN_TIME_RECOVERY_ENABLED", ["ok", "ok"]),
        ("DELETE_PROTECTION_DISABLED", "POINT_IN_TIME_RECOVERY_ENABLED", ["warning", "ok"]),
        ("DELETE_PROTECTION_STATE_UNSPECIFIED", "POINT_IN_TIME_RECOVERY_DISABLED", ["warning", "warning"]),
    ],
)
def test_a_database_is_protected_from_loss(deletion: str, recovery: str, statuses: list[str]) -> None:
    """With the commands."""
    database = Database(
        name="projects/p/databases/(default)",
        delete_protection_state=deletion,
        point_in_time_recovery_enablement=recovery,
    )
    found = list(judge_database(database))
    assert [one.status for one in found] == statuses
    for one in found:
        assert one.status == "ok" or "gcloud firestore databases update --database='(default)' --" in str(
            one.fix
        )


@pytest.mark.parametrize(
    ("days", "status", "says"),
    [
        ({}, "warning", "Results end nowhere"),
        ({"hr/": 30}, "warning", "Results end only under hr/"),
        ({"": 365}, "ok", "everything else 365 days"),
        ({"": 365, "hr/": 30}, "ok", "everything else 365 days, hr/ 30 days"),
        ({"": MAX_RETENTION_DAYS}, "ok", "days"),
        ({"": MAX_RETENTION_DAYS + 1}, "warning", "Kept for more than"),
    ],
)
def test_results_end_some_day(days: dict[str, int], status: str, says: str) -> None:
    """By the setting."""
    found = judge_retention(days)
    assert found.status == status
    assert says in found.detail


def test_services_are_pinned_to_the_model_that_was_built() -> None:
    """None, another, the same."""
    built, other = "a" * 64, "b" * 64
    found = judge_pins(built, {"analyze": other, "api": built, "ingest": None})
    assert [(one.status, one.detail.split()[0]) for one in found] == [
        ("warning", "analyze"),
        ("ok", "api:"),
        ("warning", "ingest"),
    ]


def test_text_in_a_log_is_found_and_not_shown(tmp_path: Path) -> None:
    """As it stands in a line of JSON, in any log of the folder."""
    (tmp_path / "api.log").write_text('{"message": "event handled"}\n')
    [clean] = judge_logs(tmp_path, [TEXT])
    assert (clean.status, clean.detail) == ("ok", "none of 1 stored passages stands in 1 logs")
    [beginning] = samples([TEXT])
    (tmp_path / "ingest.log").write_text(f'{{"message": "odd: {beginning}"}}\n')
    [found] = judge_logs(tmp_path, [TEXT, "Another sentence, which nobody has logged."])
    assert found.status == "wrong"
    assert found.detail == f"{tmp_path / 'ingest.log'} holds the text of 1 of 2 passages looked for."
    assert "Quandt" not in found.detail


def test_short_texts_are_not_looked_for(tmp_path: Path) -> None:
    """They stand in a log by chance; then nothing is known."""
    (tmp_path / "api.log").write_text("event handled\n")
    [found] = judge_logs(tmp_path, ["event handled"])
    assert found.status == "unknown"


@pytest.mark.parametrize(("mode", "status"), [(0o700, "ok"), (0o750, "warning"), (0o755, "warning")])
def test_a_data_directory_is_its_owners_alone(tmp_path: Path, mode: int, status: str) -> None:
    """Otherwise with the command."""
    tmp_path.chmod(mode)
    found = judge_folder(tmp_path)
    assert (found.status, found.fix) == (status, None if status == "ok" else f"chmod 700 {tmp_path}")
