"""google.cloud.secretmanager.v1.SecretManagerService, as far as Headrace uses it; it logs no payload."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import google_crc32c
from google.protobuf.empty_pb2 import Empty

from local.secretmanager import protos
from local.secretmanager.names import check_id, check_project, check_secret, parse_version
from local.secretmanager.store import Payload, Store
from local.serving import (
    already_exists,
    failed_precondition,
    invalid,
    not_found,
    unary,
    unimplemented,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import grpc

_PREFIX = "/google.cloud.secretmanager.v1.SecretManagerService/"

MAX_PAYLOAD_BYTES = 64 * 1024
DEFAULT_PAGE = 100
MAX_PAGE = 25_000

_SECRET_FIELDS = frozenset({"replication", "labels", "annotations"})
_State = protos.SecretVersion.State


class SecretManager:
    """One server over one data directory. Each method raises Refused with the real service's status."""

    def __init__(self, data: Path) -> None:
        """Open or create the data."""
        self._store = Store(data / "secretmanager.sqlite3")
        self.methods: Mapping[str, grpc.RpcMethodHandler] = {
            _PREFIX + "CreateSecret": unary(self.create, protos.CreateSecretRequest),
            _PREFIX + "GetSecret": unary(self.get, protos.GetSecretRequest),
            _PREFIX + "ListSecrets": unary(self.list, protos.ListSecretsRequest),
            _PREFIX + "DeleteSecret": unary(self.delete, protos.DeleteSecretRequest),
            _PREFIX + "AddSecretVersion": unary(self.add_version, protos.AddSecretVersionRequest),
            _PREFIX + "GetSecretVersion": unary(self.get_version, protos.GetSecretVersionRequest),
            _PREFIX + "ListSecretVersions": unary(self.list_versions, protos.ListSecretVersionsRequest),
            _PREFIX + "AccessSecretVersion": unary(self.access, protos.AccessSecretVersionRequest),
            _PREFIX + "DisableSecretVersion": unary(self.disable, protos.DisableSecretVersionRequest),
            _PREFIX + "EnableSecretVersion": unary(self.enable, protos.EnableSecretVersionRequest),
            _PREFIX + "DestroySecretVersion": unary(self.destroy, protos.DestroySecretVersionRequest),
        }

    async def broken(self) -> str:
        """Never: every call that fails to write says so itself."""
        never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        return await never

    def release(self) -> None:
        """No call here waits for anything."""

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    async def create(self, request: protos.CreateSecretRequest) -> protos.Secret:
        name = f"{check_project(request.parent)}/secrets/{check_id(request.secret_id)}"
        for field, _ in request.secret.ListFields():
            if field.name not in _SECRET_FIELDS:
                raise unimplemented(f"Secret.{field.name}")
        if request.secret.replication.WhichOneof("replication") is None:
            raise invalid("secret.replication: must be set.")
        secret = protos.Secret(name=name)
        secret.MergeFrom(request.secret)
        secret.create_time.GetCurrentTime()
        secret.etag = _etag(secret)
        if not self._store.add_secret(name, secret.SerializeToString()):
            raise already_exists(name)
        return secret

    async def get(self, request: protos.GetSecretRequest) -> protos.Secret:
        return self._secret(request.name)

    async def list(self, request: protos.ListSecretsRequest) -> protos.ListSecretsResponse:
        if request.filter:
            raise unimplemented("ListSecretsRequest.filter")
        names = self._store.secrets(check_project(request.parent) + "/secrets/")
        start, end, token = _page(len(names), request)
        return protos.ListSecretsResponse(
            secrets=[self._secret(name) for name in names[start:end]],
            next_page_token=token,
            total_size=len(names),
        )

    async def delete(self, request: protos.DeleteSecretRequest) -> Empty:
        _match_etag(request, self._secret(request.name))
        self._store.delete_secret(request.name)
        return Empty()

    async def add_version(self, request: protos.AddSecretVersionRequest) -> protos.SecretVersion:
        secret = self._secret(request.parent)
        data = request.payload.data
        if not data:
            raise invalid("payload.data: must not be empty.")
        if len(data) > MAX_PAYLOAD_BYTES:
            raise invalid(f"payload.data: {len(data)} bytes; at most {MAX_PAYLOAD_BYTES}.")
        crc32c = google_crc32c.value(data)
        checked = request.payload.HasField("data_crc32c")
        if checked and request.payload.data_crc32c != crc32c:
            raise invalid("payload.data_crc32c: does not match the data.")
        with self._store.transaction():
            number = self._store.next_version(secret.name)
            version = protos.SecretVersion(
                name=f"{secret.name}/versions/{number}",
                state=_State.ENABLED,
                client_specified_payload_checksum=checked,
            )
            version.create_time.GetCurrentTime()
            version.replication_status.automatic.SetInParent()
            version.etag = _etag(version)
            payload = Payload(data, crc32c)
            self._store.add_version(secret.name, number, version.SerializeToString(), payload)
        return version

    async def get_version(self, request: protos.GetSecretVersionRequest) -> protos.SecretVersion:
        _, _, version = self._version(request.name)
        return version

    async def list_versions(
        self, request: protos.ListSecretVersionsRequest
    ) -> protos.ListSecretVersionsResponse:
        if request.filter:
            raise unimplemented("ListSecretVersionsRequest.filter")
        secret = self._secret(request.parent)
        numbers = self._store.versions(secret.name)
        start, end, token = _page(len(numbers), request)
        versions = [self._version(f"{secret.name}/versions/{number}")[2] for number in numbers[start:end]]
        return protos.ListSecretVersionsResponse(
            versions=versions, next_page_token=token, total_size=len(numbers)
        )

    async def access(self, request: protos.AccessSecretVersionRequest) -> protos.AccessSecretVersionResponse:
        secret, number, version = self._version(request.name)
        if version.state != _State.ENABLED:
            raise failed_precondition(f"{version.name} is {_State.Name(version.state)}.")
        payload = self._store.payload(secret, number)
        response = protos.AccessSecretVersionResponse(name=version.name)
        response.payload.data = payload.data
        response.payload.data_crc32c = payload.crc32c
        return response

    async def disable(self, request: protos.DisableSecretVersionRequest) -> protos.SecretVersion:
        return self._switch(request, _State.DISABLED)

    async def enable(self, request: protos.EnableSecretVersionRequest) -> protos.SecretVersion:
        return self._switch(request, _State.ENABLED)

    async def destroy(self, request: protos.DestroySecretVersionRequest) -> protos.SecretVersion:
        secret, number, version = self._alive(request)
        version.state = _State.DESTROYED
        version.destroy_time.GetCurrentTime()
        version.etag = _etag(version)
        self._store.destroy_version(secret, number, version.SerializeToString())
        return version

    def _switch(self, request: protos.EnableSecretVersionRequest, state: int) -> protos.SecretVersion:
        secret, number, version = self._alive(request)
        version.state = state
        version.etag = _etag(version)
        self._store.update_version(secret, number, version.SerializeToString())
        return version

    def _alive(self, request: protos.EnableSecretVersionRequest) -> tuple[str, int, protos.SecretVersion]:
        """The version of a request that would change it."""
        secret, number, version = self._version(request.name)
        _match_etag(request, version)
        if version.state == _State.DESTROYED:
            raise failed_precondition(f"{version.name} is DESTROYED.")
        return secret, number, version

    def _secret(self, name: str) -> protos.Secret:
        config = self._store.secret(check_secret(name))
        if config is None:
            raise not_found(name)
        return protos.Secret.FromString(config)

    def _version(self, name: str) -> tuple[str, int, protos.SecretVersion]:
        """The secret, the number and the version that a name means; the latest is the one added last."""
        secret, number = parse_version(name)
        if number is None:
            number = next(iter(self._store.versions(secret)), 0)
        config = self._store.version(secret, number)
        if config is None:
            raise not_found(name)
        return secret, number, protos.SecretVersion.FromString(config)


def _etag(message: protos.Secret) -> str:
    message.etag = ""
    return f'"{hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()[:16]}"'


def _match_etag(request: protos.DeleteSecretRequest, stored: protos.Secret) -> None:
    if request.etag and request.etag != stored.etag:
        raise failed_precondition(f"etag {request.etag} is not that of {stored.name}, {stored.etag}.")


def _page(total: int, request: protos.ListSecretsRequest) -> tuple[int, int, str]:
    """Return where the requested page starts and ends, and the token of the next, empty on the last."""
    if request.page_size < 0:
        raise invalid("page_size: must not be negative.")
    if request.page_token and not (request.page_token.isascii() and request.page_token.isdigit()):
        raise invalid("page_token: not one that this server gave out.")
    start = int(request.page_token or 0)
    end = start + min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
    return start, end, str(end) if end < total else ""
