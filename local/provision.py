"""What Terraform makes in the cloud, made on the local stack: topics, subscriptions, buckets, secrets, a job.

Every step may be repeated: what is there already stays as it is.
"""

from __future__ import annotations

import secrets as random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import AlreadyExists, Conflict, NotFound
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from shared.api.keys import key_hash
from shared.platform.clients import insecure_channel, jobs, publisher, secrets, storage_client
from shared.platform.settings import BATCHES, DEAD_LETTERS, RESULTS, TICKS, TOPICS, UPLOADS, settings

if TYPE_CHECKING:
    from google.pubsub_v1 import SubscriberClient, Subscription

    from local.services import Layout

PUSHES = {
    "ingest": UPLOADS,
    "analyze": BATCHES,
    "deadletter": DEAD_LETTERS,
    "sweep": TICKS,
    "digest": TICKS,
}
"""Which topic is pushed to each function; the subscription has the function's name."""
SUBSCRIPTIONS = PUSHES | {RESULTS: RESULTS}
"""The topic of each subscription."""
FILTERS = {name: f'attributes.kind = "{name}"' for name, topic in PUSHES.items() if topic == TICKS}
ACK_DEADLINE = 600
"""Seconds; above every function's time limit, so that no message is redelivered while it is worked on."""
ATTEMPTS = 100
"""Deliveries before a message is dead-lettered; with the backoff, half an hour of outage on a laptop."""
BACKOFF = (Duration(nanos=200_000_000), Duration(seconds=20))
RETENTION = Duration(seconds=7 * 24 * 3600)
CHANGEABLE = (
    "ack_deadline_seconds",
    "message_retention_duration",
    "retry_policy",
    "dead_letter_policy",
    "push_config",
)
"""What can be changed of a subscription that exists; its topic and its filter cannot."""
JOB_IMAGE = "long-job"
"""Not run on one machine: a job that names no command is `python -m long_job` there."""
JOB_TIMEOUT = 3600
"""Seconds of one attempt of a task: what Cloud Run allows a task with a GPU."""
KEY_BYTES = 32
API_KEY_FILE = "api-key"
"""In the data directory; kept when the stack is reset."""


def provision(layout: Layout) -> None:
    """Make everything the functions need; the process's environment already names the stack."""
    for bucket in buckets():
        with suppress(Conflict):
            storage_client().create_bucket(bucket)
    project = settings().project
    for topic in TOPICS:
        with suppress(AlreadyExists):
            publisher().create_topic(name=f"projects/{project}/topics/{topic}")
    _subscriptions(layout, project)
    _secret(
        project, settings().redaction_key, settings().redaction_key_version, random.token_bytes(KEY_BYTES)
    )
    _api_key(layout, project)
    make_job(project)


def buckets() -> tuple[str, ...]:
    """Return the names of the project's buckets."""
    made = settings()
    return made.uploads_bucket, made.work_bucket, made.models_bucket, made.results_bucket


def has_uploads() -> bool:
    """Return whether the uploads bucket holds anything."""
    return any(storage_client().list_blobs(settings().uploads_bucket, max_results=1))


def subscriber(host: str) -> SubscriberClient:
    """Pub/Sub's generated subscriber client."""
    from google.pubsub_v1 import SubscriberClient
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

    return SubscriberClient(transport=SubscriberGrpcTransport(channel=insecure_channel(host)))


def expected(name: str, project: str) -> Subscription:
    """The subscription of this name as it is to be, but for where it is pushed to."""
    from google.pubsub_v1 import Subscription

    topic = SUBSCRIPTIONS[name]
    fields: dict[str, Any] = {
        "name": f"projects/{project}/subscriptions/{name}",
        "topic": f"projects/{project}/topics/{topic}",
        "ack_deadline_seconds": ACK_DEADLINE,
        "message_retention_duration": RETENTION,
        "filter": FILTERS.get(name, ""),
    }
    if name in PUSHES:
        fields["retry_policy"] = {"minimum_backoff": BACKOFF[0], "maximum_backoff": BACKOFF[1]}
    if name in PUSHES and topic != DEAD_LETTERS:
        fields["dead_letter_policy"] = {
            "dead_letter_topic": f"projects/{project}/topics/{DEAD_LETTERS}",
            "max_delivery_attempts": ATTEMPTS,
        }
    return Subscription(fields)


def _subscriptions(layout: Layout, project: str) -> None:
    client = subscriber(layout.environment()["PUBSUB_EMULATOR_HOST"])
    for name in SUBSCRIPTIONS:
        wanted = expected(name, project)
        if name in PUSHES:
            wanted.push_config.push_endpoint = layout.push_endpoint(name)
        try:
            client.create_subscription(request=wanted)
        except AlreadyExists:  # the stack may listen on other ports than last time, or be of another version
            changed = FieldMask(paths=[name for name in CHANGEABLE if name in wanted])
            client.update_subscription(request={"subscription": wanted, "update_mask": changed})


def make_job(project: str) -> None:
    """The job for documents that are too long for a function, where there is one."""
    task = {"containers": [{"image": JOB_IMAGE}], "timeout": Duration(seconds=JOB_TIMEOUT)}
    name = f"projects/{project}/locations/{settings().job_location}/jobs/{settings().job_name}"
    job = {"name": name, "template": {"template": task}}
    if settings().job_name:
        jobs().update_job(request={"job": job, "allow_missing": True})


def _api_key(layout: Layout, project: str) -> None:
    """Give the API its first key: the key itself in a file for its owner alone, its hash in the secret."""
    path = layout.data / API_KEY_FILE
    path.touch(mode=0o600)
    if not path.read_text().strip():
        path.write_text(random.token_urlsafe(KEY_BYTES) + "\n")
    digest = key_hash(path.read_text().strip()).encode()
    name, version = settings().api_key_hash, settings().api_key_hash_version
    stored = _secret(project, name, version, digest)
    if digest not in stored.split() and "SECRET_MANAGER_EMULATOR_HOST" not in layout.foreign:
        # The file was deleted and is new: what the old key's hash opens, nobody can open any more.
        secrets().delete_secret(name=f"projects/{project}/secrets/{name}")
        _secret(project, name, version, digest)


def _secret(project: str, name: str, version: int, payload: bytes) -> bytes:
    """What a secret's version holds; where there is none, `payload` is its first."""
    path = f"projects/{project}/secrets/{name}"
    with suppress(AlreadyExists):
        secrets().create_secret(
            request={
                "parent": f"projects/{project}",
                "secret_id": name,
                "secret": {"replication": {"automatic": {}}},
            }
        )
    try:
        return bytes(secrets().access_secret_version(name=f"{path}/versions/{version}").payload.data)
    except NotFound:
        secrets().add_secret_version(request={"parent": path, "payload": {"data": payload}})
        return payload
