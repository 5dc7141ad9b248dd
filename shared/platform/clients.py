"""The Google Cloud clients, made once per process on first use; only this module reads emulator variables.

Nothing is made at import: functions-framework imports a function before gunicorn forks, and a gRPC channel
does not survive a fork.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from shared.platform.errors import SetupError
from shared.platform.retry import limit_calls
from shared.platform.settings import settings

if TYPE_CHECKING:
    import grpc
    from google.cloud import firestore
    from google.cloud.run_v2 import ExecutionsClient, JobsClient
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    from google.cloud.storage import Client as StorageClient
    from google.pubsub_v1 import PublisherClient

LIMITS: dict[str, Any] = {"timeout": 5.0, "retry": None}
"""Limits of one call that asks whether something is well and may hang: its seconds, and no second try."""
C = TypeVar("C")
Condition = tuple[str, str, object]
"""A field, an operator and a value."""
EMULATORS = (
    "STORAGE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
    "FIRESTORE_EMULATOR_HOST",
    "SECRET_MANAGER_EMULATOR_HOST",
    "CLOUD_RUN_EMULATOR_HOST",
)
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""A Firestore commit or Pub/Sub publish may have 10 MiB, more than gRPC's default of 4 MiB."""


def emulator(variable: str) -> str | None:
    """The address in an emulator variable, or None.

    Raises:
        SetupError: the variable is set in a deployed service, whose data would silently go elsewhere.
    """
    host = os.environ.get(variable)
    if host and (os.environ.get("K_SERVICE") or os.environ.get("CLOUD_RUN_JOB")):
        raise SetupError(f"{variable} is set in a deployed service; remove it from the service's environment")
    return host or None


def insecure_channel(host: str) -> grpc.Channel:
    """A channel to an emulator at `host:port`."""
    import grpc

    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # A server that was restarted is found again within a second, not after gRPC's two minutes.
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]
    return grpc.insecure_channel(host, options=options)


@lru_cache(maxsize=1)
def storage_client() -> StorageClient:
    """Cloud Storage; the client itself goes without credentials where `STORAGE_EMULATOR_HOST` is set."""
    from google.cloud.storage import Client as StorageClient

    emulator("STORAGE_EMULATOR_HOST")
    return StorageClient(project=settings().project)


@lru_cache(maxsize=1)
def firestore_client() -> firestore.Client:
    """Firestore, the default database."""
    from google.cloud import firestore

    emulator("FIRESTORE_EMULATOR_HOST")
    client = firestore.Client(project=settings().project)
    limit_calls(client._firestore_api.transport)  # noqa: SLF001 - the client has no public way to it
    return client


def _generated(client: type[C], variable: str) -> C:
    """A generated client, of the emulator if its variable is set."""
    host, make = emulator(variable), cast("Any", client)
    transport = make.get_transport_class("grpc")(channel=insecure_channel(host)) if host else None
    made: C = make(transport=transport)
    return made


@lru_cache(maxsize=1)
def publisher() -> PublisherClient:
    """Pub/Sub's generated publisher: handlers publish a known list in one call, without batching threads."""
    from google.pubsub_v1 import PublisherClient

    return _generated(PublisherClient, "PUBSUB_EMULATOR_HOST")


@lru_cache(maxsize=1)
def secrets() -> SecretManagerServiceClient:
    """Secret Manager; it has no standard emulator variable, `SECRET_MANAGER_EMULATOR_HOST` is Headrace's."""
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient

    client = _generated(SecretManagerServiceClient, "SECRET_MANAGER_EMULATOR_HOST")
    limit_calls(client.transport)
    return client


@lru_cache(maxsize=1)
def jobs() -> JobsClient:
    """Cloud Run's jobs; the variable `CLOUD_RUN_EMULATOR_HOST` is Headrace's too."""
    from google.cloud.run_v2 import JobsClient

    return _generated(JobsClient, "CLOUD_RUN_EMULATOR_HOST")


@lru_cache(maxsize=1)
def executions() -> ExecutionsClient:
    """Executions of Cloud Run's jobs."""
    from google.cloud.run_v2 import ExecutionsClient

    return _generated(ExecutionsClient, "CLOUD_RUN_EMULATOR_HOST")


def identity(address: str) -> dict[str, str]:
    """Return the header that shows Cloud Run who calls the service at an address; none is asked on a laptop.

    Raises:
        GoogleAuthError: there is no account to call as.
    """
    if emulator("FIRESTORE_EMULATOR_HOST"):
        return {}
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token

    token = id_token.fetch_id_token(Request(), address)  # type: ignore[no-untyped-call]  # has no types
    return {"Authorization": f"Bearer {token}"}


@lru_cache(maxsize=8)
def secret(name: str, version: int) -> bytes:
    """A pinned version of a secret, read once per process."""
    path = f"projects/{settings().project}/secrets/{name}/versions/{version}"
    return secrets().access_secret_version(name=path).payload.data


def where(query: Any, *conditions: Condition | str | int | None) -> Any:  # noqa: ANN401 - the client's are untyped
    """Return a collection or query with these conditions; what is false is none."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    for each in conditions:
        if isinstance(each, tuple):
            query = query.where(filter=FieldFilter(*each))
    return query


def number_of(query: Any, **limits: Any) -> int:  # noqa: ANN401
    """Return how many documents a collection or query has; the limits are those of the call."""
    [[counted]] = query.count().get(**limits)
    return int(counted.value)
