"""The protobuf classes of Secret Manager that the server reads and writes, from the client's own package."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from local.messages import message_types

if TYPE_CHECKING:
    # protobuf ships no types; the names still say which message a function takes.
    from google.protobuf.message import Message

    AccessSecretVersionRequest: TypeAlias = Message
    AccessSecretVersionResponse: TypeAlias = Message
    AddSecretVersionRequest: TypeAlias = Message
    CreateSecretRequest: TypeAlias = Message
    DeleteSecretRequest: TypeAlias = Message
    DestroySecretVersionRequest: TypeAlias = Message
    DisableSecretVersionRequest: TypeAlias = Message
    EnableSecretVersionRequest: TypeAlias = Message
    GetSecretRequest: TypeAlias = Message
    GetSecretVersionRequest: TypeAlias = Message
    ListSecretsRequest: TypeAlias = Message
    ListSecretsResponse: TypeAlias = Message
    ListSecretVersionsRequest: TypeAlias = Message
    ListSecretVersionsResponse: TypeAlias = Message
    Secret: TypeAlias = Message
    SecretVersion: TypeAlias = Message
else:
    _types = message_types("google.cloud.secretmanager_v1")
    AccessSecretVersionRequest = _types.AccessSecretVersionRequest.pb()
    AccessSecretVersionResponse = _types.AccessSecretVersionResponse.pb()
    AddSecretVersionRequest = _types.AddSecretVersionRequest.pb()
    CreateSecretRequest = _types.CreateSecretRequest.pb()
    DeleteSecretRequest = _types.DeleteSecretRequest.pb()
    DestroySecretVersionRequest = _types.DestroySecretVersionRequest.pb()
    DisableSecretVersionRequest = _types.DisableSecretVersionRequest.pb()
    EnableSecretVersionRequest = _types.EnableSecretVersionRequest.pb()
    GetSecretRequest = _types.GetSecretRequest.pb()
    GetSecretVersionRequest = _types.GetSecretVersionRequest.pb()
    ListSecretsRequest = _types.ListSecretsRequest.pb()
    ListSecretsResponse = _types.ListSecretsResponse.pb()
    ListSecretVersionsRequest = _types.ListSecretVersionsRequest.pb()
    ListSecretVersionsResponse = _types.ListSecretVersionsResponse.pb()
    Secret = _types.Secret.pb()
    SecretVersion = _types.SecretVersion.pb()
