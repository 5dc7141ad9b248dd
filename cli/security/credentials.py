"""Are secrets pinned and not too old, and does any account have a key that could leak?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.secretmanager_v1 import SecretVersion

from cli.diagnosis.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from google.cloud.iam_admin_v1 import ServiceAccountKey

    from cli.diagnosis.findings import Status

SECRETS, API_KEYS, ACCOUNT_KEYS = "secret versions", "API keys", "account keys"
SECRET_DAYS = 365
"""After which a secret should have been replaced."""
ACCOUNT_KEY_DAYS = 90
"""After which a key of a service account is no longer a thing to look at but wrong."""
MAX_API_KEYS = 20
PROMOTE = "make promote, or a build: docs/deploy.md, “By hand”"
USER_MANAGED = 1
"""`ServiceAccountPrivateKeyType`… `KeyType.USER_MANAGED`: made by somebody, and in a file of theirs."""
_ENABLED = SecretVersion.State.ENABLED


def judge_versions(  # noqa: PLR0913 - a secret, and by what it is judged
    name: str,
    used: Collection[int],
    versions: Sequence[SecretVersion],
    moment: datetime,
    days: int,
    *,
    lasting: bool,
    coming: Collection[int] = (),
) -> Iterator[Finding]:
    """Of one secret.

    Args:
        name: of the secret.
        used: the versions that the settings of what serves name.
        versions: all that there are.
        moment: now.
        days: how old one that is used may be.
        lasting: another value would break what was stored under this one, so age is no complaint.
        coming: the versions that what is configured names, whether it serves or not.
    """
    by_number = {int(one.name.rpartition("/")[2]): one for one in versions}
    judged = [
        _judge_used(name, one, by_number.get(one), moment, days, lasting=lasting) for one in sorted(used)
    ]
    yield from judged
    if any(one.status == "wrong" for one in judged):
        return
    if len(used) > 1:
        detail = f"{name}: versions {', '.join(map(str, sorted(used)))} are read side by side."
        yield Finding(SECRETS, "warning", detail, PROMOTE)
    for number in sorted(set(by_number) - set(used)):
        if by_number[number].state != _ENABLED:
            continue
        if number in coming:
            detail = f"{name}: version {number} is configured, and what serves does not read it."
            yield Finding(SECRETS, "warning", detail, PROMOTE)
            continue
        verb = "newer than the one in use" if number > max(used) else "out of use, and still enabled"
        fix = f"gcloud secrets versions disable {number} --secret={name}, once nothing reads it"
        yield Finding(SECRETS, "warning", f"{name}: version {number} is {verb}.", fix)


def _judge_used(  # noqa: PLR0913 - a version, and by what it is judged
    name: str, number: int, found: SecretVersion | None, moment: datetime, days: int, *, lasting: bool
) -> Finding:
    if found is None or found.state != _ENABLED:
        state = "missing" if found is None else SecretVersion.State(found.state).name.lower()
        fix = f"gcloud secrets versions list {name}, and set the version that is enabled"
        detail = f"{name}: version {number}, which the settings name, is {state}."
        return Finding(SECRETS, "wrong", detail, fix)
    age = _days(found.create_time, moment)
    if age > days and not lasting:
        fix = f"gcloud secrets versions add {name} --data-file=FILE, then set the new version's number"
        return Finding(SECRETS, "warning", f"{name}: version {number} is {age} days old.", fix)
    why = "; another key would give other pseudonyms" if lasting else ""
    return Finding(SECRETS, "ok", f"{name}: pinned to version {number}, {age} days old{why}")


def judge_api_keys(
    hashes: Sequence[str], created: datetime, moment: datetime, days: int
) -> Iterator[Finding]:
    """How many keys open the API, and how old the newest of them can be at most."""
    age = _days(created, moment)
    if len(set(hashes)) < len(hashes):
        yield Finding(API_KEYS, "warning", "A key's hash stands there twice.", "Write it once.")
    if len(set(hashes)) > MAX_API_KEYS:
        detail = f"{len(set(hashes))} keys open the API; whose is each?"
        fix = "Add a version with the hashes of the keys that are in use: docs/security.md, “Secrets”"
        yield Finding(API_KEYS, "warning", detail, fix)
    elif age > days:
        fix = "Rotate them: docs/security.md, “Secrets”"
        yield Finding(API_KEYS, "warning", f"No key was replaced for {age} days.", fix)
    else:
        number = len(set(hashes))
        keys = "1 key, kept" if number == 1 else f"{number} keys, kept"
        yield Finding(API_KEYS, "ok", f"{keys} as hashes, set {age} days ago")


def judge_account_keys(
    account: str, keys: Sequence[ServiceAccountKey], moment: datetime, days: int
) -> Iterator[Finding]:
    """Whether an account has a key in somebody's file: no part of Headrace needs one."""
    made = [one for one in keys if one.key_type == USER_MANAGED and not one.disabled]
    for one in made:
        age, identifier = _days(one.valid_after_time, moment), one.name.rpartition("/")[2]
        fix = f"gcloud iam service-accounts keys delete {identifier} --iam-account={account}"
        status: Status = "wrong" if age > days else "warning"
        yield Finding(ACCOUNT_KEYS, status, f"{account} has a key, {age} days old: {identifier}.", fix)
    if not made:
        yield Finding(ACCOUNT_KEYS, "ok", f"{account}: none")


def _days(since: datetime, moment: datetime) -> int:
    return (moment - since).days
