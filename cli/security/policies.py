"""Who may do what: are roles given to everybody, or wider than the work needs?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.diagnosis.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from cli.diagnosis.findings import Status

PUBLIC, ROLES, READERS = "public access", "roles", "log readers"
EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
INVOKER = "roles/run.invoker"
BASIC = frozenset(f"roles/{name}" for name in ("owner", "editor", "viewer", "admin", "writer", "reader"))
CHANGING = BASIC - {"roles/viewer", "roles/reader"}
MAX_OWNERS = 3
"""People who may do anything; more are more accounts that are worth stealing."""
ADMIN = re.compile(r"^roles/(?:\w+\.)+\w*admin$|^roles/datastore\.owner$", re.IGNORECASE)
ACTS_AS = frozenset(
    f"roles/iam.{name}"
    for name in ("serviceAccountUser", "serviceAccountTokenCreator", "workloadIdentityUser")
)
NARROWER = ("roles/storage.", "roles/secretmanager.", "roles/pubsub.", "roles/run.")
"""Roles that can be given on one bucket, secret, topic or service, and so need not be on the project."""
LOG_ROLES = BASIC | {"roles/logging.viewer", "roles/logging.privateLogViewer", "roles/logging.admin"}
_DEFAULT = re.compile(r"^(?:serviceAccount:)?(?:\d+-compute@developer|[^@]+@appspot)\.gserviceaccount\.com$")
_AGENT = re.compile(
    r"@(?:cloudservices|[\w.-]*gcp-sa-[\w.-]+|[\w-]+-robot(?:-prod)?(?:\.iam)?|gae-api-prod)\."
)


class Binding(NamedTuple):
    """A role, and who has it."""

    role: str
    members: tuple[str, ...]
    conditional: bool = False


def bindings(policy: Any) -> list[Binding]:  # noqa: ANN401 - Cloud Storage has a class of its own
    """Of a policy as any of the clients returns it."""
    found = []
    for one in policy.bindings:
        if isinstance(one, dict):
            found.append(Binding(one["role"], tuple(sorted(one["members"])), bool(one.get("condition"))))
        else:
            found.append(Binding(one.role, tuple(sorted(one.members)), bool(one.condition.expression)))
    return sorted(found)


def is_default(account: str) -> bool:
    """Whether it is an account that Google made for whatever has none of its own."""
    return bool(_DEFAULT.match(account))


def judge_public(what: str, granted: Iterable[Binding], revoke: str, *, meant: bool = False) -> Finding:
    """Whether everybody has a role on something.

    Args:
        what: for a person.
        granted: its policy.
        revoke: the command that takes a role away, without member and role.
        meant: everybody may call it: the function itself asks for a key.
    """
    open_to = [(one.role, member) for one in granted for member in one.members if member in EVERYBODY]
    if meant and all(role == INVOKER for role, _ in open_to):
        calls = "everybody may call it; it asks for a key" if open_to else "only who is named may call it"
        return Finding(PUBLIC, "ok", f"{what}: {calls}")
    if not open_to:
        return Finding(PUBLIC, "ok", f"{what}: nobody but who is named")
    role, member = open_to[0]
    roles = ", ".join(f"{role} for {member}" for role, member in open_to)
    return Finding(
        PUBLIC, "wrong", f"{what} is open to everybody: {roles}.", f"{revoke} --member={member} --role={role}"
    )


def judge_project(project: str, granted: Iterable[Binding], accounts: Collection[str]) -> Iterator[Finding]:
    """What the project's own policy gives; `accounts` are the addresses that Headrace's services run as."""
    granted = list(granted)
    revoke = f"gcloud projects remove-iam-policy-binding {project}"
    yield judge_public(f"project {project}", granted, revoke)
    found = []
    for one in granted:
        for member in one.members:
            if member in EVERYBODY:
                continue
            if complaint := _complaint(one.role, member, accounts):
                status, why = complaint
                conditional = ", on a condition" if one.conditional else ""
                detail = f"{member} has {one.role} on the project{conditional}: {why}."
                fix = f"{revoke} --member={member} --role={one.role}"
                found.append(Finding(ROLES, status, detail, fix))
    owners = sorted(
        member
        for one in granted
        for member in one.members
        if one.role == "roles/owner" and not _is_account(member)
    )
    if len(owners) > MAX_OWNERS:
        detail = f"{len(owners)} people or groups own the project: {', '.join(owners)}."
        found.append(
            Finding(
                ROLES, "warning", detail, f"Leave at most {MAX_OWNERS}, and give the others narrower roles."
            )
        )
    yield from found or [Finding(ROLES, "ok", f"nothing wider than the work needs on {project}")]
    yield from judge_readers(granted, accounts)


def judge_readers(granted: Iterable[Binding], accounts: Collection[str]) -> Iterator[Finding]:
    """Who may read the logs."""
    readers = sorted({member for one in granted if one.role in LOG_ROLES for member in one.members})
    wide = [member for member in readers if member in EVERYBODY or member.startswith("domain:")]
    own = [member for member in readers if member.removeprefix("serviceAccount:") in accounts]
    for member in wide:
        fix = "Give roles/logging.viewer to those who look after Headrace, and to nobody else."
        yield Finding(READERS, "wrong", f"{member} may read every log of the project.", fix)
    for member in own:
        fix = "roles/logging.logWriter is enough for a service."
        yield Finding(READERS, "warning", f"{member} may read logs, which no function does.", fix)
    if not wide and not own:
        yield Finding(READERS, "ok", ", ".join(readers) or "nobody by the project's own policy")


def _complaint(role: str, member: str, accounts: Collection[str]) -> tuple[Status, str] | None:
    """Status and reason."""
    if role in BASIC:
        return _basic(role, member)
    if member.removeprefix("serviceAccount:") in accounts:
        return _own(role)
    if _is_account(member) and not _AGENT.search(member) and (ADMIN.match(role) or role in ACTS_AS):
        return "warning", "is it the account that deploys? No other needs it"
    return None


def _own(role: str) -> tuple[Status, str] | None:
    if ADMIN.match(role):
        return "wrong", "it reads documents that strangers may have written, and administers nothing"
    if role in ACTS_AS:
        return "wrong", "it could act as any account of the project"
    if role.startswith(NARROWER):
        return "warning", "give it on the one resource that it is for"
    return None


def _basic(role: str, member: str) -> tuple[Status, str] | None:
    if member.startswith("domain:"):
        return "wrong", "that is everybody of the domain"
    if not _is_account(member):
        return (
            ("warning", "a basic role reaches every service") if role in CHANGING - {"roles/owner"} else None
        )
    if "@cloudservices." in member:
        return "warning", "Google gives it by default; few projects need it"
    if _AGENT.search(member):
        return None
    return "wrong" if role in CHANGING else "warning", "a basic role reaches every service"


def _is_account(member: str) -> bool:
    return member.startswith("serviceAccount:")
