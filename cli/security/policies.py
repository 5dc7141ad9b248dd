"""Who may do what: are roles given to everybody, or wider than the work needs?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from cli.diagnosis.findings import Finding
from cli.security.given import BUILDER, condition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from cli.diagnosis.findings import Status
    from cli.security.given import Kind

    Accounts = Mapping[str, Collection[str]]
    """Addresses of Headrace's own accounts, with the programs that each is of."""

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
    for name in (
        *("serviceAccountUser", "serviceAccountTokenCreator", "serviceAccountOpenIdTokenCreator"),
        "workloadIdentityUser",
    )
)
NARROWER = ("roles/storage.", "roles/secretmanager.", "roles/pubsub.", "roles/run.")
"""Roles that can be given on one bucket, secret, topic or service, and so need not be on the project."""
LOG_ROLES = BASIC | {"roles/logging.viewer", "roles/logging.privateLogViewer", "roles/logging.admin"}
_DEFAULT = re.compile(r"^(?:serviceAccount:)?(?:\d+-compute@developer|[^@]+@appspot)\.gserviceaccount\.com$")
_DOMAINS = (
    *("cloud-filer", "cloud-memcache-sa", "cloud-ml.google.com", "cloud-redis", "cloud-tpu"),
    *("cloudcomposer-accounts", "compute-system", "container-analysis", "container-engine-robot"),
    *("containerregistry", "dataflow-service-producer-prod", "dataproc-accounts", "dlp-api"),
    *("endpoints-portal", "firebase-rules", "gae-api-prod.google.com", "gcf-admin-robot"),
    *("gcp-gae-service", "genomics-api.google.com", "gs-project-accounts", "security-center-api"),
    *("serverless-robot-prod", "service-consumer-management", "service-networking"),
    "sourcerepo-service-accounts",
)
"""Of Google's agents, beside `gcp-sa-…`: https://docs.cloud.google.com/iam/docs/service-agents. Whole names,
since anybody may call a project something like them, and make accounts in it."""
_AGENT = re.compile(
    r"^serviceAccount:(?:service-(?:[pfo]|org-|folder-)?\d+@"
    rf"(?:gcp-sa-[a-z0-9-]+|{'|'.join(map(re.escape, _DOMAINS))})\.iam"
    r"|bq-\d+@bigquery-encryption\.iam|project-\d+@storage-transfer-service\.iam|\d+@cloudservices)"
    r"\.gserviceaccount\.com$"
)
_APIS = re.compile(r"^serviceAccount:\d+@cloudservices\.gserviceaccount\.com$")


class Binding(NamedTuple):
    """A role, and who has it."""

    role: str
    members: tuple[str, ...]
    condition: str = ""
    """An expression; empty: always."""


def bindings(policy: Any) -> list[Binding]:  # noqa: ANN401 - Cloud Storage has a class of its own
    """Of a policy as any of the clients returns it."""
    found = []
    for one in policy.bindings:
        if isinstance(one, dict):
            expression = (one.get("condition") or {}).get("expression", "")
            found.append(Binding(one["role"], tuple(sorted(one["members"])), expression))
        else:
            found.append(Binding(one.role, tuple(sorted(one.members)), one.condition.expression))
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


def judge_resource(  # noqa: PLR0913 - a resource, and by what it is judged
    kind: Kind, what: str, granted: Iterable[Binding], accounts: Accounts, revoke: str, *, meant: bool = False
) -> Iterator[Finding]:
    """Whether everybody has a role on one resource, or an account of Headrace's one that it does not need.

    Args:
        kind: of resource.
        what: for a person.
        granted: its policy.
        accounts: Headrace's own.
        revoke: the command that takes a role away, without member and role.
        meant: everybody may call it: the function itself asks for a key.
    """
    granted = list(granted)
    yield judge_public(what, granted, revoke, meant=meant)
    for one in granted:
        for member in one.members:
            programs = accounts.get(_address(member))
            if programs is not None and (complaint := _own(kind, one, programs)):
                status, why = complaint
                fix = f"{revoke} --member={member} --role={one.role}"
                yield Finding(ROLES, status, f"{member} has {one.role} on {what}: {why}.", fix)


def judge_project(project: str, granted: Iterable[Binding], accounts: Accounts) -> Iterator[Finding]:
    """What the project's own policy gives; `accounts` are Headrace's own."""
    granted = list(granted)
    revoke = f"gcloud projects remove-iam-policy-binding {project}"
    yield judge_public(f"project {project}", granted, revoke)
    found = []
    for one in granted:
        for member in one.members:
            if member in EVERYBODY:
                continue
            if complaint := _complaint(one, member, accounts, project):
                status, why = complaint
                conditional = ", on a condition" if one.condition else ""
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


def judge_readers(granted: Iterable[Binding], accounts: Accounts) -> Iterator[Finding]:
    """Who may read the logs."""
    readers = sorted({member for one in granted if one.role in LOG_ROLES for member in one.members})
    wide = [member for member in readers if member in EVERYBODY or member.startswith("domain:")]
    own = [member for member in readers if _address(member) in accounts]
    for member in wide:
        fix = "Give roles/logging.viewer to those who look after Headrace, and to nobody else."
        yield Finding(READERS, "wrong", f"{member} may read every log of the project.", fix)
    for member in own:
        fix = "Take the role away: what a service prints is logged without any."
        yield Finding(READERS, "warning", f"{member} may read logs, which no function does.", fix)
    if not wide and not own:
        yield Finding(READERS, "ok", ", ".join(readers) or "nobody by the project's own policy")


def _complaint(one: Binding, member: str, accounts: Accounts, project: str) -> tuple[Status, str] | None:
    """Status and reason."""
    if one.role in BASIC:
        return _basic(one.role, member)
    programs = accounts.get(_address(member))
    if programs is not None:
        return _own("project", one, programs, project)
    if _is_account(member) and not _AGENT.match(member) and (ADMIN.match(one.role) or one.role in ACTS_AS):
        return "warning", "is it the account that deploys? No other needs it"
    return None


def _own(kind: Kind, one: Binding, programs: Collection[str], project: str = "") -> tuple[Status, str] | None:
    """Of an account of Headrace's: what infra/ gives is in order, and nothing else."""
    if ADMIN.match(one.role) or one.role in CHANGING:
        does = "deploys" if BUILDER in programs else "reads documents that strangers may have written"
        return "wrong", f"it {does}, and administers nothing"
    if one.role in ACTS_AS:
        return "wrong", "it could act as any account of the project"
    given = {condition(kind, program, one.role, project) for program in programs} - {None}
    if given & {"", one.condition}:
        return None
    if given:
        return "warning", "infra/ gives it on the condition that it is Headrace's database"
    if kind == "project" and one.role.startswith(NARROWER):
        return "warning", "give it on the one resource that it is for"
    return "warning", "infra/ does not give it, since nothing that this account does needs it"


def _basic(role: str, member: str) -> tuple[Status, str] | None:
    if member.startswith("domain:"):
        return "wrong", "that is everybody of the domain"
    if not _is_account(member):
        return (
            ("warning", "a basic role reaches every service") if role in CHANGING - {"roles/owner"} else None
        )
    if _APIS.match(member):
        return "warning", "Google gives it by default; few projects need it"
    if _AGENT.match(member):
        return None
    return "wrong" if role in CHANGING else "warning", "a basic role reaches every service"


def _address(member: str) -> str:
    return member.removeprefix("serviceAccount:")


def _is_account(member: str) -> bool:
    return member.startswith("serviceAccount:")
