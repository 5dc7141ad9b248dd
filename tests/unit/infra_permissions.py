"""Which of Google's permissions does each program need, on what, and for which call?

A *site* is a definition of the top level that calls one of Google's clients. `SITES` has a row for each: a
call of a new kind needs a new row, with the permissions that Google's reference names for the method. Which
sites a program comes to is read from the source (`tests.unit.reachability`), and so are the topics it
publishes to and the secrets it reads. What no client of ours calls (gcloud, Cloud Build, Pub/Sub, Terraform)
stands in tables of its own.

Sources, below https://cloud.google.com: storage/docs/access-control/iam-json, pubsub/docs/access-control,
firestore/docs/security/iam, run/docs/reference/iam/permissions, secret-manager/docs/access-control.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

from tests.unit.reachability import Source

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("functions", "shared", "long_job", "training", "model_export", "deploy")
SOURCE = Source(ROOT, FOLDERS)
FUNCTIONS = ("ingest", "analyze", "api", "console", "sweep", "digest", "deadletter")
STARTS = {name: f"functions.{name}.main" for name in FUNCTIONS} | {
    "long-job": "long_job.main",
    "builder": "deploy.__main__",
}
Needs = dict[str, set[str]]
"""Permissions by what they are on: `bucket work`, `account headrace-pusher`, `database`, `project`."""

UPLOADS, WORK, RESULTS, MODELS = (f"bucket {name}" for name in ("uploads", "work", "results", "models"))
OBJECTS = {verb: f"storage.objects.{verb}" for verb in ("get", "list", "create", "delete")}
GET, LIST, CREATE, DELETE = OBJECTS.values()
WRITE = f"{CREATE} {DELETE}"
"""To write an object that may be there already."""

SITES: dict[str, dict[str, str]] = {
    "functions.console.session:_verified_once": {},  # checks a signature
    "shared.api.erasing:_kept_by_bucket": dict.fromkeys((UPLOADS, WORK, RESULTS), "storage.buckets.get"),
    "shared.api.erasing:_versions": {UPLOADS: LIST},
    "shared.api.erasing:delete_versions": {UPLOADS: DELETE},
    "shared.digests.store:write_files": {RESULTS: WRITE},
    "shared.digests.store:read_file": {RESULTS: GET},
    "shared.documents.artefacts:_rewrite": {WORK: f"{GET} {WRITE}"},
    "shared.documents.artefacts:exist": {WORK: GET},
    "shared.documents.artefacts:of_runs": {WORK: LIST},
    "shared.documents.artefacts:delete": {WORK: DELETE},
    "shared.documents.artefacts:_upload": {WORK: WRITE},
    "shared.documents.artefacts:read_slices": {WORK: GET},
    "shared.documents.artefacts:_read_ranges": {WORK: GET},
    "shared.documents.delegation:run_job": {
        "job long-job": "run.jobs.run run.jobs.runWithOverrides",
        "account headrace-long-job": "iam.serviceAccounts.actAs",  # infra/access.tf says why
    },
    "shared.documents.delegation:has_not_ended": {"job long-job": "run.executions.get"},
    "shared.intake.archives:Archive": {UPLOADS: LIST},
    "shared.intake.archives:_delete": {UPLOADS: DELETE},
    "shared.intake.archives:_store": {UPLOADS: f"{WRITE} {GET}"},
    "shared.intake.fetch:download": {UPLOADS: GET},
    "shared.intake.pages:_kept": {WORK: f"{GET} {WRITE}"},
    "shared.intake.reconciliation:lost": {UPLOADS: LIST},
    "shared.intake.uploads:begin_upload": {UPLOADS: WRITE},
    "shared.platform.clients:identity": {
        "service api": "run.routes.invoke"
    },  # the token is the account's own
    "shared.platform.clients:firestore_client": {
        "database": "datastore.databases.get datastore.entities.create datastore.entities.delete "
        "datastore.entities.get datastore.entities.list datastore.entities.update"
    },
    "shared.platform.clients:storage_client": {},  # its calls name the bucket
    "shared.platform.clients:secret": {},  # its callers name the secret
    "shared.platform.pubsub:publish": {},  # its callers name the topic
    "long_job.imports:uploads": {UPLOADS: LIST},  # another bucket's owner gives the right: infra/README.md
    "long_job.reader:Pages": {WORK: f"{GET} {LIST} {WRITE}"},
    "long_job.trainings:_stored": {MODELS: GET},
    "long_job.trainings:_store": {MODELS: WRITE},
    "training.data:listing": {UPLOADS: LIST},  # likewise
    "training.data:content": {UPLOADS: GET},
    "model_export.bucket:create": {MODELS: CREATE},
    "model_export.bucket:find": {MODELS: GET},
    "deploy.cloud:identity_token": {"account headrace-builder": "iam.serviceAccounts.getOpenIdToken"},
    "deploy.model:_whole": {MODELS: LIST},
    "deploy.record:Record": {WORK: WRITE},
    "deploy.record:read": {WORK: GET},
    "deploy.trial:clear": {WORK: f"{LIST} {DELETE}"},
    "deploy.trial:_ingest": {WORK: CREATE},
}

MADE = {"storage_client", "publisher", "secrets", "jobs", "executions", "blob", "_blob", "bucket"}
NAMED = {"blob", "bucket", "_bucket", "id_token"}
"""Clients and what they give: calls that return one, and names that the code has for one."""
NAVIGATION = {"blob", "bucket"}
"""Methods that ask Google nothing."""
OTHERS = {"shared.api.keys:KeyRing", "shared.api.ask:_allowed"}
"""Their buckets hold tokens, and are in memory."""

# What a build asks of Google by gcloud, which calls more than the names say: a deployment from sources stores
# them, starts a build as the account that is named, and makes a revision that acts as the function's.
# https://cloud.google.com/run/docs/deploying-source-code and /configuring/services/build-service-account
EACH = "service *"
GCLOUD: dict[tuple[str, ...], dict[str, str]] = {
    ("run", "services", "describe"): {EACH: "run.services.get"},
    ("run", "revisions", "describe"): {EACH: "run.revisions.get"},
    ("run", "jobs", "describe"): {"job long-job": "run.jobs.get"},
    ("run", "services", "update-traffic"): {EACH: "run.services.get run.services.update"},
    ("run", "jobs", "deploy"): {
        "job long-job": "run.jobs.get run.jobs.update",
        "account headrace-long-job": "iam.serviceAccounts.actAs",
    },
    ("run", "deploy"): {
        EACH: "run.services.get run.services.update",
        "account *": "iam.serviceAccounts.actAs",
        "account headrace-builder": "iam.serviceAccounts.actAs",
        "bucket run-sources": f"{CREATE} {GET}",
        "images": "artifactregistry.repositories.downloadArtifacts "
        "artifactregistry.repositories.uploadArtifacts",
        "project": "artifactregistry.repositories.get cloudbuild.builds.create cloudbuild.builds.get "
        "run.operations.get serviceusage.services.get serviceusage.services.use storage.buckets.get",
    },
    ("firestore", "indexes", "composite", "list"): {"database": "datastore.indexes.list"},
}
BUILD: dict[str, str] = {
    EACH: "run.routes.invoke",  # it tries what it deploys
    "images": "artifactregistry.repositories.uploadArtifacts artifactregistry.tags.create "
    "artifactregistry.tags.update artifactregistry.tags.delete artifactregistry.versions.delete",
    "bucket work": f"{CREATE} storage.buckets.get",  # the bill of materials
    "bucket run-sources": GET,
    "project": "logging.logEntries.create",
}
"""What cloudbuild.yaml asks for beside: images, logs, artifacts, and calls of what was deployed."""

PUSHED = ("ingest", "analyze", "sweep", "digest", "deadletter")
BY_GOOGLE: dict[str, dict[str, str]] = {
    # https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
    "pusher": {f"service {name}": "run.routes.invoke" for name in PUSHED},
    # https://cloud.google.com/pubsub/docs/handling-failures, https://cloud.google.com/pubsub/docs/create-bigquery-subscription
    "pubsub": {
        "topic dead-letters": "pubsub.topics.publish",
        "table results": "bigquery.tables.get bigquery.tables.updateData",
        "account headrace-pusher": "iam.serviceAccounts.getOpenIdToken",
    }
    | {f"subscription {name}": "pubsub.subscriptions.consume" for name in PUSHED if name != "deadletter"},
    # https://cloud.google.com/storage/docs/reporting-changes
    "storage": {"topic uploads": "pubsub.topics.publish"},
}
"""What calls in the name of an account that no program of ours has: a push, and Google's own agents."""

# Whoever installs: what the provider calls for each resource of a plain installation, to make, change and
# destroy it.
_POLICY = "{0}.getIamPolicy {0}.setIamPolicy"
_ALL = "{0}.create {0}.delete {0}.get {0}.update"
INSTALLS: dict[str, str] = {
    "google_artifact_registry_repository": _ALL.format("artifactregistry.repositories"),
    "google_artifact_registry_repository_iam_member": _POLICY.format("artifactregistry.repositories"),
    "google_bigquery_dataset": _ALL.format("bigquery.datasets"),
    "google_bigquery_table": f"{_ALL.format('bigquery.tables')} bigquery.tables.getData",  # of views
    "google_bigquery_table_iam_member": _POLICY.format("bigquery.tables"),
    "google_cloud_run_v2_job": f"{_ALL.format('run.jobs')} run.operations.get iam.serviceAccounts.actAs",
    "google_cloud_run_v2_job_iam_member": _POLICY.format("run.jobs"),
    # https://cloud.google.com/run/docs/authenticating/public: to switch the check of callers off
    "google_cloud_run_v2_service": f"{_ALL.format('run.services')} run.services.setIamPolicy "
    "run.operations.get iam.serviceAccounts.actAs",
    "google_cloud_run_v2_service_iam_member": _POLICY.format("run.services"),
    "google_cloud_scheduler_job": _ALL.format("cloudscheduler.jobs"),
    "google_firestore_database": "datastore.databases.create datastore.databases.delete "
    "datastore.databases.getMetadata datastore.databases.update datastore.operations.get",
    "google_firestore_field": "datastore.indexes.get datastore.indexes.update datastore.operations.get",
    "google_firestore_index": "datastore.indexes.create datastore.indexes.delete datastore.indexes.get",
    "google_logging_metric": _ALL.format("logging.logMetrics"),
    "google_monitoring_alert_policy": _ALL.format("monitoring.alertPolicies"),
    "google_monitoring_dashboard": _ALL.format("monitoring.dashboards"),
    "google_project_iam_member": _POLICY.format("resourcemanager.projects"),
    "google_project_service": "serviceusage.services.enable serviceusage.services.get "
    "serviceusage.services.list",
    "google_pubsub_subscription": f"{_ALL.format('pubsub.subscriptions')} pubsub.topics.attachSubscription "
    "iam.serviceAccounts.actAs",
    "google_pubsub_subscription_iam_member": _POLICY.format("pubsub.subscriptions"),
    "google_pubsub_topic": _ALL.format("pubsub.topics"),
    "google_pubsub_topic_iam_member": _POLICY.format("pubsub.topics"),
    "google_secret_manager_secret": _ALL.format("secretmanager.secrets"),
    "google_secret_manager_secret_iam_member": _POLICY.format("secretmanager.secrets"),
    "google_service_account": _ALL.format("iam.serviceAccounts"),
    "google_service_account_iam_member": _POLICY.format("iam.serviceAccounts"),
    "google_storage_bucket": f"{_ALL.format('storage.buckets')} {LIST} {DELETE}",  # emptied, to be destroyed
    "google_storage_bucket_iam_member": _POLICY.format("storage.buckets"),
    "google_storage_notification": "storage.buckets.get storage.buckets.update pubsub.topics.getIamPolicy",
}
SCRIPT = (
    "resourcemanager.projects.get serviceusage.services.enable serviceusage.services.use "
    "serviceusage.quotas.get "
    "secretmanager.versions.add secretmanager.versions.list storage.buckets.create "
    "cloudbuild.builds.create cloudbuild.builds.get cloudbuild.builds.list "
    f"run.services.list run.revisions.list {CREATE} {GET} datastore.entities.get "
    "datastore.entities.list pubsub.subscriptions.get"
)
"""What deploy/install asks for beside Terraform: values of secrets, a build, a first file, and the doctor."""
INSTALLER = (
    "artifactregistry.admin",
    "bigquery.dataOwner",
    "cloudbuild.builds.editor",
    "cloudscheduler.admin",
    "datastore.owner",
    "iam.serviceAccountAdmin",
    "iam.serviceAccountUser",
    "logging.configWriter",
    "monitoring.editor",
    "pubsub.admin",
    "resourcemanager.projectIamAdmin",
    "run.admin",
    "secretmanager.admin",
    "serviceusage.serviceUsageAdmin",
    "storage.admin",
)
"""Roles that suffice to install, for who may not be the project's owner: docs/security.md has them."""


Calls = dict[str, dict[str, set[str]]]
"""By what they are on, permissions with the calls that need them."""


def add(calls: Calls, where: str, rows: dict[str, str]) -> None:
    """Add rows, those for every service or account to each of them."""
    every = {"service": FUNCTIONS, "account": [f"headrace-{each}" for each in (*FUNCTIONS, "long-job")]}
    for on, permissions in rows.items():
        kind, _, name = on.partition(" ")
        for each in every[kind] if name == "*" else [name]:
            for permission in permissions.split():
                calls.setdefault(f"{kind} {each}".strip(), {}).setdefault(permission, set()).add(where)


@lru_cache(maxsize=16)
def calls(program: str) -> Calls:
    """What a program calls: at the sites it comes to, and what calls in its name."""
    found: Calls = {}
    for module, name in SOURCE.definitions(STARTS[program]) if program in STARTS else ():
        for row in sites().get(f"{module}:{name}", ()):
            add(found, f"`{module}.{name}`", row)
    add(found, "Google, in its name", BY_GOOGLE.get(program, {}))
    if program == "builder":
        for command, row in GCLOUD.items():
            add(found, f"`gcloud {' '.join(command)}`", row)
        add(found, "`cloudbuild.yaml`", BUILD)
    return found


def needed(program: str) -> Needs:
    """The permissions that a program needs."""
    return {on: set(permissions) for on, permissions in calls(program).items()}


def page() -> str:
    """docs/permissions.md."""
    lines = [PAGE]
    for program in (*STARTS, *BY_GOOGLE):
        title = (
            f"Google's agent of {program}" if program in {"pubsub", "storage"} else f"`headrace-{program}`"
        )
        together: dict[tuple[str, str], list[str]] = defaultdict(list)
        for on, permissions in sorted(calls(program).items()):
            for where in sorted(set.union(*permissions.values())):
                asked = ", ".join(f"`{name}`" for name in sorted(permissions) if where in permissions[name])
                together[where, asked].append(on)
        rows = sorted((_listed(on), where, asked) for (where, asked), on in together.items())
        lines += [f"## {title}", "", "| On | Called in | Permissions |", "| --- | --- | --- |"]
        lines += [*(f"| {' | '.join(row)} |" for row in rows), ""]
    lines += ["## Whoever installs, changes and destroys", "", "| To make | Permissions |", "| --- | --- |"]
    made = {kind.removeprefix("google_"): row for kind, row in INSTALLS.items()} | {"beside": SCRIPT}
    lines += [
        f"| `{kind}` | {', '.join(f'`{each}`' for each in sorted(row.split()))} |"
        for kind, row in made.items()
    ]
    return "\n".join([*lines, ""])


def _listed(on: list[str]) -> str:
    kinds: dict[str, list[str]] = defaultdict(list)
    for each in on:
        kind, _, name = each.partition(" ")
        kinds[kind].append(name)
    return "; ".join(f"{kind} {', '.join(names)}".strip() for kind, names in kinds.items())


PAGE = """# Permissions

Which of Google's permissions each program needs, on what, and which call needs it. `make docs` writes this
page from the source (`tests/unit/infra_permissions.py`). A test holds it against the roles that `infra/`
gives ([security.md](security.md#identities)): nothing lacks, and where a role gives more, the test says why.
What a role consists of is Google's, and changes: `tests/data/roles.json` is of one day. Nothing of this was
tried in a project.
"""


@lru_cache(maxsize=1)
def sites() -> dict[str, list[dict[str, str]]]:
    """Every site with its rows, from the table and from the topics and secrets that it names."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for site, top in _definitions():
        for node in ast.walk(top):
            if isinstance(node, ast.Call):
                found[site] += _rows(site, node)
    return {site: rows for site, rows in found.items() if rows}


@lru_cache(maxsize=1)
def _definitions() -> list[tuple[str, ast.stmt]]:
    return [
        (f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}:{getattr(top, 'name', '')}", top)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "installing" not in path.parts  # whoever installs has rights of their own
        for top in ast.parse(path.read_text("utf-8")).body
    ]


def _rows(site: str, call: ast.Call) -> list[dict[str, str]]:
    name = _name(call.func)
    first = call.args[0] if call.args else None
    if name in {"publish", "publish_record"} and isinstance(first, ast.Name) and first.id.isupper():
        return [{f"topic {first.id.lower().replace('_', '-')}": "pubsub.topics.publish"}]
    if name == "secret" and isinstance(first, ast.Attribute) and _name(first.value) == "settings":
        return [{f"secret {first.attr.replace('_', '-')}": "secretmanager.versions.access"}]
    asks = isinstance(call.func, ast.Attribute) and (
        (
            _name(call.func.value) in (MADE if isinstance(call.func.value, ast.Call) else NAMED)
            and call.func.attr not in NAVIGATION
        )
        or call.func.attr == "rewrite"
    )
    # A client that is handed on, as Firestore's is, needs what all its calls do.
    makes = name == "Client" or name.endswith("Client")
    if site in OTHERS or not (asks or makes):
        return []
    assert site in SITES, f"{site} calls {ast.unparse(call.func)}: what does it need?"
    return [SITES[site]]


def _name(node: ast.expr) -> str:
    """The last name of what is called or used: `blob` of `self.bucket.blob(…)`, `jobs` of `jobs()`."""
    if isinstance(node, ast.Call):
        return _name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def gcloud_commands() -> set[tuple[str, ...]]:
    """The gcloud commands that a deployment runs, as far as they are words."""
    found: set[tuple[str, ...]] = set()
    for site, top in _definitions():
        if not site.startswith("deploy."):
            continue
        tuples = {
            node.targets[0].id: node.value.elts
            for node in ast.walk(top)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Tuple)
        }
        for node in ast.walk(top):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if _name(node.func) == "described" and isinstance(node.args[0], ast.Constant):
                found.add(("run", str(node.args[0].value), "describe"))
            elif _name(node.func) == "gcloud" and not site.endswith(":described"):
                words: list[str] = []
                for each in node.args:
                    parts = (
                        tuples[each.value.id]
                        if isinstance(each, ast.Starred)
                        and isinstance(each.value, ast.Name)
                        and each.value.id in tuples
                        else [each]
                    )
                    words += [str(part.value) if isinstance(part, ast.Constant) else "--" for part in parts]
                end = next((at for at, word in enumerate(words) if not word[:1].isalpha()), len(words))
                if end:
                    found.add(tuple(words[:end]))
    return found


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - for `make docs`
