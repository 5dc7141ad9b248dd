"""A Google Cloud project as a JSON file, and what Google refuses whoever asks for it.

The file holds what is there (resources, policies, APIs, quotas), who is signed in, and what a scenario wants:
names that others have, and for how long what was just made is not known everywhere (`propagation`, seconds).
Time goes by only while the installer sleeps, which it does in an instant: `ground` notes for how long.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = "123456789012"
ROLES = Path(__file__).resolve().parents[1] / "data" / "roles.json"
DOMAIN = "example.org"
"""The one whose people an organisation that restricts sharing lets in."""
ALWAYS_ON = {"serviceusage.googleapis.com", "cloudresourcemanager.googleapis.com"}
"""What answers whoever asks, enabled or not, when gcloud is the one who asks: its own project pays for the call."""
FREE = ALWAYS_ON | {
    "cloudbilling.googleapis.com",
    "cloudquotas.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
}
"""What can be enabled in a project without billing."""
MADE_WITH_API = {
    "run.googleapis.com": ("serverless-robot-prod", "roles/run.serviceAgent"),
    "cloudbuild.googleapis.com": ("gcp-sa-cloudbuild", "roles/cloudbuild.serviceAgent"),
}
"""Agents that come, with their role, as an API is enabled; others come when they are asked for or first used."""
READS = (".get", ".list", ".getIamPolicy")
_GRANTS = ("setIamPolicy", "iam.roles.create", "iam.roles.update", "iam.roles.delete", "iam.roles.undelete")
_TITLES = {
    "artifactregistry": "Artifact Registry",
    "cloudresourcemanager": "Cloud Resource Manager",
    "firestore": "Cloud Firestore",
    "iam": "Identity and Access Management (IAM)",
    "pubsub": "Cloud Pub/Sub",
    "run": "Cloud Run Admin",
    "secretmanager": "Secret Manager",
}


class Refused(Exception):
    """What Google answers instead: `code` as HTTP has it, `reason` and a message for a person."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        """As `googleapi: Error 403: MESSAGE, REASON`."""
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


class Cloud:
    """What `state` holds, with the questions that every command and every resource has of it."""

    def __init__(self, state: dict[str, Any], now: float = 0) -> None:
        """`state` is changed in place; `now` is how long the installer has slept, in seconds."""
        self.state, self.now = state, now
        self.changed = True
        """False: nothing needs to be stored. Whoever only looks says so first."""

    @property
    def id(self) -> str:
        """The project's id."""
        return str(self.state["project"])

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Resources of a Terraform type, by their ids."""
        found: dict[str, dict[str, Any]] = self.state["resources"].setdefault(kind, {})
        return found

    def policy(self, resource: str) -> list[list[str]]:
        """Bindings of a resource: role, member, title of the condition or empty."""
        found: list[list[str]] = self.state["policies"].setdefault(resource, [])
        return found

    def need_project(self) -> None:
        """Refuse where there is no project, in words that do not tell it from one that is not shown."""
        if not self.state["exists"]:
            raise Refused(
                403,
                "forbidden",
                f"The caller does not have permission to access project {self.id}, or it may not exist.",
            )

    def need_api(self, api: str) -> None:
        """Refuse what is not enabled, or was enabled so few calls ago that it is not known everywhere."""
        found = self.state["apis"].get(api)
        if found is not None and not self.unknown("api", api):
            return
        name = _TITLES.get(api.partition(".")[0], api)
        where = f"https://console.developers.google.com/apis/api/{api}/overview?project={NUMBER}"
        raise Refused(
            403,
            "accessNotConfigured",
            f"{name} API has not been used in project {NUMBER} before or it is disabled. Enable it by visiting {where}"
            " then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our"
            " systems and retry.",
        )

    def need_permission(self, who: str, permission: str, resource: str = "") -> None:
        """Refuse who has no role in the project, nor on the resource, that gives the permission."""
        bound = self.policy("project") + (self.policy(resource) if resource else [])
        if not any(member == who and gives(role, permission) for role, member, _ in bound):
            on = resource or f"projects/{self.id}"
            raise Refused(
                403,
                "forbidden",
                f"Permission '{permission}' denied on resource '{on}' (or it may not exist).",
            )

    def need_billing(self) -> None:
        """Refuse what nobody pays for."""
        if not self.state["billing"]:
            raise Refused(
                403,
                "UREQ_PROJECT_BILLING_NOT_FOUND",
                f"Billing account for project '{NUMBER}' is not found. Billing must be enabled for activation of service(s).",
            )

    def spread(self, kind: str, name: str) -> None:
        """Let something be known everywhere only after the time that the scenario says."""
        if delay := self.state["propagation"][kind]:
            self.state["known_at"][f"{kind} {name}"] = self.now + delay

    def unknown(self, kind: str, name: str) -> float:
        """How many seconds something is not known everywhere yet; 0: it is."""
        return max(0.0, float(self.state["known_at"].get(f"{kind} {name}", 0)) - self.now)

    def enable(self, api: str) -> None:
        """Enable an API, with the agents that come by themselves; nothing where it is enabled."""
        if api not in FREE:
            self.need_billing()
        if api in self.state["apis"]:
            return
        self.state["apis"][api] = {}
        self.spread("api", api)
        if api in MADE_WITH_API:
            name, role = MADE_WITH_API[api]
            email = f"service-{NUMBER}@{name}.iam.gserviceaccount.com"
            self.make_agent(email)
            self.policy("project").append([role, f"serviceAccount:{email}", ""])

    def make_agent(self, email: str) -> None:
        """Make an account of Google's own, without any role; nothing where it is there."""
        if email not in self.state["agents"]:
            self.state["agents"].append(email)
            self.spread("account", email)

    def grant(self, resource: str, role: str, member: str, condition: str = "") -> None:
        """Bind a role, if Google would: the member is there, and its kind is let in."""
        self._need_member(member)
        binding = [role, member, condition]
        if binding not in self.policy(resource):
            self.policy(resource).append(binding)

    def revoke(self, resource: str, role: str, member: str, condition: str = "") -> None:
        """Take a binding away."""
        binding = [role, member, condition]
        self.state["policies"][resource] = [one for one in self.policy(resource) if one != binding]

    def _need_member(self, member: str) -> None:
        kind, _, name = member.partition(":")
        if self.state["restricted"]:
            foreign = kind in {"user", "group"} and not name.endswith(f"@{DOMAIN}")
            if kind in {"allUsers", "allAuthenticatedUsers"} or foreign:
                raise Refused(
                    400,
                    "failedPrecondition",
                    "One or more users named in the policy do not belong to a permitted customer, "
                    " perhaps due to an organization policy.",
                )
        if kind != "serviceAccount":
            return
        accounts = self.resources("google_service_account")
        made = next((one for one in accounts.values() if one["email"] == name), None)
        if self.unknown("account", name) or (made is None and name not in self.state["agents"]):
            raise Refused(400, "badRequest", f"Service account {name} does not exist.")


def gives(role: str, permission: str) -> bool:
    """Whether a role holds a permission: the basic roles by rule, the others by the table of roles."""
    if role == "roles/owner":
        return True
    if role == "roles/editor":
        return (
            not any(word in permission for word in _GRANTS) and permission != "secretmanager.versions.access"
        )
    if role == "roles/viewer":
        return permission.endswith(READS)
    table: dict[str, list[str]] = json.loads(ROLES.read_text())["roles"]
    return permission in table.get(role, [])


def fresh(project: str = "my-project", owner: str = f"ada@{DOMAIN}") -> dict[str, Any]:
    """A new project as its owner finds it, billing on, with the quotas of new projects."""
    return {
        "project": project,
        "exists": True,
        "billing": "012345-6789AB-CDEF01",
        "account": owner,
        "adc": owner,
        "configured": None,
        "organised": False,
        "restricted": False,
        "invoker_iam_required": False,
        "quotas": {
            "CpuAllocPerProjectRegion": 20000,
            "MemAllocPerProjectRegion": 40 * 2**30,
            "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion": 0,
        },
        "propagation": {"api": 0, "account": 0, "metric": 0, "database": 0},
        "apis": {},
        "agents": [],
        "policies": {"project": [["roles/owner", f"user:{owner}", ""]]},
        "resources": {},
        "objects": {},
        "secrets": {},
        "taken": [],
        "written_to": [],
        "known_at": {},
        "kill": None,
        "builds": [],
        "build_fails": None,
        "calls": [],
    }


def load(path: Path) -> dict[str, Any]:
    """Read a state."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def store(path: Path, state: dict[str, Any]) -> None:
    """Write a state in one go: whoever is killed leaves the old one or the new one."""
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(state))
    beside.replace(path)


_read: dict[Path, tuple[int, dict[str, Any]]] = {}
"""States as they were last read or stored here, by when that was: a Terraform asks hundreds of times."""


@contextmanager
def changing(path: Path) -> Iterator[Cloud]:
    """The project, to be changed by nobody else meanwhile; what was changed stays, also where it is refused."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        when, state = _read.get(path, (0, {}))
        if when != path.stat().st_mtime_ns:
            state = load(path)
            _read[path] = (path.stat().st_mtime_ns, state)
        clock = path.with_name("clock")
        cloud = Cloud(state, sum(map(float, clock.read_text().split())) if clock.exists() else 0)
        try:
            yield cloud
        finally:
            if cloud.changed:
                store(path, state)
                _read[path] = (path.stat().st_mtime_ns, state)
