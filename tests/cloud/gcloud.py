"""`gcloud` for an installation on this machine: the commands that the installer runs, on the project of `state`.

A command or a flag that is not in tests/data/gcloud_flags.json is refused, as gcloud refuses what it does not
know; so is a form of output that is not `json`, `value(...)` or `none`. What is printed has the fields that
are read, in the forms of gcloud's reference. Not known, and so as strict as it may be: most questions of
gcloud are billed to a project of Google's, and would be answered before the API is enabled in the project;
here only those about projects and services are.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.cloud import builds, resources
from tests.cloud.calls import begin, end
from tests.cloud.state import FREE, NUMBER, Cloud, Refused, changing

if TYPE_CHECKING:
    from collections.abc import Callable

FLAGS = json.loads((Path(__file__).resolve().parents[1] / "data" / "gcloud_flags.json").read_text())
REGIONS = ("europe-west1", "europe-west4", "us-central1")
AGENTS = {
    "artifactregistry.googleapis.com": "gcp-sa-artifactregistry",
    "cloudbuild.googleapis.com": "gcp-sa-cloudbuild",
    "cloudscheduler.googleapis.com": "gcp-sa-cloudscheduler",
    "firestore.googleapis.com": "gcp-sa-firestore",
    "iap.googleapis.com": "gcp-sa-iap",
    "pubsub.googleapis.com": "gcp-sa-pubsub",
    "run.googleapis.com": "serverless-robot-prod",
    "secretmanager.googleapis.com": "gcp-sa-secretmanager",
}
ANONYMOUS = ("auth list", "auth application-default print-access-token", "config get-value", "version")
"""Commands that ask Google nothing."""
Flags = dict[str, str]


class Call:
    """One command: its words, its flags and who calls."""

    def __init__(self, cloud: Cloud, command: str, words: list[str], flags: Flags) -> None:
        """As given on the command line."""
        self.cloud, self.command, self.words, self.flags = cloud, command, words, flags
        self.who = f"user:{cloud.state['account']}"

    def need(self, api: str, permission: str, resource: str = "") -> None:
        """Refuse where the project is not there, the API not on, or the caller may not."""
        self.need_project()
        self.cloud.need_api(f"{api}.googleapis.com")
        self.cloud.need_permission(self.who, permission, resource)

    def need_project(self) -> None:
        """Refuse a project that is not there, or not said."""
        given = self.flags.get("--project") or self.cloud.state.get("configured")
        if not given:
            raise Refused(0, "", "The required property [project] is not currently set.")
        if given != self.cloud.id:
            raise Refused(
                403,
                "",
                f"The caller does not have permission to access project {given}, or it may not exist.",
            )
        self.cloud.need_project()

    @property
    def location(self) -> str:
        """Region of what is asked for by one."""
        return f"projects/{self.cloud.id}/locations/{self.flags['--region']}"

    def bucket(self, permission: str) -> str:
        """The name of the bucket of the first URL, which must be one of this project's."""
        name = self.words[0].removeprefix("gs://").partition("/")[0]
        if name in self.cloud.state["taken"]:
            account = self.cloud.state["account"]
            raise Refused(
                403,
                "",
                f"HTTPError 403: {account} does not have {permission} access to the Google Cloud Storage bucket."
                f" Permission '{permission}' denied on resource (or it may not exist).",
            )
        self.cloud.need_permission(self.who, permission, name)
        if name not in self.cloud.resources("google_storage_bucket"):
            raise Refused(404, "", f"gs://{name} not found: 404.")
        return name


def version(_call: Call) -> Any:
    return {"Google Cloud SDK": "550.0.0", "beta": "2026.11.20", "core": "2026.11.20"}


def auth_list(call: Call) -> Any:
    account = call.cloud.state["account"]
    return [{"account": account, "status": "ACTIVE"}] if account else []


def access_token(call: Call) -> Any:
    if not call.cloud.state["adc"]:
        raise Refused(0, "", "Your default credentials were not found. To set up Application Default Credentials, see"
                             " https://cloud.google.com/docs/authentication/external/set-up-adc for more information.")  # fmt: skip
    return "ya29.token"


def config_get(call: Call) -> Any:
    return call.cloud.state.get("configured") or ""


def projects_describe(call: Call) -> Any:
    cloud = call.cloud
    if call.words[0] != cloud.id or not cloud.state["exists"]:
        raise Refused(
            403,
            "",
            f"[{cloud.state['account']}] does not have permission to access projects instance [{call.words[0]}] (or it"
            " may not exist): The caller does not have permission",
        )
    cloud.need_permission(call.who, "resourcemanager.projects.get")
    told = {"projectId": cloud.id, "projectNumber": NUMBER, "lifecycleState": "ACTIVE", "name": cloud.id}
    parent = {"parent": {"id": "98765", "type": "organization"}} if cloud.state["organised"] else {}
    return told | parent


def get_policy(call: Call) -> Any:
    projects_describe(call)
    call.cloud.need_permission(call.who, "resourcemanager.projects.getIamPolicy")
    bindings: dict[str, list[str]] = {}
    for role, member, _ in call.cloud.policy("project"):
        bindings.setdefault(role, []).append(member)
    return {
        "bindings": [{"members": members, "role": role} for role, members in bindings.items()],
        "version": 1,
    }


def add_binding(call: Call) -> Any:
    projects_describe(call)
    call.cloud.need_permission(call.who, "resourcemanager.projects.setIamPolicy")
    if call.flags.get("--condition") != "None":
        # With --quiet gcloud refuses to choose where the policy has bindings with conditions.
        raise Refused(
            0,
            "",
            "Adding a binding without specifying a condition to a policy containing conditions is prohibited in non-interactive mode.",
        )
    call.cloud.grant("project", call.flags["--role"], call.flags["--member"])
    return get_policy(call)


def services_list(call: Call) -> Any:
    call.need_project()
    call.cloud.need_permission(call.who, "serviceusage.services.list")
    return [{"config": {"name": name}, "state": "ENABLED"} for name in sorted(call.cloud.state["apis"])]


def services_enable(call: Call) -> Any:
    call.need_project()
    call.cloud.need_permission(call.who, "serviceusage.services.enable")
    if len(call.words) > 20:
        raise Refused(400, "", "A maximum of 20 services can be enabled in one batch.")
    if any(word not in FREE for word in call.words):
        call.cloud.need_billing()
    for word in call.words:
        call.cloud.enable(word)
    return None


def identity_create(call: Call) -> Any:
    call.need_project()
    service = call.flags["--service"]
    call.cloud.need_permission(call.who, "serviceusage.services.enable")
    if service not in AGENTS:
        raise Refused(400, "", f"Service identity is not supported for {service}.")
    email = f"service-{NUMBER}@{AGENTS[service]}.iam.gserviceaccount.com"
    call.cloud.make_agent(email)
    return {"email": email}


def billing(call: Call) -> Any:
    call.flags.setdefault("--project", call.words[0])
    call.need("cloudbilling", "resourcemanager.projects.get")
    account = call.cloud.state["billing"]
    name = f"billingAccounts/{account}" if account else ""
    return {"billingAccountName": name, "billingEnabled": bool(account), "projectId": call.cloud.id}


def run_regions(call: Call) -> Any:
    call.need("run", "run.locations.list")
    return [{"locationId": region} for region in REGIONS]


def firestore_locations(call: Call) -> Any:
    call.need("firestore", "datastore.locations.list")
    return [{"locationId": region} for region in REGIONS]


def indexes(call: Call) -> Any:
    call.need("firestore", "datastore.indexes.list")
    found = call.cloud.resources("google_firestore_index").values()
    return [{"name": one["name"], "fields": _fields(one), "state": one["state"]} for one in found]


def _fields(index: dict[str, Any]) -> list[dict[str, Any]]:
    names = {"field_path": "fieldPath", "order": "order", "array_config": "arrayConfig"}
    shown = []
    for each in index["fields"]:
        field = {names[name]: each[name] for name in names if each.get(name)}
        if each.get("vector_config"):
            field["vectorConfig"] = {"dimension": each["vector_config"][0]["dimension"], "flat": {}}
        shown.append(field)
    return shown


def scheduler_locations(call: Call) -> Any:
    call.need("cloudscheduler", "cloudscheduler.locations.list")
    return [{"locationId": region} for region in REGIONS]


def quota(call: Call) -> Any:
    call.need("cloudquotas", "cloudquotas.quotas.get")
    name = call.words[0]
    if name not in call.cloud.state["quotas"]:
        raise Refused(
            404, "NOT_FOUND", f"NOT_FOUND: Quota {name} of {call.flags['--service']} was not found."
        )
    value = str(call.cloud.state["quotas"][name])
    everywhere = {"applicableLocations": list(REGIONS), "details": {"value": value}}
    return {
        "dimensions": ["region"],
        "dimensionsInfos": [everywhere],
        "quotaId": name,
        "service": call.flags["--service"],
    }


def buckets_create(call: Call) -> Any:
    call.need("storage", "storage.buckets.create")
    name = call.words[0].removeprefix("gs://")
    values = {"name": name, "location": call.flags["--location"], "project": call.cloud.id}
    resources.create(call.cloud, call.who, "google_storage_bucket", values)
    return None


def buckets_describe(call: Call) -> Any:
    found = call.cloud.resources("google_storage_bucket")[call.bucket("storage.buckets.get")]
    return {
        "name": found["name"],
        "location": str(found["location"]).upper(),
        "versioning_enabled": bool(found.get("versioned")),
        "storage_url": f"gs://{found['name']}/",
    }


def buckets_update(call: Call) -> Any:
    call.cloud.resources("google_storage_bucket")[call.bucket("storage.buckets.update")]["versioned"] = True
    return None


def _objects(call: Call, permission: str) -> dict[str, str]:
    found: dict[str, str] = call.cloud.state["objects"].get(call.bucket(permission), {})
    return found


def copy(call: Call) -> Any:
    source = Path(call.words.pop(0)).read_text()
    bucket = call.cloud.state["objects"].setdefault(call.bucket("storage.objects.create"), {})
    bucket[call.words[0].removeprefix("gs://").partition("/")[2]] = source
    return None


def cat(call: Call) -> Any:
    name = call.words[0].removeprefix("gs://").partition("/")[2]
    found = _objects(call, "storage.objects.get").get(name)
    if found is None:
        raise Refused(0, "", f"The following URLs matched no objects or files:\n-{call.words[0]}")
    return found


def listed(call: Call) -> Any:
    found = _objects(call, "storage.objects.list")
    if not found:
        raise Refused(0, "", "One or more URLs matched no objects.")
    bucket = call.words[0].removeprefix("gs://").partition("/")[0]
    lines = [f"{len(what):>10}  2026-12-01T12:00:00Z  gs://{bucket}/{name}" for name, what in found.items()]
    total = sum(len(what) for what in found.values())
    return "\n".join([*lines, f"TOTAL: {len(found)} objects, {total} bytes ({total}B)"])


def remove(call: Call) -> Any:
    name = call.bucket("storage.buckets.delete")
    call.cloud.state["objects"].pop(name, None)
    call.cloud.resources("google_storage_bucket").pop(name)
    return None


def _need_secret(call: Call) -> None:
    name = call.words[0]
    if f"projects/{call.cloud.id}/secrets/{name}" not in call.cloud.resources("google_secret_manager_secret"):
        raise Refused(404, "NOT_FOUND", f"NOT_FOUND: Secret [projects/{NUMBER}/secrets/{name}] not found.")


def secret_versions(call: Call) -> Any:
    call.need("secretmanager", "secretmanager.versions.list")
    _need_secret(call)
    return call.cloud.state["secrets"].get(call.words[0], [])[::-1]


def add_version(call: Call) -> Any:
    import hashlib  # takes as long as all else, and is wanted here alone

    call.need("secretmanager", "secretmanager.versions.add")
    if call.flags.get("--data-file") != "-":
        raise Refused(0, "", "This stand-in reads a value from its standard input alone.")
    value = sys.stdin.buffer.read()
    if not value:
        raise Refused(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT: The secret payload must not be empty.")
    _need_secret(call)
    versions = call.cloud.state["secrets"].setdefault(call.words[0], [])
    name = f"projects/{NUMBER}/secrets/{call.words[0]}/versions/{len(versions) + 1}"
    versions.append({"name": name, "state": "ENABLED", "sha256": hashlib.sha256(value).hexdigest()})
    return {"name": name, "state": "ENABLED"}


def services(call: Call) -> Any:
    call.need("run", "run.services.list")
    found = call.cloud.resources("google_cloud_run_v2_service")
    return [_service(one) for name, one in found.items() if name.startswith(call.location)]


def _service(values: dict[str, Any]) -> Any:
    return {
        "metadata": {"name": values["name"], "labels": values["revisions"][-1]["labels"]},
        "status": {
            "latestCreatedRevisionName": values["revisions"][-1]["name"],
            "latestReadyRevisionName": values["revisions"][-1]["name"],
            "traffic": [{"percent": 100, "revisionName": values["serving"]}],
            "url": values["uri"],
        },
    }


def revisions(call: Call) -> Any:
    call.need("run", "run.revisions.list")
    return [
        {
            "metadata": {
                "name": one["name"],
                "labels": one["labels"] | {"serving.knative.dev/service": values["name"]},
            },
            "spec": {"containers": [{"image": one["image"]}]},
        }
        for name, values in call.cloud.resources("google_cloud_run_v2_service").items()
        if name.startswith(call.location)
        for one in values["revisions"]
    ]


def submit(call: Call) -> Any:
    call.need("cloudbuild", "cloudbuild.builds.create")
    return builds.submit(call.cloud, call.who, Path.cwd(), call.flags)


def builds_list(call: Call) -> Any:
    call.need("cloudbuild", "cloudbuild.builds.list")
    if call.flags.get("--filter", "tags:headrace") != "tags:headrace":
        raise Refused(0, "", "This stand-in filters builds by their tag alone.")
    found = call.cloud.state["builds"]
    return [builds.shown(one) for one in found if "--ongoing" not in call.flags or not builds.ended(one)]


def builds_describe(call: Call) -> Any:
    call.need("cloudbuild", "cloudbuild.builds.get")
    return builds.shown(builds.going_on(call.cloud, call.words[0]))


COMMANDS: dict[str, Callable[[Call], Any]] = {
    "auth application-default print-access-token": access_token,
    "auth list": auth_list,
    "beta quotas info describe": quota,
    "beta services identity create": identity_create,
    "billing projects describe": billing,
    "builds describe": builds_describe,
    "builds list": builds_list,
    "builds submit": submit,
    "config get-value": config_get,
    "firestore indexes composite list": indexes,
    "firestore locations list": firestore_locations,
    "projects add-iam-policy-binding": add_binding,
    "projects describe": projects_describe,
    "projects get-iam-policy": get_policy,
    "run regions list": run_regions,
    "run revisions list": revisions,
    "run services list": services,
    "scheduler locations list": scheduler_locations,
    "secrets versions add": add_version,
    "secrets versions list": secret_versions,
    "services enable": services_enable,
    "services list": services_list,
    "storage buckets create": buckets_create,
    "storage buckets describe": buckets_describe,
    "storage buckets update": buckets_update,
    "storage cat": cat,
    "storage cp": copy,
    "storage ls": listed,
    "storage rm": remove,
    "version": version,
}


def parsed(arguments: list[str]) -> tuple[str, list[str], Flags]:
    """The command, its words and flags, all of which gcloud must have."""
    words = [argument for argument in arguments if not argument.startswith("--")]
    command = next(
        (
            name
            for name in sorted(COMMANDS, key=len, reverse=True)
            if words[: len(name.split())] == name.split()
        ),
        None,
    )
    if command is None:
        raise Refused(2, "", f"Invalid choice: {' '.join(words[:3])!r}.")
    flags = dict(argument.partition("=")[::2] for argument in arguments if argument.startswith("--"))
    known = {*FLAGS["commands"][command], *FLAGS["wide"]}
    if command.endswith(" list") or command == "projects get-iam-policy":
        known |= set(FLAGS["lists"])
    for flag, value in flags.items():
        if flag not in known:
            raise Refused(2, "", f"unrecognized arguments: {flag}")
        if not value and flag not in FLAGS["switches"]:
            raise Refused(2, "", f"argument {flag}: expected one argument")
    for flag in FLAGS["required"].get(command, []):
        if flag not in flags:
            raise Refused(2, "", f"argument {flag}: Must be specified.")
    return command, words[len(command.split()) :], flags


def rendered(answer: Any, form: str) -> str:
    """What is printed of an answer."""
    if answer is None or form == "none":
        return ""
    if isinstance(answer, str):
        return answer + "\n"
    if form == "json":
        return json.dumps(answer, indent=2) + "\n"
    if found := re.fullmatch(r"value\(([\w.]+)\)", form):
        rows = answer if isinstance(answer, list) else [answer]
        return "".join(f"{_at(row, found[1])}\n" for row in rows)
    if not form:
        return ""  # for a person
    raise Refused(2, "", f"This stand-in prints no --format={form}")


def _at(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = row[name]
    return row


def answered(path: Path, arguments: list[str]) -> str:
    """What a command prints."""
    command, words, flags = parsed(arguments)
    with changing(path) as cloud:
        if not cloud.state["account"] and command not in ANONYMOUS:
            raise Refused(
                1,
                "",
                "You do not currently have an active account selected.\nPlease run:\n\n  $ gcloud auth login",
            )
        return rendered(COMMANDS[command](Call(cloud, command, words, flags)), flags.get("--format", ""))


def main(path: Path, arguments: list[str]) -> int:
    """Run a command; its exit status, 2 where gcloud does not know what is asked."""
    before = begin(path, ["gcloud", *arguments])
    status = 0
    try:
        sys.stdout.write(answered(path, arguments))
        sys.stdout.flush()
    except Refused as refused:
        where = ".".join(word for word in arguments if re.fullmatch(r"[a-z][a-z-]+", word))
        sys.stderr.write(f"ERROR: (gcloud.{where}) {refused.message}\n")
        status = 2 if refused.code == 2 else 1
    end(path, before)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(os.environ["CLOUD_STATE"]), sys.argv[1:]))
