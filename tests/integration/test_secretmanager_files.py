"""What the local Secret Manager keeps on disk, and that it says nothing of it."""

from __future__ import annotations

import resource
import subprocess
from typing import TYPE_CHECKING

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from tests.integration.pubsub_server import PROJECT, ROOT, LocalServer, running
from tests.integration.test_secretmanager_server import AUTOMATIC, access, add

if TYPE_CHECKING:
    from pathlib import Path


def test_versions_survive_a_kill_and_stay_private(tmp_path: Path) -> None:
    """After kill -9 all is there; only the owner reads the files; a destroyed payload is in none of them."""
    with running("secretmanager", tmp_path) as server:
        channel = grpc.insecure_channel(server.address)
        client = SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
        secret = client.create_secret(parent=PROJECT, secret_id="kept", secret=AUTOMATIC).name
        kept, gone = add(client, secret, b"kept payload"), add(client, secret, b"destroyed payload")
        databases = list(tmp_path.glob("*.sqlite3*"))
        assert databases
        assert {path.stat().st_mode & 0o777 for path in databases} == {0o600}
        client.destroy_secret_version(name=gone)
        contents = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"kept payload" in contents
        assert b"destroyed payload" not in contents
        channel.close()
        server.kill()
        server.start()
        channel = grpc.insecure_channel(server.address)
        client = SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
        assert access(client, kept) == b"kept payload"
        assert add(client, secret, b"x") == f"{secret}/versions/3"
        channel.close()


def test_nothing_of_a_payload_is_logged(tmp_path: Path) -> None:
    """Neither accepted nor refused payloads reach standard output or error."""
    server = LocalServer("secretmanager", tmp_path)
    process = subprocess.Popen(
        server.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    channel = grpc.insecure_channel(server.address)
    client = SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
    secret = client.create_secret(parent=PROJECT, secret_id="quiet", secret=AUTOMATIC).name
    access(client, add(client, secret, b"hush-hush"))
    with pytest.raises(exceptions.InvalidArgument) as refused:
        add(client, secret, b"hush-hush" * 10_000)
    channel.close()
    process.terminate()
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "hush" not in output + errors + str(refused.value)


def test_full_disk_is_an_error_of_the_call(tmp_path: Path) -> None:
    """A version that cannot be stored is UNAVAILABLE and takes no number; the one before stays the latest."""
    limit = 512 * 1024
    with running("secretmanager", tmp_path) as server:
        assert server.process is not None
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, 10 * limit))
        channel = grpc.insecure_channel(server.address)
        client = SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
        secret = client.create_secret(parent=PROJECT, secret_id="full", secret=AUTOMATIC).name
        stored = 0
        with pytest.raises(exceptions.ServiceUnavailable, match="database"):  # noqa: PT012  # one of many calls
            while add(client, secret, b"%d" % stored + b"x" * 60_000):
                stored += 1
        latest = access(client, f"{secret}/versions/latest")
        assert latest == b"%d" % (stored - 1) + b"x" * 60_000
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (10 * limit, 10 * limit))
        assert add(client, secret, b"room again") == f"{secret}/versions/{stored + 1}"
        channel.close()
