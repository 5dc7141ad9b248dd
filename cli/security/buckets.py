"""Are buckets closed, encrypted as wanted, and do they let go of what is deleted?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.diagnosis.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.storage import Bucket

ACCESS, ENCRYPTION, DELETION = "bucket access", "encryption", "deletion"
PER_DAY = 86_400


@dataclass(frozen=True)
class BucketFacts:
    """What is asked of a bucket."""

    name: str
    prevention: str = "enforced"
    """Of public access: `enforced` or `inherited`."""
    uniform: bool = True
    """Whether the bucket's policy alone decides, and no object has a list of its own."""
    key: str | None = None
    """The customer's own key."""
    versioning: bool = False
    drops_noncurrent: bool = False
    """Whether a lifecycle rule deletes noncurrent versions."""
    soft_delete: int = 0
    """Seconds for which what was deleted can be restored."""
    held: int | None = None
    """Seconds before which nothing may be deleted."""


def facts(bucket: Bucket) -> BucketFacts:
    """Of a bucket that was read."""
    configuration = bucket.iam_configuration
    rules = [rule.get("condition", {}) for rule in bucket.lifecycle_rules if _deletes(rule)]
    noncurrent = {"daysSinceNoncurrentTime", "noncurrentTimeBefore", "numNewerVersions"}
    return BucketFacts(
        name=bucket.name,
        prevention=configuration.public_access_prevention,
        uniform=bool(configuration.uniform_bucket_level_access_enabled),
        key=bucket.default_kms_key_name,
        versioning=bool(bucket.versioning_enabled),
        drops_noncurrent=any(noncurrent & set(condition) for condition in rules),
        soft_delete=int(bucket.soft_delete_policy.retention_duration_seconds or 0),
        held=int(bucket.retention_period) if bucket.retention_period else None,
    )


def _deletes(rule: dict[str, dict[str, str]]) -> bool:
    return rule.get("action", {}).get("type") == "Delete"


def judge_bucket_access(bucket: BucketFacts) -> Iterator[Finding]:
    """Whether a mistake in one object's list, or in the policy, could open it."""
    update = f"gcloud storage buckets update gs://{bucket.name}"
    if not bucket.uniform:
        detail = f"{bucket.name}: objects have access lists of their own beside the bucket's policy."
        yield Finding(ACCESS, "wrong", detail, f"{update} --uniform-bucket-level-access")
    if bucket.prevention != "enforced":
        detail = f"{bucket.name}: public access is not prevented ({bucket.prevention})."
        yield Finding(ACCESS, "wrong", detail, f"{update} --public-access-prevention")
    if bucket.uniform and bucket.prevention == "enforced":
        yield Finding(ACCESS, "ok", f"{bucket.name}: uniform, public access prevented")


def judge_bucket_deletion(bucket: BucketFacts) -> Iterator[Finding]:
    """Whether what is erased is gone, and when."""
    update = f"gcloud storage buckets update gs://{bucket.name}"
    if bucket.held:
        days = bucket.held / PER_DAY
        detail = f"{bucket.name}: nothing can be deleted for {days:g} days, so that an erasure fails."
        yield Finding(DELETION, "wrong", detail, f"{update} --clear-retention-period")
    if bucket.versioning and not bucket.drops_noncurrent:
        detail = f"{bucket.name}: noncurrent versions of deleted objects are kept for ever."
        fix = f"{update} --lifecycle-file=FILE, with a rule on daysSinceNoncurrentTime; or --no-versioning"
        yield Finding(DELETION, "warning", detail, fix)
    if not bucket.held and not (bucket.versioning and not bucket.drops_noncurrent):
        kept = (
            f"restorable for {bucket.soft_delete / PER_DAY:g} days" if bucket.soft_delete else "gone at once"
        )
        versions = ", noncurrent versions until their rule" if bucket.versioning else ""
        yield Finding(DELETION, "ok", f"{bucket.name}: what is deleted is {kept}{versions}")


def judge_key(what: str, key: str | None, fix: str, *, required: bool) -> Finding:
    """Whether something is encrypted by the customer's own key, where that is required."""
    if key:
        return Finding(ENCRYPTION, "ok", f"{what}: by {key}")
    if required:
        return Finding(ENCRYPTION, "wrong", f"{what}: by a key of Google's, not of yours.", fix)
    return Finding(ENCRYPTION, "ok", f"{what}: by a key of Google's")
