"""What the audit asks the services, through their own clients; nothing here judges.

Against a local stack only what the local servers have is asked. Calls that no local server answers, and that
have therefore never been run but against Google Cloud itself, are marked so.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import NotFound

from cli.diagnosis.findings import CALL_SECONDS, LIMITS
from cli.security import serving
from cli.security.elsewhere import sources_bucket
from cli.security.policies import Binding, bindings
from cli.security.services import short
from local.provision import subscriber
from local.services import SIZES
from shared.digests.definitions import definitions
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import COLLECTION, Documents
from shared.platform.clients import emulator, firestore_client, jobs, publisher, secrets, storage_client
from shared.platform.settings import TOPICS, Settings, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.firestore_admin_v1.types import Database
    from google.cloud.iam_admin_v1 import ServiceAccountKey
    from google.cloud.run_v2 import Job, Revision, Service
    from google.cloud.secretmanager_v1 import SecretVersion
    from google.cloud.storage import Bucket
    from google.pubsub_v1 import Subscription

FUNCTIONS = {*SIZES, "digest"}
DOCUMENTS, PASSAGES_EACH = 20, 5
"""Looked for in the logs: of the newest documents, some passages of each."""


def buckets() -> list[Bucket]:
    """Those of the settings that exist; `headrace doctor` names the others."""
    made = settings()
    names = (made.uploads_bucket, made.work_bucket, made.models_bucket, made.results_bucket)
    found = (storage_client().lookup_bucket(name, **LIMITS) for name in dict.fromkeys(names))
    return [bucket for bucket in found if bucket is not None]


def sources() -> Iterator[Bucket]:
    """The bucket of what is built, where there is one."""
    name = sources_bucket(settings().project, short(region()))
    found = storage_client().lookup_bucket(name, **LIMITS)
    if found is not None:
        yield found


def bucket_policy(bucket: Bucket) -> list[Binding]:
    """Google Cloud alone."""
    return bindings(bucket.get_iam_policy(requested_policy_version=3, **LIMITS))


def _policy_of(resource: str) -> dict[str, Any]:
    """The request for a policy with its conditions, which an older form leaves out."""
    return {"resource": resource, "options": {"requested_policy_version": 3}}


def subscriptions() -> list[Subscription]:
    """Of Headrace's topics."""
    from google.pubsub_v1 import SubscriberClient

    host = os.environ.get("PUBSUB_EMULATOR_HOST")
    client = subscriber(host) if host else SubscriberClient()
    project = f"projects/{settings().project}"
    ours = {f"{project}/topics/{topic}" for topic in TOPICS}
    return [one for one in client.list_subscriptions(project=project, **LIMITS) if one.topic in ours]


def topic_keys() -> dict[str, str]:
    """The key that each topic is encrypted by; empty: Google's."""
    paths = {topic: f"projects/{settings().project}/topics/{topic}" for topic in TOPICS}
    return {topic: publisher().get_topic(topic=path, **LIMITS).kms_key_name for topic, path in paths.items()}


def topic_policy(topic: str) -> list[Binding]:
    """Google Cloud alone."""
    resource = f"projects/{settings().project}/topics/{topic}"
    return bindings(publisher().get_iam_policy(request=_policy_of(resource), **LIMITS))


def webhooks() -> list[str]:
    """The secrets that the schedules of digests name, each with its version."""
    told = [target for one in definitions(firestore_client()).schedules for target in one.tell]
    return [target.secret for target in told if target.kind == "webhook" and target.secret]


def versions(secret: str) -> list[SecretVersion]:
    """Those of a secret; none where there is no such secret."""
    parent = f"projects/{settings().project}/secrets/{secret}"
    try:
        return list(secrets().list_secret_versions(request={"parent": parent}, **LIMITS))
    except NotFound:
        return []


def secret_policy(secret: str) -> list[Binding]:
    """Google Cloud alone."""
    resource = f"projects/{settings().project}/secrets/{secret}"
    return bindings(secrets().get_iam_policy(request=_policy_of(resource), **LIMITS))


def secret_key(secret: str) -> str:
    """The key that a secret is encrypted by, empty where it is Google's; of several replicas the first's."""
    found: Any = secrets().get_secret(name=f"projects/{settings().project}/secrets/{secret}", **LIMITS)
    replication = found.replication
    one = replication.automatic if "automatic" in replication else replication.user_managed.replicas[0]
    return str(one.customer_managed_encryption.kms_key_name)


def payload(secret: str, version: int) -> bytes:
    """What a version holds; only of those that are judged by it."""
    path = f"projects/{settings().project}/secrets/{secret}/versions/{version}"
    return bytes(secrets().access_secret_version(name=path, **LIMITS).payload.data)


def services() -> list[Service]:
    """Headrace's in the region of the settings. Google Cloud alone."""
    from google.cloud.run_v2 import ServicesClient

    listed = ServicesClient().list_services(parent=region(), **LIMITS)
    return [one for one in listed if short(one.name) in FUNCTIONS]


def revisions(service: Service) -> list[Revision]:
    """Those that have traffic. Google Cloud alone."""
    from google.cloud.run_v2 import RevisionsClient

    if not (names := serving.revisions(service)):
        return []
    client = RevisionsClient()
    return [client.get_revision(name=f"{service.name}/revisions/{name}", **LIMITS) for name in names]


def run_policy(name: str) -> list[Binding]:
    """Who may call a service, or start the job. Google Cloud alone."""
    from google.cloud.run_v2 import ServicesClient

    client = jobs() if "/jobs/" in name else ServicesClient()
    return bindings(client.get_iam_policy(request=_policy_of(name), **LIMITS))


def job() -> Job | None:
    """The long one, where there is one."""
    name = settings().job_name or str(Settings.model_fields["job_name"].default)
    try:
        return jobs().get_job(name=f"{region()}/jobs/{name}", **LIMITS)
    except NotFound:
        return None


def region() -> str:
    """Where services and job run: as the settings say, or where the uploads bucket lies."""
    location = settings().job_location
    if location == Settings.model_fields["job_location"].default and not emulator("STORAGE_EMULATOR_HOST"):
        location = storage_client().get_bucket(settings().uploads_bucket, **LIMITS).location.lower()
    return f"projects/{settings().project}/locations/{location}"


def project_policy() -> list[Binding]:
    """Google Cloud alone."""
    from google.cloud.resourcemanager_v3 import ProjectsClient

    request = _policy_of(f"projects/{settings().project}")
    return bindings(ProjectsClient().get_iam_policy(request=request, **LIMITS))


def accounts() -> list[str]:
    """Every account of the project. Google Cloud alone."""
    from google.cloud.iam_admin_v1 import IAMClient

    listed = IAMClient().list_service_accounts(name=f"projects/{settings().project}", **LIMITS)
    return [account.email for account in listed]


def account_keys(account: str) -> list[ServiceAccountKey]:
    """Those that people made. Google Cloud alone."""
    from google.cloud.iam_admin_v1 import IAMClient, ListServiceAccountKeysRequest

    wanted = ListServiceAccountKeysRequest.KeyType.USER_MANAGED
    name = f"projects/-/serviceAccounts/{account}"
    return list(
        IAMClient().list_service_account_keys(request={"name": name, "key_types": [wanted]}, **LIMITS).keys
    )


def database() -> Database:
    """The default one. Google Cloud alone."""
    from google.cloud.firestore_admin_v1 import FirestoreAdminClient

    name = f"projects/{settings().project}/databases/(default)"
    return FirestoreAdminClient().get_database(name=name, **LIMITS)


def some_passages() -> Iterator[str]:
    """Texts of the newest documents."""
    documents = Documents(firestore_client())
    newest = documents.client.collection(COLLECTION).order_by("created_at", direction="DESCENDING")
    for snapshot in newest.select(["published_run"]).limit(DOCUMENTS).stream(**LIMITS):
        passages = documents.reference(snapshot.id).collection(PASSAGES).select(["text"])
        for passage in passages.limit(PASSAGES_EACH).stream(**LIMITS):
            yield str((passage.to_dict() or {})["text"])


def answer_without_key(address: str) -> int:
    """HTTP status of a call of the API that brings no key."""
    try:
        with urllib.request.urlopen(f"{address}/v1/documents", timeout=CALL_SECONDS) as response:  # noqa: S310 - the stack's own, or the service's
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
