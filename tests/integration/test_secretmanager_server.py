"""Secret Manager with the unmodified client: secrets, versions, payloads, and every way to be refused."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import google_crc32c
import grpc
import pytest
from google.api_core import exceptions
from google.cloud.secretmanager_v1 import Replication, Secret, SecretManagerServiceClient, SecretVersion
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.pubsub_server import PROJECT, LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with running("secretmanager", tmp_path_factory.mktemp("secrets")) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: LocalServer) -> Iterator[SecretManagerServiceClient]:
    channel = grpc.insecure_channel(server.address)
    yield SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
    channel.close()


@pytest.fixture
def secret(client: SecretManagerServiceClient, request: pytest.FixtureRequest) -> str:
    """A secret without versions, named after its test."""
    identifier = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return client.create_secret(parent=PROJECT, secret_id=identifier, secret=AUTOMATIC).name


AUTOMATIC = Secret(replication=Replication(automatic=Replication.Automatic()))


def add(client: SecretManagerServiceClient, secret: str, data: bytes) -> str:
    return client.add_secret_version(request={"parent": secret, "payload": {"data": data}}).name


def access(client: SecretManagerServiceClient, name: str) -> bytes:
    return client.access_secret_version(name=name).payload.data


def test_secret_lives_and_dies(client: SecretManagerServiceClient) -> None:
    """A secret is there from its creation to its deletion, which takes its versions along."""
    name = f"{PROJECT}/secrets/life"
    with pytest.raises(exceptions.NotFound, match=name):
        client.get_secret(name=name)
    wanted = Secret(AUTOMATIC, labels={"team": "reports"}, annotations={"why": "test"})
    created = client.create_secret(parent=PROJECT, secret_id="life", secret=wanted)
    assert created.name == name
    assert created.labels == {"team": "reports"}
    assert created.annotations == {"why": "test"}
    assert created.create_time
    assert client.get_secret(name=name) == created
    with pytest.raises(exceptions.AlreadyExists, match=name):
        client.create_secret(parent=PROJECT, secret_id="life", secret=AUTOMATIC)
    version = add(client, name, b"x")
    client.delete_secret(name=name)
    for call in (client.get_secret, client.delete_secret):
        with pytest.raises(exceptions.NotFound):
            call(name=name)
    for gone in (version, f"{name}/versions/latest"):
        with pytest.raises(exceptions.NotFound):
            access(client, gone)
    client.create_secret(parent=PROJECT, secret_id="life", secret=AUTOMATIC)
    with pytest.raises(exceptions.NotFound):
        access(client, version)


def test_versions_are_pinned_and_latest(client: SecretManagerServiceClient, secret: str) -> None:
    """A number always means the same payload; `latest` means the version added last."""
    with pytest.raises(exceptions.NotFound):
        access(client, f"{secret}/versions/latest")
    names = [add(client, secret, data) for data in (b"one", b"two", b"three")]
    assert names == [f"{secret}/versions/{number}" for number in (1, 2, 3)]
    assert [access(client, name) for name in names] == [b"one", b"two", b"three"]
    latest = client.access_secret_version(name=f"{secret}/versions/latest")
    assert latest.name == names[2]
    assert latest.payload.data == b"three"
    assert latest.payload.data_crc32c == google_crc32c.value(b"three")
    assert client.get_secret_version(name=f"{secret}/versions/latest").name == names[2]
    with pytest.raises(exceptions.NotFound, match=f"{secret}/versions/4"):
        access(client, f"{secret}/versions/4")


def test_states_of_a_version(client: SecretManagerServiceClient, secret: str) -> None:
    """Disabled and destroyed versions are not accessible; only the first comes back."""
    first, last = add(client, secret, b"first"), add(client, secret, b"last")
    assert client.disable_secret_version(name=last).state == SecretVersion.State.DISABLED
    for name in (last, f"{secret}/versions/latest"):  # the latest is the last one, whatever its state
        with pytest.raises(exceptions.FailedPrecondition, match="DISABLED"):
            access(client, name)
    assert client.enable_secret_version(name=last).state == SecretVersion.State.ENABLED
    assert access(client, last) == b"last"
    destroyed = client.destroy_secret_version(name=last)
    assert destroyed.state == SecretVersion.State.DESTROYED
    assert destroyed.destroy_time
    assert client.get_secret_version(name=last) == destroyed
    for call in (
        client.access_secret_version,
        client.enable_secret_version,
        client.disable_secret_version,
        client.destroy_secret_version,
    ):
        with pytest.raises(exceptions.FailedPrecondition, match="DESTROYED"):
            call(name=last)
    assert access(client, first) == b"first"
    assert add(client, secret, b"next") == f"{secret}/versions/3"


def test_checksum_is_verified(client: SecretManagerServiceClient, secret: str) -> None:
    """A payload that does not match its checksum is refused and makes no version."""
    payload = {"data": b"payload", "data_crc32c": google_crc32c.value(b"payload")}
    version = client.add_secret_version(request={"parent": secret, "payload": payload})
    assert version.client_specified_payload_checksum
    payload["data_crc32c"] = google_crc32c.value(b"other")
    with pytest.raises(exceptions.InvalidArgument, match="crc32c"):
        client.add_secret_version(request={"parent": secret, "payload": payload})
    assert len(list(client.list_secret_versions(parent=secret))) == 1


def test_payload_limits(client: SecretManagerServiceClient, secret: str) -> None:
    """64 KiB fit, a byte more does not, and nothing is no payload."""
    full = bytes(range(256)) * 256
    assert access(client, add(client, secret, full)) == full
    for data in (full + b"x", b""):
        with pytest.raises(exceptions.InvalidArgument):
            add(client, secret, data)
    with pytest.raises(exceptions.NotFound):
        add(client, f"{PROJECT}/secrets/missing", b"x")


@pytest.mark.parametrize("identifier", ["", "a b", "a.b", "a/b", "ü", "x" * 256])
def test_names_follow_the_rules(client: SecretManagerServiceClient, identifier: str) -> None:
    """An id has letters, digits, `_` and `-`, up to 255."""
    with pytest.raises(exceptions.InvalidArgument):
        client.create_secret(parent=PROJECT, secret_id=identifier, secret=AUTOMATIC)


@pytest.mark.parametrize("version", ["0", "-1", "newest", "1.0", "", "LATEST"])
def test_version_names_follow_the_rules(client: SecretManagerServiceClient, version: str) -> None:
    """A version is a number from 1 or `latest`."""
    with pytest.raises(exceptions.InvalidArgument):
        access(client, f"{PROJECT}/secrets/any/versions/{version}")


def test_lists_come_in_pages(client: SecretManagerServiceClient) -> None:
    """Secrets in order of name, versions the newest first, of one project and one secret alone."""
    project = "projects/paging"
    for number in (3, 1, 2, 0):
        client.create_secret(parent=project, secret_id=f"s-{number}", secret=AUTOMATIC)
    client.create_secret(parent="projects/paging-2", secret_id="other", secret=AUTOMATIC)
    pages = list(client.list_secrets(request={"parent": project, "page_size": 3}).pages)
    assert [len(page.secrets) for page in pages] == [3, 1]
    assert pages[0].total_size == 4
    names = [secret.name for page in pages for secret in page.secrets]
    assert names == [f"{project}/secrets/s-{number}" for number in range(4)]
    for number in range(5):
        add(client, names[0], b"%d" % number)
    add(client, names[1], b"x")
    versions = list(client.list_secret_versions(request={"parent": names[0], "page_size": 2}))
    assert [version.name.rpartition("/")[2] for version in versions] == ["5", "4", "3", "2", "1"]
    for page_token in ("x", "-1"):
        with pytest.raises(exceptions.InvalidArgument):
            client.list_secrets(request={"parent": project, "page_token": page_token})


def test_etag_guards_a_change(client: SecretManagerServiceClient, secret: str) -> None:
    """A change that names an old etag does not happen."""
    name = add(client, secret, b"x")
    old = client.get_secret_version(name=name).etag
    new = client.disable_secret_version(request={"name": name, "etag": old}).etag
    assert new != old
    with pytest.raises(exceptions.FailedPrecondition, match="etag"):
        client.destroy_secret_version(request={"name": name, "etag": old})
    with pytest.raises(exceptions.FailedPrecondition, match="etag"):
        client.delete_secret(request={"name": secret, "etag": '"other"'})
    assert client.get_secret_version(name=name).etag == new


def test_what_is_not_served_is_refused_by_name(client: SecretManagerServiceClient, secret: str) -> None:
    """Methods, fields and filters that would be ignored are UNIMPLEMENTED."""
    with pytest.raises(exceptions.MethodNotImplemented, match=r"UpdateSecret"):
        client.update_secret(secret=Secret(name=secret), update_mask={"paths": ["labels"]})
    with pytest.raises(exceptions.MethodNotImplemented, match=r"GetIamPolicy"):
        client.get_iam_policy(request={"resource": secret})
    with pytest.raises(exceptions.MethodNotImplemented, match=r"Secret\.version_aliases"):
        client.create_secret(
            parent=PROJECT, secret_id="aliases", secret=Secret(AUTOMATIC, version_aliases={"a": 1})
        )
    with pytest.raises(exceptions.MethodNotImplemented, match="filter"):
        client.list_secrets(request={"parent": PROJECT, "filter": "name:x"})
    with pytest.raises(exceptions.MethodNotImplemented, match="regional"):
        client.create_secret(parent=f"{PROJECT}/locations/l", secret_id="x", secret=AUTOMATIC)
    with pytest.raises(exceptions.InvalidArgument, match="replication"):
        client.create_secret(parent=PROJECT, secret_id="x", secret=Secret())


def test_concurrent_versions_get_numbers_of_their_own(
    client: SecretManagerServiceClient, secret: str
) -> None:
    """Eight writers at once: no number twice, none skipped, each with its own payload."""
    made: dict[str, bytes] = {}

    def write(number: int) -> None:
        for count in range(10):
            data = b"%d/%d" % (number, count)
            made[add(client, secret, data)] = data

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(made) == {f"{secret}/versions/{number}" for number in range(1, 81)}
    for name, data in made.items():
        assert access(client, name) == data


@pytest.fixture(scope="module")
def shelf(client: SecretManagerServiceClient) -> str:
    return client.create_secret(parent=PROJECT, secret_id="round-trip", secret=AUTOMATIC).name


@settings(max_examples=50, deadline=None)
@given(data=st.binary(min_size=1, max_size=2000))
def test_any_payload_comes_back(client: SecretManagerServiceClient, shelf: str, data: bytes) -> None:
    """Bytes are bytes."""
    assert access(client, add(client, shelf, data)) == data
