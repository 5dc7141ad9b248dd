"""What Google makes of Terraform's resources: where each belongs, what it answers, and what it refuses.

A row of `KINDS` says which API a resource is made by, which permission that takes, what its id is and which
computed values it has, in the provider's own forms (registry.terraform.io/providers/hashicorp/google, 8.7).
What is not written down there is left as null. Not known, and here as strict as it may be: whether Cloud Run
adds up what all services may take (it is held against the quota revision by revision), and which agents come
by themselves (only those of Cloud Run and Cloud Build do).
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.cloud.state import NUMBER, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cloud.state import Cloud

Values = dict[str, Any]
LOCATED = "projects/{project}/locations/{location}"


class Kind(NamedTuple):
    """A type of resource. Forms are filled with the resource's own values, `number` and `hash`."""

    api: str
    permission: str
    """Without its last word, as `storage.buckets`."""
    id: str
    computed: Mapping[str, str] = {}
    extra: Mapping[str, Any] = {}
    """Computed values that are the same for all, or no strings."""


class Grant(NamedTuple):
    """A type of binding: on which resource."""

    api: str
    permission: str
    resource: str
    """A form for the id of what the policy belongs to."""


_COMPUTE = "projects/{project}/global"
_SELF = "https://www.googleapis.com/compute/v1/"


def _compute(kind: str, where: str = _COMPUTE, **computed: str) -> Kind:
    link = {"self_link": f"{_SELF}{where}/{kind}/{{name}}"}
    return Kind("compute.googleapis.com", f"compute.{kind}", f"{where}/{kind}/{{name}}", link | computed)


KINDS = {
    "google_artifact_registry_repository": Kind(
        "artifactregistry.googleapis.com",
        "artifactregistry.repositories",
        LOCATED + "/repositories/{repository_id}",
        {"name": "{repository_id}", "registry_uri": "{location}-docker.pkg.dev/{project}/{repository_id}"},
    ),
    "google_bigquery_dataset": Kind(
        "bigquery.googleapis.com",
        "bigquery.datasets",
        "projects/{project}/datasets/{dataset_id}",
    ),
    "google_bigquery_table": Kind(
        "bigquery.googleapis.com",
        "bigquery.tables",
        "projects/{project}/datasets/{dataset_id}/tables/{table_id}",
    ),
    "google_billing_budget": Kind(
        "billingbudgets.googleapis.com",
        "billing.budgets",
        "billingAccounts/{billing_account}/budgets/{hash}",
        {"name": "{hash}"},
    ),
    "google_cloud_run_v2_job": Kind(
        "run.googleapis.com",
        "run.jobs",
        LOCATED + "/jobs/{name}",
        {"uid": "{hash}"},
        {"reconciling": False},
    ),
    "google_cloud_run_v2_service": Kind(
        "run.googleapis.com",
        "run.services",
        LOCATED + "/services/{name}",
        {"uri": "https://{name}-{hash}-ew.a.run.app", "uid": "{hash}"},
        {"reconciling": False},
    ),
    "google_cloud_scheduler_job": Kind(
        "cloudscheduler.googleapis.com",
        "cloudscheduler.jobs",
        "projects/{project}/locations/{region}/jobs/{name}",
        {"state": "ENABLED"},
    ),
    "google_cloudbuild_trigger": Kind(
        "cloudbuild.googleapis.com",
        "cloudbuild.builds",
        LOCATED + "/triggers/{name}",
        {"trigger_id": "{hash}"},
    ),
    "google_compute_backend_service": _compute("backendServices"),
    "google_compute_firewall": _compute("firewalls"),
    "google_compute_global_address": _compute("addresses", address="203.0.113.7"),
    "google_compute_global_forwarding_rule": _compute("forwardingRules"),
    "google_compute_managed_ssl_certificate": _compute("sslCertificates"),
    "google_compute_network": _compute("networks"),
    "google_compute_region_network_endpoint_group": _compute(
        "networkEndpointGroups", "projects/{project}/regions/{region}"
    ),
    "google_compute_security_policy": _compute("securityPolicies"),
    "google_compute_ssl_policy": _compute("sslPolicies"),
    "google_compute_subnetwork": _compute("subnetworks", "projects/{project}/regions/{region}"),
    "google_compute_target_http_proxy": _compute("targetHttpProxies"),
    "google_compute_target_https_proxy": _compute("targetHttpsProxies"),
    "google_compute_url_map": _compute("urlMaps"),
    "google_dns_managed_zone": Kind(
        "dns.googleapis.com", "dns.managedZones", "projects/{project}/managedZones/{name}"
    ),
    "google_dns_record_set": Kind(
        "dns.googleapis.com",
        "dns.resourceRecordSets",
        "projects/{project}/managedZones/{managed_zone}/rrsets/{name}/{type}",
    ),
    "google_firestore_database": Kind(
        "firestore.googleapis.com",
        "datastore.databases",
        "projects/{project}/databases/{name}",
        {"uid": "{hash}"},
    ),
    "google_firestore_field": Kind(
        "firestore.googleapis.com",
        "datastore.indexes",
        "projects/{project}/databases/{database}/collectionGroups/{collection}/fields/{field}",
        {"name": "projects/{project}/databases/{database}/collectionGroups/{collection}/fields/{field}"},
    ),
    "google_firestore_index": Kind(
        "firestore.googleapis.com",
        "datastore.indexes",
        "projects/{project}/databases/{database}/collectionGroups/{collection}/indexes/{hash}",
        {"name": "projects/{project}/databases/{database}/collectionGroups/{collection}/indexes/{hash}"},
    ),
    "google_logging_metric": Kind("logging.googleapis.com", "logging.logMetrics", "{name}"),
    "google_monitoring_alert_policy": Kind(
        "monitoring.googleapis.com",
        "monitoring.alertPolicies",
        "projects/{project}/alertPolicies/{hash}",
        {"name": "projects/{project}/alertPolicies/{hash}"},
    ),
    "google_monitoring_dashboard": Kind(
        "monitoring.googleapis.com", "monitoring.dashboards", "projects/{number}/dashboards/{hash}"
    ),
    "google_monitoring_notification_channel": Kind(
        "monitoring.googleapis.com",
        "monitoring.notificationChannels",
        "projects/{project}/notificationChannels/{hash}",
        {"name": "projects/{project}/notificationChannels/{hash}"},
    ),
    "google_project_service": Kind(
        "serviceusage.googleapis.com", "serviceusage.services", "{project}/{service}"
    ),
    "google_pubsub_subscription": Kind(
        "pubsub.googleapis.com", "pubsub.subscriptions", "projects/{project}/subscriptions/{name}"
    ),
    "google_pubsub_topic": Kind("pubsub.googleapis.com", "pubsub.topics", "projects/{project}/topics/{name}"),
    "google_secret_manager_secret": Kind(
        "secretmanager.googleapis.com",
        "secretmanager.secrets",
        "projects/{project}/secrets/{secret_id}",
        {"name": "projects/{number}/secrets/{secret_id}"},
    ),
    "google_service_account": Kind(
        "iam.googleapis.com",
        "iam.serviceAccounts",
        "projects/{project}/serviceAccounts/{account_id}@{project}.iam.gserviceaccount.com",
        {
            "email": "{account_id}@{project}.iam.gserviceaccount.com",
            "member": "serviceAccount:{account_id}@{project}.iam.gserviceaccount.com",
            "name": "projects/{project}/serviceAccounts/{account_id}@{project}.iam.gserviceaccount.com",
            "unique_id": "1{hash}",
        },
    ),
    "google_storage_bucket": Kind(
        "storage.googleapis.com",
        "storage.buckets",
        "{name}",
        {"url": "gs://{name}", "self_link": "https://www.googleapis.com/storage/v1/b/{name}"},
        {"project_number": int(NUMBER)},
    ),
    "google_storage_notification": Kind(
        "storage.googleapis.com",
        "storage.buckets",
        "{bucket}/notificationConfigs/{hash}",
        {
            "notification_id": "{hash}",
            "self_link": "https://www.googleapis.com/storage/v1/b/{bucket}/notificationConfigs/{hash}",
        },
    ),
}

_SERVICE = LOCATED + "/services/{name}"
GRANTS = {
    "google_artifact_registry_repository_iam_member": Grant(
        "artifactregistry.googleapis.com",
        "artifactregistry.repositories",
        LOCATED + "/repositories/{repository}",
    ),
    "google_bigquery_table_iam_member": Grant(
        "bigquery.googleapis.com",
        "bigquery.tables",
        "projects/{project}/datasets/{dataset_id}/tables/{table_id}",
    ),
    "google_cloud_run_v2_job_iam_member": Grant("run.googleapis.com", "run.jobs", LOCATED + "/jobs/{name}"),
    "google_cloud_run_v2_service_iam_member": Grant("run.googleapis.com", "run.services", _SERVICE),
    "google_iap_web_cloud_run_service_iam_member": Grant(
        "iap.googleapis.com", "iap.webServices", LOCATED + "/iap/{cloud_run_service_name}"
    ),
    "google_kms_crypto_key_iam_member": Grant(
        "cloudkms.googleapis.com", "cloudkms.cryptoKeys", "{crypto_key_id}"
    ),
    "google_project_iam_member": Grant(
        "cloudresourcemanager.googleapis.com", "resourcemanager.projects", "project"
    ),
    "google_pubsub_subscription_iam_member": Grant(
        "pubsub.googleapis.com", "pubsub.subscriptions", "{subscription}"
    ),
    "google_pubsub_topic_iam_member": Grant("pubsub.googleapis.com", "pubsub.topics", "{topic}"),
    "google_secret_manager_secret_iam_member": Grant(
        "secretmanager.googleapis.com", "secretmanager.secrets", "{secret_id}"
    ),
    "google_service_account_iam_member": Grant(
        "iam.googleapis.com", "iam.serviceAccounts", "{service_account_id}"
    ),
    "google_storage_bucket_iam_member": Grant("storage.googleapis.com", "storage.buckets", "{bucket}"),
}

IDENTITY = {
    "account_id", "bucket", "collection", "database", "dataset_id", "field", "location", "location_id", "name",
    "project", "region", "repository_id", "role_id", "secret_id", "service", "table_id", "topic", "type",
}  # fmt: skip
"""Arguments that cannot change: another value is another resource."""
MADE_ANEW = {"google_firestore_index", "google_storage_notification", *GRANTS}
"""Types of which no argument can change."""
BUILT = {
    "image",
    "latest_created_revision",
    "latest_ready_revision",
    "revisions",
    "serving",
    "state",
    "traffic_tags",
}
"""What a build changes. Of it the provider tells Terraform only revisions' names, and here not even those."""
NAMED_BY_GOOGLE = {
    "google_billing_budget",
    "google_monitoring_alert_policy",
    "google_monitoring_dashboard",
    "google_monitoring_notification_channel",
    "google_storage_notification",
}
"""What is made twice where it is asked for twice."""
CHANGED_WHERE_THERE = {"google_firestore_field", "google_project_service"}
"""What is there or not is no matter: the provider changes it."""
VIRTUAL = {"deletion_protection", "deletion_policy", "force_destroy", "delete_contents_on_destroy"}
"""Arguments of the provider alone: they are in its state, and Google knows nothing of them."""
GUARDED = {
    "google_bigquery_table": "table",
    "google_cloud_run_v2_job": "job",
    "google_cloud_run_v2_service": "service",
    "google_secret_manager_secret": "secret",
}
"""What the provider does not destroy unless told: `deletion_protection` is true where nothing is said, but of a secret."""


def filled(form: str, values: Values, number: int = 1) -> str:
    """A form with a resource's values; `number` tells apart what is the same but for its name."""
    told = {name: value for name, value in values.items() if isinstance(value, str)}
    shown = str(number) + repr(
        sorted((name, repr(value)) for name, value in values.items() if value is not None)
    )
    return form.format_map(told | {"number": NUMBER, "hash": f"{zlib.crc32(shown.encode()):08}"})


def create(cloud: Cloud, who: str, kind: str, values: Values) -> Values:
    """Make a resource of the values that are known; what it consists of then."""
    row = KINDS.get(kind)
    if row is None:
        return _grant(cloud, who, kind, values)
    cloud.need_api(row.api)
    cloud.need_permission(who, f"{row.permission}.{_verb(kind)}")
    there = cloud.resources(kind)
    number = 1
    while kind in NAMED_BY_GOOGLE and filled(row.id, values, number) in there:
        number += 1
    made = {name: filled(form, values, number) for name, form in row.computed.items()} | dict(row.extra)
    made |= {name: value for name, value in values.items() if value is not None}
    made["id"] = filled(row.id, values, number)
    if check := _CREATE.get(kind):
        made |= check(cloud, made) or {}
    if made["id"] in there and kind not in CHANGED_WHERE_THERE:
        told = "index" if kind == "google_firestore_index" else f"Resource '{made['id']}'"
        raise Refused(409, "alreadyExists", f"{told} already exists")
    there[made["id"]] = made
    return made


def update(cloud: Cloud, who: str, kind: str, values: Values) -> Values:
    """Change a resource that is there to these values."""
    row = KINDS[kind]
    cloud.need_api(row.api)
    cloud.need_permission(who, f"{row.permission}.update")
    there = cloud.resources(kind)
    if check := _UPDATE.get(kind):
        values = values | (check(cloud, values) or {})
    # What Google has and Terraform knows nothing of stays, as a revision that a build deployed.
    there[values["id"]] = there[values["id"]] | values
    return there[values["id"]]


def delete(cloud: Cloud, who: str, kind: str, values: Values) -> None:
    """Remove a resource; what is not there is gone."""
    row = KINDS.get(kind)
    if row is None:
        grant = GRANTS[kind]
        cloud.need_api(grant.api)
        cloud.need_permission(who, f"{grant.permission}.setIamPolicy")
        cloud.revoke(filled(grant.resource, values), values["role"], values["member"], _title(values))
        return
    if (
        kind in GUARDED
        and values.get("deletion_protection") is not False
        and (kind != "google_secret_manager_secret" or values.get("deletion_protection"))
    ):
        advice = "without setting deletion_protection=false and running `terraform apply`"
        raise Refused(0, "", f"cannot destroy {GUARDED[kind]} {advice}")
    policy = values.get("deletion_policy")
    if policy == "PREVENT":
        raise Refused(0, "", f'cannot destroy {kind} without setting deletion_policy to "DELETE"')
    if policy == "ABANDON":
        return
    if kind == "google_project_service":
        if values.get("disable_on_destroy") is True:
            cloud.state["apis"].pop(values["service"], None)
        cloud.resources(kind).pop(values["id"], None)
        return
    cloud.need_api(row.api)
    cloud.need_permission(who, f"{row.permission}.{'update' if kind.endswith('notification') else 'delete'}")
    if values["id"] not in cloud.resources(kind):
        return
    if check := _DELETE.get(kind):
        check(cloud, values)
    cloud.resources(kind).pop(values["id"])
    cloud.state["policies"].pop(values["id"], None)


def read(cloud: Cloud, who: str, kind: str, values: Values) -> Values | None:
    """What is there of a resource that was made before; None: it is gone."""
    row = KINDS.get(kind)
    if row is None:
        grant = GRANTS[kind]
        cloud.need_api(grant.api)
        cloud.need_permission(who, f"{grant.permission}.getIamPolicy")
        bound = [values["role"], values["member"], _title(values)] in cloud.policy(
            filled(grant.resource, values)
        )
        return values if bound else None
    if kind == "google_project_service":
        return values if values["service"] in cloud.state["apis"] else None
    cloud.need_api(row.api)
    cloud.need_permission(who, f"{row.permission}.get")
    found = cloud.resources(kind).get(values["id"])
    return found and {**found, **{name: values.get(name) for name in VIRTUAL | BUILT if name in values}}


def data(cloud: Cloud, who: str, kind: str, values: Values) -> Values:
    """What a data source answers; two of them make the account that they are asked for."""
    cloud.need_project()
    if kind == "google_project":
        cloud.need_api("cloudresourcemanager.googleapis.com")
        cloud.need_permission(who, "resourcemanager.projects.get")
        answer = {"id": f"projects/{cloud.id}", "number": NUMBER, "name": cloud.id, "project_id": cloud.id}
        return values | answer | {"billing_account": cloud.state["billing"] or ""}
    if kind == "google_storage_project_service_account":
        cloud.need_api("storage.googleapis.com")
        cloud.need_permission(who, "storage.buckets.list")  # in fact resourcemanager.projects.get
        email = f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
        made = {"email_address": email}
    elif kind == "google_bigquery_default_service_account":
        cloud.need_api("bigquery.googleapis.com")
        cloud.need_permission(who, "bigquery.datasets.create")  # any right to start a job in the project
        email = f"bq-{NUMBER}@bigquery-encryption.iam.gserviceaccount.com"
        made = {"email": email}
    else:
        raise Refused(501, "", f"This stand-in knows no data source {kind}")
    cloud.make_agent(email)
    return values | made | {"id": email, "member": f"serviceAccount:{email}", "project": cloud.id}


def imported(cloud: Cloud, kind: str, identifier: str) -> Values:
    """What is found by an id as `terraform import` takes it: the resource's own, or a shorter one."""
    there = cloud.resources(kind)
    shorter = {"google_service_account": f"projects/{cloud.id}/serviceAccounts/{identifier}"}.get(
        kind, identifier
    )
    found = there.get(identifier) or there.get(shorter) or there.get(identifier.removeprefix(f"{cloud.id} "))
    if found is None:
        raise Refused(404, "notFound", f"Cannot import non-existent remote object {identifier}")
    return {name: one for name, one in found.items() if name not in VIRTUAL}


def _verb(kind: str) -> str:
    return {"google_project_service": "enable", "google_storage_notification": "update"}.get(kind, "create")


def _title(values: Values) -> str:
    [condition] = values.get("condition") or [{}]
    return str(condition.get("title", ""))


def _grant(cloud: Cloud, who: str, kind: str, values: Values) -> Values:
    grant = GRANTS[kind]
    cloud.need_api(grant.api)
    cloud.need_permission(who, f"{grant.permission}.setIamPolicy")
    resource = filled(grant.resource, values)
    cloud.grant(resource, values["role"], values["member"], _title(values))
    made = {name: value for name, value in values.items() if value is not None}
    return made | {"id": f"{resource}/{values['role']}/{values['member']}", "etag": "BwY"}


def _enable(cloud: Cloud, values: Values) -> None:
    cloud.enable(values["service"])


def _account(cloud: Cloud, values: Values) -> None:
    cloud.spread("account", values["email"])


def _bucket(cloud: Cloud, values: Values) -> None:
    cloud.need_billing()
    if values["name"] in cloud.state["taken"]:
        raise Refused(
            409,
            "conflict",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system."
            " Please select a different name and try again.",
        )
    if values["name"] in cloud.resources("google_storage_bucket"):
        raise Refused(
            409,
            "conflict",
            "Your previous request to create the named bucket succeeded and you already own it.",
        )


def _full(cloud: Cloud, values: Values) -> None:
    if not cloud.state["objects"].get(values["name"]):
        return
    if not values.get("force_destroy"):
        raise Refused(
            0,
            "",
            f"Error trying to delete bucket {values['name']} containing objects without `force_destroy` set to true",
        )
    cloud.state["objects"].pop(values["name"])
    if values["name"] in cloud.state["written_to"]:  # by a function that is still at work
        cloud.state["written_to"].remove(values["name"])
        cloud.state["objects"][values["name"]] = {"late": "…"}
        raise Refused(409, "conflict", "The bucket you tried to delete was not empty.")


def _database(cloud: Cloud, values: Values) -> None:
    if left := cloud.unknown("database", values["name"]):
        where = f"Database ID '{values['name']}' is not available in project '{cloud.id}'"
        raise Refused(409, "", f"{where}. Please retry in {left:.0f} seconds.")


def _drop_database(cloud: Cloud, values: Values) -> None:
    found = cloud.resources("google_firestore_database")[values["id"]]
    if found.get("delete_protection_state") == "DELETE_PROTECTION_ENABLED":
        raise Refused(
            400,
            "",
            "This database has delete protection enabled. Please disable delete protection to delete this database.",
        )
    cloud.spread("database", values["name"])
    for kind in ("google_firestore_index", "google_firestore_field"):
        cloud.resources(kind).clear()


def _drop_dataset(cloud: Cloud, values: Values) -> None:
    inside = [
        name
        for name in cloud.resources("google_bigquery_table")
        if name.startswith(f"{values['id']}/tables/")
    ]
    if inside and not values.get("delete_contents_on_destroy"):
        raise Refused(400, "resourceInUse", f"Dataset {cloud.id}:{values['dataset_id']} is still in use")
    for name in inside:
        cloud.resources("google_bigquery_table").pop(name)


def _index(cloud: Cloud, values: Values) -> None:
    _of_database(cloud, values)
    values["state"] = "CREATING"


def _of_database(cloud: Cloud, values: Values) -> None:
    if f"projects/{cloud.id}/databases/{values['database']}" not in cloud.resources(
        "google_firestore_database"
    ):
        raise Refused(
            404, "notFound", f"The database {values['database']} does not exist for project {cloud.id}"
        )


def _alert(cloud: Cloud, values: Values) -> None:
    for condition in values["conditions"]:
        rule = [*condition["condition_threshold"], *condition["condition_absent"]][0]
        _, found, name = rule["filter"].partition('metric.type = "logging.googleapis.com/user/')
        name = name.partition('"')[0]
        if not found:
            continue
        if cloud.unknown("metric", name) or name not in cloud.resources("google_logging_metric"):
            raise Refused(
                404,
                "",
                f'Cannot find metric that matches type = "logging.googleapis.com/user/{name}". If a metric was created'
                " recently, it could take up to 10 minutes to become available. Please try again soon.",
            )


def _metric(cloud: Cloud, values: Values) -> None:
    cloud.spread("metric", values["name"])


def _subscription(cloud: Cloud, values: Values) -> None:
    if values["topic"] not in cloud.resources("google_pubsub_topic"):
        raise Refused(404, "notFound", f"Resource not found (resource={values['topic'].rpartition('/')[2]}).")
    for config in values["bigquery_config"]:
        project, dataset, table = config["table"].split(".")
        path = f"projects/{project}/datasets/{dataset}/tables/{table}"
        agent = f"serviceAccount:service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
        if not any(member == agent for _, member, _ in cloud.policy(path)):
            raise Refused(
                403,
                "forbidden",
                f"The caller does not have permission: {agent} needs bigquery.tables.updateData on {path}.",
            )


def _notification(cloud: Cloud, values: Values) -> None:
    agent = f"serviceAccount:service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
    if not any(
        member == agent and role == "roles/pubsub.publisher"
        for role, member, _ in cloud.policy(values["topic"])
    ):
        raise Refused(
            400,
            "invalid",
            f"The service account '{agent.partition(':')[2]}' does not have permission to publish messages to the"
            f" Cloud Pub/Sub topic '//pubsub.googleapis.com/{values['topic']}', or that topic does not exist.",
        )


def _need_run_agent(cloud: Cloud) -> None:
    agent = f"service-{NUMBER}@serverless-robot-prod.iam.gserviceaccount.com"
    if ["roles/run.serviceAgent", f"serviceAccount:{agent}", ""] not in cloud.policy("project"):
        raise Refused(
            403,
            "forbidden",
            f"Google Cloud Run Service Agent {agent} must have permission to read the image.",
        )


def _need_account(cloud: Cloud, email: str) -> None:
    if f"projects/{cloud.id}/serviceAccounts/{email}" not in cloud.resources("google_service_account"):
        raise Refused(400, "", f"Service account {email} was not found.")


def milli(cpu: str) -> int:
    """Processors in thousandths: `2` or `500m`."""
    return int(cpu[:-1]) if cpu.endswith("m") else int(float(cpu) * 1000)


def bytes_of(memory: str) -> int:
    """`512Mi`, `2Gi`."""
    unit = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[memory[-2:]]
    return int(memory[:-2]) * unit


def within_quota(cloud: Cloud, limits: dict[str, str], instances: int) -> None:
    """Refuse a revision whose instances together would exceed what the project has in a region."""
    asked = {
        "CpuAllocPerProjectRegion": (milli(limits["cpu"]), "CPU"),
        "MemAllocPerProjectRegion": (bytes_of(limits["memory"]), "memory"),
    }
    for quota, (each, what) in asked.items():
        allowed = cloud.state["quotas"][quota]
        if each * instances > allowed:
            least = allowed // each
            raise Refused(
                400,
                "badRequest",
                f"Violation in CreateServiceRequest.service.template.scaling.max_instance_count: Max instances must be set to"
                f" {least} or fewer in order to set the requested total {what}. Quota violated: {quota} requested:"
                f" {each * instances} allowed: {allowed}",
            )


def _service(cloud: Cloud, values: Values) -> Values:
    _need_run_agent(cloud)
    if values.get("invoker_iam_disabled") and cloud.state["invoker_iam_required"]:
        told = "Operation denied by org policy on resource 'projects/{}': [\"constraints/run.managed.requireInvokerIam\"]"
        raise Refused(400, "FAILED_PRECONDITION", told.format(cloud.id))
    [template] = values["template"]
    _need_account(cloud, template["service_account"])
    [scaling] = template["scaling"]
    [resources] = template["containers"][0]["resources"]
    within_quota(cloud, resources["limits"], int(scaling["max_instance_count"]))
    before = cloud.resources("google_cloud_run_v2_service").get(values["id"], {})
    revisions = list(before.get("revisions", []))
    if not before or before["template"] != values["template"]:
        image = template["containers"][0]["image"]
        name = f"{values['name']}-{len(revisions) + 1:05}-ter"
        revisions.append({"name": name, "image": image, "labels": template.get("labels") or {}})
    newest = revisions[-1]["name"]
    serving = before.get("serving", newest)
    number = f"https://{values['name']}-{NUMBER}.{values['location']}.run.app"
    return {
        "revisions": revisions,
        "serving": serving,
        "traffic_tags": before.get("traffic_tags", {}),
        "urls": [number, values["uri"]],
        "latest_created_revision": newest,
        "latest_ready_revision": newest,
    }


def _job(cloud: Cloud, values: Values) -> None:
    _need_run_agent(cloud)
    [outer] = values["template"]
    [task] = outer["template"]
    _need_account(cloud, task["service_account"])
    [resources] = task["containers"][0]["resources"]
    at_once = int(outer.get("parallelism") or 1)
    within_quota(cloud, resources["limits"], at_once)
    gpus = int(resources["limits"].get("nvidia.com/gpu", 0)) * at_once
    quota = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"
    if gpus > cloud.state["quotas"][quota]:
        raise Refused(
            429, "", f"Quota exceeded for total allowable count of GPUs per project per region: {quota} requested: {gpus}"
            f" allowed: {cloud.state['quotas'][quota]}",
        )  # fmt: skip


_CREATE = {
    "google_cloud_run_v2_job": _job,
    "google_cloud_run_v2_service": _service,
    "google_firestore_database": _database,
    "google_firestore_field": _of_database,
    "google_firestore_index": _index,
    "google_logging_metric": _metric,
    "google_monitoring_alert_policy": _alert,
    "google_project_service": _enable,
    "google_pubsub_subscription": _subscription,
    "google_service_account": _account,
    "google_storage_bucket": _bucket,
    "google_storage_notification": _notification,
}
_UPDATE = {
    "google_cloud_run_v2_job": _job,
    "google_cloud_run_v2_service": _service,
    "google_monitoring_alert_policy": _alert,
}
_DELETE = {
    "google_bigquery_dataset": _drop_dataset,
    "google_firestore_database": _drop_database,
    "google_storage_bucket": _full,
}
