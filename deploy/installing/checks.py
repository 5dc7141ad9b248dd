"""What must be so first: tools, login, project, billing, rights, services, region, quotas."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import urllib.request
import zipfile
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from deploy.installing import values
from deploy.installing.problems import Problem
from deploy.installing.shell import HIDDEN, LOST, ROOT, Shell
from deploy.quotas import needs, table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TERRAFORM = "1.14.3"
"""Fetched where there is none, or one before 1.11 (infra/versions.tf), as Cloud Shell's may be."""
TERRAFORM_SHA256 = "178b2a602251bb68b94732aceca2cc1023d87597cb83dba92cab31b6689edb4d"
"""SHA-256 of HashiCorp's archive for Linux on x86-64, as in the release's SHA256SUMS."""
OLDEST_TERRAFORM = (1, 11)
PROGRAMS = {"gcloud": "https://cloud.google.com/sdk/docs/install", "make": "apt-get install make"}
FIRST_APIS = ("cloudresourcemanager", "serviceusage", "cloudbilling", "cloudquotas")
"""What the first checks call; none of them needs billing."""
AT_ONCE = 20
"""Services that one call may enable: Service Usage's `batchEnable`."""
CONSOLE = "https://console.cloud.google.com"


@dataclass
class Install:
    """One installation, and what its steps found out."""

    shell: Shell
    given: dict[str, values.Value]
    """What the options say."""
    assume: bool = False
    """Ask nothing."""
    values: dict[str, values.Value] = field(default_factory=dict)
    text: str = ""
    """infra/terraform.tfvars."""
    account: str = ""
    number: str = ""
    organised: bool = False
    """The project belongs to an organisation, whose people Identity-Aware Proxy can ask for."""
    terraform: str = "terraform"
    key: str | None = None
    """The API's first key, if this run made it."""

    @property
    def project(self) -> str:
        """Its id."""
        return str(self.values["project"])

    @property
    def region(self) -> str:
        """Where everything is."""
        return str(self.values["region"])

    @property
    def bucket(self) -> str:
        """Bucket of Terraform's state, which also keeps a copy of the variables."""
        return f"gs://{self.project}-terraform"

    @property
    def where(self) -> tuple[str, str]:
        """Flags for what is in the region."""
        return f"--project={self.project}", f"--region={self.region}"

    def asked(self, *command: str, absent: tuple[str, ...] = LOST) -> Any:  # noqa: ANN401 - gcloud's JSON
        """Return what a gcloud command says as JSON; an empty object where there is no such thing."""
        return json.loads(self.shell.look("gcloud", *command, "--format=json", absent=absent) or "{}")

    def listed(self, *command: str) -> list[str]:
        """Return the lines that a gcloud command prints."""
        return (self.shell.look("gcloud", *command) or "").split()

    def load(self, text: str) -> None:
        """Take the values of a file of variables.

        Raises:
            Problem: an option says something else, or the file is of another project.
        """
        stored = values.read(text)
        values.agree(stored, self.given)
        self.text, self.values = text, values.DEFAULTS | self.values | stored


def tools(to: Install) -> str:
    """Find what is called, and a Terraform that is new enough, or fetch it."""
    for program, source in PROGRAMS.items():
        if shutil.which(program) is None:
            raise Problem("no-tool", f"{program} is missing.", f"Install it: {source}")
    gcloud = to.asked("version").get("Google Cloud SDK")
    if (found := terraform_version(_asked_terraform(to))) >= OLDEST_TERRAFORM:
        return f"gcloud {gcloud}, Terraform {'.'.join(map(str, found))}"
    fetched = ROOT / "build" / f"terraform-{TERRAFORM}" / "terraform"
    to.terraform = str(fetched)
    if not fetched.is_file():
        _fetch_terraform(fetched, dry=to.shell.dry)
    return f"gcloud {gcloud}, Terraform {TERRAFORM} in build/"


def _asked_terraform(to: Install) -> str:
    if shutil.which("terraform") is None:
        return ""
    try:
        return to.shell.look("terraform", "version", "-json") or ""
    except Problem:  # whatever it is, one that works is fetched
        return ""


def terraform_version(printed: str) -> tuple[int, ...]:
    """Return the version that `terraform version -json` printed, () where it printed none.

    Cloud Shell has a program of that name that only tells how to install Terraform.
    """
    found = re.search(r'"terraform_version": *"([\d.]+)', printed)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _fetch_terraform(target: Path, *, dry: bool) -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Problem(
            "old-terraform",
            "Terraform 1.11 or newer is missing.",
            "Install it: https://developer.hashicorp.com/terraform/install",
        )
    url = f"https://releases.hashicorp.com/terraform/{TERRAFORM}/terraform_{TERRAFORM}_linux_amd64.zip"
    print(f"  fetching {url}")
    if dry:
        return
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            archive = response.read()
    except OSError as error:
        raise Problem("network", f"Terraform could not be fetched: {error}", "Check the network.") from None
    unpack_terraform(archive, TERRAFORM_SHA256, target)


def unpack_terraform(archive: bytes, sha256: str, target: Path) -> None:
    """Put the program of HashiCorp's archive at a path, whole or not at all.

    Raises:
        Problem: the archive is not the one with this digest.
    """
    if hashlib.sha256(archive).hexdigest() != sha256:
        raise Problem(
            "bad-terraform",
            "What was fetched as Terraform is something else: its SHA-256 differs.",
            "Install Terraform yourself: https://developer.hashicorp.com/terraform/install",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    with zipfile.ZipFile(BytesIO(archive)) as files:
        partial.write_bytes(files.read("terraform"))
    partial.chmod(0o755)
    partial.replace(target)


def login(to: Install) -> str:
    """Find out who is signed in to gcloud, and that Terraform has a login too."""
    accounts = to.listed("auth", "list", "--filter=status:ACTIVE", "--format=value(account)")
    if not accounts:
        raise Problem("login-expired", "Nobody is signed in to gcloud.", "Sign in: gcloud auth login")
    to.account = accounts[0]
    if os.environ.get("CLOUD_SHELL") != "true":
        to.shell.look("gcloud", "auth", "application-default", "print-access-token")
    return to.account


def project(to: Install) -> str:
    """Ask which project, and look it up."""
    if values.FILE.is_file():
        to.load(values.FILE.read_text("utf-8"))
    default = os.environ.get("GOOGLE_CLOUD_PROJECT") or "".join(to.listed("config", "get-value", "project"))
    answer = to.values.get("project") or to.given.get("project")
    to.values["project"] = answer or values.ask(values.PROJECT, default, assume=to.assume)
    to.shell.place["project"] = to.project
    found = to.asked("projects", "describe", to.project, absent=HIDDEN)
    if found.get("lifecycleState") != "ACTIVE":
        raise Problem(
            "no-project",
            f"There is no project {to.project}, or you may not see it.",
            f"Your projects: gcloud projects list. A new one: gcloud projects create {to.project}",
        )
    to.number, to.organised = str(found["projectNumber"]), bool(found.get("parent"))
    return f"{to.project} ({to.number})"


def billing(to: Install) -> str:
    """Check that billing is on, with the few services on that the checks call."""
    _enable(to, [f"{name}.googleapis.com" for name in FIRST_APIS])
    found = to.asked("billing", "projects", "describe", to.project)
    if not found.get("billingEnabled") and (found or not to.shell.dry):
        raise Problem(
            "billing-off",
            f"Billing is off in {to.project}.",
            f"Link a billing account: {CONSOLE}/billing/linkedaccount?project={to.project}",
        )
    return "on" if found else "not known"


def rights(to: Install) -> str:
    """Check for the role Owner; where it may come from a group or a folder, ask."""
    owners = {member.lower() for role, member in _granted(to) if role == "roles/owner"}
    if any(owner.endswith(f":{to.account.lower()}") for owner in owners):
        return "owner"
    print(f"  {to.account} has not itself the role Owner on {to.project}. A group or a folder may give it.")
    question = "  Are you an owner, or have you the roles that docs/security.md names (Who installs)?"
    if not values.confirm(question, assume=to.assume or to.shell.dry):
        raise Problem(
            "no-rights",
            f"{to.account} is no owner of {to.project}.",
            f"Whoever is gives you the role Owner: {CONSOLE}/iam-admin/iam?project={to.project}",
        )
    return "as you say"


def _granted(to: Install) -> set[tuple[str, str]]:
    policy = to.asked("projects", "get-iam-policy", to.project)
    bindings = policy.get("bindings", ())
    return {(binding["role"], member) for binding in bindings for member in binding.get("members", ())}


def choose(to: Install) -> str:
    """Ask for the other values, unless an earlier run has kept them, here or in the cloud; keep them."""
    if not to.text and (kept := kept_values(to)):
        to.load(f"{kept}\n")
    elif not to.text:
        defaults = values.DEFAULTS | {
            "console_people": f"user:{to.account}" if to.organised else "allUsers",
            "alert_emails": to.account,
        }
        for question in values.REST:
            answer = to.given.get(question.name)
            to.values[question.name] = answer or values.ask(
                question, defaults[question.name], assume=to.assume
            )
        to.text = values.written(to.values)
    if not (values.FILE.exists() or to.shell.dry):
        values.FILE.write_text(to.text, "utf-8")
    to.shell.place["region"] = to.region
    return "\n  ".join(f"{name} = {value}" for name, value in values.read(to.text).items())


def kept_values(to: Install) -> str | None:
    """Return the copy of infra/terraform.tfvars that is beside Terraform's state; None: there is none."""
    return to.shell.look("gcloud", "storage", "cat", f"{to.bucket}/{values.FILE.name}", absent=HIDDEN)


def services(to: Install) -> str:
    """Enable what is used, and make Google's own accounts of these services, with the roles they need."""
    google: dict[str, list[dict[str, str]]] = table("apis")
    on = values.switched_on(to.text)
    _enable(to, [api["name"] for api in google["apis"] if api["when"] in on])
    granted = _granted(to)
    for agent in (agent for agent in google["agents"] if agent["when"] in on):
        member = f"serviceAccount:{agent['account'].format(number=to.number)}"
        if (agent["role"], member) in granted:
            continue
        create = ("beta", "services", "identity", "create", f"--service={agent['service']}")
        to.shell.do("gcloud", *create, f"--project={to.project}")
        if agent["role"]:
            role = (f"--member={member}", f"--role={agent['role']}", "--condition=None")
            to.shell.do("gcloud", "projects", "add-iam-policy-binding", to.project, *role, "--format=none")
    return "enabled"


def _enable(to: Install, names: Iterable[str]) -> None:
    on = to.listed("services", "list", "--enabled", f"--project={to.project}", "--format=value(config.name)")
    missing = [name for name in names if name not in on]
    for begin in range(0, len(missing), AT_ONCE):
        batch = missing[begin : begin + AT_ONCE]
        to.shell.do("gcloud", "services", "enable", *batch, f"--project={to.project}")


def region(to: Install) -> str:
    """Check that the region offers all that is asked of it."""
    for command in (("run", "regions"), ("firestore", "locations"), ("scheduler", "locations")):
        offered = to.listed(*command, "list", f"--project={to.project}", "--format=value(locationId)")
        if offered and to.region not in offered:
            raise Problem(
                "region",
                f"{to.region} does not offer all that is needed: gcloud {' '.join(command)} list",
                f"Take another region in infra/terraform.tfvars: {', '.join(offered)}",
            )
    return f"{to.region} offers all that is needed"


def quotas(to: Install) -> str:
    """Check that the region's quotas suffice for the size."""
    size, short = str(to.values["size"]), []
    for need in needs(size, gpu=bool(values.GPU.search(to.text)), job=not values.NO_JOB.search(to.text)):
        quota = (f"--service={need.service}", f"--project={to.project}")
        describe = ("beta", "quotas", "info", "describe", need.quota, *quota)
        value = allowed(to.asked(*describe, absent=HIDDEN), to.region)
        amount = f"{need.amount:,} {need.unit}"
        if value is None:
            print(f"  {need.what}: the quota {need.quota} could not be read; {amount} are needed")
        elif 0 <= value < need.amount and need.unit == "GPUs":
            # A region's first GPU is said to bring a quota by itself.
            print(f"  {need.what}: the quota is {value}. If they are refused: docs/operations.md")
        elif 0 <= value < need.amount:
            more = f"{' '.join(quota)} --quota-id={need.quota} --preferred-value={need.amount}"
            short.append(
                f"{need.what}: {value:,} of {amount}. Ask for more:\n"
                f"    gcloud beta quotas preferences create {more} \\\n"
                f"      --dimensions=region={to.region} --email={to.account}"
            )
    if short:
        raise Problem(
            "quota",
            f"Quotas in {to.region} do not suffice for size = {size}:\n  " + "\n  ".join(short),
            f"Or on {CONSOLE}/iam-admin/quotas?project={to.project}. Google answers within two days; a "
            "smaller size or another region needs no waiting.",
        )
    return f"suffice for size = {size}"


def allowed(info: dict[str, Any], where: str) -> int | None:
    """Return a quota's value in a region, -1 where it is unlimited, and None where it is not said.

    Args:
        info: a QuotaInfo, whose dimensions come the more specific first:
            https://cloud.google.com/docs/quotas/reference/rest/v1/projects.locations.services.quotaInfos
        where: the region.
    """
    for entry in info.get("dimensionsInfos", ()):
        named = entry.get("dimensions", {}).get("region")
        if named == where or (named is None and where in entry.get("applicableLocations", [where])):
            return int(entry.get("details", {}).get("value", 0))
    return None
